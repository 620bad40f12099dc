//! Parts of A and B in shared memory, in the order in which they lie in global memory: a run along the sum, or a run
//! across it. Elements beside a matrix are zeros.
//!
//! 32-bit floats are copied while the warps multiply, by 16 bytes where all rows start at multiples of them, else one
//! by one; so are bf16, by 16 bytes alone. Others are read, converted to 32-bit floats and written.

use super::Product;
use crate::gpu::{Fragments, Tile, WIDE_BYTES};
use crate::kernel::Kernel;
use crate::mlir::arithmetic::Order;
use crate::mlir::gpu::factors::Factor;
use crate::mlir::memory::stored_kind;
use crate::mlir::text::{Kind, Open, Type, Value};
use archc_runtime::abi::Element;

/// A or B, as it lies in a stage.
#[derive(Debug, Clone)]
pub struct Side {
    /// A's rows, or B's columns, in a tile.
    pub outer: usize,
    /// How much of the sum.
    pub depth: usize,
    /// Neighbours lie along the sum.
    pub along_sum: bool,
    /// Where it starts, in words of 32 bits.
    pub offset: usize,
    /// What an element is: a 32-bit float, or the 16 bits of a bf16.
    pub kind: Kind,
    /// Elements of a copy.
    run: usize,
    factor: Factor,
}

impl Side {
    /// A and B.
    pub fn both(kernel: &Kernel, part: &Fragments) -> [Side; 2] {
        let Tile { rows, columns, depth, .. } = part.tile;
        let [a, b] = Factor::both(&part.form);
        let side = |outer: usize, offset: usize, wide: bool, factor: Factor| {
            let is_narrow = wide && kernel.buffers[factor.buffer()].element == Element::Bf16;
            let kind = if is_narrow { Kind::I16 } else { Kind::F32 };
            let run = if wide { WIDE_BYTES as usize / kind.bytes() } else { 1 };
            Side { outer, depth, along_sum: factor.along_sum(), offset, kind, run, factor }
        };
        let left = side(rows, 0, part.wide[0], a);
        let right = side(columns, left.size(), part.wide[1], b);
        [left, right]
    }

    /// Elements from one run to the next: banks of neighbouring runs must differ.
    pub fn pitch(&self) -> usize {
        if self.along_sum { self.depth + self.of_16_bytes() } else { self.outer + 8 }
    }

    /// So many elements are 16 bytes.
    pub fn of_16_bytes(&self) -> usize {
        16 / self.kind.bytes()
    }

    /// Words in shared memory.
    pub fn size(&self) -> usize {
        self.pitch() * if self.along_sum { self.outer } else { self.depth } * self.kind.bytes() / 4
    }

    /// The place of an element in shared memory that is so far from another.
    pub fn skipped(&self, outer: usize, k: usize) -> usize {
        if self.along_sum { outer * self.pitch() + k } else { k * self.pitch() + outer }
    }
}

/// A run of elements that a thread copies: its place in the tile, and how many of it exist.
struct Run {
    outer: Value,
    k: Value,
    given: Value,
}

impl Product<'_> {
    /// Starts the copies of a part of both sides.
    pub fn copy(&mut self, sides: &[Side; 2], stage: Value, from: Value) {
        for (place, side) in sides.iter().enumerate() {
            let to = self.part_of_stage(side, stage);
            let limit = side.factor.limit(self.writer, self.extents[place]);
            let start = side.factor.start(self.writer, self.frame, &self.batch);
            let runs = side.outer * side.depth / side.run;
            for turn in 0..runs.div_ceil(self.part.tile.threads()) {
                let left = runs - (turn * self.part.tile.threads()).min(runs);
                let open = self.only_threads(left);
                let run = self.run(side, turn, (from, self.first[place], limit));
                self.copy_run(side, &run, to, (start, from, self.first[place]));
                open.into_iter().for_each(|open| drop(self.writer.end(open, &[])));
            }
        }
    }

    /// Starts what only the first so many threads do, if those are not all.
    fn only_threads(&mut self, count: usize) -> Option<Open> {
        let is_some = count < self.part.tile.threads();
        is_some.then(|| {
            let count = self.writer.int(count as i64);
            let is_one = self.writer.compare(Order::Less, self.frame.thread, count);
            self.writer.begin_if(is_one, &[])
        })
    }

    /// The thread's run of this turn.
    fn run(&mut self, side: &Side, turn: usize, (from, first, limit): (Value, Value, Value)) -> Run {
        let along = if side.along_sum { side.depth } else { side.outer };
        let skipped = self.writer.int((turn * self.part.tile.threads()) as i64);
        let number = self.writer.add(self.frame.thread, skipped);
        let (runs, length) = (self.writer.int((along / side.run) as i64), self.writer.int(side.run as i64));
        let fast = self.writer.binary("arith.remui", number, runs);
        let fast = self.writer.multiply(fast, length);
        let slow = self.writer.binary("arith.divui", number, runs);
        let (outer, k) = if side.along_sum { (slow, fast) } else { (fast, slow) };
        let (place, depth) = (self.writer.add(first, outer), self.writer.add(from, k));
        let (line, end, other, other_end) = if side.along_sum {
            (depth, self.extents[2], place, limit)
        } else {
            (place, limit, depth, self.extents[2])
        };
        let zero = self.writer.int(0);
        let left = self.writer.subtract(end, line);
        let left = self.writer.minimum(left, length);
        let left = self.writer.maximum(left, zero);
        let exists = self.writer.compare(Order::Less, other, other_end);
        Run { outer, k, given: self.writer.select(exists, left, zero) }
    }

    fn copy_run(&mut self, side: &Side, run: &Run, to: Value, (start, from, first): (Value, Value, Value)) {
        let (place, depth) = (self.writer.add(first, run.outer), self.writer.add(from, run.k));
        let buffer = side.factor.buffer();
        let at = side.factor.at(self.writer, self.frame, (start, self.extents[2]), (place, depth));
        let pitch = self.writer.int(side.pitch() as i64);
        let (slow, fast) = if side.along_sum { (run.outer, run.k) } else { (run.k, run.outer) };
        let down = self.writer.multiply(slow, pitch);
        let target = self.writer.add(down, fast);
        let target = self.writer.element_address(to, target, side.kind);
        if stored_kind(self.kernel.buffers[buffer].element) == side.kind {
            let source = self.writer.element_address(self.frame.body.buffers[buffer], at, side.kind);
            let bytes = self.writer.int(side.kind.bytes() as i64);
            let given = self.writer.multiply(run.given, bytes);
            self.writer.copy_to_shared(target, source, side.run * side.kind.bytes(), given);
        } else {
            let value = self.read_run(run, buffer, at);
            self.writer.store(target, value);
        }
    }

    /// An element of another type, or 0.
    fn read_run(&mut self, run: &Run, buffer: usize, at: Value) -> Value {
        let float = Type::scalar(Kind::F32);
        let (zero, none) = (self.writer.int(0), self.writer.number(0.0, float));
        let some = self.writer.compare(Order::Less, zero, run.given);
        let open = self.writer.begin_if(some, &[float]);
        let value = self.frame.read(self.writer, self.kernel, buffer, at);
        let value = self.writer.convert(value, Kind::F32);
        self.writer.begin_else(&[value]);
        self.writer.end(open, &[none])[0]
    }
}
