//! Damaged programs: whatever is dropped, doubled, swapped or replaced in a file, the compiler says what is wrong or
//! compiles it. It never panics, and no stage after the checker finds fault with a program that the checker passed.
//!
//! `ARCHC_DAMAGES=20000 ARCHC_SEED=7 cargo test --test suite damage` tries more.

use archc::diagnostics::Diagnostics;
use archc::driver::{Session, graphs, guard, programs};
use archc::model::{self, Overrides};
use archc::source::Sources;
use archc::verify::weights::Random;
use std::path::Path;

/// The .arch files of the repository that hold a model or blocks.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["examples", "stdlib", "tests/ui"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder").flatten().map(|entry| entry.path());
        for path in entries.filter(|path| path.extension().is_some_and(|ending| ending == "arch")) {
            let name = format!("{folder}/{}", path.file_name().expect("a name").to_string_lossy());
            files.push((name, std::fs::read_to_string(&path).expect("a readable file")));
        }
    }
    files.sort();
    assert!(files.len() > 65);
    files
}

/// Words, numbers, texts, and every other character by itself; blanks stay with what is before them.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '.';
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' => rest[1..].find(['"', '\n']).map_or(rest.len(), |end| end + 2),
            _ if is_word(first) => rest.find(|one| !is_word(one)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let blanks = rest[end..].len() - rest[end..].trim_start_matches(' ').len();
        let (token, after) = rest.split_at(end + blanks);
        tokens.push(token);
        rest = after;
    }
    tokens
}

fn damaged(text: &str, random: &mut Random) -> String {
    let mut tokens = tokens(text);
    let mut below = |count: usize| (random.bits() % count as u64) as usize;
    for _ in 0..1 + below(3) / 2 {
        let (at, other) = (below(tokens.len() - 1), below(tokens.len()));
        match below(5) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[at]),
            2 => tokens.swap(at, at + 1),
            3 => tokens.swap(at, other),
            _ => tokens[at] = tokens[other],
        }
    }
    tokens.concat()
}

/// Runs the front half of the compiler; the broken guarantee, if there is one.
fn compile(text: &str) -> Result<(), String> {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let main = sources.add("tests/ui/damaged.arch", text);
    let checked = guard("model", || {
        let library = model::load(&mut sources, main, &mut sink);
        if sink.has_errors() { None } else { model::check(&library, &Overrides::default(), &mut sink) }
    });
    let Some(model) = checked.map_err(|bug| bug.guarantee)? else {
        let says_model = text.lines().any(|line| line.starts_with("model "));
        let silent = sink.iter().next().is_none() && says_model;
        return if silent { Err("refused without a word".into()) } else { Ok(()) };
    };
    let mut session = Session::default();
    let graphs = graphs(&model, &mut session).map_err(|failure| guarantee(&failure))?;
    programs(&graphs, &mut session).map_err(|failure| guarantee(&failure))?;
    Ok(())
}

fn guarantee(failure: &archc::driver::Failure) -> String {
    match failure {
        archc::driver::Failure::Fault(archc::fault::Fault::Bug(bug)) => format!("{}: {}", bug.stage, bug.guarantee),
        other => format!("{other:?}"),
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn a_damaged_program_never_panics_the_compiler() {
    let files = files();
    let mut random = Random::new(number("ARCHC_SEED", 1));
    let mut broken = Vec::new();
    for _ in 0..number("ARCHC_DAMAGES", 150) {
        let (name, text) = &files[(random.bits() % files.len() as u64) as usize];
        let text = damaged(text, &mut random);
        if let Err(guarantee) = compile(&text) {
            broken.push(format!("{name}: {guarantee}\n{text}"));
        }
    }
    assert!(broken.is_empty(), "{} programs:\n{}", broken.len(), broken.join("\n\n"));
}

#[test]
fn what_is_not_damaged_is_compiled_or_refused() {
    for (name, text) in files() {
        assert_eq!(compile(&text), Ok(()), "{name}");
    }
}
