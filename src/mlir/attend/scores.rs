//! Products to scores: the score's expression, and which keys of a block count.

use super::rows::Slot;
use super::{Attention, BLOCK_KEYS};
use crate::kernel::Matrix;
use crate::mlir::arithmetic::Order;
use crate::mlir::memory::Lanes;
use crate::mlir::text::{Kind, Type, Value};
use crate::tensor::Scalar;

/// A row of a tile against a block of keys.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// The row in its block.
    pub row: Value,
    /// The row in its tile.
    pub tile_row: Value,
    /// The first key of the block.
    pub key: Value,
    /// Whether every key of the block counts.
    pub whole: bool,
}

/// Where the products of a tile with a block of keys are: vectors of keys that are side by side.
#[derive(Debug, Clone, Copy)]
pub struct Products {
    /// Those of the first row.
    pub base: Value,
    /// Elements from row to row.
    pub row: Value,
    /// Elements from panel to panel of keys.
    pub panel: Value,
}

/// One vector of a line.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The product and the extras.
    pub operands: Vec<Value>,
    /// The keys that count; none if all do.
    pub mask: Option<Value>,
}

impl Attention<'_> {
    /// How many vectors a line has.
    pub fn chunks(&self) -> usize {
        BLOCK_KEYS / self.lanes()
    }

    /// Products in tiles `[panels][rows][panel]`.
    pub fn in_tiles(&mut self, base: Value) -> Products {
        let row = self.writer.int(self.target.panel as i64);
        Products { base, row, panel: self.writer.int((self.target.rows * self.target.panel) as i64) }
    }

    /// Reads one vector of a line.
    pub fn tile_vector(&mut self, products: &Products, tile_row: Value, first: usize) -> Value {
        let panel = self.writer.int((first / self.target.panel) as i64);
        let base = self.at_product(products.base, panel, products.panel);
        let base = self.writer.address_at(base, first % self.target.panel, Kind::F32);
        let address = self.at_product(base, tile_row, products.row);
        self.writer.load(address, Type::vector(Kind::F32, self.lanes()))
    }

    /// The operands and the mask of one vector of a line.
    pub fn chunk(&mut self, products: &Products, line: &Line, first: usize) -> Chunk {
        let product = self.tile_vector(products, line.tile_row, first);
        let skipped = self.writer.int(first as i64);
        let key = self.writer.add(line.key, skipped);
        let mut mask = (!line.whole).then(|| self.in_range(line.row, key));
        let lanes = Lanes { count: self.lanes(), mask };
        let mut operands = vec![product];
        let form = self.form;
        if form.listed {
            return Chunk { operands, mask };
        }
        for (place, extra) in form.extras.iter().enumerate() {
            operands.push(self.extra(extra, place, line.row, key, lanes));
        }
        if let (Some(present), Some(range)) = (&form.visible.present, mask) {
            let holds = self.writer.evaluate(present, &operands);
            let holds = self.writer.convert(holds, Kind::I1);
            mask = Some(self.writer.both(range, holds));
        }
        Chunk { operands, mask }
    }

    pub(super) fn extra(&mut self, matrix: &Matrix, place: usize, row: Value, key: Value, lanes: Lanes) -> Value {
        let start = self.mark(Slot::Extra(place), row);
        let at = self.place(matrix, start, key);
        let element = self.kernel.buffers[matrix.buffer].element;
        self.writer.read(self.buffer(matrix), element, at, lanes)
    }

    fn in_range(&mut self, row: Value, key: Value) -> Value {
        let (low, high) = (self.mark(Slot::Low, row), self.mark(Slot::High, row));
        let numbers = self.writer.lane_numbers(Kind::I64, self.lanes());
        let keys = self.writer.add(numbers, key);
        let after = self.writer.compare(Order::LessEqual, low, keys);
        let before = self.writer.compare(Order::Less, keys, high);
        self.writer.both(after, before)
    }

    /// A scalar expression of a chunk as a vector of floats.
    pub fn of_chunk(&mut self, scalar: &Scalar, chunk: &Chunk) -> Value {
        let value = self.writer.evaluate(scalar, &chunk.operands);
        let value = self.writer.convert(value, Kind::F32);
        self.writer.repeat(value, self.lanes())
    }

    /// Whether a row's range holds all keys of a block.
    fn whole(&mut self, row: Value, key: Value) -> Value {
        let size = self.writer.int(BLOCK_KEYS as i64);
        let past = self.writer.add(key, size);
        let (low, high) = (self.mark(Slot::Low, row), self.mark(Slot::High, row));
        let after = self.writer.compare(Order::LessEqual, low, key);
        let before = self.writer.compare(Order::LessEqual, past, high);
        self.writer.both(after, before)
    }

    /// Writes a line's code twice: for blocks of which every key counts, and with masks.
    pub fn for_line(&mut self, row: Value, tile_row: Value, key: Value, write: impl Fn(&mut Self, &Line)) {
        if self.form.visible.present.is_some() && !self.form.listed {
            write(self, &Line { row, tile_row, key, whole: false });
            return;
        }
        let whole = self.whole(row, key);
        let open = self.writer.begin_if(whole, &[]);
        write(self, &Line { row, tile_row, key, whole: true });
        self.writer.begin_else(&[]);
        write(self, &Line { row, tile_row, key, whole: false });
        self.writer.end(open, &[]);
    }
}
