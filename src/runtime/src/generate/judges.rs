//! What the model's own sampler says of whole runs of positions: its choice after each of them.

use super::turns::Turns;
use crate::abi::names;
use crate::error::Result;
use crate::model::Call;

/// The judgement of a sampler over some rows.
#[derive(Debug)]
pub struct Judges {
    /// Its settings, its seed, and what tells rows apart.
    pub turns: Turns,
    /// How long each row's prompt is.
    pub prompted: Vec<usize>,
    /// What each row says after each position that was fed last, and whether it then stops.
    pub runs: Vec<Vec<(i32, bool)>>,
}

impl Judges {
    /// Writes the inputs of a call.
    ///
    /// # Errors
    /// As [`Turns::fill`].
    pub fn fill(&self, call: &mut Call) -> Result<()> {
        if let Some(prompted) = call.input_mut::<i32>(names::PROMPTED) {
            prompted.iter_mut().zip(&self.prompted).for_each(|(slot, length)| *slot = *length as i32);
        }
        self.turns.fill(call)
    }

    /// Reads what a call says after each position of these parts.
    ///
    /// # Errors
    /// If the program does not choose.
    pub fn hear(&mut self, call: &Call, parts: &[&[u32]]) -> Result<()> {
        let (ids, stops) = (call.output(names::NEXT)?.slice::<i32>(), call.output(names::STOP)?.slice::<u8>());
        let width = (ids.len() / parts.len().max(1)).max(1);
        for (row, part) in parts.iter().enumerate() {
            let own = row * width..row * width + part.len();
            self.runs[row].extend(ids[own.clone()].iter().zip(&stops[own]).map(|(id, stops)| (*id, *stops != 0)));
        }
        Ok(())
    }
}
