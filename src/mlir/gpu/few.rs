//! Products of few rows: B is read once, by warps that share the sum among them.
//!
//! Each warp sums a segment of k for 64 columns; the segments' sums are added in their order, as the tiles of
//! [`super::tiles`] do: a row's result is bit for bit the same whichever of the two computes it.

use super::Frame;
use super::tiles::{at, finish};
use crate::gpu::{BLOCK, SEGMENT, TILE, WARP};
use crate::kernel::{Gemm, Kernel, Right};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};

/// Warps of a block.
const WARPS: usize = BLOCK / WARP;
/// Columns of a thread while it sums.
const OWN: usize = TILE / WARP;

/// Writes the body of the entry for at most so many rows.
pub fn write(writer: &mut Writer, kernel: &Kernel, form: &Gemm, rows: usize, frame: &Frame<'_>) {
    let extents = [form.m, form.n, form.k].map(|amount| frame.body.amount(writer, amount));
    let tile = writer.int(TILE as i64);
    let along = writer.ceil_divide(extents[1], tile);
    let column = writer.binary("arith.remui", frame.block, along);
    let batch = writer.binary("arith.divui", frame.block, along);
    let batch = frame.body.unravel(writer, batch, &form.batch);
    let column = writer.multiply(column, tile);
    let parts = frame.shared(writer, "parts", WARPS * rows * TILE, Kind::F32);
    let warp_size = writer.int(WARP as i64);
    let warp = writer.binary("arith.divui", frame.thread, warp_size);
    let lane = writer.binary("arith.remui", frame.thread, warp_size);
    let mut product = Few { writer, kernel, form, frame, count: rows, extents, column, batch, warp, lane };
    let sums = product.sum(parts);
    product.finish(&sums);
}

/// The state while one product is written.
struct Few<'a> {
    writer: &'a mut Writer,
    kernel: &'a Kernel,
    form: &'a Gemm,
    frame: &'a Frame<'a>,
    /// Rows at most.
    count: usize,
    /// Rows, columns, depth.
    extents: [Value; 3],
    /// The block's first column.
    column: Value,
    batch: Vec<Value>,
    warp: Value,
    lane: Value,
}

