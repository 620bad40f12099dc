//! The gradient: weights are computed again from L; dK and dV of a block of keys stay in scratch memory while all rows
//! pass by, dQ is summed where it is stored (Dao et al. 2022, arXiv 2205.14135).

use super::rows::{Slot, row_matrices};
use super::scores::Line;
use super::{Attention, BLOCK_KEYS, BLOCK_ROWS};
use crate::kernel::{AttendGradient, Matrix};
use crate::mlir::arithmetic::Order;
use crate::mlir::gemm::micro::{Call, Layout};
use crate::mlir::memory::{Lanes, Place};
use crate::mlir::text::{Kind, Type, Value};

/// Scratch memory of a turn. Blocks of keys and rows are held as each product wants them.
#[derive(Debug, Clone, Copy)]
struct Scratch {
    keys_across: Value,
    values_across: Value,
    keys: Value,
    queries: Value,
    gradients: Value,
    query_panels: Value,
    gradient_panels: Value,
    products: Value,
    value_products: Value,
    /// p and s of all rows of a block, `[BLOCK_ROWS][BLOCK_KEYS]`.
    weights: Value,
    slopes: Value,
    /// One tile of dQ.
    query_tile: Value,
    /// dK and dV of a block of keys, tiles of `[panels][rows][panel]`.
    key_sums: Value,
    value_sums: Value,
    /// Panels of the two widths, and elements of a tile of each.
    panels: Value,
    value_panels: Value,
    tile_size: Value,
    value_tile_size: Value,
}

/// A block of keys and a block of rows.
#[derive(Debug, Clone, Copy)]
struct Meeting {
    key: Value,
    count: Value,
    rows: Value,
}

/// The rows of a block that are summed for a block of keys.
#[derive(Debug, Clone, Copy)]
struct Seeing {
    count: Value,
    from: Value,
    depth: Value,
}

