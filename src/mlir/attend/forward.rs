//! The forward pass: a running maximum and a running sum for each row, results rescaled when the maximum moves
//! (Milakov and Gimelshein 2018, arXiv 1805.02867).

use super::rows::{Slot, further_slot, row_matrices};
use super::scores::{Line, Products};
use super::upright::Upright;
use super::values::Values;
use super::{Attention, BLOCK_KEYS, BLOCK_ROWS};
use crate::kernel::Matrix;
use crate::mlir::arithmetic::Order;
use crate::mlir::gemm::micro::{Call, Layout};
use crate::mlir::memory::{Lanes, Place};
use crate::mlir::text::{Kind, Type, Value};

/// Scratch memory of a turn.
#[derive(Debug, Clone)]
pub(super) struct Scratch {
    /// Q's rows, `[BLOCK_ROWS][width]`.
    pub queries: Value,
    /// A block of keys, across.
    pub keys: Value,
    /// For keys that are read where they lie.
    pub upright: Option<Upright>,
    /// The same for each further product: its queries, its keys, its width.
    pub further: Vec<(Value, Value, Value)>,
    /// A block of values, in panels.
    pub values: Value,
    /// Products of a tile with a block of keys.
    pub products: Value,
    /// exp(x - m) of a tile, `[rows][BLOCK_KEYS]`.
    weights: Value,
    /// Results of all tiles, each `[panels][rows][panel]`.
    results: Value,
    /// The running maximum and sum of each row.
    maxima: Value,
    sums: Value,
    /// Panels of values, and elements of a tile of results.
    value_panels: Value,
    result_size: Value,
}

