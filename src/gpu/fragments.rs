//! Products on tensor cores: the tile of a block, its warps, and how parts of A and B come to shared memory.
//!
//! An element's sum is taken in the order of k whatever the tile is: a row's result is bit for bit the same alone and
//! among others.

use super::alignment::Alignment;
use super::arch::Precision;
use super::entry::{WARP, WIDE, WIDE_BYTES};
use crate::kernel::{Amount, Gemm, Kernel, Matrix, Right};
use archc_runtime::abi::Element;

/// A product of so many rows at most has tiles of so many.
pub const FRAGMENT_ROWS: usize = 16;

/// A product as fragments of tensor cores.
#[derive(Debug, Clone, PartialEq)]
pub struct Fragments {
    /// The product.
    pub form: Gemm,
    /// What its factors are rounded to; sums are 32-bit floats.
    pub precision: Precision,
    /// The tile.
    pub tile: Tile,
    /// Whether A and B can be copied by 16 bytes.
    pub wide: [bool; 2],
}

/// The part of a product that a block computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Rows of C.
    pub rows: usize,
    /// Columns of C.
    pub columns: usize,
    /// How much of the sum is in shared memory at once, twice.
    pub depth: usize,
    /// Warps, down and along.
    pub warps: [usize; 2],
}

impl Tile {
    /// For few rows.
    pub const FEW: Tile = Tile { rows: FRAGMENT_ROWS, columns: 64, depth: 32, warps: [1, 4] };
    /// For more of them.
    pub const MANY: Tile = Tile { rows: 128, columns: 128, depth: 16, warps: [2, 4] };

    /// Threads of the block.
    pub fn threads(self) -> usize {
        self.warps[0] * self.warps[1] * WARP
    }
}

/// The entries of a product: one for each tile that its rows may ask for.
pub fn fragments(kernel: &Kernel, form: &Gemm, precision: Precision, alignment: &Alignment) -> Vec<Fragments> {
    let wide = wide_factors(kernel, form, alignment);
    let of_tile = |tile| Fragments { form: form.clone(), precision, tile, wide };
    by_rows(form, Tile::FEW, Tile::MANY).into_iter().map(of_tile).collect()
}

/// What the rows of a product may ask for: one thing for few of them, another one for more.
pub(super) fn by_rows<T>(form: &Gemm, few: T, many: T) -> Vec<T> {
    match form.m {
        Amount::Constant(rows) if rows <= FRAGMENT_ROWS as i64 => vec![few],
        Amount::Constant(_) => vec![many],
        Amount::Size(_) => vec![few, many],
    }
}

/// Whether A and B lie in runs of 32-bit floats, or of bf16, that can be read by 16 bytes.
pub(super) fn wide_factors(kernel: &Kernel, form: &Gemm, alignment: &Alignment) -> [bool; 2] {
    let run = |buffer: usize| match kernel.buffers[buffer].element {
        element @ (Element::F32 | Element::Bf16) => Some(WIDE_BYTES / element.bytes() as i64),
        _ => None,
    };
    let of_matrix = |matrix: &Matrix| run(matrix.buffer).is_some_and(|run| is_wide_by(matrix, alignment, run));
    let right = match &form.b {
        Right::Strided(matrix) => of_matrix(matrix),
        Right::Packed { buffer, batch } => run(*buffer).is_some_and(|run| alignment.starts_wide(*buffer, batch, run)),
    };
    [of_matrix(&form.a), right]
}

/// Whether every row, or every column, is a run of 32-bit floats that starts where a wide access may.
pub(super) fn is_wide(matrix: &Matrix, alignment: &Alignment) -> bool {
    is_wide_by(matrix, alignment, WIDE)
}

fn is_wide_by(matrix: &Matrix, alignment: &Alignment, elements: i64) -> bool {
    let one = Amount::Constant(1);
    let slow = match (matrix.rows == one, matrix.columns == one) {
        (_, true) => matrix.rows,
        (true, false) => matrix.columns,
        (false, false) => return false,
    };
    let strides = matrix.batch.iter().copied().chain([slow]).collect::<Vec<_>>();
    alignment.starts_wide(matrix.buffer, &strides, elements)
}