impl Attention<'_> {
    pub(super) fn backward(&mut self, gradient: &AttendGradient) {
        let scratch = self.backward_scratch();
        let one = self.writer.int(1);
        let (open, turn, _) = self.writer.begin_for(self.body.begin, self.body.end, one, &[]);
        self.count_for(turn);
        let outer = self.body.unravel(self.writer, turn, &self.form.batch_extents(false));
        self.each_block_of_rows(&outer, gradient, |attention, rows, _, _| {
            attention.clear_rows(gradient, rows);
        });
        let (zero, step) = (self.writer.int(0), self.writer.int(BLOCK_KEYS as i64));
        let (inner, key, _) = self.writer.begin_for(zero, self.keys, step, &[]);
        self.backward_block(&scratch, gradient, &outer, key);
        self.writer.end(inner, &[]);
        self.writer.end(open, &[]);
    }

    fn backward_scratch(&mut self) -> Scratch {
        let (rows, keys) = (self.writer.int(BLOCK_ROWS as i64), self.writer.int(BLOCK_KEYS as i64));
        let height = self.writer.int(self.target.rows as i64);
        let panel = self.writer.int(self.target.panel as i64);
        let (panels, value_panels) = (self.panels(self.width), self.panels(self.value_width));
        let line = self.writer.multiply(panels, panel);
        let value_line = self.writer.multiply(value_panels, panel);
        // Keys do not fill the last tile where tiles are no divisor.
        let key_room = self.writer.add(keys, height);
        Scratch {
            keys_across: self.room(&[keys, self.width]),
            values_across: self.room(&[keys, self.value_width]),
            keys: self.room(&[keys, line]),
            queries: self.room(&[rows, self.width]),
            gradients: self.room(&[rows, self.value_width]),
            query_panels: self.room(&[rows, line]),
            gradient_panels: self.room(&[rows, value_line]),
            products: self.room(&[keys, height]),
            value_products: self.room(&[keys, height]),
            weights: self.room(&[rows, keys]),
            slopes: self.room(&[rows, keys]),
            query_tile: self.room(&[height, line]),
            key_sums: self.room(&[key_room, line]),
            value_sums: self.room(&[key_room, value_line]),
            panels,
            value_panels,
            tile_size: self.writer.multiply(line, height),
            value_tile_size: self.writer.multiply(value_line, height),
        }
    }

    /// Writes a loop over blocks of rows, with their marks; the turn gets the rows and the keys that they see.
    fn each_block_of_rows(
        &mut self,
        outer: &[Value],
        gradient: &AttendGradient,
        turn: impl Fn(&mut Self, Value, Value, Value),
    ) {
        let matrices = row_matrices(self.form, Some(gradient));
        let (zero, size) = (self.writer.int(0), self.writer.int(BLOCK_ROWS as i64));
        let (open, first, _) = self.writer.begin_for(zero, self.rows, size, &[]);
        let left = self.writer.subtract(self.rows, first);
        let rows = self.writer.minimum(left, size);
        let (low, high) = self.mark_rows(outer, &matrices, first, rows);
        turn(self, rows, low, high);
        self.writer.end(open, &[]);
    }

    fn clear_rows(&mut self, gradient: &AttendGradient, rows: Value) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let matrix = &gradient.query_gradient;
        let element = self.kernel.buffers[matrix.buffer].element;
        let base = self.buffer(matrix);
        let (open, row, _) = self.writer.begin_for(zero, rows, one, &[]);
        let start = self.mark(Slot::QueryGradient, row);
        self.along(self.width, |attention, column, lanes| {
            let place = attention.place(matrix, start, column);
            let nothing = attention.writer.number(0.0, Type::vector(Kind::F32, lanes.count));
            attention.writer.write(base, element, place, nothing, lanes);
        });
        self.writer.end(open, &[]);
    }

    /// One block of keys against all rows.
    fn backward_block(&mut self, scratch: &Scratch, gradient: &AttendGradient, outer: &[Value], key: Value) {
        let form = self.form;
        let size = self.writer.int(BLOCK_KEYS as i64);
        let left = self.writer.subtract(self.keys, key);
        let count = self.writer.minimum(left, size);
        let indices = self.outer_indices(outer);
        let start = self.body.start_of(self.writer, &indices, &form.key.batch);
        self.pack_across(&form.key, start, key, count, self.width, scratch.keys_across);
        self.pack_keys(&form.key, start, key, count, self.width, scratch.keys);
        let start = self.body.start_of(self.writer, &indices, &form.value.batch);
        self.pack_across(&form.value, start, key, count, self.value_width, scratch.values_across);
        let height = self.writer.int(self.target.rows as i64);
        let tiles = self.writer.ceil_divide(count, height);
        for (sums, tile) in [(scratch.key_sums, scratch.tile_size), (scratch.value_sums, scratch.value_tile_size)] {
            let room = self.writer.multiply(tiles, tile);
            self.clear(sums, room);
        }
        self.each_block_of_rows(outer, gradient, |attention, rows, low, high| {
            let past = attention.writer.add(key, count);
            let before = attention.writer.compare(Order::Less, low, past);
            let after = attention.writer.compare(Order::Less, key, high);
            let seen = attention.writer.both(before, after);
            let open = attention.writer.begin_if(seen, &[]);
            attention.meet(scratch, gradient, &Meeting { key, count, rows });
            attention.writer.end(open, &[]);
        });
        self.store_keys(
            &gradient.key_gradient,
            &indices,
            key,
            count,
            (scratch.key_sums, scratch.tile_size),
            self.width,
        );
        let sums = (scratch.value_sums, scratch.value_tile_size);
        self.store_keys(&gradient.value_gradient, &indices, key, count, sums, self.value_width);
    }

    /// A block of keys and a block of rows that sees some of them.
    fn meet(&mut self, scratch: &Scratch, gradient: &AttendGradient, meeting: &Meeting) {
        let rows = meeting.rows;
        self.copy_rows(Slot::Query, &self.form.query, rows, self.width, scratch.queries);
        let gradients = &gradient.output_gradient;
        self.copy_rows(Slot::OutputGradient, gradients, rows, self.value_width, scratch.gradients);
        self.panels_of_rows(scratch.queries, rows, self.width, BLOCK_ROWS, scratch.query_panels);
        self.panels_of_rows(scratch.gradients, rows, self.value_width, BLOCK_ROWS, scratch.gradient_panels);
        let (from, to) = self.rows_that_see(meeting);
        let height = self.writer.int(self.target.rows as i64);
        let (open, first, _) = self.writer.begin_for(from, to, height, &[]);
        let left = self.writer.subtract(rows, first);
        let tile_rows = self.writer.minimum(left, height);
        let seen = self.tile_sees(first, tile_rows, meeting.key, meeting.count);
        let inner = self.writer.begin_if(seen, &[]);
        self.backward_tile(scratch, gradient, meeting, first, tile_rows);
        self.writer.begin_else(&[]);
        let keys = self.writer.int(BLOCK_KEYS as i64);
        let room = self.writer.multiply(tile_rows, keys);
        for matrix in [scratch.weights, scratch.slopes] {
            let start = self.at_product(matrix, first, keys);
            self.clear(start, room);
        }
        self.writer.end(inner, &[]);
        self.writer.end(open, &[]);
        let depth = self.writer.subtract(to, from);
        self.visit(depth, meeting.count);
        let seeing = Seeing { count: meeting.count, from, depth };
        self.sum_keys(&seeing, scratch.weights, (scratch.gradient_panels, scratch.value_panels), scratch.value_sums);
        self.sum_keys(&seeing, scratch.slopes, (scratch.query_panels, scratch.panels), scratch.key_sums);
    }

    /// From the first to the last row of the block that sees one of the keys, in whole tiles at the start.
    fn rows_that_see(&mut self, meeting: &Meeting) -> (Value, Value) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let (open, row, range) = self.writer.begin_for(zero, meeting.rows, one, &[meeting.rows, zero]);
        let seen = self.tile_sees(row, one, meeting.key, meeting.count);
        let next = self.writer.add(row, one);
        let first = self.writer.minimum(range[0], row);
        let first = self.writer.select(seen, first, range[0]);
        let last = self.writer.select(seen, next, range[1]);
        let range = self.writer.end(open, &[first, last]);
        let height = self.writer.int(self.target.rows as i64);
        let tile = self.writer.binary("arith.divsi", range[0], height);
        let from = self.writer.multiply(tile, height);
        (self.writer.minimum(from, range[1]), range[1])
    }

    /// p and s of a tile of rows, and its part of dQ.
    fn backward_tile(
        &mut self,
        scratch: &Scratch,
        gradient: &AttendGradient,
        meeting: &Meeting,
        first: Value,
        rows: Value,
    ) {
        self.visit(rows, meeting.count);
        let queries = self.at_product(scratch.queries, first, self.width);
        self.products(queries, self.width, scratch.keys_across, scratch.products, rows);
        let gradients = self.at_product(scratch.gradients, first, self.value_width);
        self.products(gradients, self.value_width, scratch.values_across, scratch.value_products, rows);
        let (zero, one, keys) = (self.writer.int(0), self.writer.int(1), self.writer.int(BLOCK_KEYS as i64));
        let (open, tile_row, _) = self.writer.begin_for(zero, rows, one, &[]);
        let row = self.writer.add(first, tile_row);
        let inner = self.inner_product(scratch, row);
        let at = self.mark(Slot::Logsum, row);
        let logsum = self.form.logsum.as_ref().unwrap_or(&self.form.output);
        let element = self.kernel.buffers[logsum.buffer].element;
        let logsum = self.writer.read(self.buffer(logsum), element, Place::One(at), Lanes::default());
        self.for_line(row, tile_row, meeting.key, |attention, line| {
            attention.slope_line(scratch, gradient, line, inner, logsum);
        });
        self.writer.end(open, &[]);
        let slopes = self.at_product(scratch.slopes, first, keys);
        let (open, panel, _) = self.writer.begin_for(zero, scratch.panels, one, &[]);
        let width = self.writer.int(self.target.panel as i64);
        let height = self.writer.int(self.target.rows as i64);
        let column = self.writer.multiply(panel, width);
        let b = self.at_product(scratch.keys, column, keys);
        let tile = self.at_product(scratch.query_tile, column, height);
        let start = self.writer.number(1.0, Type::scalar(Kind::I1));
        let call = Call { a: slopes, a_stride: keys, b, b_stride: width, tile, depth: meeting.count, first: start };
        self.call(Layout::Rows, rows, call);
        self.writer.end(open, &[]);
        let (open, tile_row, _) = self.writer.begin_for(zero, rows, one, &[]);
        let row = self.writer.add(first, tile_row);
        self.add_row(&gradient.query_gradient, (scratch.query_tile, tile_row), row);
        self.writer.end(open, &[]);
    }

    /// `D = sum over v of G · O` of a row.
    fn inner_product(&mut self, scratch: &Scratch, row: Value) -> Value {
        let form = self.form;
        let element = self.kernel.buffers[form.output.buffer].element;
        let base = self.buffer(&form.output);
        let start = self.mark(Slot::Output, row);
        let gradients = self.at_product(scratch.gradients, row, self.value_width);
        let ty = Type::vector(Kind::F32, self.lanes());
        let zero = self.writer.number(0.0, ty);
        // The sum goes through memory: `along` carries no values.
        let place = scratch.query_tile;
        self.writer.store(place, zero);
        self.along(self.value_width, |attention, column, lanes| {
            let address = attention.at(gradients, column);
            let left = match lanes.mask {
                Some(mask) => attention.writer.load_masked(address, mask, ty),
                None => attention.writer.load(address, ty),
            };
            let at = attention.place(&form.output, start, column);
            let right = attention.writer.read(base, element, at, lanes);
            let before = attention.writer.load(place, ty);
            let sum = attention.writer.multiply_add(left, right, before);
            attention.writer.store(place, sum);
        });
        let sum = self.writer.load(place, ty);
        self.writer.fold_lanes(sum, |writer, left, right| writer.add(left, right))
    }

    /// p and s of a line.
    fn slope_line(&mut self, scratch: &Scratch, gradient: &AttendGradient, line: &Line, inner: Value, logsum: Value) {
        let form = self.form;
        let keys = self.writer.int(BLOCK_KEYS as i64);
        let weights = self.at_product(scratch.weights, line.row, keys);
        let slopes = self.at_product(scratch.slopes, line.row, keys);
        let zero = self.writer.number(0.0, Type::vector(Kind::F32, self.lanes()));
        let [products, value_products] = [scratch.products, scratch.value_products].map(|base| self.in_tiles(base));
        for place in 0..self.chunks() {
            let first = place * self.lanes();
            let chunk = self.chunk(&products, line, first);
            let score = self.of_chunk(&form.score, &chunk);
            let moved = self.writer.subtract(score, logsum);
            let mut weight = self.writer.exp(moved);
            let product = self.tile_vector(&value_products, line.tile_row, first);
            let difference = self.writer.subtract(product, inner);
            let slope = self.of_chunk(&gradient.slope, &chunk);
            let rise = self.writer.multiply(difference, slope);
            let mut rise = self.writer.multiply(weight, rise);
            if let Some(mask) = chunk.mask {
                weight = self.writer.select(mask, weight, zero);
                rise = self.writer.select(mask, rise, zero);
            }
            let address = self.writer.address_at(weights, first, Kind::F32);
            self.writer.store(address, weight);
            let address = self.writer.address_at(slopes, first, Kind::F32);
            self.writer.store(address, rise);
        }
    }

    fn add_row(&mut self, matrix: &Matrix, (tiles, tile_row): (Value, Value), row: Value) {
        let start = self.mark(Slot::QueryGradient, row);
        let element = self.kernel.buffers[matrix.buffer].element;
        let base = self.buffer(matrix);
        self.along_tiles(tiles, tile_row, self.width, |attention, column, address, lanes| {
            let value = attention.writer.load(address, Type::vector(Kind::F32, lanes.count));
            let place = attention.place(matrix, start, column);
            let before = attention.writer.read(base, element, place, lanes);
            let sum = attention.writer.add(before, value);
            attention.writer.write(base, element, place, sum, lanes);
        });
    }

    /// Adds `weights across · rows` to the sums of a block of keys.
    fn sum_keys(&mut self, seeing: &Seeing, weights: Value, (rows, panels): (Value, Value), sums: Value) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let height = self.writer.int(self.target.rows as i64);
        let width = self.writer.int(self.target.panel as i64);
        let (keys, room) = (self.writer.int(BLOCK_KEYS as i64), self.writer.int(BLOCK_ROWS as i64));
        let line = self.writer.multiply(panels, width);
        let (open, first, _) = self.writer.begin_for(zero, seeing.count, height, &[]);
        let left = self.writer.subtract(seeing.count, first);
        let tile_rows = self.writer.minimum(left, height);
        let a = self.at_product(weights, seeing.from, keys);
        let a = self.at(a, first);
        let tiles = self.at_product(sums, first, line);
        let (inner, panel, _) = self.writer.begin_for(zero, panels, one, &[]);
        let column = self.writer.multiply(panel, width);
        let b = self.at_product(rows, column, room);
        let b = self.at_product(b, seeing.from, width);
        let tile = self.at_product(tiles, column, height);
        let start = self.writer.number(0.0, Type::scalar(Kind::I1));
        let call = Call { a, a_stride: keys, b, b_stride: width, tile, depth: seeing.depth, first: start };
        self.call(Layout::Across, tile_rows, call);
        self.writer.end(inner, &[]);
        self.writer.end(open, &[]);
    }

    /// Stores the sums of a block of keys.
    fn store_keys(
        &mut self,
        matrix: &Matrix,
        indices: &[Value],
        key: Value,
        count: Value,
        (sums, tile_size): (Value, Value),
        columns: Value,
    ) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let height = self.writer.int(self.target.rows as i64);
        let start = self.body.start_of(self.writer, indices, &matrix.batch);
        let stride = self.body.amount(self.writer, matrix.rows);
        let element = self.kernel.buffers[matrix.buffer].element;
        let base = self.buffer(matrix);
        let (open, number, _) = self.writer.begin_for(zero, count, one, &[]);
        let here = self.writer.add(key, number);
        let down = self.writer.multiply(here, stride);
        let at = self.writer.add(start, down);
        let tile = self.writer.binary("arith.divsi", number, height);
        let tile_row = self.writer.binary("arith.remsi", number, height);
        let tiles = self.at_product(sums, tile, tile_size);
        self.along_tiles(tiles, tile_row, columns, |attention, column, address, lanes| {
            let value = attention.writer.load(address, Type::vector(Kind::F32, lanes.count));
            let place = attention.place(matrix, at, column);
            attention.writer.write(base, element, place, value, lanes);
        });
        self.writer.end(open, &[]);
    }
}
