//! Products of matrices: a block computes a tile of C, from parts of A and B that its threads bring to shared memory.
//!
//! Each thread sums 4 by 4 elements in registers, over segments of k in order: a result does not depend on the tile's
//! place, nor on what computes it ([`super::few`]).

use super::Frame;
use crate::gpu::{BLOCK, DEPTH, SEGMENT, TILE};
use crate::kernel::{Amount, Gemm, Kernel, Matrix, Right, register_type};
use crate::mlir::arithmetic::Order;
use crate::mlir::nest::register_kind;
use crate::mlir::text::{Kind, Type, Value, Writer};

/// Rows and columns of a thread's own part of the tile.
const OWN: usize = 4;
/// Elements from one k to the next in shared memory: rows of A lie across, and their banks must differ.
const PITCH: usize = TILE + 4;

/// Writes the body of the entry.
pub fn write(writer: &mut Writer, kernel: &Kernel, form: &Gemm, frame: &Frame<'_>) {
    let [rows, columns, depth] = [form.m, form.n, form.k].map(|amount| frame.body.amount(writer, amount));
    let a_part = frame.shared(writer, "a", PITCH * DEPTH, Kind::F32);
    let b_part = frame.shared(writer, "b", PITCH * DEPTH, Kind::F32);
    let (row, column, batch) = place(writer, frame, form, rows, columns);
    let mut product = Product { writer, kernel, form, frame, rows, columns, depth, row, column, batch };
    let sums = product.sum(a_part, b_part);
    product.finish(&sums);
}

/// The first row and column of the block's tile, and its batch indices.
fn place(
    writer: &mut Writer,
    frame: &Frame<'_>,
    form: &Gemm,
    rows: Value,
    columns: Value,
) -> (Value, Value, Vec<Value>) {
    let tile = writer.int(TILE as i64);
    let (down, along) = (writer.ceil_divide(rows, tile), writer.ceil_divide(columns, tile));
    let column = writer.binary("arith.remui", frame.block, along);
    let rest = writer.binary("arith.divui", frame.block, along);
    let row = writer.binary("arith.remui", rest, down);
    let batch = writer.binary("arith.divui", rest, down);
    let batch = frame.body.unravel(writer, batch, &form.batch);
    (writer.multiply(row, tile), writer.multiply(column, tile), batch)
}

/// The state while one product is written.
struct Product<'a> {
    writer: &'a mut Writer,
    kernel: &'a Kernel,
    form: &'a Gemm,
    frame: &'a Frame<'a>,
    rows: Value,
    columns: Value,
    depth: Value,
    /// The first row and column of the tile.
    row: Value,
    column: Value,
    batch: Vec<Value>,
}

/// How the elements of a part of a matrix are spread over threads.
#[derive(Debug, Clone, Copy)]
struct Spread {
    /// Neighbouring threads read along k.
    along_sum: bool,
}

