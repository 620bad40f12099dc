//! Where the rows of a block are in each matrix, and which keys each one sees.
//!
//! Row r of a block is a query of one of the batches that share keys. For each row the arrays of `marks` hold the first
//! key it sees, one past the last, and where its row starts in every matrix that has rows of queries.

use super::visible::{Visibility, row_start};
use super::{Attention, BLOCK_ROWS};
use crate::kernel::{Amount, Attend, AttendGradient, Matrix};
use crate::mlir::memory::Place;
use crate::mlir::text::{Kind, Type, Value};

/// An array of `marks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The first key.
    Low,
    /// One past the last key.
    High,
    /// Start of the row in Q.
    Query,
    /// In O.
    Output,
    /// In L.
    Logsum,
    /// In G.
    OutputGradient,
    /// In dQ.
    QueryGradient,
    /// In an extra.
    Extra(usize),
    /// In the queries of a further product, after all extras.
    Further(usize),
}

/// Slots besides the extras'.
pub const SLOTS: usize = 7;

impl Slot {
    fn place(self) -> usize {
        match self {
            Slot::Low => 0,
            Slot::High => 1,
            Slot::Query => 2,
            Slot::Output => 3,
            Slot::Logsum => 4,
            Slot::OutputGradient => 5,
            Slot::QueryGradient => 6,
            Slot::Extra(place) | Slot::Further(place) => SLOTS + place,
        }
    }
}

/// How many slots the extras and further products need.
pub fn further_slots(form: &Attend) -> usize {
    form.extras.len() + form.further.len()
}

/// The slot of a further product.
pub fn further_slot(form: &Attend, place: usize) -> Slot {
    Slot::Further(form.extras.len() + place)
}

/// The matrices whose rows are queries.
pub fn row_matrices<'f>(form: &'f Attend, gradient: Option<&'f AttendGradient>) -> Vec<(Slot, &'f Matrix)> {
    let mut list = vec![(Slot::Query, &form.query), (Slot::Output, &form.output)];
    list.extend(form.logsum.as_ref().map(|matrix| (Slot::Logsum, matrix)));
    list.extend(form.extras.iter().enumerate().map(|(place, matrix)| (Slot::Extra(place), matrix)));
    list.extend(form.further.iter().enumerate().map(|(place, part)| (further_slot(form, place), &part.query)));
    if let Some(gradient) = gradient {
        list.push((Slot::OutputGradient, &gradient.output_gradient));
        list.push((Slot::QueryGradient, &gradient.query_gradient));
    }
    list
}

impl Attention<'_> {
    fn mark_address(&mut self, slot: Slot, row: Value) -> Value {
        let base = self.writer.address_at(self.marks, slot.place() * BLOCK_ROWS, Kind::I64);
        self.writer.element_address(base, row, Kind::I64)
    }

    /// What the arrays hold for a row of the block.
    pub fn mark(&mut self, slot: Slot, row: Value) -> Value {
        let address = self.mark_address(slot, row);
        self.writer.load(address, Type::scalar(Kind::I64))
    }

    pub(super) fn set_mark(&mut self, slot: Slot, row: Value, value: Value) {
        let address = self.mark_address(slot, row);
        self.writer.store(address, value);
    }

    /// Fills the arrays for the rows from `first` on; returns the first key that any row sees, and one past the last.
    pub fn mark_rows(
        &mut self,
        outer: &[Value],
        matrices: &[(Slot, &Matrix)],
        first: Value,
        count: Value,
    ) -> (Value, Value) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let (open, row, range) = self.writer.begin_for(zero, count, one, &[self.keys, zero]);
        let number = self.writer.add(first, row);
        let (batch, query) = match self.only {
            Some(query) => (number, query),
            None => {
                let query = self.writer.binary("arith.remsi", number, self.queries);
                (self.writer.binary("arith.divsi", number, self.queries), query)
            }
        };
        let shared = self.body.unravel(self.writer, batch, &self.form.batch_extents(true));
        let indices = self.form.all_indices(outer, &shared);
        for (slot, matrix) in matrices {
            let start = row_start(self.writer, &self.body, matrix, &indices, query);
            self.set_mark(*slot, row, start);
        }
        let visibility = Visibility { kernel: self.kernel, form: self.form, body: &self.body, keys: self.keys };
        let (low, high) = visibility.sees(self.writer, &indices, query);
        self.set_mark(Slot::Low, row, low);
        self.set_mark(Slot::High, row, high);
        let lowest = self.writer.minimum(range[0], low);
        let highest = self.writer.maximum(range[1], high);
        let range = self.writer.end(open, &[lowest, highest]);
        (range[0], range[1])
    }

    /// The keys that the rows of a tile see: from the smallest start to the largest end.
    pub fn tile_range(&mut self, first: Value, count: Value) -> (Value, Value) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let (open, row, range) = self.writer.begin_for(zero, count, one, &[self.keys, zero]);
        let row = self.writer.add(first, row);
        let (low, high) = (self.mark(Slot::Low, row), self.mark(Slot::High, row));
        let lowest = self.writer.minimum(range[0], low);
        let highest = self.writer.maximum(range[1], high);
        let range = self.writer.end(open, &[lowest, highest]);
        (range[0], range[1])
    }

    /// Where lanes of a row lie: from a column on, with the matrix's stride.
    pub fn place(&mut self, matrix: &Matrix, start: Value, column: Value) -> Place {
        let stride = self.body.amount(self.writer, matrix.columns);
        let along = self.writer.multiply(column, stride);
        let at = self.writer.add(start, along);
        match matrix.columns {
            Amount::Constant(0) => Place::One(at),
            Amount::Constant(1) => Place::Row(at),
            _ => {
                let numbers = self.writer.lane_numbers(Kind::I64, self.lanes());
                let spread = self.writer.multiply(numbers, stride);
                Place::Scattered(self.writer.add(spread, at))
            }
        }
    }

    /// Lanes of a vector: never more than a panel has columns.
    pub fn lanes(&self) -> usize {
        self.target.lanes.min(self.target.panel)
    }
}
