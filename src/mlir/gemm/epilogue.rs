//! What happens to a finished tile: the epilogue at each element, and the store into C.

use super::Product;
use crate::kernel::register_type;
use crate::kernel::{Amount, Matrix};
use crate::mlir::arithmetic::Order;
use crate::mlir::memory::{Lanes, Place};
use crate::mlir::nest::register_kind;
use crate::mlir::text::{Kind, Type, Value};

/// Where a tile belongs.
#[derive(Debug, Clone, Copy)]
pub struct Spot {
    /// The tile, `[rows][panel]`.
    pub tile: Value,
    /// The first row of C.
    pub row: Value,
    /// How many rows.
    pub rows: Value,
    /// The first column of C.
    pub column: Value,
    /// How many columns there are from here on.
    pub columns: Value,
}

impl Product<'_> {
    /// Writes the loop over a tile's rows.
    pub fn finish(&mut self, spot: &Spot) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let width = self.writer.int(self.target.panel as i64);
        let full = self.writer.compare(Order::LessEqual, width, spot.columns);
        let open = self.writer.begin_if(full, &[]);
        let (inner, row, _) = self.writer.begin_for(zero, spot.rows, one, &[]);
        self.finish_row(spot, row, false);
        self.writer.end(inner, &[]);
        self.writer.begin_else(&[]);
        let (inner, row, _) = self.writer.begin_for(zero, spot.rows, one, &[]);
        self.finish_row(spot, row, true);
        self.writer.end(inner, &[]);
        self.writer.end(open, &[]);
    }

    fn finish_row(&mut self, spot: &Spot, row: Value, masked: bool) {
        let lanes = self.target.lanes.min(self.target.panel);
        let width = self.writer.int(self.target.panel as i64);
        let at = self.writer.multiply(row, width);
        let line = self.writer.element_address(spot.tile, at, Kind::F32);
        let row = self.writer.add(spot.row, row);
        for part in 0..self.target.panel / lanes {
            let skipped = self.writer.int((part * lanes) as i64);
            let mask = masked.then(|| {
                let left = self.writer.subtract(spot.columns, skipped);
                let numbers = self.writer.lane_numbers(Kind::I64, lanes);
                self.writer.compare(Order::Less, numbers, left)
            });
            let address = self.writer.address_at(line, part * lanes, Kind::F32);
            let sum = self.writer.load(address, Type::vector(Kind::F32, lanes));
            let column = self.writer.add(spot.column, skipped);
            self.finish_part(sum, row, column, Lanes { count: lanes, mask });
        }
    }

    fn finish_part(&mut self, sum: Value, row: Value, column: Value, lanes: Lanes) {
        let form = self.form;
        let mut operands = vec![sum];
        for (place, extra) in form.extras.iter().enumerate() {
            let at = self.place_of(extra, self.starts.extras[place], row, column, lanes.count);
            let element = self.kernel.buffers[extra.buffer].element;
            operands.push(self.writer.read(self.body.buffers[extra.buffer], element, at, lanes));
        }
        let value = self.writer.evaluate(&form.epilogue, &operands);
        let element = self.kernel.buffers[form.c.buffer].element;
        let mut value = self.writer.convert(value, register_kind(register_type(element)));
        let base = self.body.buffers[form.c.buffer];
        let place = self.place_of(&form.c, self.starts.c, row, column, lanes.count);
        if form.accumulate {
            let before = self.writer.read(base, element, place, lanes);
            value = self.writer.add(before, value);
        }
        self.writer.write(base, element, place, value, lanes);
    }

    /// Where a row of lanes lies in a matrix.
    fn place_of(&mut self, matrix: &Matrix, start: Value, row: Value, column: Value, lanes: usize) -> Place {
        let rows = self.body.amount(self.writer, matrix.rows);
        let columns = self.body.amount(self.writer, matrix.columns);
        let down = self.writer.multiply(row, rows);
        let along = self.writer.multiply(column, columns);
        let at = self.writer.add(start, down);
        let at = self.writer.add(at, along);
        match matrix.columns {
            Amount::Constant(0) => Place::One(at),
            Amount::Constant(1) => Place::Row(at),
            _ => {
                let numbers = self.writer.lane_numbers(Kind::I64, lanes);
                let spread = self.writer.multiply(numbers, columns);
                Place::Scattered(self.writer.add(spread, at))
            }
        }
    }
}
