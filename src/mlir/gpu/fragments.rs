//! Products on tensor cores: parts of A and B come to shared memory while the parts before them are multiplied.
//!
//! Each warp has the sums of its own rows and columns in registers, as fragments of 16 by 8. They go through shared
//! memory once more, so that the epilogue is one piece of code and neighbours store side by side.
//! Order: [`staging`] copies, [`registers`] reads fragments.

mod registers;
mod staging;

use super::Frame;
use super::tiles::finish;
use crate::gpu::{Fragments, Tile, WARP};
use crate::kernel::Kernel;
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};
use staging::Side;

/// Rows of a fragment of C, and its columns.
const FRAGMENT: [usize; 2] = [16, 8];

/// Writes the body of the entry.
pub fn write(writer: &mut Writer, kernel: &Kernel, part: &Fragments, frame: &Frame<'_>) {
    let form = &part.form;
    let extents = [form.m, form.n, form.k].map(|amount| frame.body.amount(writer, amount));
    let tile = [part.tile.rows, part.tile.columns].map(|size| writer.int(size as i64));
    let (down, along) = (writer.ceil_divide(extents[0], tile[0]), writer.ceil_divide(extents[1], tile[1]));
    let column = writer.binary("arith.remui", frame.block, along);
    let rest = writer.binary("arith.divui", frame.block, along);
    let row = writer.binary("arith.remui", rest, down);
    let batch = writer.binary("arith.divui", rest, down);
    let batch = frame.body.unravel(writer, batch, &form.batch);
    let first = [writer.multiply(row, tile[0]), writer.multiply(column, tile[1])];
    let sides = Side::both(kernel, part);
    let stage = sides[1].offset + sides[1].size();
    let shared = frame.shared(writer, "parts", (2 * stage).max(strip_size(part.tile)), Kind::F32);
    let (warp, lane) = warp_and_lane(writer, frame, part.tile);
    let mut product = Product { writer, kernel, part, frame, extents, first, batch, shared, warp, lane, stage };
    let sums = product.sum(&sides);
    product.finish(&sums);
}

/// The warp's place in the tile, down and along, and the thread's number in the warp.
fn warp_and_lane(writer: &mut Writer, frame: &Frame<'_>, tile: Tile) -> ([Value; 2], Value) {
    let (size, along) = (writer.int(WARP as i64), writer.int(tile.warps[1] as i64));
    let warp = writer.binary("arith.divui", frame.thread, size);
    let lane = writer.binary("arith.remui", frame.thread, size);
    let place = [writer.binary("arith.divui", warp, along), writer.binary("arith.remui", warp, along)];
    (place, lane)
}

/// Elements from row to row of a strip.
fn strip_pitch(tile: Tile) -> usize {
    tile.columns + 8
}

/// Elements of a strip: one row of fragments of each row of warps.
fn strip_size(tile: Tile) -> usize {
    tile.warps[0] * FRAGMENT[0] * strip_pitch(tile)
}

/// The state while one product is written.
struct Product<'a> {
    writer: &'a mut Writer,
    kernel: &'a Kernel,
    part: &'a Fragments,
    frame: &'a Frame<'a>,
    /// Rows, columns, depth.
    extents: [Value; 3],
    /// The tile's first row and column.
    first: [Value; 2],
    batch: Vec<Value>,
    /// Shared memory: two stages, and in the end a strip of results.
    shared: Value,
    warp: [Value; 2],
    lane: Value,
    /// Elements of a stage.
    stage: usize,
}

