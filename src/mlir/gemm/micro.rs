//! Micro-kernels: a few rows of A times one panel of B, summed in registers. One set serves every product of a module.
//!
//! `tile[r, 0..panel] (+)= sum over k of A[r, k] · B[k, 0..panel]`. Each sum is taken in the order of k, whatever the
//! number of rows, so that a row has the same result alone and among others.

use super::BLOCK_DEPTH;
use crate::mlir::memory::{Cache, LINE};
use crate::mlir::text::{Kind, Open, Type, Value, Writer};
use crate::target::Target;

/// Turns of the inner loop that are written out.
const UNROLLED: usize = 4;
/// Bytes of the first cache of the CPUs that are thought of.
const FIRST_CACHE: usize = 32 << 10;
/// How many rows of B are asked for ahead, where a panel does not stay in the first cache.
const ROWS_AHEAD: usize = 8;

/// Where the operands of a micro-kernel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A in rows with a stride, B in a panel.
    Rows,
    /// A in tiles `[k][rows]`, B in a panel.
    Tiles,
    /// Both in rows with strides.
    Plain,
    /// A in columns with a stride (each k's elements side by side), B in a panel.
    Across,
}

impl Layout {
    const ALL: [Layout; 4] = [Layout::Rows, Layout::Tiles, Layout::Plain, Layout::Across];

    fn name(self) -> &'static str {
        match self {
            Layout::Rows => "rows",
            Layout::Tiles => "tiles",
            Layout::Plain => "plain",
            Layout::Across => "across",
        }
    }
}

/// The symbol of the micro-kernel for so many rows.
fn symbol(layout: Layout, rows: usize) -> String {
    format!("gemm_{}_{rows}", layout.name())
}

/// The operands of a call.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The first row of A, at the first k.
    pub a: Value,
    /// Elements from row to row of A; from column to column for `Across`.
    pub a_stride: Value,
    /// The panel of B, at the first k.
    pub b: Value,
    /// Elements from row to row of B.
    pub b_stride: Value,
    /// Where sums go, `[rows][panel]`.
    pub tile: Value,
    /// How many products each sum has.
    pub depth: Value,
    /// Whether the sums start at 0.
    pub first: Value,
}

/// Writes all micro-kernels of a target.
pub fn write_all(writer: &mut Writer, target: &Target) {
    for layout in Layout::ALL {
        for rows in 1..=target.rows {
            Micro { layout, rows, target }.write(writer);
        }
    }
}

/// Calls the micro-kernel for a number of rows that is known at run time, between 1 and the largest.
pub fn call(writer: &mut Writer, layout: Layout, target: &Target, rows: Value, operands: Call) {
    let mut open = Vec::new();
    for count in (1..=target.rows).rev() {
        if count > 1 {
            let number = writer.int(count as i64);
            let here = writer.compare(crate::mlir::arithmetic::Order::Equal, rows, number);
            open.push(writer.begin_if(here, &[]));
        }
        let Call { a, a_stride, b, b_stride, tile, depth, first } = operands;
        let types = "(!llvm.ptr, i64, !llvm.ptr, i64, !llvm.ptr, i64, i1) -> ()";
        let name = symbol(layout, count);
        writer.line(format!("llvm.call @{name}({a}, {a_stride}, {b}, {b_stride}, {tile}, {depth}, {first}) : {types}"));
        if count > 1 {
            writer.begin_else(&[]);
        }
    }
    for open in open.into_iter().rev() {
        writer.end(open, &[]);
    }
}

struct Micro<'a> {
    layout: Layout,
    rows: usize,
    target: &'a Target,
}

/// The parameters that the inner loop uses.
struct Operands {
    rows: Vec<Value>,
    a_stride: Value,
    b: Value,
    b_stride: Value,
}