impl Few<'_> {
    /// How many finished elements each thread has.
    fn finished(&self) -> usize {
        (self.count * TILE).div_ceil(BLOCK)
    }

    /// A finished element of the thread, in rows of a tile's columns.
    fn element(&mut self, place: usize) -> Value {
        let skipped = self.writer.int((place * BLOCK) as i64);
        self.writer.add(self.frame.thread, skipped)
    }

    fn sum(&mut self, parts: Value) -> Vec<Value> {
        let none = self.writer.number(0.0, Type::scalar(Kind::F32));
        let (zero, round) = (self.writer.int(0), self.writer.int((WARPS * SEGMENT) as i64));
        let totals = vec![none; self.finished()];
        let (open, first, totals) = self.writer.begin_for(zero, self.extents[2], round, &totals);
        let sums = self.segment(first);
        self.put(parts, &sums);
        self.writer.wait_for_block();
        let totals = totals.iter().enumerate().map(|(place, &total)| self.add_segments(parts, place, total));
        let totals = totals.collect::<Vec<_>>();
        self.writer.wait_for_block();
        self.writer.end(open, &totals)
    }

    /// The sums of the warp's segment: the thread's columns, for each row.
    fn segment(&mut self, first: Value) -> Vec<Value> {
        let (size, one) = (self.writer.int(SEGMENT as i64), self.writer.int(1));
        let none = self.writer.number(0.0, Type::scalar(Kind::F32));
        let skipped = self.writer.multiply(self.warp, size);
        let from = self.writer.add(first, skipped);
        let end = self.writer.add(from, size);
        let end = self.writer.minimum(end, self.extents[2]);
        let left = self.frame.body.start_of(self.writer, &self.batch, &self.form.a.batch);
        let (open, k, sums) = self.writer.begin_for(from, end, one, &vec![none; self.count * OWN]);
        let right = (0..OWN).map(|place| self.right(place, k)).collect::<Vec<_>>();
        let mut next = Vec::with_capacity(sums.len());
        for row in 0..self.count {
            let a = self.left(left, row, k);
            for (place, &b) in right.iter().enumerate() {
                next.push(self.writer.multiply_add(a, b, sums[row * OWN + place]));
            }
        }
        self.writer.end(open, &next)
    }

    /// An element of A. Past the last row it is the last one's, and its sum is not stored.
    fn left(&mut self, start: Value, row: usize, k: Value) -> Value {
        let one = self.writer.int(1);
        let last = self.writer.subtract(self.extents[0], one);
        let row = self.writer.int(row as i64);
        let row = self.writer.minimum(row, last);
        let at = at(self.writer, self.frame, &self.form.a, start, row, k);
        self.read(self.form.a.buffer, at)
    }

    /// An element of B. Past the last column it is the last one's, or the padding of the panel.
    fn right(&mut self, place: usize, k: Value) -> Value {
        let skipped = self.writer.int((place * WARP) as i64);
        let within = self.writer.add(self.lane, skipped);
        match &self.form.b {
            Right::Strided(matrix) => {
                let one = self.writer.int(1);
                let last = self.writer.subtract(self.extents[1], one);
                let column = self.writer.add(self.column, within);
                let column = self.writer.minimum(column, last);
                let start = self.frame.body.start_of(self.writer, &self.batch, &matrix.batch);
                let at = at(self.writer, self.frame, matrix, start, k, column);
                self.read(matrix.buffer, at)
            }
            Right::Packed { buffer, batch } => {
                let start = self.frame.body.start_of(self.writer, &self.batch, batch);
                let at = self.frame.in_panel(self.writer, start, [self.column, self.extents[2]], [k, within]);
                self.read(*buffer, at)
            }
        }
    }

    fn read(&mut self, buffer: usize, at: Value) -> Value {
        let value = self.frame.read(self.writer, self.kernel, buffer, at);
        self.writer.convert(value, Kind::F32)
    }

    /// Brings the warp's sums to shared memory: `[warps][rows][columns]`.
    fn put(&mut self, parts: Value, sums: &[Value]) {
        let size = self.writer.int((self.count * TILE) as i64);
        let start = self.writer.multiply(self.warp, size);
        let start = self.writer.add(start, self.lane);
        let start = self.writer.element_address(parts, start, Kind::F32);
        for (place, &sum) in sums.iter().enumerate() {
            let skipped = place / OWN * TILE + place % OWN * WARP;
            let address = self.writer.address_at(start, skipped, Kind::F32);
            self.writer.store(address, sum);
        }
    }

    fn add_segments(&mut self, parts: Value, place: usize, total: Value) -> Value {
        let element = self.element(place);
        let last = self.writer.int((self.count * TILE - 1) as i64);
        let element = self.writer.minimum(element, last);
        let start = self.writer.element_address(parts, element, Kind::F32);
        (0..WARPS).fold(total, |total, warp| {
            let address = self.writer.address_at(start, warp * self.count * TILE, Kind::F32);
            let part = self.writer.load(address, Type::scalar(Kind::F32));
            self.writer.add(total, part)
        })
    }

    fn finish(&mut self, sums: &[Value]) {
        let tile = self.writer.int(TILE as i64);
        for (place, &sum) in sums.iter().enumerate() {
            let element = self.element(place);
            let row = self.writer.binary("arith.divui", element, tile);
            let within = self.writer.binary("arith.remui", element, tile);
            let column = self.writer.add(self.column, within);
            let is_row = self.writer.compare(Order::Less, row, self.extents[0]);
            let is_column = self.writer.compare(Order::Less, column, self.extents[1]);
            let inside = self.writer.both(is_row, is_column);
            let open = self.writer.begin_if(inside, &[]);
            finish(self.writer, self.kernel, self.form, self.frame, &self.batch, (row, column), sum);
            self.writer.end(open, &[]);
        }
    }
}
