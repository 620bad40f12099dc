//! Reads the JSON that published models come with.
//!
//! In: the text of a file. Out: its value. Python writes `Infinity`, `-Infinity` and `NaN`, which JSON does not have:
//! they come out as the texts "inf", "-inf" and "nan". Anything else that is not JSON is an error.

use crate::fault::Environment;
use serde_json::Value;
use std::path::Path;

const NUMBERS: [(&str, &str); 3] = [("-Infinity", "\"-inf\""), ("Infinity", "\"inf\""), ("NaN", "\"nan\"")];

/// Reads a file. `help` says what was expected there.
///
/// # Errors
/// If there is none, or it is not JSON.
pub fn read_json(path: &Path, help: &str) -> Result<Value, Environment> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Environment::new(format!("cannot read {}: {error}", path.display())).help(help))?;
    parse_json(&text).map_err(|error| Environment::new(format!("{} is not JSON: {error}", path.display())))
}

/// The value of a text; the place in an error is that in the text.
fn parse_json(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| serde_json::from_str(&with_texts(text)).map_err(|_| error))
}

/// The text with a string in the place of each number that JSON lacks.
fn with_texts(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    let (mut quoted, mut escaped) = (false, false);
    while let Some(next) = rest.chars().next() {
        let number = NUMBERS.iter().find(|(name, _)| !quoted && rest.starts_with(name));
        if let Some((name, instead)) = number {
            out.push_str(instead);
            rest = &rest[name.len()..];
            continue;
        }
        quoted ^= next == '"' && !escaped;
        escaped = quoted && next == '\\' && !escaped;
        out.push(next);
        rest = &rest[next.len_utf8()..];
    }
    out
}
