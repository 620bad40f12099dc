//! A decode in progress: the step program called with new positions of each row, which may be unlike many.
//!
//! In: new tokens, or parts of a batch along the sequence that grows. Out: the first output at each row's last position.

use super::calls::Calls;
use super::{given, numbers};
use crate::driver::Failure;
use crate::fault::Bug;
use crate::model::Model;
use crate::verify::array::Array;
use crate::verify::engine::Batch;
use crate::verify::inputs::{grown_sequence, with_tokens};
use crate::verify::rows::part_of;
use archc_runtime::abi::names;
use archc_runtime::model::States;

/// What rows have seen so far, and what does not grow with them.
pub struct Stepper<'n> {
    model: &'n Model,
    calls: &'n mut Calls,
    seen: Vec<usize>,
    fixed: Batch,
    context: usize,
    /// How many positions the first piece of each row must hold.
    ahead: Vec<usize>,
}

/// What a decode in progress has seen.
pub struct Snapshot {
    states: States,
    seen: Vec<usize>,
}

impl<'n> Stepper<'n> {
    /// Rows that have seen nothing, with room for so many positions.
    pub(super) fn new(
        model: &'n Model,
        calls: &'n mut Calls,
        (fixed, ahead): (Batch, Vec<usize>),
        context: usize,
    ) -> Stepper<'n> {
        Stepper { model, calls, seen: vec![0; fixed.rows], fixed, context, ahead }
    }

    /// How many positions the first piece of each row must hold, since they read each other.
    pub fn ahead(&self) -> &[usize] {
        &self.ahead
    }

    /// Most new positions of the next call.
    fn longest_piece(&self) -> Result<usize, Failure> {
        let begun = self.ahead.iter().zip(&self.seen).filter(|(_, seen)| **seen == 0).map(|(ahead, _)| *ahead);
        Ok(self.calls.longest_piece()?.max(begun.max().unwrap_or(0)))
    }

    /// What it has seen so far.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn snapshot(&self) -> Result<Snapshot, Failure> {
        Ok(Snapshot { states: self.calls.copy_states()?, seen: self.seen.clone() })
    }

    /// Goes back to what it had seen.
    pub fn restore(&mut self, snapshot: Snapshot) {
        self.calls.set_states(snapshot.states);
        self.seen = snapshot.seen;
    }

    /// Adds new tokens to a single row and returns its logits at the last one; what lies beside them gets its default.
    ///
    /// # Errors
    /// If the program cannot run.
    pub fn read(&mut self, tokens: &[usize]) -> Result<Vec<f64>, Failure> {
        let mut logits = Vec::new();
        for piece in tokens.chunks(self.longest_piece()?) {
            let ids = Array { shape: vec![1, piece.len()], data: numbers(piece) };
            let beside = with_tokens(self.model, &self.fixed, ids)?;
            logits = self.step(&beside, &[piece.len()])?.remove(0);
        }
        Ok(logits)
    }

    /// Adds so many positions of a batch to each row, read there from `from` on, and returns what each row has at its last.
    ///
    /// # Errors
    /// If the program cannot run.
    pub fn advance(&mut self, batch: &Batch, from: &[usize], counts: &[usize]) -> Result<Vec<Vec<f64>>, Failure> {
        let longest = counts.iter().copied().max().unwrap_or(0);
        let piece = self.longest_piece()?;
        let mut logits = vec![Vec::new(); counts.len()];
        for first in (0..longest).step_by(piece) {
            let starts = from.iter().zip(counts).map(|(from, count)| from + first.min(*count)).collect::<Vec<_>>();
            let lengths = counts.iter().map(|count| count.saturating_sub(first).min(piece)).collect::<Vec<_>>();
            let part = part_of(self.model, batch, grown_sequence(self.model), &starts, &lengths)?;
            let said = self.step(&part, &lengths)?;
            let spoke = logits.iter_mut().zip(said).zip(&lengths).filter(|(_, length)| **length > 0);
            spoke.for_each(|((own, said), _)| *own = said);
        }
        Ok(logits)
    }

    /// One call of the program: `beside` holds the new positions, and what does not grow.
    fn step(&mut self, beside: &Batch, lengths: &[usize]) -> Result<Vec<Vec<f64>>, Failure> {
        let chunk = lengths.iter().copied().max().unwrap_or(0);
        let start = numbers(&self.seen);
        self.seen.iter_mut().zip(lengths).for_each(|(seen, new)| *seen += new);
        let (_, mut sizes) = given(&self.fixed);
        let (mut inputs, _) = given(beside);
        inputs.extend([
            (names::START.to_string(), start),
            (names::length(names::CHUNK), numbers(lengths)),
            (names::length(names::CONTEXT), numbers(&self.seen)),
        ]);
        sizes.extend([(names::CHUNK, chunk as i64), (names::CONTEXT, self.context as i64)]);
        let mut call = self.calls.prepare(names::STEP, &inputs, &sizes)?;
        let mut outputs = self.calls.run(&mut call)?.outputs();
        let (_, output) = outputs.pop_first().ok_or_else(|| Bug::new("program", "the step program has an output"))?;
        let width = output.data.len() / lengths.len().max(1);
        Ok(output.data.chunks(width.max(1)).map(<[f64]>::to_vec).collect())
    }
}
