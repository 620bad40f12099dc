//! Files with damage: one bad line is one error and takes nothing else with it; nothing panics.

use super::{fixtures, read, shape};
use archc::syntax::print;

/// Lines that are wrong in many ways, each by itself.
const BAD_LINES: [&str; 14] = [
    "x = )",
    "x = (a",
    "x = [a",
    "x = a b c",
    "y = = 2",
    "sum[d](x)",
    "dim dim",
    "set 3 = x",
    "param",
    "for = 3 { }",
    "x = \"never closed",
    "yield a b = 3",
    "= x",
    "x = a ? b",
];

/// Offsets of line starts where a line of a body can be put in: braces are open there, no bracket is, and the line
/// before has ended.
fn places_for_a_line(text: &str) -> Vec<usize> {
    let (mut braces, mut brackets) = (Vec::new(), 0i32);
    let (mut places, mut at) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or_default();
        let code = if line.matches('"').count() > 0 { line.trim_end() } else { code.trim_end() };
        for character in code.chars() {
            match character {
                '{' => braces.push(code.trim_start().to_string()),
                '}' => drop(braces.pop()),
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                _ => {}
            }
        }
        at += line.len();
        let goes_on = ["+", "=", ",", "where", "and"].iter().any(|end| code.ends_with(end));
        let of_lines = braces.last().is_some_and(|head| !head.contains("match") && !head.starts_with("weights"));
        if of_lines && brackets == 0 && !goes_on {
            places.push(at);
        }
    }
    places
}

#[test]
fn a_bad_line_anywhere_is_one_error_and_the_rest_stays() {
    let mut tried = 0;
    for (path, text) in fixtures() {
        let whole = shape(&read(&text).0);
        for place in places_for_a_line(&text) {
            for bad in BAD_LINES {
                let damaged = format!("{}{bad}\n{}", &text[..place], &text[place..]);
                let (file, messages) = read(&damaged);
                let context = format!("{} at {place}: {bad}", path.display());
                assert_eq!(messages.len(), 1, "{context}: {messages:?}");
                assert_eq!(shape(&file), whole, "{context}");
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "only {tried} places were tried");
}

#[test]
fn one_missing_character_never_panics_and_seldom_costs_more_than_one_error() {
    let (mut tried, mut many) = (0, Vec::new());
    for (path, text) in fixtures() {
        for (at, character) in text.char_indices() {
            let damaged = format!("{}{}", &text[..at], &text[at + character.len_utf8()..]);
            let (_, messages) = read(&damaged);
            tried += 1;
            if messages.len() > 1 {
                many.push(format!("{}:{at} `{character}` {messages:?}", path.display()));
            }
        }
    }
    assert!(many.len() * 100 < tried, "{} of {tried}:\n{}", many.len(), many.join("\n"));
}

#[test]
fn text_cut_off_anywhere_never_panics() {
    for (_, text) in fixtures() {
        for (at, _) in text.char_indices().step_by(5) {
            let (file, _) = read(&text[..at]);
            read(&print(&file));
        }
    }
}

#[test]
fn nesting_without_end_is_an_error_and_not_a_crash() {
    for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("- ", ""), ("x[t: ", "]"), ("{", "}")] {
        let text = format!("block f() {{ y = {}1{} }}\n", open.repeat(100_000), close.repeat(100_000));
        let (_, messages) = read(&text);
        assert!(messages.len() <= 1, "{open}: {messages:?}");
    }
}
