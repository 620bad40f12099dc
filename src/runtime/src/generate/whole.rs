//! A sampler whose turns are one program: what it is given, and what comes out.
//!
//! In: settings and rows of tokens, each as long as it is. Out: the rows as the sampler leaves them. Settings that the
//! sampler itself refuses are refused in its own words, before any work.

use super::turns::set;
use crate::abi::{BufferInfo, Element, GenerateInfo, ProgramInfo, Role, names};
use crate::error::{Error, Result};
use crate::model::{Call, Loaded, States};
use std::fmt;

/// Positions that the sampler adds to each row: the setting of this name.
pub const NEW: &str = "new";

/// Where a sampler stands before one of its turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// How many blocks had turns before: of a sampler whose turns stand in a `for` over blocks.
    pub block: usize,
    /// How many turns its block has had.
    pub turn: usize,
}

impl Moment {
    /// The next, before a turn of this number; `first` is the number of the first turn of all, with which blocks begin.
    fn after(before: Option<Moment>, turn: i64, first: i64) -> Moment {
        match before {
            None => Moment { block: 0, turn: 0 },
            Some(Moment { block, .. }) if turn == first => Moment { block: block + 1, turn: 0 },
            Some(Moment { block, turn }) => Moment { block, turn: turn + 1 },
        }
    }
}

/// As a person counts. One block alone may be none.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.block > 0 {
            write!(f, "block {}, ", self.block + 1)?;
        }
        write!(f, "turn {}", self.turn + 1)
    }
}

/// One call of a sampler.
#[derive(Debug)]
pub struct Whole {
    call: Call,
    output: String,
    lengths: Vec<usize>,
}

impl Whole {
    /// Room for a call over some rows.
    ///
    /// # Errors
    /// If the model has no such sampler, an id is unknown, or the sampler refuses the settings.
    pub fn new(model: &mut Loaded, settings: &[(String, f64)], rows: &[Vec<u32>], seed: u64) -> Result<Whole> {
        let Some(generate) = model.manifest().generate.clone() else {
            return Err(Error::request(format!("the model {} has no sampler", model.manifest().model)));
        };
        for row in rows {
            super::check_ids(row, model.manifest().vocabulary)?;
        }
        accept(model, settings)?;
        let call = call(model, &generate, settings, rows, seed)?;
        let new = settings.iter().find(|(name, _)| name == NEW).map_or(0, |(_, value)| *value as usize);
        let lengths = rows.iter().map(|row| row.len() + new).collect();
        Ok(Whole { call, output: generate.output, lengths })
    }

    /// Runs all turns. Before each, `look` sees which it is and the rows as they stand; false: no more turns.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn run(&mut self, model: &mut Loaded, mut look: impl FnMut(Moment, &[&[i32]]) -> bool) -> Result<()> {
        let lengths = &self.lengths;
        let (mut first, mut before) = (None, None);
        model.run_watched(&mut self.call, &self.output, |turn, ids| {
            let now = Moment::after(before, turn, *first.get_or_insert(turn));
            before = Some(now);
            look(now, &rows_of(ids, lengths))
        })
    }

    /// How many multiply-adds the turns of the last run did together; those that every run does, if it leaves none out.
    ///
    /// # Errors
    /// If the model has no such sampler.
    pub fn multiply_adds(&self, model: &Loaded) -> Result<f64> {
        let all = model.program(names::GENERATE)?.multiply_adds.evaluate(self.call.sizes());
        Ok(if self.call.tally() > 0 { self.call.tally() } else { all } as f64)
    }

    /// How many of them were done outside of its turns.
    ///
    /// # Errors
    /// As [`Whole::multiply_adds`].
    pub fn aside(&self, model: &Loaded) -> Result<f64> {
        Ok(model.program(names::GENERATE)?.aside.evaluate(self.call.sizes()) as f64)
    }

    /// The rows as they are now.
    ///
    /// # Errors
    /// If the sampler gives none.
    pub fn rows(&self) -> Result<Vec<&[i32]>> {
        Ok(rows_of(self.call.output(&self.output)?.slice::<i32>(), &self.lengths))
    }
}

