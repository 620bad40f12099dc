//! Strips: the blocks of one run that share their rows.

use super::epilogue::Spot;
use super::micro::{self, Call, Layout};
use super::{BLOCK_COLUMNS, BLOCK_DEPTH, Product, packs_a, panel_count, row_blocks};
use crate::kernel::{Amount, Matrix, Right};
use crate::mlir::arithmetic::Order;
use crate::mlir::memory::{Lanes, Place};
use crate::mlir::text::{Kind, Open, Type, Value};
use archc_runtime::abi::Element;

/// Buffers of a body on its stack.
#[derive(Debug, Clone, Copy)]
pub struct Scratch {
    /// Sums, a tile for each micro-kernel's result.
    pub tiles: Value,
    /// Packed rows of A.
    pub a: Value,
    /// One packed panel of B.
    pub b: Value,
}

/// What a product's loops go over.
#[derive(Debug, Clone, Copy)]
pub struct Extents {
    pub m: Value,
    pub n: Value,
    pub k: Value,
    pub panels: Value,
    pub row_blocks: Value,
    pub block_rows: Value,
    /// Parts of k, and how long each is.
    pub parts: Value,
    pub depth: Value,
}

/// Rows of one block.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    pub first: Value,
    pub count: Value,
}

/// Rows of one block, and the panels of one group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strip {
    pub rows: Rows,
    /// The first panel, and one past the last.
    pub from: Value,
    pub to: Value,
    /// 1 if sums are kept between parts of k, 0 if there is one part.
    keeps: Value,
}

/// One part of k.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub from: Value,
    pub depth: Value,
    pub first: Value,
    pub last: Value,
}

/// A panel of B in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    pub number: Value,
    pub address: Value,
    stride: Value,
    /// Whether it is packed; none if it always is.
    packed: Option<Value>,
}

