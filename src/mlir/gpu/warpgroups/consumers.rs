//! Warpgroups multiply what the stages of the ring hold, each 64 rows of A, and store their sums.
//!
//! While the products of a stage go on, those of the stage before are waited for, and it is given back. Of a warp's 16
//! rows thread 4 g + t has rows g and g + 8, and of every 8 columns 2 t and 2 t + 1.

use super::{Barrier, GROUP, GROUP_DEPTH, PANEL_BYTES, Product, Side, WARP};
use crate::mlir::arithmetic::Order;
use crate::mlir::gpu::asynchronous::{Lines, STEP};
use crate::mlir::gpu::tiles::finish;
use crate::mlir::text::{Kind, Type, Value};

/// Rows of a warp.
const ROWS: usize = 16;
/// The barrier of consumers alone.
const CONSUMERS: i64 = 1;

impl Product<'_> {
    /// The thread's sums.
    pub(super) fn consume(&mut self, sides: &[Side; 2]) -> Vec<Value> {
        let lines = sides.each_ref().map(|side| Lines { along_sum: side.along_sum });
        let starts = self.descriptions(sides, lines);
        let (zero, depth) = (self.writer.int(0), self.writer.int(GROUP_DEPTH as i64));
        let none = self.writer.number(0.0, Type::scalar(Kind::F32));
        let mut carried = vec![zero; 3];
        carried.extend(vec![none; self.part.tile.columns / 2]);
        let (open, from, state) = self.writer.begin_for(zero, self.extents[2], depth, &carried);
        let (stage, parity, before) = (state[0], state[1], state[2]);
        let full = self.barrier(Barrier::Full, stage);
        self.writer.wait_for_phase(full, parity);
        if sides.iter().any(|side| side.is_copied) {
            self.writer.show_to_products();
        }
        self.writer.begin_products();
        let pairs = self.pairs(starts, lines, stage);
        let sums = self.writer.multiply_described(&pairs, lines, &state[3..]);
        self.writer.commit_products();
        self.writer.wait_for_products(1);
        self.give_back(from, before);
        let (next, parity) = self.next(stage, parity);
        let mut after = vec![next, parity, stage];
        after.extend(sums);
        let end = self.writer.end(open, &after);
        self.writer.wait_for_products(0);
        end[3..].to_vec()
    }

    /// Describes the group's rows of A and all of B in the first stage.
    fn descriptions(&mut self, sides: &[Side; 2], lines: [Lines; 2]) -> [Value; 2] {
        let (zero, one, bytes) = (self.writer.int(0), self.writer.int(1), self.writer.int(PANEL_BYTES as i64));
        let [left, right] = sides.each_ref().map(|side| self.part_of_stage(side, zero));
        let group = self.writer.subtract(self.group, one);
        let skipped = self.writer.multiply(group, bytes);
        let left = self.writer.element_address(left, skipped, Kind::I8);
        [self.writer.describe(left, lines[0]), self.writer.describe(right, lines[1])]
    }

    /// The factors of a stage, part by part.
    fn pairs(&mut self, starts: [Value; 2], lines: [Lines; 2], stage: Value) -> Vec<[Value; 2]> {
        let size = self.writer.int(self.part.tile.stage_bytes() as i64 / 16);
        let skipped = self.writer.multiply(stage, size);
        let starts = starts.map(|start| self.writer.add(start, skipped));
        let pair = |step: usize| {
            [0, 1].map(|side| {
                let moved = self.writer.int(step as i64 * lines[side].step());
                self.writer.add(starts[side], moved)
            })
        };
        (0..GROUP_DEPTH / STEP).map(pair).collect()
    }

    /// The warp has read the stage before, if there was one.
    fn give_back(&mut self, from: Value, before: Value) {
        let zero = self.writer.int(0);
        let lane = self.lane();
        let is_first = self.writer.compare(Order::Equal, lane, zero);
        let some = self.writer.compare(Order::Less, zero, from);
        let gives = self.writer.both(is_first, some);
        let open = self.writer.begin_if(gives, &[]);
        let empty = self.barrier(Barrier::Empty, before);
        self.writer.arrive(empty);
        self.writer.end(open, &[]);
    }

    fn lane(&mut self) -> Value {
        let size = self.writer.int(WARP as i64);
        self.writer.binary("arith.remui", self.frame.thread, size)
    }

    /// The epilogue: each warp's rows go through a strip of the ring, which nobody reads any more.
    pub(super) fn finish(&mut self, sums: &[Value]) {
        self.writer.wait_for_threads(CONSUMERS, self.part.tile.groups() * GROUP);
        let (size, groups) = (self.writer.int(WARP as i64), self.writer.int((GROUP / WARP) as i64));
        let warp = self.writer.binary("arith.divui", self.frame.thread, size);
        let warp = self.writer.subtract(warp, groups);
        let strip = self.writer.int((ROWS * self.pitch()) as i64);
        let skipped = self.writer.multiply(warp, strip);
        let strip = self.writer.element_address(self.ring, skipped, Kind::F32);
        self.put(strip, sums);
        self.writer.wait_for_warp();
        self.store_strip(strip, warp);
    }

    /// Elements from row to row of a strip.
    fn pitch(&self) -> usize {
        self.part.tile.columns + 8
    }

    fn put(&mut self, strip: Value, sums: &[Value]) {
        let (four, two, pitch) = (self.writer.int(4), self.writer.int(2), self.writer.int(self.pitch() as i64));
        let lane = self.lane();
        let row = self.writer.binary("arith.divui", lane, four);
        let down = self.writer.multiply(row, pitch);
        let pair = self.writer.binary("arith.remui", lane, four);
        let along = self.writer.multiply(pair, two);
        let own = self.writer.add(down, along);
        let own = self.writer.element_address(strip, own, Kind::F32);
        let ty = Type::vector(Kind::F32, 2);
        for (place, pair) in sums.chunks_exact(2).enumerate() {
            let skipped = place / 2 * 8 + place % 2 * 8 * self.pitch();
            let address = self.writer.address_at(own, skipped, Kind::F32);
            let both = self.writer.define(ty, format!("vector.from_elements {}, {} : {ty}", pair[0], pair[1]));
            self.writer.store_aligned(address, both);
        }
    }

    fn store_strip(&mut self, strip: Value, warp: Value) {
        let (zero, one, rows) = (self.writer.int(0), self.writer.int(1), self.writer.int(ROWS as i64));
        let (columns, threads) = (self.writer.int(self.part.tile.columns as i64), self.writer.int(WARP as i64));
        let above = self.writer.multiply(warp, rows);
        let above = self.writer.add(self.first[0], above);
        let left = self.writer.subtract(self.extents[0], above);
        let end = self.writer.minimum(left, rows);
        let width = self.writer.subtract(self.extents[1], self.first[1]);
        let width = self.writer.minimum(width, columns);
        let lane = self.lane();
        let (open, line, _) = self.writer.begin_for(zero, end, one, &[]);
        let row = self.writer.add(above, line);
        let pitch = self.writer.int(self.pitch() as i64);
        let down = self.writer.multiply(line, pitch);
        let (inner, within, _) = self.writer.begin_for(lane, width, threads, &[]);
        let at = self.writer.add(down, within);
        let address = self.writer.element_address(strip, at, Kind::F32);
        let sum = self.writer.load(address, Type::scalar(Kind::F32));
        let column = self.writer.add(self.first[1], within);
        finish(self.writer, self.kernel, &self.part.form, self.frame, &self.batch, (row, column), sum);
        self.writer.end(inner, &[]);
        self.writer.end(open, &[]);
    }
}
