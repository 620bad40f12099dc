//! The certificate of models that no example has: whole sequences = prefill in pieces = step by step = interpreter.

use archc::driver::{Request, Session};
use archc::target::Target;
use archc::verify::report::Verdict;
use archc::verify::{Report, certify};
use std::path::PathBuf;

fn certificate(name: &str) -> Report {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/model").join(format!("{name}.arch"));
    let request = Request { file, ..Request::default() };
    certify(&request, &Target::native(), &mut Session::default()).unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn has_a_certificate(name: &str) {
    let report = certificate(name);
    assert!(report.passed(), "{report}");
    for form in ["whole sequences", "a row alone", "prefill in pieces", "prefill, then steps", "step by step"] {
        let line = report.lines.iter().find(|line| line.name == form).unwrap_or_else(|| panic!("{form}\n{report}"));
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
