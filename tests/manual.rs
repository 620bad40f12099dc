//! The manual's examples: every fenced block of grammar/language.md is read, and whole programs are checked.
//!
//! `arch` is a file, `arch fragment` some lines of a body, `arch E0304` a program that is refused with that code.

use archc::diagnostics::{Diagnostics, render};
use archc::model::{self, Overrides};
use archc::source::{FileId, Sources};
use archc::syntax::parse;

struct Example {
    line: usize,
    kind: String,
    text: String,
}

fn examples() -> Vec<Example> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/grammar/language.md");
    let manual = std::fs::read_to_string(path).expect("grammar/language.md");
    let (mut examples, mut open): (Vec<Example>, Option<Example>) = (Vec::new(), None);
    for (at, line) in manual.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => examples.extend(open.take()),
            (Some(kind), None) => open = Some(Example { line: at + 1, kind: kind.to_string(), text: String::new() }),
            (None, Some(example)) => example.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    examples
}

/// Everything said about a whole file, and the codes.
fn check(text: &str) -> (String, Vec<&'static str>) {
    let mut sources = Sources::default();
    let main = sources.add("manual.arch", text);
    let mut sink = Diagnostics::default();
    let library = model::load(&mut sources, main, &mut sink);
    if !sink.has_errors() && !library.models.is_empty() {
        model::check(&library, &Overrides::default(), &mut sink);
    }
    (render(&sink, &sources, false), sink.iter().map(|one| one.code.name).collect())
}

#[test]
fn every_example_is_read_and_every_program_is_checked() {
    let mut wrong = Vec::new();
    for example in examples() {
        let said = match example.kind.as_str() {
            "arch" => check(&example.text).0,
            "arch fragment" => {
                let mut sink = Diagnostics::default();
                parse(FileId(0), &format!("block fragment() {{\n{}}}\n", example.text), &mut sink);
                sink.iter().map(|one| one.message.clone()).collect()
            }
            kind if kind.starts_with("arch ") => match check(&example.text) {
                (_, codes) if codes == [&kind[5..]] => String::new(),
                (said, _) => format!("expected {} alone\n{said}", &kind[5..]),
            },
            _ => String::new(),
        };
        if !said.is_empty() {
            wrong.push(format!("line {}: {said}", example.line));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_manual_has_examples_of_every_kind() {
    let kinds = examples().into_iter().map(|example| example.kind).collect::<Vec<_>>();
    let count = |wanted: &str| kinds.iter().filter(|kind| kind.starts_with(wanted)).count();
    assert!(count("arch") >= 15 && count("arch fragment") >= 4 && count("arch E") >= 3);
    assert!(kinds.iter().all(|kind| kind == "text" || kind.starts_with("arch")), "{kinds:?}");
}
