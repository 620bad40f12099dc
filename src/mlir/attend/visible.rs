//! Which keys a query sees: one range for each, whatever the machine.

use crate::kernel::{Attend, Edge, Kernel, Matrix};
use crate::mlir::arithmetic::Order;
use crate::mlir::body::Body;
use crate::mlir::memory::{Lanes, Place};
use crate::mlir::text::{Kind, Value, Writer};

/// What ranges are computed from.
#[derive(Debug, Clone, Copy)]
pub struct Visibility<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// Its form.
    pub form: &'a Attend,
    /// Its buffers and sizes.
    pub body: &'a Body,
    /// How many keys there are.
    pub keys: Value,
}

impl Visibility<'_> {
    /// The first key that a query sees, and one past the last. An empty range is (all keys, 0), so that it widens no
    /// other.
    pub fn sees(&self, writer: &mut Writer, indices: &[Value], query: Value) -> (Value, Value) {
        let form = self.form;
        let (mut low, mut high) = (writer.int(0), self.keys);
        for edge in &form.visible.from {
            let value = self.edge(writer, edge, indices, query);
            low = writer.maximum(low, value);
        }
        for edge in &form.visible.to {
            let value = self.edge(writer, edge, indices, query);
            high = writer.minimum(high, value);
        }
        if let Some(size) = form.piece {
            let (size, one) = (self.body.amount(writer, size), writer.int(1));
            let next = writer.add(indices[0], one);
            let (begin, end) = (writer.multiply(indices[0], size), writer.multiply(next, size));
            low = writer.maximum(low, begin);
            high = writer.minimum(high, end);
        }
        let mut some = writer.compare(Order::Less, low, high);
        if let Some(count) = &form.visible.queries {
            let count = self.edge(writer, count, indices, query);
            let exists = writer.compare(Order::Less, query, count);
            some = writer.both(some, exists);
        }
        let zero = writer.int(0);
        let low = writer.select(some, low, self.keys);
        (low, writer.select(some, high, zero))
    }

    fn edge(&self, writer: &mut Writer, edge: &Edge, indices: &[Value], query: Value) -> Value {
        let slope = writer.int(edge.slope);
        let moved = writer.multiply(query, slope);
        let offset = self.body.amount(writer, edge.offset);
        let constant = writer.int(edge.constant);
        let sum = writer.add(moved, offset);
        let mut sum = writer.add(sum, constant);
        if let Some(table) = &edge.table {
            let at = row_start(writer, self.body, table, indices, query);
            let value = self.whole_number(writer, table, at);
            sum = writer.add(sum, value);
        }
        sum
    }

    fn whole_number(&self, writer: &mut Writer, table: &Matrix, at: Value) -> Value {
        let element = self.kernel.buffers[table.buffer].element;
        let value = writer.read(self.body.buffers[table.buffer], element, Place::One(at), Lanes::default());
        writer.convert(value, Kind::I64)
    }
}

/// Where a row of a matrix starts, for some batch indices.
pub fn row_start(writer: &mut Writer, body: &Body, matrix: &Matrix, indices: &[Value], row: Value) -> Value {
    let start = body.start_of(writer, indices, &matrix.batch);
    let stride = body.amount(writer, matrix.rows);
    let down = writer.multiply(row, stride);
    writer.add(start, down)
}
