//! Copies into the layouts that micro-kernels read: rows of A in tiles, columns of B in panels.

use super::{Product, panel_count, turned};
use crate::kernel::{Amount, Kernel, Matrix, Pack};
use crate::mlir::arithmetic::Order;
use crate::mlir::body::Body;
use crate::mlir::kernels::product;
use crate::mlir::memory::{Lanes, Place};
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::target::Target;
use archc_runtime::abi::Element;

/// A matrix B at an address: what a panel is copied from.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Element (0, 0).
    pub address: Value,
    /// Elements from row to row.
    pub rows: Value,
    /// Elements from column to column.
    pub columns: Value,
    /// Whether columns are side by side.
    pub dense: bool,
    /// Whether rows are: the matrix lies across.
    pub turned: bool,
    /// What an element is.
    pub element: Element,
}

impl Source {
    /// The same with rows as columns.
    pub fn across(&self) -> Source {
        Source { rows: self.columns, columns: self.rows, dense: self.turned, turned: self.dense, ..*self }
    }
}

impl Product<'_> {
    /// Copies rows of A into tiles `[k][rows]`. Rows past the last repeat it; their sums are not used.
    pub(super) fn pack_rows(&mut self, tiles: Value, row: Value, rows: Value, from: Value, depth: Value) {
        let a = &self.form.a;
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let step = self.writer.int(self.target.rows as i64);
        let (down, along) = (self.body.amount(self.writer, a.rows), self.body.amount(self.writer, a.columns));
        let (open, k, _) = self.writer.begin_for(zero, depth, one, &[]);
        let column = self.writer.add(from, k);
        let column = self.writer.multiply(column, along);
        let start = self.writer.add(self.starts.a, column);
        let (inner, tile, _) = self.writer.begin_for(zero, rows, step, &[]);
        let place = self.writer.multiply(tile, depth);
        let within = self.writer.multiply(k, step);
        let place = self.writer.add(place, within);
        let target = self.writer.element_address(tiles, place, Kind::F32);
        self.pack_column((start, row, tile), down, rows, target);
        self.writer.end(inner, &[]);
        self.writer.end(open, &[]);
    }

    /// One column of one tile.
    fn pack_column(&mut self, (start, row, tile): (Value, Value, Value), down: Value, rows: Value, target: Value) {
        let base = self.body.buffers[self.form.a.buffer];
        let count = self.target.rows;
        let one = self.writer.int(1);
        let step = self.writer.int(count as i64);
        let past = self.writer.add(tile, step);
        let full = self.writer.compare(Order::LessEqual, past, rows);
        let dense = self.form.a.rows == Amount::Constant(1);
        let open = self.writer.begin_if(full, &[]);
        let at = self.writer.add(row, tile);
        let at = self.writer.multiply(at, down);
        let at = self.writer.add(start, at);
        if dense {
            let address = self.writer.element_address(base, at, Kind::F32);
            let column = self.writer.load(address, Type::vector(Kind::F32, count));
            self.writer.store(target, column);
        } else {
            let mut at = at;
            for number in 0..count {
                self.copy_element(base, at, target, number);
                at = self.writer.add(at, down);
            }
        }
        self.writer.begin_else(&[]);
        let last = self.writer.subtract(rows, one);
        for number in 0..count {
            let skipped = self.writer.int(number as i64);
            let here = self.writer.add(tile, skipped);
            let here = self.writer.minimum(here, last);
            let here = self.writer.add(row, here);
            let at = self.writer.multiply(here, down);
            let at = self.writer.add(start, at);
            self.copy_element(base, at, target, number);
        }
        self.writer.end(open, &[]);
    }

    fn copy_element(&mut self, base: Value, at: Value, target: Value, number: usize) {
        let address = self.writer.element_address(base, at, Kind::F32);
        let value = self.writer.load(address, Type::scalar(Kind::F32));
        let place = self.writer.address_at(target, number, Kind::F32);
        self.writer.store(place, value);
    }

    /// Copies one panel of B; `left` columns are there from its first on.
    pub(super) fn pack_panel(&mut self, address: Value, matrix: &Matrix, panel: Value, depth: Value, left: Value) {
        let rows = self.body.amount(self.writer, matrix.rows);
        let columns = self.body.amount(self.writer, matrix.columns);
        let dense = matrix.columns == Amount::Constant(1);
        let turned = matrix.rows == Amount::Constant(1);
        let source = Source { address, rows, columns, dense, turned, element: Element::F32 };
        copy_panel(self.writer, self.target.panel, &source, panel, depth, left);
    }
}