impl Product<'_> {
    /// The sums of the thread's own rows, each a vector of its columns.
    fn sum(&mut self, a_part: Value, b_part: Value) -> Vec<Value> {
        let (zero, segment) = (self.writer.int(0), self.writer.int(SEGMENT as i64));
        let none = self.writer.number(0.0, Type::vector(Kind::F32, OWN));
        let (open, from, totals) = self.writer.begin_for(zero, self.depth, segment, &[none; OWN]);
        let end = self.writer.add(from, segment);
        let end = self.writer.minimum(end, self.depth);
        let sums = self.sum_segment((a_part, b_part), from, end);
        let totals = totals.iter().zip(sums).map(|(&total, sum)| self.writer.add(total, sum)).collect::<Vec<_>>();
        self.writer.end(open, &totals)
    }

    fn sum_segment(&mut self, (a_part, b_part): (Value, Value), first: Value, end: Value) -> Vec<Value> {
        let step = self.writer.int(DEPTH as i64);
        let none = self.writer.number(0.0, Type::vector(Kind::F32, OWN));
        let (open, from, sums) = self.writer.begin_for(first, end, step, &[none; OWN]);
        self.bring_left(a_part, from);
        self.bring_right(b_part, from);
        self.writer.wait_for_block();
        let sums = self.multiply(a_part, b_part, sums);
        self.writer.wait_for_block();
        self.writer.end(open, &sums)
    }

    /// The thread's first own row and column in the tile.
    fn own(&mut self) -> (Value, Value) {
        let (across, own) = (self.writer.int((TILE / OWN) as i64), self.writer.int(OWN as i64));
        let row = self.writer.binary("arith.divui", self.frame.thread, across);
        let column = self.writer.binary("arith.remui", self.frame.thread, across);
        (self.writer.multiply(row, own), self.writer.multiply(column, own))
    }

    fn multiply(&mut self, a_part: Value, b_part: Value, mut sums: Vec<Value>) -> Vec<Value> {
        let (row, column) = self.own();
        let left = self.writer.element_address(a_part, row, Kind::F32);
        let right = self.writer.element_address(b_part, column, Kind::F32);
        for k in 0..DEPTH {
            let a = self.own_part(left, k);
            let b = self.own_part(right, k);
            for (row, sum) in sums.iter_mut().enumerate() {
                let a = self.writer.lane(a, row);
                *sum = self.writer.multiply_add(a, b, *sum);
            }
        }
        sums
    }

    fn own_part(&mut self, start: Value, k: usize) -> Value {
        let address = self.writer.address_at(start, k * PITCH, Kind::F32);
        self.writer.load_aligned(address, Type::vector(Kind::F32, OWN))
    }

    /// Brings rows of A, from a k on.
    fn bring_left(&mut self, part: Value, from: Value) {
        let form = self.form;
        let spread = Spread { along_sum: form.a.columns == Amount::Constant(1) };
        let start = self.frame.body.start_of(self.writer, &self.batch, &form.a.batch);
        for turn in 0..TILE * DEPTH / BLOCK {
            let (outer, k) = self.element(turn, spread);
            let (row, depth) = (self.writer.add(self.row, outer), self.writer.add(from, k));
            let inside = self.inside(row, self.rows, depth);
            let at = at(self.writer, self.frame, &form.a, start, row, depth);
            let value = self.read_if(inside, form.a.buffer, at);
            self.put(part, outer, k, value);
        }
    }

    /// Brings columns of B, from a k on.
    fn bring_right(&mut self, part: Value, from: Value) {
        let form = self.form;
        match &form.b {
            Right::Strided(matrix) => {
                let spread = Spread { along_sum: matrix.rows == Amount::Constant(1) };
                let start = self.frame.body.start_of(self.writer, &self.batch, &matrix.batch);
                for turn in 0..TILE * DEPTH / BLOCK {
                    let (outer, k) = self.element(turn, spread);
                    let (column, depth) = (self.writer.add(self.column, outer), self.writer.add(from, k));
                    let inside = self.inside(column, self.columns, depth);
                    let at = at(self.writer, self.frame, matrix, start, depth, column);
                    let value = self.read_if(inside, matrix.buffer, at);
                    self.put(part, outer, k, value);
                }
            }
            Right::Packed { buffer, batch } => {
                let start = self.frame.body.start_of(self.writer, &self.batch, batch);
                for turn in 0..TILE * DEPTH / BLOCK {
                    let (outer, k) = self.element(turn, Spread { along_sum: false });
                    let depth = self.writer.add(from, k);
                    let inside = self.writer.compare(Order::Less, depth, self.depth);
                    // The tile is one panel.
                    let at = self.frame.in_panel(self.writer, start, [self.column, self.depth], [depth, outer]);
                    let value = self.read_if(inside, *buffer, at);
                    self.put(part, outer, k, value);
                }
            }
        }
    }

    /// Which element of a part a thread brings: its row or column in the tile, and its place along k.
    fn element(&mut self, turn: usize, spread: Spread) -> (Value, Value) {
        let skipped = self.writer.int((turn * BLOCK) as i64);
        let number = self.writer.add(self.frame.thread, skipped);
        let fast = self.writer.int(if spread.along_sum { DEPTH } else { TILE } as i64);
        let fast_place = self.writer.binary("arith.remui", number, fast);
        let slow_place = self.writer.binary("arith.divui", number, fast);
        if spread.along_sum { (slow_place, fast_place) } else { (fast_place, slow_place) }
    }

    fn inside(&mut self, place: Value, extent: Value, depth: Value) -> Value {
        let place = self.writer.compare(Order::Less, place, extent);
        let depth = self.writer.compare(Order::Less, depth, self.depth);
        self.writer.both(place, depth)
    }

    fn read_if(&mut self, condition: Value, buffer: usize, at: Value) -> Value {
        let float = Type::scalar(Kind::F32);
        let zero = self.writer.number(0.0, float);
        let open = self.writer.begin_if(condition, &[float]);
        let value = self.frame.read(self.writer, self.kernel, buffer, at);
        let value = self.writer.convert(value, Kind::F32);
        self.writer.begin_else(&[value]);
        self.writer.end(open, &[zero])[0]
    }

    fn put(&mut self, part: Value, outer: Value, k: Value, value: Value) {
        let pitch = self.writer.int(PITCH as i64);
        let place = self.writer.multiply(k, pitch);
        let place = self.writer.add(place, outer);
        let address = self.writer.element_address(part, place, Kind::F32);
        self.writer.store(address, value);
    }

    /// Stores the thread's own elements.
    fn finish(&mut self, sums: &[Value]) {
        let (row, column) = self.own();
        let (row, column) = (self.writer.add(self.row, row), self.writer.add(self.column, column));
        for (down, &sum) in sums.iter().enumerate() {
            let down = self.writer.int(down as i64);
            let row = self.writer.add(row, down);
            for along in 0..OWN {
                let value = self.writer.lane(sum, along);
                let along = self.writer.int(along as i64);
                let column = self.writer.add(column, along);
                let is_row = self.writer.compare(Order::Less, row, self.rows);
                let is_column = self.writer.compare(Order::Less, column, self.columns);
                let inside = self.writer.both(is_row, is_column);
                let open = self.writer.begin_if(inside, &[]);
                finish(self.writer, self.kernel, self.form, self.frame, &self.batch, (row, column), value);
                self.writer.end(open, &[]);
            }
        }
    }
}