impl Micro<'_> {
    fn write(&self, writer: &mut Writer) {
        let (pointer, int) = (Type::scalar(Kind::Pointer), Type::scalar(Kind::I64));
        let parameters = [pointer, int, pointer, int, pointer, int, Type::scalar(Kind::I1)];
        let name = symbol(self.layout, self.rows);
        let attributes = "attributes {passthrough = [\"noinline\"]} ";
        let given = writer.begin_function("internal ", &name, &parameters, attributes);
        let [a, a_stride, b, b_stride, tile, depth, first] = given[..] else { return };
        let mut rows = vec![a];
        for row in 1..self.rows {
            let next = match self.layout {
                Layout::Tiles | Layout::Across => writer.address_at(a, row, Kind::F32),
                _ => writer.element_address(rows[row - 1], a_stride, Kind::F32),
            };
            rows.push(next);
        }
        let operands = Operands { rows, a_stride, b, b_stride };
        let sums = self.sums(writer, &operands, depth);
        self.keep(writer, tile, first, &sums);
        writer.end_function();
    }

    fn vector(&self) -> Type {
        Type::vector(Kind::F32, self.target.panel)
    }

    fn sums(&self, writer: &mut Writer, operands: &Operands, depth: Value) -> Vec<Value> {
        let (zero, one, unrolled) = (writer.int(0), writer.int(1), writer.int(UNROLLED as i64));
        let rest = writer.binary("arith.remsi", depth, unrolled);
        let even = writer.subtract(depth, rest);
        let start = writer.number(0.0, self.vector());
        let sums = vec![start; self.rows];
        let (open, k, sums) = writer.begin_for(zero, even, unrolled, &sums);
        let sums = self.turns(writer, operands, k, UNROLLED, sums, open);
        let (open, k, sums) = writer.begin_for(even, depth, one, &sums);
        self.turns(writer, operands, k, 1, sums, open)
    }

    fn turns(
        &self,
        writer: &mut Writer,
        operands: &Operands,
        k: Value,
        turns: usize,
        mut sums: Vec<Value>,
        open: Open,
    ) -> Vec<Value> {
        let a_step = match self.layout {
            Layout::Tiles => writer.int(self.target.rows as i64),
            Layout::Across => operands.a_stride,
            Layout::Rows | Layout::Plain => writer.int(1),
        };
        let at = writer.multiply(k, a_step);
        let b_step = match self.layout {
            Layout::Plain => operands.b_stride,
            _ => writer.int(self.target.panel as i64),
        };
        let at_b = writer.multiply(k, b_step);
        let mut b = writer.element_address(operands.b, at_b, Kind::F32);
        let mut rows = operands.rows.iter().map(|&row| writer.element_address(row, at, Kind::F32)).collect::<Vec<_>>();
        for turn in 0..turns {
            if turn > 0 {
                b = writer.element_address(b, b_step, Kind::F32);
            }
            let line = writer.load(b, self.vector());
            self.fetch_ahead(writer, b, b_step);
            for (row, sum) in rows.iter_mut().zip(&mut sums) {
                if turn > 0 {
                    *row = writer.element_address(*row, a_step, Kind::F32);
                }
                let factor = writer.load(*row, Type::scalar(Kind::F32));
                *sum = writer.multiply_add(factor, line, *sum);
            }
        }
        writer.end(open, &sums)
    }

    /// Asks for a later row of B. A panel that fits is there since the last tile, and CPUs guess less well what comes
    /// from the second cache.
    fn fetch_ahead(&self, writer: &mut Writer, b: Value, b_step: Value) {
        let panel = self.target.panel;
        if BLOCK_DEPTH * panel * size_of::<f32>() <= FIRST_CACHE {
            return;
        }
        let rows = writer.int(ROWS_AHEAD as i64);
        let ahead = writer.multiply(b_step, rows);
        let later = writer.element_address(b, ahead, Kind::F32);
        for line in (0..panel).step_by(LINE) {
            let address = writer.address_at(later, line, Kind::F32);
            writer.prefetch(address, Cache::First);
        }
    }

    fn keep(&self, writer: &mut Writer, tile: Value, first: Value, sums: &[Value]) {
        for (row, &sum) in sums.iter().enumerate() {
            let address = writer.address_at(tile, row * self.target.panel, Kind::F32);
            keep_sum(writer, address, first, sum, self.vector());
        }
    }
}

/// Stores a sum, or adds it to what the first parts of k have left.
pub fn keep_sum(writer: &mut Writer, address: Value, first: Value, sum: Value, vector: Type) {
    let open = writer.begin_if(first, &[vector]);
    writer.begin_else(&[sum]);
    let before = writer.load(address, vector);
    let total = writer.add(before, sum);
    let result = writer.end(open, &[total]);
    writer.store(address, result[0]);
}