/// Copies a panel, the missing columns as zeros.
pub fn copy_panel(writer: &mut Writer, width: usize, source: &Source, panel: Value, depth: Value, left: Value) {
    let (zero, one, lanes) = (writer.int(0), writer.int(1), writer.int(width as i64));
    let full = writer.compare(Order::LessEqual, lanes, left);
    let open = writer.begin_if(full, &[]);
    let across = source.turned && !source.dense && source.element == Element::F32;
    if across {
        turned::copy(writer, width, source, panel, depth);
    } else {
        let (inner, k, _) = writer.begin_for(zero, depth, one, &[]);
        copy_line(writer, width, source, panel, k, None);
        writer.end(inner, &[]);
    }
    writer.begin_else(&[]);
    if across {
        turned::copy_part(writer, width, source, panel, depth, left);
    } else {
        let numbers = writer.lane_numbers(Kind::I64, width);
        let mask = writer.compare(Order::Less, numbers, left);
        let (inner, k, _) = writer.begin_for(zero, depth, one, &[]);
        copy_line(writer, width, source, panel, k, Some(mask));
        writer.end(inner, &[]);
    }
    writer.end(open, &[]);
}

/// Copies the columns of one k.
pub fn copy_line(writer: &mut Writer, width: usize, source: &Source, panel: Value, k: Value, mask: Option<Value>) {
    let at = writer.multiply(k, source.rows);
    let place = if source.dense {
        Place::Row(at)
    } else {
        let numbers = writer.lane_numbers(Kind::I64, width);
        let spread = writer.multiply(numbers, source.columns);
        Place::Scattered(writer.add(spread, at))
    };
    let line = writer.read(source.address, source.element, place, Lanes { count: width, mask });
    let lanes = writer.int(width as i64);
    let to = writer.multiply(k, lanes);
    let address = writer.element_address(panel, to, Kind::F32);
    writer.store(address, line);
}

/// The number of panels of a copy.
pub fn panels(
    writer: &mut Writer,
    form: &Pack,
    target: &Target,
    amount: &dyn Fn(&mut Writer, Amount) -> Value,
) -> Value {
    let batches = product(writer, form.batch.iter().copied(), amount);
    let columns = amount(writer, form.n);
    let panels = panel_count(writer, columns, target);
    writer.multiply(batches, panels)
}

/// Writes the body of a copy into panels: a turn is a panel of a batch.
pub fn write_pack(writer: &mut Writer, symbol: &str, kernel: &Kernel, form: &Pack, target: &Target) {
    let body = Body::begin(writer, symbol, kernel);
    let one = writer.int(1);
    let (open, turn, _) = writer.begin_for(body.begin, body.end, one, &[]);
    let [depth, columns] = [form.k, form.n].map(|amount| body.amount(writer, amount));
    let panels = panel_count(writer, columns, target);
    let panel = writer.binary("arith.remsi", turn, panels);
    let mut rest = writer.binary("arith.divsi", turn, panels);
    let (mut from, mut to) = (writer.int(0), writer.int(0));
    for (place, &extent) in form.batch.iter().enumerate().rev() {
        let extent = body.amount(writer, extent);
        let index = writer.binary("arith.remsi", rest, extent);
        rest = writer.binary("arith.divsi", rest, extent);
        from = advanced(writer, &body, from, index, form.source.batch[place]);
        to = advanced(writer, &body, to, index, form.target_batch[place]);
    }
    let width = writer.int(target.panel as i64);
    let column = writer.multiply(panel, width);
    let left = writer.subtract(columns, column);
    from = advanced(writer, &body, from, column, form.source.columns);
    let before = writer.multiply(column, depth);
    to = writer.add(to, before);
    let element = kernel.buffers[form.source.buffer].element;
    let address =
        writer.element_address(body.buffers[form.source.buffer], from, super::super::memory::stored_kind(element));
    let place = writer.element_address(body.buffers[form.target], to, Kind::F32);
    let rows = body.amount(writer, form.source.rows);
    let across = body.amount(writer, form.source.columns);
    let dense = form.source.columns == Amount::Constant(1);
    let turned = form.source.rows == Amount::Constant(1);
    let source = Source { address, rows, columns: across, dense, turned, element };
    copy_panel(writer, target.panel, &source, place, depth, left);
    writer.end(open, &[]);
    writer.end_function();
}

fn advanced(writer: &mut Writer, body: &Body, start: Value, index: Value, stride: Amount) -> Value {
    let stride = body.amount(writer, stride);
    let step = writer.multiply(index, stride);
    writer.add(start, step)
}
