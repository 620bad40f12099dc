//! Products of warpgroups: one brings parts of A and B to a ring in shared memory, the others multiply them.
//!
//! A stage of the ring is full when every producer's pieces are there, stored or copied, and empty again when every warp
//! that reads it has its products. Sums stay in registers; in the end they go through the ring once, so that the epilogue
//! is one piece of code and neighbours store side by side.
//! Order: [`producers`] fill stages, by [`copies`] or [`ahead`] where they can, [`consumers`] empty them.

mod ahead;
mod consumers;
mod copies;
mod producers;

use super::Frame;
use super::factors::Factor;
use crate::gpu::{GROUP, GROUP_DEPTH, GROUP_ROWS, GroupTile, PANEL_BYTES, WARP, Warpgroups};
use crate::kernel::Kernel;
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};
use archc_runtime::abi::Element;

/// Rows of tiles that are taken together, column by column: what they read of B is near for all.
const ROWS_TOGETHER: i64 = 8;
/// Elements of a piece: 16 bytes of bf16.
const PIECE: usize = 8;

/// Writes the body of the entry.
pub fn write(writer: &mut Writer, kernel: &Kernel, part: &Warpgroups, frame: &Frame<'_>) {
    let form = &part.form;
    let extents = [form.m, form.n, form.k].map(|amount| frame.body.amount(writer, amount));
    let (first, batch) = place(writer, frame, part, extents);
    let sides = Side::both(kernel, part);
    let ring = writer.given_shared(&format!("{}_ring", frame.symbol));
    let (zero, size) = (writer.whole(0, Type::scalar(Kind::I32)), writer.int(GROUP as i64));
    // The same for all threads of a warp, and the assembler must know it.
    let group = writer.binary("arith.divui", frame.thread, size);
    let group = writer.from_thread(group, zero);
    let mut product = Product { writer, kernel, part, frame, extents, first, batch, ring, group };
    product.make_barriers(&sides);
    let none = product.writer.int(0);
    let is_producer = product.writer.compare(Order::Equal, group, none);
    let open = product.writer.begin_if(is_producer, &[]);
    product.produce(&sides);
    product.writer.begin_else(&[]);
    let sums = product.consume(&sides);
    product.finish(&sums);
    product.writer.end(open, &[]);
}

/// The first row and column of the block's tile, and its batch indices.
fn place(writer: &mut Writer, frame: &Frame<'_>, part: &Warpgroups, extents: [Value; 3]) -> ([Value; 2], Vec<Value>) {
    let tile = [part.tile.rows, part.tile.columns].map(|size| writer.int(size as i64));
    let (down, along) = (writer.ceil_divide(extents[0], tile[0]), writer.ceil_divide(extents[1], tile[1]));
    let of_batch = writer.multiply(down, along);
    let batch = writer.binary("arith.divui", frame.block, of_batch);
    let batch = frame.body.unravel(writer, batch, &part.form.batch);
    let within = writer.binary("arith.remui", frame.block, of_batch);
    let together = writer.int(ROWS_TOGETHER);
    let of_rows = writer.multiply(together, along);
    let upper = writer.binary("arith.divui", within, of_rows);
    let upper = writer.multiply(upper, together);
    let rows = writer.subtract(down, upper);
    let rows = writer.minimum(rows, together);
    let within = writer.binary("arith.remui", within, of_rows);
    let row = writer.binary("arith.remui", within, rows);
    let row = writer.add(upper, row);
    let column = writer.binary("arith.divui", within, rows);
    ([writer.multiply(row, tile[0]), writer.multiply(column, tile[1])], batch)
}

/// A or B, as it lies in a stage: in lines of 128 bytes, 64 of them for 64 rows (or columns), along the sum or across.
#[derive(Debug, Clone)]
struct Side {
    factor: Factor,
    along_sum: bool,
    /// It is bf16 in memory, and copied as it is.
    is_copied: bool,
    /// Rows of A, or columns of B, that are brought.
    outer: usize,
    /// Bytes from the start of a stage.
    offset: usize,
}

