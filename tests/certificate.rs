//! Certificates: whole sequences, pieces, steps and the interpreter agree, and what decoding keeps is what was derived.

use archc::derive::STATE;
use archc::driver::{self, Failure, Graphs, Request, Session};
use archc::fault::Fault;
use archc::gpu::Arch;
use archc::graph::Graph;
use archc::kernel::Form;
use archc::passes::scans::Form as ScanForm;
use archc::target::Target;
use archc::verify::{Machine, Report, certify, certify_far};
use archc_runtime::abi::{BufferInfo, Role};
use std::path::PathBuf;

/// A file of the repository, or one that a test wrote.
fn request(file: &str, settings: &[(&str, &str)]) -> Request {
    let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Request { file: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file), settings, config: None, model: None }
}

fn fail(failure: &Failure, session: &Session) -> ! {
    panic!("{failure:?}\n{}", archc::diagnostics::render(&session.diagnostics, &session.sources, false))
}

fn certified(file: &str, settings: &[(&str, &str)]) -> Report {
    let mut session = Session::default();
    let report = certify(&request(file, settings), &Target::native().into(), &mut session);
    let report = report.unwrap_or_else(|failure| fail(&failure, &session));
    assert!(report.passed(), "{report}");
    report
}

fn graphs(file: &str, settings: &[(&str, &str)]) -> Graphs {
    let mut session = Session::default();
    let model = driver::check(&request(file, settings), &mut session);
    let model = model.unwrap_or_else(|failure| fail(&failure, &session));
    driver::graphs(&model, &mut session).unwrap_or_else(|failure| fail(&failure, &session))
}

/// Bytes of all states for one row and so many positions.
fn state_bytes(graphs: &Graphs, context: i64) -> i64 {
    let mut session = Session::default();
    let programs = driver::programs(graphs, &mut session).unwrap_or_else(|failure| fail(&failure, &session));
    let step = programs.iter().find(|program| program.name == "step").expect("has a step program");
    let size = |name: &String| if name == "context" { context } else { 1 };
    let symbols = step.symbols.iter().map(size).collect::<Vec<_>>();
    let states = step.buffers.iter().filter(|buffer| buffer.role == Role::State);
    let bytes = |shape: &[archc_runtime::abi::Size]| shape.iter().map(|one| one.evaluate(&symbols)).product::<i64>();
    states.map(|buffer| bytes(&buffer.shape) * buffer.element.bytes() as i64).sum()
}

/// The axes of every state, by name, without rows and layers.
fn states(step: &Graph) -> Vec<String> {
    let name = |axis: &archc::tensor::AxisId| step.axes[*axis].name.clone();
    let kept = step.outputs.iter().zip(step.root.results.iter().flatten()).filter(|(name, _)| name.starts_with(STATE));
    let axes = kept.map(|(_, value)| step.root.typed(*value).ty.axes.iter().map(name).collect::<Vec<_>>().join(" "));
    axes.collect()
}

/// A mistral of two layers whose positions see `window`.
fn small(window: &str) -> Vec<(&str, &str)> {
    let sizes = [("layers", "2"), ("heads", "4"), ("kv_heads", "2"), ("hidden", "40"), ("d", "32"), ("v", "61")];
    sizes.into_iter().chain([("window", window)]).collect()
}

#[test]
fn a_window_keeps_as_much_however_long_the_context_is() {
    let small = graphs("examples/mistral.arch", &small("8"));
    assert_eq!(state_bytes(&small, 512), state_bytes(&small, 1 << 20));
    assert_eq!(states(small.step.as_ref().expect("steps")), ["batch i recent g k", "batch i recent g k"]);
    let large = graphs("examples/mistral.arch", &[]);
    let ring = (4095 + 128 + 63) / 64 * 64;
    assert_eq!(state_bytes(&large, 1 << 20), 32 * 2 * ring * 8 * 128 * 4);
    let whole = graphs("examples/mistral.arch", &[("window", "inf")]);
    assert_eq!(state_bytes(&whole, 1024), 32 * 2 * 1024 * 8 * 128 * 4);
}

#[test]
fn decoding_far_past_a_window_is_the_whole_sequence() {
    for window in ["1", "8", "70", "130"] {
        let report = certified("examples/mistral.arch", &small(window));
        assert!(report.has("far: step by step"), "{report}");
    }
}

#[test]
fn latent_attention_is_certified() {
    certified("tests/model/mla.arch", &[]);
}

