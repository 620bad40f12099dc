//! The matrix product family: run-time shaped, one set of micro-kernels for a whole model.

use super::Amount;
use crate::tensor::Scalar;

/// For every batch index: `C[m, n] = epilogue(sum over k of A[m, k] · B[k, n], extras at (m, n))`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gemm {
    /// Extents of the batch loops, outermost first; often none.
    pub batch: Vec<Amount>,
    /// Rows of A and C.
    pub m: Amount,
    /// Columns of B and C.
    pub n: Amount,
    /// What is summed.
    pub k: Amount,
    /// The left operand.
    pub a: Matrix,
    /// The right operand.
    pub b: Right,
    /// Further matrices that the epilogue reads at (m, n); a stride of 0 repeats.
    pub extras: Vec<Matrix>,
    /// What happens to an element before it is stored: operand 0 is the sum, the others are `extras`.
    pub epilogue: Scalar,
    /// Where results go.
    pub c: Matrix,
    /// Adds to what C holds instead of overwriting (gradients summed over turns).
    pub accumulate: bool,
    /// Truths that say which rows anybody asks for, if not for all; the others may hold anything.
    pub asked: Option<Box<Matrix>>,
}

/// A strided matrix in a buffer: element (i, j) of batch (x, y, …) at `x·batch[0] + y·batch[1] + … + i·rows + j·columns`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// The kernel's buffer.
    pub buffer: usize,
    /// Elements from row to row.
    pub rows: Amount,
    /// Elements from column to column.
    pub columns: Amount,
    /// Elements from batch to batch, one for each batch loop.
    pub batch: Vec<Amount>,
}

/// The right operand.
#[derive(Debug, Clone, PartialEq)]
pub enum Right {
    /// Read in place; rows are k, columns are n.
    Strided(Matrix),
    /// Panels made by [`Pack`]: `[ceil(n / width)][k][width]`, the last padded with zeros. The width is the target's.
    Packed {
        /// The kernel's buffer.
        buffer: usize,
        /// Elements from batch to batch.
        batch: Vec<Amount>,
    },
}

/// Copies the matrix B[k, n] into panels `[ceil(n / width)][k][width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// Extents of the batch loops.
    pub batch: Vec<Amount>,
    /// Rows.
    pub k: Amount,
    /// Columns.
    pub n: Amount,
    /// The source; rows are k, columns are n.
    pub source: Matrix,
    /// The target buffer.
    pub target: usize,
    /// Elements from batch to batch in the target.
    pub target_batch: Vec<Amount>,
}
