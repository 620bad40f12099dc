//! Memory of later turns is asked for while a turn runs.
//!
//! A CPU foresees what it reads in short steps. From turn to turn of a recurrence it is a row of all channels further, of
//! which a thread reads a part: a step that it does not foresee.

use super::{Emitter, Execution};
use crate::kernel::{Address, AddressTerm, Amount, Bound, Index, Loop};
use crate::mlir::memory::{Cache, LINE, Place, stored_kind};

/// As many turns ahead.
const TURNS: i64 = 2;
/// Elements between turns that a CPU does not foresee.
const FAR: i64 = 16 * LINE as i64;

/// The turns of a loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turns {
    index: Index,
    reverse: bool,
}

impl Emitter<'_> {
    /// The turns of a loop, if it may have many, one after another.
    pub(super) fn goes_ahead(&self, one: &Loop) -> Option<Turns> {
        let many = matches!(one.to, Bound::Amount(Amount::Size(_)));
        let alone = self.varying.is_none() && matches!(self.execution, Execution::Lanes(_));
        (many && alone).then_some(Turns { index: one.index, reverse: one.reverse })
    }

    /// Asks for what a later turn accesses as lanes side by side.
    pub(super) fn ask_ahead(&mut self, address: &Address, place: Place, writes: bool) {
        let (Some(turns), Place::Row(at), None) = (self.ahead, place, self.lanes.mask) else { return };
        let own = address.terms.iter().find(|(term, _)| *term == AddressTerm::Index(turns.index));
        let Some(&(_, stride)) = own else { return };
        if matches!(stride, Amount::Constant(near) if near.abs() < FAR) {
            return;
        }
        let stride = self.body.amount(self.writer, stride);
        let count = self.writer.int(if turns.reverse { -TURNS } else { TURNS });
        let step = self.writer.multiply(stride, count);
        let at = self.writer.add(at, step);
        let kind = stored_kind(self.kernel.buffers[address.buffer].element);
        let there = self.writer.element_address(self.body.buffers[address.buffer], at, kind);
        match writes {
            true => self.writer.prefetch_to_write(there, Cache::First),
            false => self.writer.prefetch(there, Cache::First),
        }
    }
}