impl Side {
    fn both(kernel: &Kernel, part: &Warpgroups) -> [Side; 2] {
        let GroupTile { rows, columns, .. } = part.tile;
        let side = |factor: Factor, outer: usize, offset: usize| {
            let is_copied = kernel.buffers[factor.buffer()].element == Element::Bf16;
            Side { along_sum: factor.along_sum(), is_copied, outer, offset, factor }
        };
        let [a, b] = Factor::both(&part.form);
        [side(a, rows, 0), side(b, columns, part.tile.left_bytes())]
    }

    /// Pieces that each producer brings: each turn is so many lines as producers fill.
    fn turns(&self) -> usize {
        let lines = if self.along_sum { self.outer } else { self.outer.div_ceil(GROUP_ROWS) * GROUP_DEPTH };
        lines / LINES
    }
}

/// Lines of 8 pieces that the producers fill at once.
const LINES: usize = GROUP / PIECE;

/// Which barrier of a stage.
#[derive(Debug, Clone, Copy)]
enum Barrier {
    Full,
    Empty,
}

/// The state while one product is written.
struct Product<'a> {
    writer: &'a mut Writer,
    kernel: &'a Kernel,
    part: &'a Warpgroups,
    frame: &'a Frame<'a>,
    /// Rows, columns, depth.
    extents: [Value; 3],
    /// The tile's first row and column.
    first: [Value; 2],
    batch: Vec<Value>,
    ring: Value,
    /// The thread's warpgroup.
    group: Value,
}

impl Product<'_> {
    /// One thread makes the barriers, and all wait for it.
    fn make_barriers(&mut self, sides: &[Side; 2]) {
        // A producer arrives for what it stores, and once more for what it copies.
        let ways = [true, false].map(|way| usize::from(sides.iter().any(|side| side.is_copied == way)));
        let producers = GROUP * ways.iter().sum::<usize>();
        let zero = self.writer.int(0);
        let is_first = self.writer.compare(Order::Equal, self.frame.thread, zero);
        let open = self.writer.begin_if(is_first, &[]);
        for stage in 0..self.part.tile.stages {
            let stage = self.writer.int(stage as i64);
            let readers = self.part.tile.groups() * GROUP / WARP;
            for (kind, arrivals) in [(Barrier::Full, producers), (Barrier::Empty, readers)] {
                let barrier = self.barrier(kind, stage);
                self.writer.make_barrier(barrier, arrivals);
            }
        }
        self.writer.end(open, &[]);
        self.writer.wait_for_block();
    }

    fn barrier(&mut self, kind: Barrier, stage: Value) -> Value {
        let tile = self.part.tile;
        let before = match kind {
            Barrier::Full => 0,
            Barrier::Empty => tile.stages * 8,
        };
        let start = self.writer.address_at(self.ring, tile.stages * tile.stage_bytes() + before, Kind::I8);
        self.writer.element_address(start, stage, Kind::I64)
    }

    /// Where a side lies in a stage.
    fn part_of_stage(&mut self, side: &Side, stage: Value) -> Value {
        let size = self.writer.int(self.part.tile.stage_bytes() as i64);
        let start = self.writer.multiply(stage, size);
        let start = self.writer.element_address(self.ring, start, Kind::I8);
        self.writer.address_at(start, side.offset, Kind::I8)
    }

    /// The next stage, and the parity of its phases.
    fn next(&mut self, stage: Value, parity: Value) -> (Value, Value) {
        let (zero, one, stages) =
            (self.writer.int(0), self.writer.int(1), self.writer.int(self.part.tile.stages as i64));
        let next = self.writer.add(stage, one);
        let wraps = self.writer.compare(Order::Equal, next, stages);
        let other = self.writer.subtract(one, parity);
        (self.writer.select(wraps, zero, next), self.writer.select(wraps, other, parity))
    }
}
