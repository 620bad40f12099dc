//! What archc says about faulty programs: every file in tests/ui carries its expected messages as its last comment.
//!
//! `UPDATE=1` writes the comments anew; read the difference as a user would.

use archc::diagnostics::{Diagnostic, Diagnostics, Severity};
use archc::model::{self, Overrides};
use archc::source::{Sources, Span};
use std::path::{Path, PathBuf};

/// What stands where there is nothing to say.
const NOTHING: &str = "# no message\n";

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let entries = std::fs::read_dir(&folder).expect("tests/ui").flatten().map(|entry| entry.path());
    let mut files = entries.filter(|path| path.extension().is_some_and(|end| end == "arch")).collect::<Vec<_>>();
    files.sort();
    files
}

/// The program, and the comment after it that holds what is expected.
fn split(text: &str) -> (&str, &str) {
    let starts =
        |line: &str| ["# error[", "# warning[", "# note[", "# no message"].iter().any(|it| line.starts_with(it));
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if starts(line) {
            return text.split_at(at);
        }
        at += line.len();
    }
    (text, "")
}

/// Everything that parsing and checking say about a program, in the form of the comment.
fn said(path: &Path, program: &str) -> String {
    let mut sources = Sources::default();
    let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path);
    let main = sources.add(shown, program);
    let mut sink = Diagnostics::default();
    let library = model::load(&mut sources, main, &mut sink);
    if !sink.has_errors() {
        model::check(&library, &Overrides::default(), &mut sink);
    }
    let text = sink.iter().map(|diagnostic| comment(diagnostic, &sources, main)).collect::<String>();
    if text.is_empty() { NOTHING.to_string() } else { text }
}

fn comment(diagnostic: &Diagnostic, sources: &Sources, main: archc::source::FileId) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut text = format!("# {severity}[{}]: {}\n", diagnostic.code.name, diagnostic.message);
    for (span, label) in &diagnostic.labels {
        text.push_str(&format!("#   {}: {label}\n", place(*span, sources, main)));
    }
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!("#   help: {help}\n"));
    }
    text
}

/// ``label at `x + y` (line 3)``; another file is named, since its lines may move.
fn place(span: Span, sources: &Sources, main: archc::source::FileId) -> String {
    let shown = sources.text(span);
    let first = shown.lines().next().unwrap_or_default();
    let dots = if first.len() < shown.len() { " …" } else { "" };
    let file = match span.file == main {
        true => format!("line {}", sources.line(span)),
        false => sources.file(span.file).path.display().to_string(),
    };
    format!("label at `{first}{dots}` ({file})")
}

#[test]
fn every_message_is_as_its_fixture_says() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for path in fixtures() {
        let text = std::fs::read_to_string(&path).expect("a readable fixture");
        let (program, expected) = split(&text);
        let said = said(&path, program);
        if said != expected && update {
            std::fs::write(&path, format!("{program}{said}")).expect("a writable fixture");
        } else if said != expected {
            wrong.push(format!("{}\nexpected:\n{expected}said:\n{said}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{} (UPDATE=1 rewrites)\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_fixture_has_something_to_say_unless_its_name_says_good() {
    for path in fixtures() {
        let text = std::fs::read_to_string(&path).expect("a readable fixture");
        let good = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("good_"));
        assert_eq!(split(&text).1 == NOTHING, good, "{}", path.display());
    }
}

#[test]
fn nothing_is_said_about_the_shipped_examples() {
    let mut wrong = Vec::new();
    for (path, text) in model::library::embedded_files().filter(|(path, _)| path.starts_with("examples/")) {
        let said = said(Path::new(&path), text);
        let looks_ahead = path == "examples/nllb_moe.arch" && said.contains("N0601") && !said.contains("W0");
        if said != NOTHING && !looks_ahead {
            wrong.push(format!("{path}\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
