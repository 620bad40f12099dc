//! A sampler that is one program, beside the model's own forward pass over as many positions: what its loop costs.

use super::forward::settled_call;
use super::machine::Machine;
use super::measure::{Beside, Figure, measure};
use super::work::some_ids;
use crate::abi::names;
use crate::error::{Error, Result};
use crate::generate::{NEW, Whole};
use crate::model::{Call, Loaded, States};
use std::time::Instant;

/// Seconds after which forward passes have been seen often enough.
const ENOUGH: f64 = 0.5;

/// A turn of less of a pass than this computes a part of the text; whole passes may leave out what nobody reads.
const WHOLE: f64 = 0.9;

/// What a text costs.
#[derive(Debug, Clone, Copy)]
pub struct WholeCost {
    /// Operations per second of all turns, of the multiply-add rate.
    pub rates: [Figure; 3],
    /// The operations of all turns.
    pub operations: f64,
    /// Seconds before the first turn, for what all of them read.
    pub before: Figure,
    /// How many turns there were.
    pub turns: usize,
    /// Seconds of a turn.
    pub turn: Figure,
    /// Beside the model's own pass; none if it has none over tokens.
    pub forward: Option<ForwardCost>,
}

/// A turn beside the model's own pass over as many positions.
#[derive(Debug, Clone, Copy)]
pub struct ForwardCost {
    /// Seconds of one pass.
    pub pass: Figure,
    /// How many passes a turn makes, by its own multiply-adds; a part of one if it computes a part of the text.
    pub passes: f64,
    /// What a turn takes beyond its passes, as a part of them.
    pub added: Figure,
}

/// One row of so many tokens and what the sampler adds to them, as often as there are pairs; each time beside forward
/// passes over as many positions.
///
/// # Errors
/// If the sampler refuses the settings or adds nothing, or there is not enough memory.
pub fn whole(
    model: &mut Loaded,
    settings: &[(String, f64)],
    prompt: usize,
    pairs: usize,
    beside: &mut dyn Beside,
) -> Result<WholeCost> {
    let ids = some_ids(model, prompt);
    let mut texts = Whole::new(model, settings, &[ids], 1)?;
    let new = settings.iter().find(|(name, _)| name == NEW).map_or(0.0, |(_, value)| *value);
    let mut pass = pass_over(model, prompt + new as usize)?;
    let machine = Machine::of(model)?;
    let (mut turns, mut passes, mut multiply_adds) = (0, 1.0, 0.0);
    let [mut befores, mut of_turns, mut of_passes, mut added] = [const { Vec::new() }; 4];
    let work = || {
        turns = 0;
        let start = Instant::now();
        let mut before = 0.0;
        texts.run(model, |_, _| {
            if turns == 0 {
                before = start.elapsed().as_secs_f64();
            }
            turns += 1;
            true
        })?;
        model.finish()?;
        let seconds = start.elapsed().as_secs_f64();
        if turns == 0 {
            return Err(Error::request("a text without turns takes no time").help("let the sampler make one at least"));
        }
        multiply_adds = texts.multiply_adds(model)?;
        befores.push(before);
        of_turns.push((seconds - before) / turns as f64);
        if let Some((call, own)) = &mut pass {
            let exactly = (multiply_adds - texts.aside(model)?) / (turns as f64 * *own);
            passes = if exactly < WHOLE { exactly } else { exactly.round() };
            let all = turns as f64 * passes;
            let one = seconds_of_pass(model, call, all.ceil() as usize)?;
            added.push((seconds - before) / all / one - 1.0);
            of_passes.push(one);
        }
        Ok(2.0 * multiply_adds / seconds)
    };
    let rates = measure(pairs, beside, || machine.products(), work)?;
    // The first pair brings memory into being.
    let counted = |all: Vec<f64>| Figure::of(all.into_iter().skip(1).collect());
    let forward = pass.map(|_| ForwardCost { pass: counted(of_passes), passes, added: counted(added) });
    let [before, turn] = [befores, of_turns].map(counted);
    Ok(WholeCost { rates, operations: 2.0 * multiply_adds, before, turns, turn, forward })
}

/// Seconds of a forward pass: of so many, or of those that fit into a while.
fn seconds_of_pass(model: &mut Loaded, call: &mut Call, most: usize) -> Result<f64> {
    let start = Instant::now();
    let mut done = 0;
    while done < most && (done == 0 || start.elapsed().as_secs_f64() < ENOUGH) {
        model.run(call, &mut States::new())?;
        model.finish()?;
        done += 1;
    }
    Ok(start.elapsed().as_secs_f64() / done as f64)
}

/// A forward pass over one row, and its multiply-adds; none if the model has none over one sequence.
fn pass_over(model: &mut Loaded, positions: usize) -> Result<Option<(Call, f64)>> {
    if !model.has(names::FORWARD) {
        return Ok(None);
    }
    let of_rows = |name: &&String| *name != names::BATCH;
    if model.program(names::FORWARD)?.sizes.iter().filter(of_rows).count() != 1 {
        return Ok(None);
    }
    let call = settled_call(model, 1, positions)?;
    let multiply_adds = model.program(names::FORWARD)?.multiply_adds.evaluate(call.sizes()) as f64;
    Ok((multiply_adds > 0.0).then_some((call, multiply_adds)))
}