/// Whether a step takes keys in pieces that all heads share.
fn takes_pieces(graphs: &Graphs) -> bool {
    let mut session = Session::default();
    let programs = driver::programs(graphs, &mut session).unwrap_or_else(|failure| fail(&failure, &session));
    let step = programs.iter().find(|program| program.name == "step").expect("has a step program");
    let in_pieces = |form: &Form| matches!(form, Form::Attend(attend) if attend.piece.is_some());
    step.kernels.iter().any(|kernel| in_pieces(&kernel.form))
}

/// A piece is 512 keys: rows of two, and of less than one. Prefill has several queries, whose keys are one piece.
#[test]
fn keys_that_all_heads_share_are_taken_in_pieces() {
    let file = "tests/model/mla.arch";
    assert!(takes_pieces(&graphs(file, &[])));
    assert!(!takes_pieces(&graphs("examples/llama.arch", &[])), "its keys are four sets");
    let mut session = Session::default();
    let small = [("layers", "1"), ("heads", "2"), ("hidden", "8")];
    let report = certify_far(&request(file, &small), &Target::native().into(), 540, &mut session);
    let report = report.unwrap_or_else(|failure| fail(&failure, &session));
    assert!(report.passed() && report.has("far: step by step"), "{report}");
}

/// DeepSeek-V3's sizes, with two layers.
const LATENT: &str = "
model Latent {
  set layers = 2
  dim t, s like t, d = 7168, v = 129280
  input ids[t] : v
  param table[v, d]
  x = table[v: ids]
  for i in layers { x += attn: mla(norm1: rmsnorm(x), s <= t, 128, 1536, 512, 128, 64, 128) }
  output logits = sum[d](norm: rmsnorm(x) * table)
}";

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.arch");
    std::fs::write(&file, text).expect("writable");
    (folder, file)
}

#[test]
fn latent_attention_keeps_the_latent_and_the_shared_key_and_nothing_else() {
    let (_folder, file) = written(LATENT);
    let large = graphs(file.to_str().expect("a path"), &[]);
    let step = large.step.as_ref().expect("steps");
    let mut kept = states(step);
    kept.sort();
    assert_eq!(kept, ["batch i context c", "batch i context e"]);
    assert_eq!(state_bytes(&large, 1), 2 * 576 * 4);
    insta::assert_snapshot!(body_of_the_layers(step));
}

#[test]
fn layers_of_two_kinds_with_the_same_attention_share_what_they_keep() {
    let published = graphs("examples/deepseek_v3.arch", &[]);
    assert_eq!(state_bytes(&published, 1), 61 * 576 * 4);
}

/// What a further position costs in all layers.
fn bytes_of_a_position(graphs: &Graphs) -> i64 {
    state_bytes(graphs, 1025) - state_bytes(graphs, 1024)
}

#[test]
fn what_some_layers_keep_is_kept_for_these_alone() {
    let attention_in_four_of_32 = graphs("examples/jamba.arch", &[]);
    assert_eq!(bytes_of_a_position(&attention_in_four_of_32), 4 * 2 * 8 * 128 * 4);
    let attention_in_twelve_of_48 = graphs("examples/qwen3_next.arch", &[]);
    assert_eq!(bytes_of_a_position(&attention_in_twelve_of_48), 12 * 2 * 2 * 256 * 4);
}

/// The weights of a kind of layers are read where they are: what a step computes besides is small.
#[test]
fn weights_that_some_layers_have_are_not_copied() {
    for name in ["deepseek_v3", "jamba", "qwen3_next"] {
        let mut session = Session::default();
        let graphs = graphs(&format!("examples/{name}.arch"), &[]);
        let programs = driver::programs(&graphs, &mut session).unwrap_or_else(|failure| fail(&failure, &session));
        let step = programs.iter().find(|program| program.name == "step").expect("has a step program");
        let symbols = vec![1; step.symbols.len() + step.counters];
        let elements = |buffer: &&BufferInfo| buffer.shape.iter().map(|one| one.evaluate(&symbols)).product::<i64>();
        let made = step.buffers.iter().filter(|buffer| matches!(buffer.role, Role::Temporary { .. }));
        let large = made.filter(|buffer| elements(buffer) > 1 << 20).collect::<Vec<_>>();
        assert!(large.is_empty(), "{name}: {large:?}");
    }
}

/// What one layer of a step computes, optimized.
fn body_of_the_layers(step: &Graph) -> String {
    let optimized = archc::passes::optimize(step.clone()).unwrap_or_else(|bug| panic!("{bug:?}"));
    archc::graph::text::print(&optimized)
}

