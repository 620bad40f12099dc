//! Names and the order of declarations mean nothing: a copy of the standard library and of a model, in which every
//! block, parameter, local name, word, label and axis is called something else and everything independent stands in
//! another order, gives the same graphs and the same programs.

mod names;
mod reordering;

use super::compiled::{graphs, model, programs};
use archc::diagnostics::Diagnostics;
use archc::model::library::embedded_files;
use archc::source::FileId;
use archc::syntax::{ast, parse, print};
use std::collections::BTreeMap;

/// What the language itself says; everything else is somebody's choice.
const WORDS_OF_THE_LANGUAGE: [&str; 36] = [
    "exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tanh", "erf", "abs", "sign", "floor", "select", "sum",
    "prod", "max", "min", "any", "all", "first", "mean", "rank", "top", "stop", "peek", "grad", "blind", "real", "int",
    "bool", "f32", "f64", "self", "batch", "training", "inf",
];

/// The tree of a text without its weight maps, which name tensors of files and so cannot be renamed.
fn tree(text: &str) -> ast::File {
    let mut file = parse(FileId(0), text, &mut Diagnostics::default());
    file.weights.clear();
    file
}

/// The standard library and a model in one file.
fn with_library(model: &str) -> ast::File {
    let mut whole = tree(model);
    whole.uses.clear();
    let own = whole.blocks.iter().map(|block| block.name.text.clone()).collect::<Vec<_>>();
    for (_, text) in embedded_files().filter(|(path, _)| path.starts_with("stdlib/")) {
        // A block of one's own comes first.
        whole.blocks.extend(tree(text).blocks.into_iter().filter(|block| !own.contains(&block.name.text)));
    }
    whole
}

/// New names for all: their order is the reverse of the order of the old ones, so that what sorts by name shows.
fn new_names(file: &mut ast::File) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    names::file(file, &mut |name| drop(names.insert(name.clone(), String::new())));
    names.retain(|name, _| !WORDS_OF_THE_LANGUAGE.contains(&name.as_str()));
    let count = names.len();
    names.values_mut().enumerate().for_each(|(at, new)| *new = format!("q{:04}", count - at));
    names
}

/// All words outside of strings.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split('"')
        .step_by(2)
        .flat_map(|part| part.split(|character: char| !character.is_ascii_alphanumeric() && character != '_'))
}

/// The text with the old names in place of the new ones.
fn old_names(text: &str, names: &BTreeMap<String, String>) -> String {
    let old = names.iter().map(|(old, new)| (new.as_str(), old.as_str())).collect::<BTreeMap<_, _>>();
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut restored = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if is_name(first) { rest.find(|one| !is_name(one)) } else { rest.find(is_name) };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        restored.push_str(old.get(word).unwrap_or(&word));
        rest = after;
    }
    restored
}

/// All graphs and all programs of a text.
fn forms(text: &str) -> Vec<String> {
    let graphs = graphs(&model(text));
    let programs = programs(&graphs);
    graphs.iter().map(|graph| graph.to_string()).chain(programs.iter().map(|program| program.to_string())).collect()
}

/// The first line in which two texts differ, and the lines around it.
fn difference(left: &str, right: &str) -> String {
    let at = left.lines().zip(right.lines()).position(|(left, right)| left != right).unwrap_or(0);
    let around = |text: &str| text.lines().skip(at.saturating_sub(3)).take(8).collect::<Vec<_>>().join("\n");
    format!("line {}:\n{}\n\nrenamed:\n{}", at + 1, around(left), around(right))
}

/// Without the numbers that the paths of draws become in kernels: by the rules of the language they follow the names.
fn without_draw_paths(text: &str) -> String {
    let mut pieces = text.split(" path: ");
    let mut kept = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        kept.push_str(" path: ");
        kept.push_str(piece.trim_start_matches(|one: char| one.is_ascii_digit()));
    }
    kept
}

fn assert_renamed_copy_is_the_same(name: &str, text: &str) {
    let mut copy = with_library(text);
    let names = new_names(&mut copy);
    assert!(names.len() > 60, "{name}: the copy holds the library");
    names::file(&mut copy, &mut |name| {
        if let Some(new) = names.get(name.as_str()) {
            name.clone_from(new);
        }
    });
    reordering::file(&mut copy);
    let renamed = print(&copy);
    assert!(names.keys().all(|old| !words(&renamed).any(|word| word == old)), "{name}: nothing keeps its name");
    for (original, copied) in forms(&print(&tree(text))).iter().zip(forms(&renamed)) {
        let copied = without_draw_paths(&old_names(&copied, &names));
        let original = &without_draw_paths(original);
        assert!(*original == copied, "{name}, {}", difference(original, &copied));
    }
}

#[test]
fn every_example_is_the_same_under_other_names_and_in_another_order() {
    let examples = embedded_files().filter(|(path, _)| path.starts_with("examples/")).collect::<Vec<_>>();
    assert!(examples.len() >= 10);
    for (path, text) in examples {
        assert_renamed_copy_is_the_same(&path, text);
    }
}

/// Programs without draws, whose numbers depend on their paths by the rules of the language.
#[test]
fn recurrences_and_mixers_of_ones_own_are_the_same_under_other_names() {
    for name in ["delta", "homemade"] {
        let path = format!("{}/tests/model/{name}.arch", env!("CARGO_MANIFEST_DIR"));
        assert_renamed_copy_is_the_same(name, &std::fs::read_to_string(path).expect("a program"));
    }
}
