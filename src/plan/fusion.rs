//! Fusion: which values exist in memory, and which groups of operations are one kernel.
//!
//! In: a region. Out: a [`Choice`] of what is stored and of what exists for a chunk of rows alone, and kernels for matrix
//! products with epilogues and for streamed attention. Everything is found from the structure of expressions and the relations of presence, never from names.

mod absorb;
mod alias;
mod attend;
mod attend_gradient;
mod choice;
mod chunks;
mod expression;
mod gemm;
mod grouped;
mod matrices;
mod pack;
mod pieces;
mod price;
mod ring;
mod softmax;
mod softmax_gradient;
mod visible;

pub use choice::{Choice, Product, choose};
pub use chunks::{Chunks, Turn, turns};
pub use grouped::{Chosen, Grouped, GroupedSum};
pub use matrices::{Matrices, merged};
pub use pack::{Packing, prepare};
pub use price::{is_elementary, is_free};
pub use softmax_gradient::AttentionGradient;