#[test]
fn no_expanded_key_or_value_is_ever_stored() {
    let (_folder, file) = written(LATENT);
    let large = graphs(file.to_str().expect("a path"), &[]);
    let mut session = Session::default();
    let programs = driver::programs(&large, &mut session).unwrap_or_else(|failure| fail(&failure, &session));
    let step = programs.iter().find(|program| program.name == "step").expect("has a step program");
    let elements = |context: i64| {
        let size = |name: &String| if name == "context" { context } else { 1 };
        let symbols = step.symbols.iter().map(size).chain(std::iter::repeat_n(0, step.counters)).collect::<Vec<_>>();
        let buffers =
            step.buffers.iter().map(|buffer| buffer.shape.iter().map(|one| one.evaluate(&symbols)).product::<i64>());
        (buffers.collect::<Vec<_>>(), step.multiply_adds.evaluate(&symbols))
    };
    let ((few, less), (many, more)) = (elements(1000), elements(2000));
    let grown = few.iter().zip(&many).map(|(few, many)| (many - few) / 1000).max().expect("has buffers");
    assert!(grown <= 2 * 512, "some buffer grows by {grown} numbers a position: a latent of two layers has 1024");
    let work = (more - less) / 1000 / 2;
    assert_eq!(work, 128 * (512 + 64 + 512), "multiply-adds for each layer and further position");
}

#[test]
fn both_products_of_latent_attention_are_streamed() {
    let (_folder, file) = written(LATENT);
    let large = graphs(file.to_str().expect("a path"), &[]);
    let mut session = Session::default();
    let programs = driver::programs(&large, &mut session).unwrap_or_else(|failure| fail(&failure, &session));
    for (name, sequence) in [("forward", "t"), ("step", "context")] {
        let program = programs.iter().find(|program| program.name == name).expect("is there");
        let elements = |positions: i64| {
            let size = |symbol: &String| match symbol.as_str() {
                "batch" => 1,
                "chunk" => 64,
                symbol => i64::from(symbol != sequence) + i64::from(symbol == sequence) * positions,
            };
            let symbols = program.symbols.iter().map(size).chain(std::iter::repeat_n(0, program.counters));
            let symbols = symbols.collect::<Vec<_>>();
            let buffers = program
                .buffers
                .iter()
                .map(|buffer| buffer.shape.iter().map(|one| one.evaluate(&symbols)).product::<i64>());
            buffers.collect::<Vec<_>>()
        };
        // A table of all queries and keys of 128 heads would grow by at least 128 · 64 a position, and ever faster.
        let (few, some, many) = (elements(1000), elements(2000), elements(4000));
        for place in 0..few.len() {
            assert_eq!(many[place] - some[place], 2 * (some[place] - few[place]), "{:?}", program.buffers[place]);
            assert!(name == "forward" || some[place] - few[place] <= 1000 * 1024, "{:?}", program.buffers[place]);
        }
    }
}

#[test]
fn what_is_read_a_few_positions_back_is_kept_for_these_alone() {
    let tap_and_state = (4 - 1) + 16;
    let mamba = graphs("examples/mamba.arch", &[]);
    assert_eq!(states(mamba.step.as_ref().expect("steps")), ["batch i recent c", "batch i c n"]);
    assert_eq!(state_bytes(&mamba, 1 << 20), 24 * 1536 * tap_and_state * 4);
    let jamba = graphs("examples/jamba.arch", &[]);
    assert_eq!(state_bytes(&jamba, 0), 28 * 8192 * tap_and_state * 4);
}

#[test]
fn shifts_and_taps_are_read_from_runs_and_from_what_was_before() {
    let common = [("layers", "2"), ("d", "16"), ("v", "31")];
    let files = [
        ("examples/rwkv.arch", vec![("inner", "16"), ("hidden", "24")]),
        ("examples/mamba.arch", vec![("inner", "24"), ("low", "4"), ("state", "4")]),
    ];
    for (file, own) in files {
        let report = certified(file, &[common.to_vec(), own].concat());
        assert!(report.has("far: step by step"), "{report}");
        // A running maximum has no chunkwise form.
        let refused = report.to_string().contains("layers.t in chunks");
        assert_eq!(
            (refused, report.has("in chunks of 7")),
            (file.contains("rwkv"), !file.contains("rwkv")),
            "{report}"
        );
    }
}

