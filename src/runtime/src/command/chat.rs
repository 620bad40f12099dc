//! `generate --chat`: turns of a conversation, over one cache.

use super::generate::{Options, Plan, decoder, speak};
use super::options::print;
use crate::error::{Error, Result};
use crate::generate::{Given, Session};
use crate::interrupt;
use crate::model::Loaded;
use crate::tokenizer::Tokenizer;
use std::io::{BufRead, IsTerminal, stdin};

/// Reads turns from standard input until it ends, and answers each. A prompt, if given, stands before the first turn.
pub fn run(
    model: &mut Loaded,
    options: &Options,
    plan: &Plan,
    tokenizer: &Tokenizer,
    context: usize,
    (given, mut before): (Given, Option<Vec<u32>>),
) -> Result<()> {
    let Some(line) = next_line()? else { return Ok(()) };
    let mut first = before.take().unwrap_or_default();
    first.extend(encode_turn(options, tokenizer, &line, first.is_empty())?);
    let first = [first];
    let decoder = decoder(model, options, plan, context, given, &first)?;
    if decoder.texts() > 1 {
        return Err(Error::request("a conversation cannot be held by a search").help("ask for --beams 1"));
    }
    let mut session = Session::new(decoder, &first)?;
    loop {
        speak(&mut session, plan, tokenizer)?;
        print("\n")?;
        if interrupt::asked() {
            return Ok(());
        }
        let Some(line) = next_line()? else { return Ok(()) };
        session.say(0, &encode_turn(options, tokenizer, &line, false)?)?;
    }
}

/// The ids of one turn.
fn encode_turn(options: &Options, tokenizer: &Tokenizer, line: &str, begins: bool) -> Result<Vec<u32>> {
    tokenizer.encode(&options.turn.replace("{}", line), begins)
}

/// The next line that a person has written; none at the end.
fn next_line() -> Result<Option<String>> {
    if stdin().is_terminal() {
        print("> ")?;
    }
    let mut line = String::new();
    let read = stdin().lock().read_line(&mut line);
    match read.map_err(|cause| Error::environment(format!("cannot read standard input: {cause}")))? {
        0 => Ok(None),
        _ => Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned())),
    }
}
