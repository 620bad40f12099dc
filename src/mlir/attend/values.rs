//! Values of a block where they are, and what comes next.
//!
//! A copy of values in panels pays for many rows. For few, the queries of one new position, they are read where they lie,
//! and while one block is multiplied the rows of the next are asked for: a CPU does both at once.

use super::forward::Scratch;
use super::{Attention, BLOCK_KEYS};
use crate::kernel::{Amount, Matrix};
use crate::mlir::arithmetic::Order;
use crate::mlir::memory::{Cache, LINE};
use crate::mlir::text::{Kind, Type, Value};
use archc_runtime::abi::Element;

/// Up to so many tiles of rows, values are not copied.
const FEW_TILES: usize = 4;

/// Where a block's values are.
pub(super) struct Values {
    /// The first.
    pub base: Value,
    /// Elements from panel to panel.
    pub next: Value,
    /// Elements from key to key.
    pub stride: Value,
}

/// Rows of a matrix that come next.
pub(super) struct Ahead {
    base: Value,
    stride: Value,
    width: Value,
    count: Value,
}

impl Attention<'_> {
    /// A block's values, copied where that pays.
    pub(super) fn values_of(
        &mut self,
        scratch: &Scratch,
        (start, stored): (Value, Value),
        rows: Value,
        count: Value,
    ) -> Values {
        let matrix = &self.form.value;
        if !self.is_plain(matrix) {
            self.pack_keys(matrix, start, stored, count, self.value_width, scratch.values);
            return self.packed_values(scratch);
        }
        let few = self.writer.int((FEW_TILES * self.target.rows) as i64);
        let few = self.writer.compare(Order::LessEqual, rows, few);
        let (zero, width) = (self.writer.int(0), self.writer.int(self.target.panel as i64));
        let rest = self.writer.binary("arith.remsi", self.value_width, width);
        let even = self.writer.compare(Order::Equal, rest, zero);
        let in_place = self.writer.both(few, even);
        let [pointer, int] = [Kind::Pointer, Kind::I64].map(Type::scalar);
        let open = self.writer.begin_if(in_place, &[pointer, int, int]);
        let base = self.row_of_keys(matrix, start, stored);
        let stride = self.body.amount(self.writer, matrix.rows);
        self.writer.begin_else(&[base, width, stride]);
        self.pack_keys(matrix, start, stored, count, self.value_width, scratch.values);
        let Values { base, next, stride } = self.packed_values(scratch);
        let found = self.writer.end(open, &[base, next, stride]);
        Values { base: found[0], next: found[1], stride: found[2] }
    }

    /// Values in panels.
    pub(super) fn packed_values(&mut self, scratch: &Scratch) -> Values {
        let next = self.writer.int((BLOCK_KEYS * self.target.panel) as i64);
        Values { base: scratch.values, next, stride: self.writer.int(self.target.panel as i64) }
    }

    /// Whether the elements of a row are floats side by side.
    pub(super) fn is_plain(&self, matrix: &Matrix) -> bool {
        matrix.columns == Amount::Constant(1) && self.kernel.buffers[matrix.buffer].element == Element::F32
    }

    pub(super) fn row_of_keys(&mut self, matrix: &Matrix, start: Value, key: Value) -> Value {
        let rows = self.body.amount(self.writer, matrix.rows);
        let down = self.writer.multiply(key, rows);
        let at = self.writer.add(start, down);
        self.writer.element_address(self.buffer(matrix), at, Kind::F32)
    }

    /// Remembers the rows of the block after that of a key.
    pub(super) fn look_ahead(&mut self, indices: &[Value], key: Value) {
        let form = self.form;
        let mut parts = vec![(&form.key, self.width)];
        for part in &form.further {
            parts.push((&part.key, self.body.amount(self.writer, part.width)));
        }
        if form.value != form.key {
            parts.push((&form.value, self.value_width));
        }
        let size = self.writer.int(BLOCK_KEYS as i64);
        let next = self.writer.add(key, size);
        let left = self.writer.subtract(self.keys, next);
        let count = self.writer.minimum(left, size);
        let stored = self.stored_key(next);
        for (matrix, width) in parts.into_iter().filter(|(matrix, _)| self.is_plain(matrix)).collect::<Vec<_>>() {
            let start = self.body.start_of(self.writer, indices, &matrix.batch);
            let base = self.row_of_keys(matrix, start, stored);
            let stride = self.body.amount(self.writer, matrix.rows);
            self.ahead.push(Ahead { base, stride, width, count });
        }
    }

    /// Asks for this turn's share of the rows that come next.
    pub(super) fn fetch_ahead(&mut self, turn: Value, turns: Value) {
        let size = self.writer.int(BLOCK_KEYS as i64);
        let share = self.writer.ceil_divide(size, turns);
        let from = self.writer.multiply(turn, share);
        let past = self.writer.add(from, share);
        let (zero, one, line) = (self.writer.int(0), self.writer.int(1), self.writer.int(LINE as i64));
        for Ahead { base, stride, width, count } in std::mem::take(&mut self.ahead) {
            let to = self.writer.minimum(past, count);
            let (open, row, _) = self.writer.begin_for(from, to, one, &[]);
            let row_base = self.at_product(base, row, stride);
            let (inner, column, _) = self.writer.begin_for(zero, width, line, &[]);
            let address = self.at(row_base, column);
            self.writer.prefetch(address, Cache::Second);
            self.writer.end(inner, &[]);
            self.writer.end(open, &[]);
        }
    }
}