/// Where an element of a matrix is that starts at a place.
pub fn at(writer: &mut Writer, frame: &Frame<'_>, matrix: &Matrix, start: Value, row: Value, column: Value) -> Value {
    let rows = frame.body.amount(writer, matrix.rows);
    let columns = frame.body.amount(writer, matrix.columns);
    let down = writer.multiply(row, rows);
    let along = writer.multiply(column, columns);
    let at = writer.add(start, down);
    writer.add(at, along)
}

/// The epilogue of one element, and its store.
pub fn finish(
    writer: &mut Writer,
    kernel: &Kernel,
    form: &Gemm,
    frame: &Frame<'_>,
    batch: &[Value],
    (row, column): (Value, Value),
    sum: Value,
) {
    let mut operands = vec![sum];
    let place = |writer: &mut Writer, matrix: &Matrix| {
        let start = frame.body.start_of(writer, batch, &matrix.batch);
        at(writer, frame, matrix, start, row, column)
    };
    for extra in &form.extras {
        let place = place(writer, extra);
        operands.push(frame.read(writer, kernel, extra.buffer, place));
    }
    let value = writer.evaluate(&form.epilogue, &operands);
    let element = kernel.buffers[form.c.buffer].element;
    let mut value = writer.convert(value, register_kind(register_type(element)));
    let place = place(writer, &form.c);
    if form.accumulate {
        let before = frame.read(writer, kernel, form.c.buffer, place);
        value = writer.add(before, value);
    }
    frame.write(writer, kernel, form.c.buffer, place, value);
}
