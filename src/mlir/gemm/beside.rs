//! One row of A times several panels of B at once: decoding a single token.
//!
//! Such a product takes as long as B takes to come from memory, and a CPU fetches several streams faster than one.
//! Each sum is taken in the order of k, as everywhere.

use super::epilogue::Spot;
use super::micro::keep_sum;
use super::strip::{Extents, Part, Rows, Scratch};
use super::{Product, packs_a};
use crate::kernel::{Gemm, Right};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Open, Type, Value, Writer};
use crate::target::Target;

/// Panels at once.
pub const PANELS: usize = 4;
/// Turns of the inner loop that are written out.
const UNROLLED: usize = 2;
/// The micro-kernel's symbol.
const SYMBOL: &str = "gemm_beside";

/// The operands of the micro-kernel.
#[derive(Debug, Clone, Copy)]
struct Operands {
    /// The row of A, at the first k.
    a: Value,
    /// The first panel of B, at the first k, and the elements from panel to panel.
    b: Value,
    next: Value,
    /// Where the first panel's sums go, and the elements from tile to tile.
    tile: Value,
    next_tile: Value,
    /// How many products each sum has, and whether the sums start at 0.
    depth: Value,
    first: Value,
}

/// Whether a product may take several panels at once.
pub fn fits(form: &Gemm) -> bool {
    matches!(form.b, Right::Packed { .. }) && !packs_a(form)
}

/// Writes the micro-kernel.
pub fn write(writer: &mut Writer, target: &Target) {
    let (pointer, int) = (Type::scalar(Kind::Pointer), Type::scalar(Kind::I64));
    let parameters = [pointer, pointer, int, pointer, int, int, Type::scalar(Kind::I1)];
    let attributes = "attributes {passthrough = [\"noinline\"]} ";
    let given = writer.begin_function("internal ", SYMBOL, &parameters, attributes);
    let [a, b, next, tile, next_tile, depth, first] = given[..] else { return };
    let operands = Operands { a, b, next, tile, next_tile, depth, first };
    let sums = sums(writer, target, &operands);
    keep(writer, target, &operands, &sums);
    writer.end_function();
}

fn sums(writer: &mut Writer, target: &Target, operands: &Operands) -> Vec<Value> {
    let (zero, one, unrolled) = (writer.int(0), writer.int(1), writer.int(UNROLLED as i64));
    let rest = writer.binary("arith.remsi", operands.depth, unrolled);
    let even = writer.subtract(operands.depth, rest);
    let start = writer.number(0.0, Type::vector(Kind::F32, target.panel));
    let sums = vec![start; PANELS];
    let (open, k, sums) = writer.begin_for(zero, even, unrolled, &sums);
    let sums = turns(writer, target, operands, (k, UNROLLED), sums, open);
    let (open, k, sums) = writer.begin_for(even, operands.depth, one, &sums);
    turns(writer, target, operands, (k, 1), sums, open)
}

fn turns(
    writer: &mut Writer,
    target: &Target,
    operands: &Operands,
    (k, turns): (Value, usize),
    mut sums: Vec<Value>,
    open: Open,
) -> Vec<Value> {
    let width = writer.int(target.panel as i64);
    let at = writer.multiply(k, width);
    let a = writer.element_address(operands.a, k, Kind::F32);
    let mut b = writer.element_address(operands.b, at, Kind::F32);
    let mut factor = |turn: usize| {
        let address = writer.address_at(a, turn, Kind::F32);
        writer.load(address, Type::scalar(Kind::F32))
    };
    let factors = (0..turns).map(&mut factor).collect::<Vec<_>>();
    for (panel, sum) in sums.iter_mut().enumerate() {
        if panel > 0 {
            b = writer.element_address(b, operands.next, Kind::F32);
        }
        for (turn, &factor) in factors.iter().enumerate() {
            let address = writer.address_at(b, turn * target.panel, Kind::F32);
            let line = writer.load(address, Type::vector(Kind::F32, target.panel));
            *sum = writer.multiply_add(factor, line, *sum);
        }
    }
    writer.end(open, &sums)
}

fn keep(writer: &mut Writer, target: &Target, operands: &Operands, sums: &[Value]) {
    let vector = Type::vector(Kind::F32, target.panel);
    let mut tile = operands.tile;
    for (panel, &sum) in sums.iter().enumerate() {
        if panel > 0 {
            tile = writer.element_address(tile, operands.next_tile, Kind::F32);
        }
        keep_sum(writer, tile, operands.first, sum, vector);
    }
}

impl Product<'_> {
    /// Takes as many panels as go several at once if there is but one row; returns the first panel that is left.
    pub(super) fn beside(
        &mut self,
        extents: &Extents,
        scratch: &Scratch,
        rows: &Rows,
        panels: (Value, Value),
    ) -> Value {
        let (from, to) = panels;
        let Right::Packed { buffer, .. } = &self.form.b else { return from };
        if !fits(self.form) {
            return from;
        }
        let (zero, one, several) = (self.writer.int(0), self.writer.int(1), self.writer.int(PANELS as i64));
        let single = self.writer.compare(Order::Equal, rows.count, one);
        let panels = self.writer.subtract(to, from);
        let panels = self.writer.maximum(panels, zero);
        let rest = self.writer.binary("arith.remsi", panels, several);
        let even = self.writer.subtract(panels, rest);
        let count = self.writer.select(single, even, zero);
        let until = self.writer.add(from, count);
        let b = self.body.buffers[*buffer];
        let (open, number, _) = self.writer.begin_for(from, until, several, &[]);
        self.several_panels(extents, scratch, rows, (number, b));
        self.writer.end(open, &[]);
        until
    }

    /// All parts of k of some panels: the streams run through.
    fn several_panels(&mut self, extents: &Extents, scratch: &Scratch, rows: &Rows, (number, b): (Value, Value)) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let width = self.writer.int(self.target.panel as i64);
        let next = self.writer.multiply(extents.k, width);
        let next_tile = self.writer.multiply(extents.block_rows, width);
        let (open, part, _) = self.writer.begin_for(zero, extents.parts, one, &[]);
        let part = self.part(extents, part);
        let (a, _) = self.rows_of_a(scratch, rows, &part, zero);
        let before = self.writer.multiply(number, extents.k);
        let before = self.writer.add(before, part.from);
        let at = self.writer.multiply(before, width);
        let at = self.writer.add(self.starts.b, at);
        let b = self.writer.element_address(b, at, Kind::F32);
        let Part { depth, first, .. } = part;
        let tile = scratch.tiles;
        let types = "(!llvm.ptr, !llvm.ptr, i64, !llvm.ptr, i64, i64, i1) -> ()";
        let call = format!("llvm.call @{SYMBOL}({a}, {b}, {next}, {tile}, {next_tile}, {depth}, {first}) : {types}");
        self.writer.line(call);
        self.writer.end(open, &[]);
        self.finish_several(extents, rows, number, (tile, next_tile));
    }

    fn finish_several(&mut self, extents: &Extents, rows: &Rows, number: Value, (tile, next_tile): (Value, Value)) {
        let width = self.writer.int(self.target.panel as i64);
        for panel in 0..PANELS {
            let skipped = self.writer.int(panel as i64);
            let number = self.writer.add(number, skipped);
            let at = self.writer.multiply(next_tile, skipped);
            let tile = self.writer.element_address(tile, at, Kind::F32);
            let column = self.writer.multiply(number, width);
            let columns = self.writer.subtract(extents.n, column);
            self.finish(&Spot { tile, row: rows.first, rows: rows.count, column, columns });
        }
    }
}
