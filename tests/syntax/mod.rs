//! What the parser reads, what it says about the rest, and how a tree is printed.

mod damage;
mod printing;
mod reading;

use archc::diagnostics::Diagnostics;
use archc::source::FileId;
use archc::syntax::{ast, parse};
use std::path::{Path, PathBuf};

/// A tree and the messages about it, `E0101: expected …`.
fn read(text: &str) -> (ast::File, Vec<String>) {
    let mut sink = Diagnostics::default();
    let file = parse(FileId(0), text, &mut sink);
    (file, sink.iter().map(|found| format!("{}: {}", found.code.name, found.message)).collect())
}

/// The .arch files below a folder of the repository, in order of their names.
fn arch_files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "arch") {
                let text = std::fs::read_to_string(&path).expect("a readable file");
                files.push((path, text));
            }
        }
    }
    files.sort();
    files
}

fn fixtures() -> Vec<(PathBuf, String)> {
    let files = arch_files("tests/syntax/fixtures");
    assert!(files.len() >= 4, "the fixtures are missing");
    files
}

/// A tree without its places, so that two texts of one tree are equal.
fn shape(file: &ast::File) -> String {
    let text = format!("{file:?}");
    let mut shape = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("Span {") {
        shape.push_str(&rest[..at]);
        rest = rest[at..].split_once('}').map_or("", |(_, after)| after);
    }
    shape + rest
}