impl Attention<'_> {
    pub(super) fn forward(&mut self) {
        let scratch = self.forward_scratch();
        let list = self.form.listed.then(|| self.list());
        let matrices = row_matrices(self.form, None);
        let (zero, one, size) = (self.writer.int(0), self.writer.int(1), self.writer.int(BLOCK_ROWS as i64));
        let blocks = self.writer.ceil_divide(self.rows, size);
        let blocks = self.writer.maximum(blocks, one);
        let (open, turn, _) = self.writer.begin_for(self.body.begin, self.body.end, one, &[]);
        self.count_for(turn);
        let mut batch = self.writer.binary("arith.divsi", turn, blocks);
        let block = self.writer.binary("arith.remsi", turn, blocks);
        if self.form.listed {
            self.only = Some(self.writer.binary("arith.remsi", batch, self.queries));
            batch = self.writer.binary("arith.divsi", batch, self.queries);
        }
        let outer = self.body.unravel(self.writer, batch, &self.form.batch_extents(false));
        let first = self.writer.multiply(block, size);
        let left = self.writer.subtract(self.rows, first);
        let rows = self.writer.minimum(left, size);
        let (low, high) = self.mark_rows(&outer, &matrices, first, rows);
        self.copy_rows(Slot::Query, &self.form.query, rows, self.width, scratch.queries);
        for (place, part) in self.form.further.iter().enumerate() {
            let (queries, _, width) = scratch.further[place];
            self.copy_rows(further_slot(self.form, place), &part.query, rows, width, queries);
        }
        self.turn_queries(&scratch, rows);
        self.start_rows(&scratch, rows);
        match &list {
            Some(list) => self.forward_listed(&scratch, list, &outer, rows, (low, high)),
            None => self.forward_range(&scratch, &outer, rows, (low, high)),
        }
        let (inner, row, _) = self.writer.begin_for(zero, rows, one, &[]);
        self.finish_row(&scratch, row);
        self.writer.end(inner, &[]);
        self.writer.end(open, &[]);
    }

    /// All rows against the blocks of keys from `low` to `high`.
    fn forward_range(&mut self, scratch: &Scratch, outer: &[Value], rows: Value, (low, high): (Value, Value)) {
        let step = self.writer.int(BLOCK_KEYS as i64);
        let number = self.writer.binary("arith.divsi", low, step);
        let from = self.writer.multiply(number, step);
        let (open, key, _) = self.writer.begin_for(from, high, step, &[]);
        self.forward_block(scratch, outer, rows, key);
        self.writer.end(open, &[]);
    }

    fn forward_scratch(&mut self) -> Scratch {
        let (rows, keys) = (self.writer.int(BLOCK_ROWS as i64), self.writer.int(BLOCK_KEYS as i64));
        let tile = self.writer.int(self.target.rows as i64);
        let panel = self.writer.int(self.target.panel as i64);
        let value_panels = self.panels(self.value_width);
        let line = self.writer.multiply(value_panels, panel);
        let result_size = self.writer.multiply(line, tile);
        let widths = self.form.further.iter().map(|part| self.body.amount(self.writer, part.width));
        let widths = widths.collect::<Vec<_>>();
        let further = widths.into_iter().map(|width| (self.room(&[rows, width]), self.room(&[keys, width]), width));
        let further = further.collect();
        Scratch {
            queries: self.room(&[rows, self.width]),
            keys: self.room(&[keys, self.width]),
            upright: self.upright(),
            further,
            values: self.room(&[keys, line]),
            products: self.room(&[keys, tile]),
            weights: self.room(&[keys, tile]),
            results: self.room(&[rows, line]),
            maxima: self.room(&[rows]),
            sums: self.room(&[rows]),
            value_panels,
            result_size,
        }
    }

    fn start_rows(&mut self, scratch: &Scratch, rows: Value) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let (open, row, _) = self.writer.begin_for(zero, rows, one, &[]);
        let float = Type::scalar(Kind::F32);
        let (lowest, nothing) = (self.writer.number(f64::NEG_INFINITY, float), self.writer.number(0.0, float));
        let maximum = self.at(scratch.maxima, row);
        self.writer.store(maximum, lowest);
        let sum = self.at(scratch.sums, row);
        self.writer.store(sum, nothing);
        self.writer.end(open, &[]);
        let height = self.writer.int(self.target.rows as i64);
        let tiles = self.writer.ceil_divide(rows, height);
        let count = self.writer.multiply(tiles, scratch.result_size);
        self.clear(scratch.results, count);
    }

    /// All rows against one block of keys.
    fn forward_block(&mut self, scratch: &Scratch, outer: &[Value], rows: Value, key: Value) {
        let form = self.form;
        let size = self.writer.int(BLOCK_KEYS as i64);
        let left = self.writer.subtract(self.keys, key);
        let count = self.writer.minimum(left, size);
        let indices = self.outer_indices(outer);
        let stored = self.stored_key(key);
        self.bring_keys(scratch, (&indices, stored), (rows, count));
        let start = self.body.start_of(self.writer, &indices, &form.value.batch);
        let values = self.values_of(scratch, (start, stored), rows, count);
        self.look_ahead(&indices, key);
        self.forward_tiles(scratch, &values, rows, (key, count));
    }

    /// All rows against a block of keys that is packed.
    pub(super) fn forward_tiles(
        &mut self,
        scratch: &Scratch,
        values: &Values,
        rows: Value,
        (key, count): (Value, Value),
    ) {
        let (zero, height) = (self.writer.int(0), self.writer.int(self.target.rows as i64));
        let (open, first, _) = self.writer.begin_for(zero, rows, height, &[]);
        let left = self.writer.subtract(rows, first);
        let tile_rows = self.writer.minimum(left, height);
        let seen = self.tile_sees(first, tile_rows, key, count);
        let inner = self.writer.begin_if(seen, &[]);
        self.forward_tile(scratch, values, (first, tile_rows, rows), (key, count));
        self.writer.end(inner, &[]);
        self.writer.end(open, &[]);
    }

    /// The row at which a block of keys begins in memory: blocks do not wrap, as a ring is a multiple of them.
    pub(super) fn stored_key(&mut self, key: Value) -> Value {
        let Some(size) = self.form.ring else { return key };
        let size = self.writer.int(size);
        self.writer.binary("arith.remsi", key, size)
    }

    /// Indices with 0 for the loops that share keys.
    pub(super) fn outer_indices(&mut self, outer: &[Value]) -> Vec<Value> {
        let zero = self.writer.int(0);
        let shared = vec![zero; self.form.batch.len() - outer.len()];
        self.form.all_indices(outer, &shared)
    }

    /// Whether any row of a tile sees a key of the block.
    pub(super) fn tile_sees(&mut self, first: Value, rows: Value, key: Value, count: Value) -> Value {
        let (low, high) = self.tile_range(first, rows);
        let past = self.writer.add(key, count);
        let before = self.writer.compare(Order::Less, low, past);
        let after = self.writer.compare(Order::Less, key, high);
        self.writer.both(before, after)
    }

    fn forward_tile(
        &mut self,
        scratch: &Scratch,
        values: &Values,
        (first, rows, all_rows): (Value, Value, Value),
        (key, count): (Value, Value),
    ) {
        self.visit(rows, count);
        let products = self.products_of(scratch, first, rows, all_rows);
        let height = self.writer.int(self.target.rows as i64);
        let number = self.writer.binary("arith.divsi", first, height);
        let results = self.at_product(scratch.results, number, scratch.result_size);
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let (open, tile_row, _) = self.writer.begin_for(zero, rows, one, &[]);
        let row = self.writer.add(first, tile_row);
        self.for_line(row, tile_row, key, |attention, line| attention.soften(scratch, &products, results, line));
        self.writer.end(open, &[]);
        let tiles = self.writer.ceil_divide(all_rows, height);
        let turns = self.writer.multiply(tiles, scratch.value_panels);
        let (open, panel, _) = self.writer.begin_for(zero, scratch.value_panels, one, &[]);
        let width = self.writer.int(self.target.panel as i64);
        let keys = self.writer.int(BLOCK_KEYS as i64);
        let column = self.writer.multiply(panel, width);
        let b = self.at_product(values.base, panel, values.next);
        let tile = self.at_product(results, column, height);
        let first = self.writer.number(0.0, Type::scalar(Kind::I1));
        let weights = scratch.weights;
        let call = Call { a: weights, a_stride: keys, b, b_stride: values.stride, tile, depth: count, first };
        self.call(Layout::Plain, rows, call);
        let turn = self.writer.multiply(number, scratch.value_panels);
        let turn = self.writer.add(turn, panel);
        self.fetch_ahead(turn, turns);
        self.writer.end(open, &[]);
    }

    /// A line's weights exp(x - m), with the maximum and the sum so far.
    fn soften(&mut self, scratch: &Scratch, products: &Products, results: Value, line: &Line) {
        let vector = Type::vector(Kind::F32, self.lanes());
        let lowest = self.writer.number(f64::NEG_INFINITY, vector);
        let form = self.form;
        let mut scores = Vec::new();
        for place in 0..self.chunks() {
            let chunk = self.chunk(products, line, place * self.lanes());
            let score = self.of_chunk(&form.score, &chunk);
            scores.push(chunk.mask.map_or(score, |mask| self.writer.select(mask, score, lowest)));
        }
        let highest = scores.iter().copied().reduce(|left, right| self.writer.maximum(left, right));
        let highest = highest.map_or(lowest, |value| value);
        let highest = self.writer.fold_lanes(highest, |writer, left, right| writer.maximum(left, right));
        let address = self.at(scratch.maxima, line.row);
        let before = self.writer.load(address, Type::scalar(Kind::F32));
        let maximum = self.writer.maximum(before, highest);
        self.writer.store(address, maximum);
        let shift = self.finite(maximum);
        let moved = self.writer.subtract(before, shift);
        let factor = self.writer.exp(moved);
        let sum = self.weigh(scratch, line, &scores, shift);
        let address = self.at(scratch.sums, line.row);
        let before = self.writer.load(address, Type::scalar(Kind::F32));
        let total = self.writer.multiply_add(before, factor, sum);
        self.writer.store(address, total);
        self.rescale(scratch, results, line.tile_row, factor);
    }

    /// The maximum, or 0 while no key was seen: infinities are not subtracted from each other.
    fn finite(&mut self, maximum: Value) -> Value {
        let (lowest, zero) = (self.writer.number(f64::NEG_INFINITY, maximum.ty), self.writer.number(0.0, maximum.ty));
        let none = self.writer.compare(Order::Equal, maximum, lowest);
        self.writer.select(none, zero, maximum)
    }

    /// Stores the weights and returns their sum.
    fn weigh(&mut self, scratch: &Scratch, line: &Line, scores: &[Value], shift: Value) -> Value {
        let keys = self.writer.int(BLOCK_KEYS as i64);
        let weights = self.at_product(scratch.weights, line.tile_row, keys);
        let mut sum = None;
        for (place, &score) in scores.iter().enumerate() {
            let moved = self.writer.subtract(score, shift);
            let weight = self.writer.exp(moved);
            let address = self.writer.address_at(weights, place * self.lanes(), Kind::F32);
            self.writer.store(address, weight);
            sum = Some(sum.map_or(weight, |sum| self.writer.add(sum, weight)));
        }
        let zero = self.writer.number(0.0, Type::scalar(Kind::F32));
        sum.map_or(zero, |sum| self.writer.fold_lanes(sum, |writer, left, right| writer.add(left, right)))
    }

    /// Multiplies a row of results, unless the maximum did not move.
    fn rescale(&mut self, scratch: &Scratch, results: Value, tile_row: Value, factor: Value) {
        let one = self.writer.number(1.0, factor.ty);
        let moves = self.writer.compare(Order::Different, factor, one);
        let open = self.writer.begin_if(moves, &[]);
        let width = self.writer.int(self.target.panel as i64);
        let whole = self.writer.multiply(scratch.value_panels, width);
        self.along_tiles(results, tile_row, whole, |attention, _, address, lanes| {
            let ty = Type::vector(Kind::F32, lanes.count);
            let value = attention.writer.load(address, ty);
            let scaled = attention.writer.multiply(value, factor);
            attention.writer.store(address, scaled);
        });
        self.writer.end(open, &[]);
    }

    /// Divides a row by its sum and stores it, with the logarithm of the sum where that is asked for.
    fn finish_row(&mut self, scratch: &Scratch, row: Value) {
        let form = self.form;
        let height = self.writer.int(self.target.rows as i64);
        let number = self.writer.binary("arith.divsi", row, height);
        let tile_row = self.writer.binary("arith.remsi", row, height);
        let results = self.at_product(scratch.results, number, scratch.result_size);
        let float = Type::scalar(Kind::F32);
        let (address, maximum) = (self.at(scratch.sums, row), self.at(scratch.maxima, row));
        let (sum, maximum) = (self.writer.load(address, float), self.writer.load(maximum, float));
        let (zero, one) = (self.writer.number(0.0, float), self.writer.number(1.0, float));
        let none = self.writer.compare(Order::Equal, sum, zero);
        let divisor = self.writer.select(none, one, sum);
        let factor = self.writer.binary("arith.divf", one, divisor);
        self.store_row(Slot::Output, &form.output, (results, tile_row), row, self.value_width, Some(factor));
        if let Some(logsum) = &form.logsum {
            let logarithm = self.writer.log(divisor);
            let value = self.writer.add(maximum, logarithm);
            let unseen = if form.piece.is_some() { maximum } else { zero };
            let value = self.writer.select(none, unseen, value);
            let at = self.mark(Slot::Logsum, row);
            let element = self.kernel.buffers[logsum.buffer].element;
            self.writer.write(self.buffer(logsum), element, Place::One(at), value, Lanes::default());
        }
    }

    /// Stores a row of tiles into a matrix, multiplied by a factor.
    pub(super) fn store_row(
        &mut self,
        slot: Slot,
        matrix: &Matrix,
        (tiles, tile_row): (Value, Value),
        row: Value,
        columns: Value,
        factor: Option<Value>,
    ) {
        let start = self.mark(slot, row);
        let element = self.kernel.buffers[matrix.buffer].element;
        let base = self.buffer(matrix);
        self.along_tiles(tiles, tile_row, columns, |attention, column, address, lanes| {
            let mut value = attention.writer.load(address, Type::vector(Kind::F32, lanes.count));
            if let Some(factor) = factor {
                value = attention.writer.multiply(value, factor);
            }
            let place = attention.place(matrix, start, column);
            attention.writer.write(base, element, place, value, lanes);
        });
    }
}