impl Product<'_> {
    /// Writes all loops of the body.
    pub fn run(&mut self) {
        let scratch = self.scratch();
        let extents = self.extents();
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let panels = self.writer.maximum(extents.panels, one);
        let blocks = self.writer.maximum(extents.row_blocks, one);
        let first = self.writer.binary("arith.divsi", self.body.begin, panels);
        let past = self.writer.ceil_divide(self.body.end, panels);
        let (open, strip, _) = self.writer.begin_for(first, past, one, &[]);
        let start = self.writer.multiply(strip, panels);
        let from = self.writer.subtract(self.body.begin, start);
        let from = self.writer.maximum(from, zero);
        let to = self.writer.subtract(self.body.end, start);
        let to = self.writer.minimum(to, panels);
        let batch = self.writer.binary("arith.divsi", strip, blocks);
        let block = self.writer.binary("arith.remsi", strip, blocks);
        self.start_batch(batch);
        let row = self.writer.multiply(block, extents.block_rows);
        let rows = self.writer.subtract(extents.m, row);
        let rows = self.writer.minimum(rows, extents.block_rows);
        self.groups(&extents, &scratch, Rows { first: row, count: rows }, (from, to));
        self.writer.end(open, &[]);
    }

    fn scratch(&mut self) -> Scratch {
        let mut room = |elements: usize| {
            let count = self.writer.int(elements as i64);
            self.body.room(self.writer, count, Kind::F32)
        };
        Scratch {
            tiles: room(self.target.block * BLOCK_COLUMNS),
            a: room(self.target.block * BLOCK_DEPTH),
            b: room(BLOCK_DEPTH * self.target.panel),
        }
    }

    fn extents(&mut self) -> Extents {
        let form = self.form;
        let [m, n, k] = [form.m, form.n, form.k].map(|amount| self.body.amount(self.writer, amount));
        let (row_blocks, block_rows) = row_blocks(self.writer, m, self.target);
        let panels = panel_count(self.writer, n, self.target);
        let (one, most, four) = (self.writer.int(1), self.writer.int(BLOCK_DEPTH as i64), self.writer.int(4));
        let parts = self.writer.ceil_divide(k, most);
        let parts = self.writer.maximum(parts, one);
        let share = self.writer.ceil_divide(k, parts);
        let fours = self.writer.ceil_divide(share, four);
        let depth = self.writer.multiply(fours, four);
        Extents { m, n, k, panels, row_blocks, block_rows, parts, depth }
    }

    /// Finds where the matrices of a batch start.
    fn start_batch(&mut self, batch: Value) {
        let form = self.form;
        let indices = self.body.unravel(self.writer, batch, &form.batch);
        let strides = match &form.b {
            Right::Strided(matrix) => &matrix.batch,
            Right::Packed { batch, .. } => batch,
        };
        self.starts.a = self.body.start_of(self.writer, &indices, &form.a.batch);
        self.starts.b = self.body.start_of(self.writer, &indices, strides);
        self.starts.c = self.body.start_of(self.writer, &indices, &form.c.batch);
        if let Some(asked) = &form.asked {
            self.starts.asked = self.body.start_of(self.writer, &indices, &asked.batch);
        }
        let start = |extra: &Matrix| self.body.start_of(self.writer, &indices, &extra.batch);
        self.starts.extras = form.extras.iter().map(start).collect();
    }

    /// Panels in groups whose sums fit into the scratch; with one part of k nothing is kept and one group is enough.
    fn groups(&mut self, extents: &Extents, scratch: &Scratch, rows: Rows, (from, to): (Value, Value)) {
        let from = self.beside(extents, scratch, &rows, (from, to));
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let several = self.writer.compare(Order::Less, one, extents.parts);
        let keeps = self.writer.select(several, one, zero);
        let all = self.writer.subtract(to, from);
        let all = self.writer.maximum(all, one);
        let few = self.writer.int((BLOCK_COLUMNS / self.target.panel) as i64);
        let step = self.writer.select(several, few, all);
        let (open, start, _) = self.writer.begin_for(from, to, step, &[]);
        let stop = self.writer.add(start, step);
        let stop = self.writer.minimum(stop, to);
        let strip = Strip { rows, from: start, to: stop, keeps };
        self.parts(extents, scratch, &strip);
        self.writer.end(open, &[]);
    }

    fn parts(&mut self, extents: &Extents, scratch: &Scratch, strip: &Strip) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let (open, part, _) = self.writer.begin_for(zero, extents.parts, one, &[]);
        let part = self.part(extents, part);
        if packs_a(self.form) {
            self.pack_rows(scratch.a, strip.rows.first, strip.rows.count, part.from, part.depth);
        }
        let (inner, number, _) = self.writer.begin_for(strip.from, strip.to, one, &[]);
        let panel = self.panel(extents, scratch, strip, &part, number);
        self.tiles(extents, scratch, strip, &part, &panel);
        self.writer.end(inner, &[]);
        self.writer.end(open, &[]);
    }

    /// Where a part of k is.
    pub(super) fn part(&mut self, extents: &Extents, part: Value) -> Part {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let from = self.writer.multiply(part, extents.depth);
        let left = self.writer.subtract(extents.k, from);
        let left = self.writer.maximum(left, zero);
        let depth = self.writer.minimum(left, extents.depth);
        let first = self.writer.compare(Order::Equal, part, zero);
        let next = self.writer.add(part, one);
        let last = self.writer.compare(Order::Equal, next, extents.parts);
        Part { from, depth, first, last }
    }

    /// Finds a panel of B, or packs it.
    fn panel(&mut self, extents: &Extents, scratch: &Scratch, strip: &Strip, part: &Part, number: Value) -> Panel {
        let width = self.writer.int(self.target.panel as i64);
        match &self.form.b {
            Right::Packed { buffer, .. } => {
                let before = self.writer.multiply(number, extents.k);
                let before = self.writer.add(before, part.from);
                let at = self.writer.multiply(before, width);
                let at = self.writer.add(self.starts.b, at);
                let address = self.writer.element_address(self.body.buffers[*buffer], at, Kind::F32);
                Panel { number, address, stride: width, packed: None }
            }
            Right::Strided(matrix) => {
                let column = self.writer.multiply(number, width);
                let left = self.writer.subtract(extents.n, column);
                let source = self.source(matrix, part.from, column);
                if packs_a(self.form) || matrix.columns != Amount::Constant(1) {
                    self.pack_panel(source, matrix, scratch.b, part.depth, left);
                    return Panel { number, address: scratch.b, stride: width, packed: None };
                }
                self.panel_in_place(source, matrix, scratch, strip, part, (number, left))
            }
        }
    }

    /// A panel of rows that are side by side is read where it is, unless it is the ragged last one or many rows use it.
    fn panel_in_place(
        &mut self,
        source: Value,
        matrix: &Matrix,
        scratch: &Scratch,
        strip: &Strip,
        part: &Part,
        (number, left): (Value, Value),
    ) -> Panel {
        let width = self.writer.int(self.target.panel as i64);
        let few = self.writer.int(2 * self.target.rows as i64);
        let ragged = self.writer.compare(Order::Less, left, width);
        let many = self.writer.compare(Order::Less, few, strip.rows.count);
        let packs = self.writer.either(ragged, many);
        let open = self.writer.begin_if(packs, &[Type::scalar(Kind::Pointer)]);
        self.pack_panel(source, matrix, scratch.b, part.depth, left);
        self.writer.begin_else(&[scratch.b]);
        let address = self.writer.end(open, &[source])[0];
        let stride = self.body.amount(self.writer, matrix.rows);
        Panel { number, address, stride, packed: Some(packs) }
    }

    /// The address of B's element (k, n).
    fn source(&mut self, matrix: &Matrix, k: Value, n: Value) -> Value {
        let (rows, columns) =
            (self.body.amount(self.writer, matrix.rows), self.body.amount(self.writer, matrix.columns));
        let down = self.writer.multiply(k, rows);
        let along = self.writer.multiply(n, columns);
        let at = self.writer.add(self.starts.b, down);
        let at = self.writer.add(at, along);
        self.writer.element_address(self.body.buffers[matrix.buffer], at, Kind::F32)
    }

    /// The loop over the tiles of a block.
    fn tiles(&mut self, extents: &Extents, scratch: &Scratch, strip: &Strip, part: &Part, panel: &Panel) {
        let (zero, step) = (self.writer.int(0), self.writer.int(self.target.rows as i64));
        let width = self.writer.int(self.target.panel as i64);
        let place = self.writer.subtract(panel.number, strip.from);
        let before = self.writer.multiply(place, extents.block_rows);
        let ahead = self.ahead(extents, strip, part, panel);
        let (open, row, _) = self.writer.begin_for(zero, strip.rows.count, step, &[]);
        ahead.iter().for_each(|ahead| ahead.fetch(self.writer, row));
        let left = self.writer.subtract(strip.rows.count, row);
        let rows = self.writer.minimum(left, step);
        let asked = self.any_asked(strip.rows.first, row, rows);
        let at = self.writer.add(before, row);
        let at = self.writer.multiply(at, width);
        let at = self.writer.multiply(at, strip.keeps);
        let tile = self.writer.element_address(scratch.tiles, at, Kind::F32);
        let (a, a_stride) = self.rows_of_a(scratch, &strip.rows, part, row);
        let Panel { address: b, stride: b_stride, .. } = *panel;
        let call = Call { a, a_stride, b, b_stride, tile, depth: part.depth, first: part.first };
        self.multiply(panel, rows, call);
        let last = self.writer.begin_if(part.last, &[]);
        let column = self.writer.multiply(panel.number, width);
        let columns = self.writer.subtract(extents.n, column);
        let row = self.writer.add(strip.rows.first, row);
        self.finish(&Spot { tile, row, rows, column, columns });
        self.writer.end(last, &[]);
        asked.into_iter().for_each(|asked| drop(self.writer.end(asked, &[])));
        self.writer.end(open, &[]);
    }

    /// Begins what is done only if somebody asks for one of the rows of a tile.
    fn any_asked(&mut self, first: Value, row: Value, rows: Value) -> Option<Open> {
        let asked = self.form.asked.as_ref()?;
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let stride = self.body.amount(self.writer, asked.rows);
        let from = self.writer.add(first, row);
        let none = self.writer.number(0.0, Type::scalar(Kind::I1));
        let (open, turn, any) = self.writer.begin_for(zero, rows, one, &[none]);
        let at = self.writer.add(from, turn);
        let at = self.writer.multiply(at, stride);
        let at = self.writer.add(self.starts.asked, at);
        let own = self.writer.read(self.body.buffers[asked.buffer], Element::Bool, Place::One(at), Lanes::default());
        let next = self.writer.either(any[0], own);
        let any = self.writer.end(open, &[next])[0];
        Some(self.writer.begin_if(any, &[]))
    }

    fn multiply(&mut self, panel: &Panel, rows: Value, call: Call) {
        let packed = if packs_a(self.form) { Layout::Tiles } else { Layout::Rows };
        match panel.packed {
            None => micro::call(self.writer, packed, self.target, rows, call),
            Some(condition) => {
                let open = self.writer.begin_if(condition, &[]);
                micro::call(self.writer, packed, self.target, rows, call);
                self.writer.begin_else(&[]);
                micro::call(self.writer, Layout::Plain, self.target, rows, call);
                self.writer.end(open, &[]);
            }
        }
    }

    /// The rows of A from `row` of the block on, packed or in place.
    pub(super) fn rows_of_a(&mut self, scratch: &Scratch, rows: &Rows, part: &Part, row: Value) -> (Value, Value) {
        if packs_a(self.form) {
            let at = self.writer.multiply(row, part.depth);
            let stride = self.writer.int(self.target.rows as i64);
            return (self.writer.element_address(scratch.a, at, Kind::F32), stride);
        }
        let stride = self.body.amount(self.writer, self.form.a.rows);
        let row = self.writer.add(rows.first, row);
        let down = self.writer.multiply(row, stride);
        let at = self.writer.add(self.starts.a, down);
        let at = self.writer.add(at, part.from);
        (self.writer.element_address(self.body.buffers[self.form.a.buffer], at, Kind::F32), stride)
    }
}
