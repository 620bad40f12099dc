//! The certificate of models that no example has: whole sequences = prefill in pieces = step by step = interpreter.

use archc::driver::{Request, Session};
use archc::target::Target;
use archc::verify::report::Verdict;
use archc::verify::{Report, certify};
use std::path::PathBuf;

/// The certificate of a file with sizes of one's own: `name=size` with spaces between.
fn certificate(file: &str, sizes: &str) -> Report {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    let setting = |one: &str| one.split_once('=').map(|(name, size)| (name.to_string(), size.to_string()));
    let request = Request { file, settings: sizes.split(' ').filter_map(setting).collect(), ..Request::default() };
    certify(&request, &Target::native().into(), &mut Session::default()).unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn has_a_certificate(name: &str) {
    is_certified(&format!("tests/model/{name}.arch"), "");
}

fn is_certified(file: &str, sizes: &str) {
    let report = certificate(file, sizes);
    assert!(report.passed(), "{file}\n{report}");
    for form in ["whole sequences", "a row alone", "prefill in pieces", "prefill, then steps", "step by step"] {
        let line =
            report.lines.iter().find(|line| line.name == form).unwrap_or_else(|| panic!("{file}: {form}\n{report}"));
        assert!(matches!(line.verdict, Verdict::Agrees(_)), "{report}");
    }
}

#[test]
fn a_mixer_of_ones_own_has_a_certificate() {
    has_a_certificate("homemade");
}

#[test]
fn a_recurrence_counts_positions_from_the_start_of_the_sequence() {
    has_a_certificate("positions");
}

/// One example of each kind: dense, experts, two sequences, a latent, recurrences.
#[test]
fn examples_of_small_sizes_have_a_certificate() {
    for (name, sizes) in [
        ("gpt2", "layers=2 heads=2 hidden=12 d=16 v=31 n=256"),
        ("mixtral", "layers=2 d=16 heads=4 kv_heads=2 hidden=12 e=4 v=31"),
        ("t5", "layers=1 decoder_layers=2 hidden=12 d=16 h=2 k=8 v=31"),
        ("deltanet", "layers=1 heads=2 key_width=4 width=8 hidden=12 d=16 v=31"),
    ] {
        is_certified(&format!("examples/{name}.arch"), sizes);
    }
}

/// A block names an index of its own like the other sequence, whose rows have other lengths.
#[test]
fn room_for_tokens_is_counted_along_the_right_sequence() {
    is_certified("examples/switch.arch", "layers=2 decoder_layers=2 hidden=8 d=8 h=2 k=4 v=13 e=4 capacity=3");
}

#[test]
fn what_takes_numbers_instead_of_tokens_is_certified_in_pieces_as_well() {
    for name in ["op_gla", "op_delta_rule", "op_linear_attn"] {
        is_certified(&format!("examples/ops/{name}.arch"), "");
    }
}

/// Rows of one token each have whole sequences alone, and a choice over the whole batch has no step: the reason is said.
#[test]
fn a_certificate_says_which_forms_there_are_not() {
    let experts = certificate("examples/hierarchical_moe.arch", "");
    assert!(experts.passed() && experts.has("a row alone") && !experts.has("step by step"), "{experts}");
    let sizes = "layers=2 decoder_layers=2 hidden=8 decoder_hidden=8 every=2 decoder_every=2 d=8 h=2 g=2 v=13 e=4";
    let batched = certificate("examples/nllb_moe.arch", sizes);
    assert!(batched.passed(), "{batched}");
    let said = batched.to_string();
    assert!(said.contains("no step program: all positions of the sequence are combined"), "{said}");
}
