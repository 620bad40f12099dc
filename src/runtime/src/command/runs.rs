//! Rows of `generate` whose sampler judges drafts.
//!
//! In: what `generate` has made of its options. Out: the rows on standard output, the same as without drafts.

use super::generate::{Options, Plan, first_token, show, turns, written};
use super::options::print;
use super::speech::Speech;
use crate::abi::names;
use crate::error::{Error, Result};
use crate::generate::{Decoder, Given, Lookup, Runs};
use crate::model::Loaded;
use crate::tokenizer::Tokenizer;
use std::ops::ControlFlow;

/// How many last tokens a draft looks for in what was said before, at most.
const ALIKE: usize = 3;

/// Writes one row as it comes, several when they are done; drafts come from the text itself.
pub fn speak(
    model: &mut Loaded,
    options: &Options,
    plan: &Plan,
    tokenizer: &Tokenizer,
    (context, given, prompts, most): (usize, Given, &[Vec<u32>], usize),
) -> Result<()> {
    if !model.has(names::RUN) {
        return Err(Error::request("this executable cannot judge drafts").help("build it with --speculate"));
    }
    let start = first_token(model.manifest());
    let turns = turns(options, plan, &given, prompts);
    let lengths = prompts.iter().map(Vec::len).collect();
    let decoder = Decoder::judging(model, context, given, (turns, lengths))?;
    let mut runs = Runs::new(decoder, prompts)?;
    let mut speeches: Vec<_> = prompts.iter().map(|_| Speech::new(tokenizer, &plan.stop)).collect();
    let mut texts = vec![String::new(); prompts.len()];
    let alone = prompts.len() == 1 && !options.print_ids;
    if alone {
        print(&tokenizer.decode(written(start, &prompts[0]))?)?;
    }
    runs.generate(&plan.limits, &mut Lookup { alike: ALIKE }, most, |row, id| {
        let (piece, ended) = speeches[row].hear(id)?;
        match alone {
            true => print(&piece)?,
            false => texts[row] += &piece,
        }
        Ok(if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    for (row, text) in texts.iter_mut().enumerate() {
        *text += &speeches[row].finish()?;
        match alone {
            true => print(&format!("{text}\n"))?,
            false => show(options, row, text, runs.ids(row))?,
        }
    }
    Ok(())
}