/// Each row's own positions.
fn rows_of<'i>(ids: &'i [i32], lengths: &[usize]) -> Vec<&'i [i32]> {
    let width = ids.len() / lengths.len().max(1);
    ids.chunks(width.max(1)).zip(lengths).map(|(row, length)| &row[..(*length).min(row.len())]).collect()
}

/// Refuses settings that the sampler itself refuses, in its own words: one whose turns are one program, or one program
/// each.
///
/// # Errors
/// If it refuses them.
pub fn accept(model: &mut Loaded, settings: &[(String, f64)]) -> Result<()> {
    let program = if model.has(names::GENERATE) { names::GENERATE } else { names::TURN };
    check_kinds(model.program(program)?, settings)?;
    let Some(generate) = model.manifest().generate.clone().filter(|_| model.has(names::REQUIRE)) else {
        return Ok(());
    };
    let sizes = model.program(names::REQUIRE)?.sizes.clone();
    // What is not a setting is as small as can be: one row of one position.
    let size = |name: &String| settings.iter().find(|(own, _)| own == name).map_or(1, |(_, value)| *value as i64);
    let sizes = sizes.iter().map(|name| (name.as_str(), size(name))).collect::<Vec<_>>();
    let mut call = model.prepare_call(names::REQUIRE, &sizes)?;
    settings.iter().for_each(|(name, value)| set(&mut call, name, *value));
    for (name, _) in sizes {
        set(&mut call, &names::length(name), 1.0);
    }
    model.run(&mut call, &mut States::new())?;
    for (number, text) in generate.requirements.iter().enumerate() {
        if call.output(&number.to_string())?.slice::<u8>().contains(&0) {
            let said = settings.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ");
            return Err(Error::request(text.clone()).help(format!("the settings are {said}")));
        }
    }
    Ok(())
}

/// Refuses numbers that a setting cannot take: parts of a whole, and other than 0 and 1 where something is so or not.
fn check_kinds(program: &ProgramInfo, settings: &[(String, f64)]) -> Result<()> {
    for (name, value) in settings {
        let own = |buffer: &&BufferInfo| buffer.role == Role::Input && buffer.name == *name;
        let wanted = match program.buffers.iter().find(own).map(|buffer| buffer.element) {
            Some(Element::I32) if value.fract() != 0.0 || value.abs() > f64::from(i32::MAX) => "a whole number",
            Some(Element::Bool) if *value != 0.0 && *value != 1.0 => "0 or 1",
            _ => continue,
        };
        let option = name.replace('_', "-");
        return Err(Error::request(format!("--{option} is {wanted}, not {value}")));
    }
    Ok(())
}

/// A call with the sampler's settings and rows.
fn call(
    model: &Loaded,
    generate: &GenerateInfo,
    settings: &[(String, f64)],
    rows: &[Vec<u32>],
    seed: u64,
) -> Result<Call> {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut sizes: Vec<(&str, i64)> = settings.iter().map(|(name, value)| (name.as_str(), *value as i64)).collect();
    sizes.push((names::BATCH, rows.len() as i64));
    // The sequence of the prompts is the one size that is neither of these.
    let own = model.program(names::GENERATE)?.sizes.clone();
    let known = |name: &String| sizes.iter().any(|(other, _)| other == name);
    let sequence = own.iter().find(|name| !known(name)).cloned().unwrap_or_default();
    sizes.push((&sequence, longest as i64));
    let mut call = model.prepare_call(names::GENERATE, &sizes)?;
    for (name, value) in settings {
        set(&mut call, name, *value);
    }
    if let Some(lengths) = call.input_mut::<i32>(&names::length(&sequence)) {
        lengths.iter_mut().zip(rows).for_each(|(slot, row)| *slot = row.len() as i32);
    }
    if let Some(ids) = call.input_mut::<i32>(&generate.input) {
        for (slots, row) in ids.chunks_mut(longest.max(1)).zip(rows) {
            slots.iter_mut().zip(row).for_each(|(slot, id)| *slot = id.cast_signed());
        }
    }
    call.seed([seed as i32, (seed >> 32) as i32]);
    Ok(call)
}
