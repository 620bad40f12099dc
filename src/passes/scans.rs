//! Recurrence algebra: what kind of recurrence a `for` over a sequence is, and its chunkwise form.
//! `for t { S = exp(a) S + k v; yield sum[k](q S) }`  →  `for chunk { products of positions with positions, one step of S }`
//!
//! In: a graph as it was built. Out: the same meaning; each `for` over a sequence whose carried values are linear, with
//! a shape that allows it, runs over chunks, and what depends on no carried value runs over the whole sequence. All
//! others stay as they are, and [`explain`] says why. Gradients are those of the rewritten graph.
//!
//! Sources: Yang et al., "Parallelizing Linear Transformers with the Delta Rule" (arXiv 2406.06484); Dao and Gu,
//! "Transformers are SSMs" (arXiv 2405.21060).

mod body;
mod chunk;
mod class;
mod correction;
mod cost;
mod decay;
mod expand;
mod fission;
mod form;
mod halves;
mod inverse;
mod lift;
mod pieces;
mod range;
mod repeats;
mod report;
mod rewrite;
mod turn;

pub use class::Class;
pub use report::{Scan, State, explain};
pub use rewrite::chunkwise;

/// Which form of a scan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Form {
    /// The one that costs least.
    #[default]
    Planned,
    /// Turn by turn.
    Sequential,
    /// Chunkwise wherever that is possible, with so many positions in a chunk, or as many as are planned.
    Chunkwise(Option<u32>),
}
