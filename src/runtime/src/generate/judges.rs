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
    /// What each row says after each position that was fed last.
    pub runs: Vec<Vec<Judgement>>,
}

/// What a sampler says after a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// What it chooses; below 0 there is nothing.
    pub id: i32,
    /// Whether the row stops then.
    pub stops: bool,
    /// What it expects to choose after that, if it says so.
    pub draft: Option<u32>,
}

impl Judges {
    /// Writes the inputs of a call.
    pub fn fill(&self, call: &mut Call) {
        if let Some(prompted) = call.input_mut::<i32>(names::PROMPTED) {
            prompted.iter_mut().zip(&self.prompted).for_each(|(slot, length)| *slot = *length as i32);
        }
        self.turns.fill(call);
    }

    /// Writes what comes after each new position: within the prompt it is settled, behind it the run itself says it.
    pub fn fill_after(&self, call: &mut Call, parts: &[&[u32]], after: &[Option<u32>], filled: &[usize]) {
        let Some(slots) = call.input_mut::<i32>(names::FOLLOWER) else { return };
        slots.fill(-1);
        let width = (slots.len() / parts.len().max(1)).max(1);
        for (row, slots) in slots.chunks_exact_mut(width).enumerate().take(parts.len()) {
            let settled = self.prompted[row].saturating_sub(filled[row] + 1);
            let ids = parts[row].iter().skip(1).copied().chain(after[row]);
            slots.iter_mut().zip(ids.take(settled)).for_each(|(slot, id)| *slot = id.cast_signed());
        }
    }

    /// Reads what a call says after each position of these parts.
    ///
    /// # Errors
    /// If the program does not choose.
    pub fn hear(&mut self, call: &Call, parts: &[&[u32]]) -> Result<()> {
        let (ids, stops) = (call.output(names::NEXT)?.slice::<i32>(), call.output(names::STOP)?.slice::<u8>());
        let drafts = call.output(names::DRAFT).ok().map(|drafts| drafts.slice::<i32>());
        let width = (ids.len() / parts.len().max(1)).max(1);
        for (row, part) in parts.iter().enumerate() {
            self.runs[row].extend((row * width..row * width + part.len()).map(|place| Judgement {
                id: ids[place],
                stops: stops[place] != 0,
                draft: drafts.and_then(|drafts| u32::try_from(drafts[place]).ok()),
            }));
        }
        Ok(())
    }
}
