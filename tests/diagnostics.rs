//! The code table, rendering, and hints by nearest name.

use archc::diagnostics::codes::{self, E0101};
use archc::diagnostics::{Diagnostic, Diagnostics, explain, nearest, render};
use archc::source::{Sources, Span};

#[test]
fn every_code_is_unique_and_explained() {
    let mut names = codes::all().map(|code| code.name).collect::<Vec<_>>();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "a code is declared twice");
    for code in codes::all() {
        assert!(code.explanation.trim().len() > 60, "{} has no explanation", code.name);
        assert!(!code.title.ends_with('.'), "{}: a title is a few words", code.name);
        let wide = code.explanation.lines().find(|line| line.chars().count() > 120);
        assert_eq!(wide, None, "{}: too wide for a terminal", code.name);
    }
}

#[test]
fn a_code_is_explained_in_either_case_and_an_unknown_one_is_not() {
    assert!(explain("e0103").is_some_and(|text| text.starts_with("E0103: comparisons that chain\n\n")));
    assert_eq!(explain("E9999"), None);
}

#[test]
fn a_message_shows_code_path_line_labels_and_help() {
    let mut sources = Sources::default();
    let file = sources.add("model.arch", "block f(x[d]) -> [d] {\n  return y\n}\n");
    let place = |start, end| Span { file, start, end };
    let mut sink = Diagnostics::default();
    sink.push(
        Diagnostic::new(E0101, "nothing is called `y` here")
            .label(place(32, 33), "not declared")
            .label(place(8, 9), "`x` is")
            .help("did you mean `x`?"),
    );
    insta::assert_snapshot!(render(&sink, &sources, false));
    assert!(render(&sink, &sources, true).contains("\u{1b}["));
}

#[test]
fn a_span_outside_of_the_text_or_inside_a_letter_does_not_panic() {
    let mut sources = Sources::default();
    let file = sources.add("model.arch", "é");
    for (start, end) in [(0, 1), (1, 1), (7, 9), (2, 0)] {
        let mut sink = Diagnostics::default();
        sink.push(Diagnostic::new(E0101, "odd").label(Span { file, start, end }, "here"));
        assert!(render(&sink, &sources, false).contains("odd"));
    }
}

#[test]
fn the_nearest_name_is_a_slip_away_or_none() {
    let known = ["halves", "adjacent", "table", "ids", "v"];
    assert_eq!(nearest("halvs", known), Some("halves"));
    assert_eq!(nearest("tabel", known), Some("table"));
    assert_eq!(nearest("adjecant", known), Some("adjacent"));
    assert_eq!(nearest("IDS", known), Some("ids"));
    assert_eq!(nearest("w", known), None);
    assert_eq!(nearest("rmsnorm", known), None);
    assert_eq!(nearest("table", ["table"]), None);
}
