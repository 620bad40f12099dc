//! Copies between matrices and the layouts of micro-kernels, and tiles of results.

use super::rows::Slot;
use super::{Attention, BLOCK_KEYS};
use crate::kernel::{Amount, Matrix};
use crate::mlir::arithmetic::Order;
use crate::mlir::gemm::{Source, copy_panel};
use crate::mlir::memory::{Lanes, stored_kind};
use crate::mlir::text::{Kind, Type, Value};

impl Attention<'_> {
    /// Copies the rows of a block side by side, `[rows][width]`.
    pub fn copy_rows(&mut self, slot: Slot, matrix: &Matrix, count: Value, width: Value, to: Value) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let (open, row, _) = self.writer.begin_for(zero, count, one, &[]);
        let start = self.mark(slot, row);
        self.copy_row(matrix, start, width, to, row);
        self.writer.end(open, &[]);
    }

    /// Copies one row, which starts at an element, to a row of `[rows][width]`.
    pub fn copy_row(&mut self, matrix: &Matrix, start: Value, width: Value, to: Value, row: Value) {
        let target = self.at_product(to, row, width);
        let element = self.kernel.buffers[matrix.buffer].element;
        let base = self.buffer(matrix);
        self.along(width, |attention, column, lanes| {
            let place = attention.place(matrix, start, column);
            let value = attention.writer.read(base, element, place, lanes);
            let value = attention.writer.repeat(value, lanes.count);
            let address = attention.at(target, column);
            match lanes.mask {
                Some(mask) => attention.writer.store_masked(address, mask, value),
                None => attention.writer.store(address, value),
            }
        });
    }

    /// A loop over columns in lanes, with a masked end.
    pub fn along(&mut self, width: Value, turn: impl Fn(&mut Self, Value, Lanes)) {
        let count = self.lanes();
        let (zero, lanes) = (self.writer.int(0), self.writer.int(count as i64));
        let rest = self.writer.binary("arith.remsi", width, lanes);
        let even = self.writer.subtract(width, rest);
        let (open, column, _) = self.writer.begin_for(zero, even, lanes, &[]);
        turn(self, column, Lanes { count, mask: None });
        self.writer.end(open, &[]);
        let some = self.writer.compare(Order::Less, zero, rest);
        let open = self.writer.begin_if(some, &[]);
        let mask = self.first(rest);
        turn(self, even, Lanes { count, mask: Some(mask) });
        self.writer.end(open, &[]);
    }

    /// A mask of the first lanes.
    pub fn first(&mut self, count: Value) -> Value {
        let numbers = self.writer.lane_numbers(Kind::I64, self.lanes());
        self.writer.compare(Order::Less, numbers, count)
    }

    /// Panels of a scratch matrix `[rows][width]`: `[panels][rows_room][panel]`.
    pub fn panels_of_rows(&mut self, from: Value, rows: Value, width: Value, room: usize, to: Value) {
        let source = self.gathered_rows(from, width);
        self.panels_from(&source, rows, width, room, to);
    }

    fn panels_from(&mut self, source: &Source, depth: Value, columns: Value, room: usize, to: Value) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let width = self.writer.int(self.target.panel as i64);
        let panels = self.panels(columns);
        let (open, panel, _) = self.writer.begin_for(zero, panels, one, &[]);
        let column = self.writer.multiply(panel, width);
        let left = self.writer.subtract(columns, column);
        let along = self.writer.multiply(column, source.columns);
        let address = self.writer.element_address(source.address, along, stored_kind(source.element));
        let room = self.writer.int(room as i64);
        let place = self.writer.multiply(column, room);
        let target = self.at(to, place);
        let source = Source { address, ..*source };
        copy_panel(self.writer, self.target.panel, &source, target, depth, left);
        self.writer.end(open, &[]);
    }

    /// Rows of a matrix that stand in scratch memory, `[rows][width]`.
    pub fn gathered_rows(&mut self, from: Value, width: Value) -> Source {
        let one = self.writer.int(1);
        let element = archc_runtime::abi::Element::F32;
        Source { address: from, rows: width, columns: one, dense: true, turned: false, element }
    }

    fn key_rows(&mut self, matrix: &Matrix, start: Value, key: Value) -> Source {
        let element = self.kernel.buffers[matrix.buffer].element;
        let rows = self.body.amount(self.writer, matrix.rows);
        let columns = self.body.amount(self.writer, matrix.columns);
        let down = self.writer.multiply(key, rows);
        let at = self.writer.add(start, down);
        let address = self.writer.element_address(self.buffer(matrix), at, stored_kind(element));
        let dense = matrix.columns == Amount::Constant(1);
        Source { address, rows, columns, dense, turned: matrix.rows == Amount::Constant(1), element }
    }

    /// Keys (or values) as panels of their columns: `[panels of columns][BLOCK_KEYS][panel]`.
    pub fn pack_keys(&mut self, matrix: &Matrix, start: Value, key: Value, count: Value, columns: Value, to: Value) {
        let source = self.key_rows(matrix, start, key);
        self.panels_from(&source, count, columns, BLOCK_KEYS, to);
    }

    /// Keys (or values) across: panels of keys, `[panels of keys][depth][panel]`, missing keys as zeros.
    pub fn pack_across(&mut self, matrix: &Matrix, start: Value, key: Value, count: Value, depth: Value, to: Value) {
        let source = self.key_rows(matrix, start, key);
        self.across_from(&source, count, depth, to);
    }

    /// The same from rows of any source.
    pub fn across_from(&mut self, source: &Source, count: Value, depth: Value, to: Value) {
        let across = source.across();
        for panel in 0..BLOCK_KEYS / self.target.panel {
            let first = self.writer.int((panel * self.target.panel) as i64);
            let left = self.writer.subtract(count, first);
            let moved = self.writer.multiply(first, across.columns);
            let address = self.writer.element_address(across.address, moved, stored_kind(across.element));
            let target = self.at_product(to, first, depth);
            let source = Source { address, ..across };
            copy_panel(self.writer, self.target.panel, &source, target, depth, left);
        }
    }

    /// Sets scratch memory to zero; the count is a multiple of the lanes.
    pub fn clear(&mut self, to: Value, count: Value) {
        let lanes = self.lanes();
        let (zero, step) = (self.writer.int(0), self.writer.int(lanes as i64));
        let (open, at, _) = self.writer.begin_for(zero, count, step, &[]);
        let nothing = self.writer.number(0.0, Type::vector(Kind::F32, lanes));
        let address = self.at(to, at);
        self.writer.store(address, nothing);
        self.writer.end(open, &[]);
    }

    /// A loop over the vectors of a row of tiles: gives the column and the address of its lanes in the tiles
    /// `[panels][rows][panel]`, and calls for each vector that has a column.
    pub fn along_tiles(
        &mut self,
        tiles: Value,
        row: Value,
        columns: Value,
        turn: impl Fn(&mut Self, Value, Value, Lanes),
    ) {
        let panel = self.writer.int(self.target.panel as i64);
        let height = self.writer.int(self.target.rows as i64);
        self.along(columns, |attention, column, lanes| {
            let number = attention.writer.binary("arith.divsi", column, panel);
            let within = attention.writer.binary("arith.remsi", column, panel);
            let above = attention.writer.multiply(number, height);
            let line = attention.writer.add(above, row);
            let at = attention.writer.multiply(line, panel);
            let at = attention.writer.add(at, within);
            let address = attention.at(tiles, at);
            turn(attention, column, address, lanes);
        });
    }
}
