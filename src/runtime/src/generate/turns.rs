//! What the model's own sampler needs beside positions: its settings, the number of the turn, what tells rows apart.

use crate::abi::names;
use crate::error::Result;
use crate::model::Call;

/// The turns of a sampler over some rows.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The id; below 0 there is none.
    pub id: i32,
    /// Whether the sampler stops the row after it.
    pub stops: bool,
}

impl Turns {
    /// Before the first turn.
    pub fn new(settings: Vec<(String, f64)>, seed: u64, rows: Vec<u32>) -> Turns {
        let chosen = vec![Choice { id: -1, stops: false }; rows.len()];
        Turns { settings, seed, rows, turn: 0, chosen }
    }

    /// Writes the inputs of a call.
    pub fn fill(&self, call: &mut Call) {
        for (name, value) in &self.settings {
            set(call, name, *value);
        }
        if let Some(seed) = call.input_mut::<i32>(names::SEED) {
            seed.copy_from_slice(&[self.seed as i32, (self.seed >> 32) as i32]);
        }
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
    pub fn hear(&mut self, call: &Call, took_part: impl Fn(usize) -> bool) -> Result<()> {
        let (ids, stops) = (call.output(names::NEXT)?.slice::<i32>(), call.output(names::STOP)?.slice::<u8>());
        for (row, choice) in self.chosen.iter_mut().enumerate().filter(|(row, _)| took_part(*row)) {
            *choice = Choice { id: ids[row], stops: stops[row] != 0 };
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
