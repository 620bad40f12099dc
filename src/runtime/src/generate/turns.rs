//! What the model's own sampler needs beside positions: its settings, the number of the turn, what tells rows apart.

use crate::abi::{ProgramInfo, Size, names};
use crate::error::{Error, Result};
use crate::model::Call;

/// The turns of a sampler over some rows.
#[derive(Debug)]
pub struct Turns {
    /// Values of its settings, by name.
    pub settings: Vec<(String, f64)>,
    /// The seed of its draws.
    pub seed: u64,
    /// What counts as the number of each row in draws.
    pub rows: Vec<u32>,
    /// How many turns there have been.
    pub turn: u32,
    /// What each row says next, and whether it then stops; -1 before the first turn.
    pub chosen: Vec<Choice>,
}

/// What a turn has chosen for a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// The id that each text of the row says next; below 0 there is none.
    pub ids: Vec<i32>,
    /// Which text each goes on from; empty if there is one.
    pub from: Vec<usize>,
    /// Whether the sampler stops the row after it.
    pub stops: bool,
    /// What the sampler gives in the end, if that is not what the row has said.
    pub answer: Option<Vec<u32>>,
}

impl Turns {
    /// Before the first turn.
    pub fn new(settings: Vec<(String, f64)>, seed: u64, rows: Vec<u32>) -> Turns {
        let chosen = vec![Choice::default(); rows.len()];
        Turns { settings, seed, rows, turn: 0, chosen }
    }

    /// The sizes of a program that are settings.
    pub fn sizes(&self) -> impl Iterator<Item = (&str, i64)> {
        self.settings.iter().map(|(name, value)| (name.as_str(), *value as i64))
    }

    /// The setting that says how many texts each row has; none if it has one.
    pub fn forked<'p>(&self, program: &'p ProgramInfo) -> Option<&'p str> {
        let fork = program.buffers.iter().find(|buffer| buffer.name == names::FORK)?;
        let [_, Size::Symbol(symbol)] = fork.shape.as_slice() else { return None };
        program.sizes.get(*symbol).map(String::as_str)
    }

    /// Writes the inputs of a call.
    pub fn fill(&self, call: &mut Call) {
        for (name, value) in &self.settings {
            set(call, name, *value);
        }
        call.seed([self.seed as i32, (self.seed >> 32) as i32]);
        if let Some(turn) = call.input_mut::<i32>(names::TURN) {
            turn.fill(self.turn as i32);
        }
        if let Some(rows) = call.input_mut::<i32>(names::ROW) {
            rows.iter_mut().zip(&self.rows).for_each(|(slot, row)| *slot = row.cast_signed());
        }
    }

    /// Reads what a call has chosen for the rows that took part in it.
    ///
    /// # Errors
    /// If the program does not choose.
    pub fn hear(&mut self, call: &Call, took_part: &[bool]) -> Result<()> {
        let (ids, stops) = (call.output(names::NEXT)?.slice::<i32>(), call.output(names::STOP)?.slice::<u8>());
        let numbers = |name: &str| call.output(name).ok().map(|output| output.slice::<i32>());
        let (from, answer) = (numbers(names::FORK), numbers(names::ANSWER));
        let rows = self.chosen.len().max(1);
        for (row, choice) in self.chosen.iter_mut().enumerate().filter(|(row, _)| took_part[*row]) {
            let own = |all: &[i32]| all[row * all.len() / rows..(row + 1) * all.len() / rows].to_vec();
            let whole = |number: i32| usize::try_from(number).ok();
            let from = from.map(own).unwrap_or_default().into_iter().map(whole).collect::<Option<Vec<_>>>();
            *choice = Choice {
                ids: own(ids),
                from: from.ok_or_else(|| Error::bug("a text goes on from none"))?,
                stops: stops[row] != 0,
                answer: answer.map(own).map(|ids| ids.into_iter().map_while(|id| u32::try_from(id).ok()).collect()),
            };
        }
        Ok(())
    }
}

/// Writes a single number into an input of whatever type it has.
pub(super) fn set(call: &mut Call, name: &str, value: f64) {
    if let Some(slots) = call.input_mut::<f32>(name) {
        slots.fill(value as f32);
    } else if let Some(slots) = call.input_mut::<i32>(name) {
        slots.fill(value as i32);
    } else if let Some(slots) = call.input_mut::<u8>(name) {
        slots.fill(u8::from(value != 0.0));
    }
}