#[test]
fn recurrences_are_one_program_in_every_form() {
    let common = [("layers", "2"), ("d", "32"), ("heads", "2"), ("v", "61"), ("hidden", "40")];
    let wide = [("key_width", "8"), ("width", "8")];
    for (file, own) in [("examples/retnet.arch", vec![("inner", "32")]), ("examples/deltanet.arch", wide.to_vec())] {
        let request = request(file, &[common.to_vec(), own].concat());
        for form in [ScanForm::Sequential, ScanForm::Chunkwise(None), ScanForm::Chunkwise(Some(7))] {
            let mut session = Session::new(None);
            session.scan = form;
            let report = certify(&request, &Target::native().into(), &mut session);
            let report = report.unwrap_or_else(|failure| fail(&failure, &session));
            assert!(report.passed() && report.has("in chunks of 16"), "{file} as {form:?}\n{report}");
        }
    }
}

/// An encoder-decoder of small sizes.
fn small_t5() -> [(&'static str, &'static str); 8] {
    [
        ("layers", "2"),
        ("decoder_layers", "3"),
        ("hidden", "40"),
        ("d", "24"),
        ("h", "3"),
        ("k", "8"),
        ("v", "61"),
        ("gates", "true"),
    ]
}

#[test]
fn what_decoding_reads_of_a_source_is_computed_once() {
    let small = graphs("examples/t5.arch", &small_t5());
    let (begin, step) = (small.begin.as_ref().expect("begins"), small.step.as_ref().expect("steps"));
    begin.verify().expect("is sound");
    step.verify().expect("is sound");
    // Keys and values of every layer, and whether there is any source at all.
    assert_eq!(states(begin), ["batch i s h k", "batch i s h k", "batch"]);
    let inputs = |graph: &Graph| {
        let ids = graph.root.ids().into_iter();
        let names = ids.filter_map(|id| match &graph.root.node(id).op {
            archc::graph::Op::Input(name) if !name.starts_with(STATE) => Some(name.clone()),
            _ => None,
        });
        names.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(inputs(begin), ["shown", "source"]);
    assert!(!inputs(step).contains(&"source".to_string()), "a step does not read the source");
    let mut session = Session::default();
    let programs = driver::programs(&small, &mut session).unwrap_or_else(|failure| fail(&failure, &session));
    let step = programs.iter().find(|program| program.name == "step").expect("has a step program");
    let work = |source: i64| {
        let size = |name: &String| if name == "s" { source } else { 1 };
        let symbols = step.symbols.iter().map(size).chain(std::iter::repeat_n(0, step.counters)).collect::<Vec<_>>();
        step.multiply_adds.evaluate(&symbols)
    };
    // For each further position of the source: scores and their sums, in three layers of three heads of width 8.
    assert_eq!(work(101) - work(100), 3 * 2 * 24);
}

/// The first positions of a row see each other: its first piece holds them, all else goes on from there.
#[test]
fn what_is_read_as_a_whole_comes_in_one_piece() {
    let common = [("layers", "2"), ("d", "24"), ("v", "61"), ("hidden", "40")];
    let files = [
        ("examples/prefix_lm.arch", vec![("heads", "4"), ("kv_heads", "2")]),
        ("examples/unilm.arch", vec![("h", "3"), ("n", "32"), ("mask", "5")]),
        ("examples/glm_blank_infilling.arch", vec![("h", "3"), ("n", "32")]),
    ];
    for (file, own) in files {
        let settings = [common.to_vec(), own].concat();
        let report = certified(file, &settings);
        assert!(report.has("prefill, then steps") && report.has("from a snapshot"), "{file}\n{report}");
        let begin = graphs(file, &settings).begin.expect("something is known before the steps");
        assert!(
            begin.outputs.iter().any(|name| name == archc_runtime::abi::names::AHEAD),
            "{file}: {:?}",
            begin.outputs
        );
    }
}

/// Where there is a GPU, its code is certified by the same words as the CPU's.
#[test]
fn a_gpu_is_certified_or_said_to_be_missing() {
    let mut session = Session::default();
    let machine = Machine::Gpu(Arch::Sm80.into());
    match certify(&request("examples/llama.arch", &small_llama()), &machine, &mut session) {
        Ok(report) => assert!(report.passed() && report.has("step by step"), "{report}"),
        Err(Failure::Fault(Fault::Environment(missing))) => {
            assert!(missing.message.contains("GPU"), "{}", missing.message);
            assert!(missing.help.iter().any(|help| help.contains("--device cpu")), "{:?}", missing.help);
        }
        Err(failure) => fail(&failure, &session),
    }
}

fn small_llama() -> Vec<(&'static str, &'static str)> {
    vec![("layers", "2"), ("heads", "4"), ("kv_heads", "2"), ("hidden", "44"), ("d", "40"), ("v", "61")]
}
