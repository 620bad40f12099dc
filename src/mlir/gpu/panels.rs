//! Copies a matrix into panels, a thread for each element: `[ceil(n / width)][k][width]`, the last padded with zeros.

use super::Frame;
use super::tiles::at;
use crate::gpu::PANEL;
use crate::kernel::{Kernel, Pack, register_type};
use crate::mlir::arithmetic::Order;
use crate::mlir::nest::register_kind;
use crate::mlir::text::{Type, Value, Writer};

/// Writes the body of the entry.
pub fn write(writer: &mut Writer, kernel: &Kernel, form: &Pack, frame: &Frame<'_>) {
    let width = writer.int(PANEL as i64);
    let (depth, columns) = (frame.body.amount(writer, form.k), frame.body.amount(writer, form.n));
    let panels = writer.ceil_divide(columns, width);
    let size = writer.multiply(depth, width);
    let matrix = writer.multiply(panels, size);
    let amount = |writer: &mut Writer, amount| frame.body.amount(writer, amount);
    let count = crate::mlir::kernels::product(writer, form.batch.iter().copied(), &amount);
    let count = writer.multiply(count, matrix);
    let (number, _) = frame.team(writer);
    let some = writer.compare(Order::Less, number, count);
    let open = writer.begin_if(some, &[]);
    let batch = writer.binary("arith.divui", number, matrix);
    let place = writer.binary("arith.remui", number, matrix);
    let batch = frame.body.unravel(writer, batch, &form.batch);
    copy(writer, kernel, form, frame, &Element { batch, place, size, width, columns });
    writer.end(open, &[]);
}

/// An element of the panels of one matrix.
struct Element {
    batch: Vec<Value>,
    /// Its place in them.
    place: Value,
    /// Elements of a panel.
    size: Value,
    width: Value,
    /// Columns of the matrix.
    columns: Value,
}

fn copy(writer: &mut Writer, kernel: &Kernel, form: &Pack, frame: &Frame<'_>, element: &Element) {
    let panel = writer.binary("arith.divui", element.place, element.size);
    let within = writer.binary("arith.remui", element.place, element.size);
    let row = writer.binary("arith.divui", within, element.width);
    let column = writer.binary("arith.remui", within, element.width);
    let first = writer.multiply(panel, element.width);
    let column = writer.add(first, column);
    let start = frame.body.start_of(writer, &element.batch, &form.source.batch);
    let at = at(writer, frame, &form.source, start, row, column);
    let is_there = writer.compare(Order::Less, column, element.columns);
    let source = kernel.buffers[form.source.buffer].element;
    let ty = Type::scalar(register_kind(register_type(source)));
    let zero = writer.number(0.0, ty);
    let open = writer.begin_if(is_there, &[ty]);
    let value = frame.read(writer, kernel, form.source.buffer, at);
    writer.begin_else(&[value]);
    let value = writer.end(open, &[zero])[0];
    let target = frame.body.start_of(writer, &element.batch, &form.target_batch);
    let at = writer.add(target, element.place);
    frame.write(writer, kernel, form.target, at, value);
}