impl Product<'_> {
    /// Rows and columns of a warp.
    fn own(&self) -> [usize; 2] {
        let Tile { rows, columns, warps, .. } = self.part.tile;
        [rows / warps[0], columns / warps[1]]
    }

    /// How many fragments a warp has, down and along.
    fn fragments(&self) -> [usize; 2] {
        let own = self.own();
        [own[0] / FRAGMENT[0], own[1] / FRAGMENT[1]]
    }

    /// The sums of the warp's fragments, four numbers of each, row by row.
    fn sum(&mut self, sides: &[Side; 2]) -> Vec<Value> {
        let [down, along] = self.fragments();
        let none = self.writer.number(0.0, Type::scalar(Kind::F32));
        let (zero, one, step) = (self.writer.int(0), self.writer.int(1), self.writer.int(self.part.tile.depth as i64));
        self.bring(sides, zero, zero);
        let mut carried = vec![zero];
        carried.extend(vec![none; down * along * 4]);
        let (open, from, state) = self.writer.begin_for(zero, self.extents[2], step, &carried);
        let (stage, next) = (state[0], self.writer.add(from, step));
        let other = self.writer.subtract(one, stage);
        let more = self.writer.compare(Order::Less, next, self.extents[2]);
        let inner = self.writer.begin_if(more, &[]);
        self.copy(sides, other, next);
        self.writer.end(inner, &[]);
        self.writer.commit_copies();
        self.writer.wait_for_copies(1);
        self.writer.wait_for_block();
        let sums = self.multiply(sides, stage, state[1..].to_vec());
        self.writer.wait_for_block();
        let mut after = vec![other];
        after.extend(sums);
        let end = self.writer.end(open, &after);
        self.writer.wait_for_copies(0);
        self.writer.wait_for_block();
        end[1..].to_vec()
    }

    /// Starts to bring a part of A and of B, as one group.
    fn bring(&mut self, sides: &[Side; 2], stage: Value, from: Value) {
        self.copy(sides, stage, from);
        self.writer.commit_copies();
    }

    /// Where a side lies in a stage.
    fn part_of_stage(&mut self, side: &Side, stage: Value) -> Value {
        let size = self.writer.int(self.stage as i64);
        let start = self.writer.multiply(stage, size);
        let start = self.writer.element_address(self.shared, start, Kind::F32);
        self.writer.address_at(start, side.offset, Kind::F32)
    }

    /// The epilogue: each row of fragments goes to a strip of shared memory, and from there to C.
    fn finish(&mut self, sums: &[Value]) {
        let [down, along] = self.fragments();
        for (place, row) in sums.chunks(along * 4).take(down).enumerate() {
            self.put(row);
            self.writer.wait_for_block();
            self.store_strip(place);
            if place + 1 < down {
                self.writer.wait_for_block();
            }
        }
    }

    /// A thread has two neighbours of a row, and the two of the 8th row after it.
    fn put(&mut self, row: &[Value]) {
        let pitch = strip_pitch(self.part.tile);
        let (rows, columns) = (self.writer.int(FRAGMENT[0] as i64), self.writer.int(self.own()[1] as i64));
        let (four, two, pitch_value) = (self.writer.int(4), self.writer.int(2), self.writer.int(pitch as i64));
        let line = self.writer.multiply(self.warp[0], rows);
        let within = self.writer.binary("arith.divui", self.lane, four);
        let line = self.writer.add(line, within);
        let start = self.writer.multiply(line, pitch_value);
        let column = self.writer.multiply(self.warp[1], columns);
        let within = self.writer.binary("arith.remui", self.lane, four);
        let within = self.writer.multiply(within, two);
        let start = self.writer.add(start, column);
        let start = self.writer.add(start, within);
        let start = self.writer.element_address(self.shared, start, Kind::F32);
        for (place, &sum) in row.iter().enumerate() {
            let skipped = place / 4 * FRAGMENT[1] + place % 4 / 2 * 8 * pitch + place % 2;
            let address = self.writer.address_at(start, skipped, Kind::F32);
            self.writer.store(address, sum);
        }
    }

    /// Stores what lies in a strip: the rows of fragments of this number.
    fn store_strip(&mut self, place: usize) {
        let Tile { columns, warps, .. } = self.part.tile;
        let count = self.writer.int((warps[0] * FRAGMENT[0] * columns) as i64);
        let threads = self.writer.int(self.part.tile.threads() as i64);
        let (open, element, _) = self.writer.begin_for(self.frame.thread, count, threads, &[]);
        let (width, pitch) = (self.writer.int(columns as i64), self.writer.int(strip_pitch(self.part.tile) as i64));
        let line = self.writer.binary("arith.divui", element, width);
        let within = self.writer.binary("arith.remui", element, width);
        let column = self.writer.add(self.first[1], within);
        let row = self.row_of_line(line, place);
        let is_row = self.writer.compare(Order::Less, row, self.extents[0]);
        let is_column = self.writer.compare(Order::Less, column, self.extents[1]);
        let inside = self.writer.both(is_row, is_column);
        let inner = self.writer.begin_if(inside, &[]);
        let at = self.writer.multiply(line, pitch);
        let at = self.writer.add(at, within);
        let address = self.writer.element_address(self.shared, at, Kind::F32);
        let sum = self.writer.load(address, Type::scalar(Kind::F32));
        finish(self.writer, self.kernel, &self.part.form, self.frame, &self.batch, (row, column), sum);
        self.writer.end(inner, &[]);
        self.writer.end(open, &[]);
    }

    /// The row of C that a strip's line is.
    fn row_of_line(&mut self, line: Value, place: usize) -> Value {
        let (rows, own) = (self.writer.int(FRAGMENT[0] as i64), self.writer.int(self.own()[0] as i64));
        let skipped = self.writer.int((place * FRAGMENT[0]) as i64);
        let warp = self.writer.binary("arith.divui", line, rows);
        let within = self.writer.binary("arith.remui", line, rows);
        let row = self.writer.multiply(warp, own);
        let row = self.writer.add(row, within);
        let row = self.writer.add(row, skipped);
        self.writer.add(self.first[0], row)
    }
}
