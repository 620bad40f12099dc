//! Derives the sampler that recomputes a block of positions from the one that recomputes whole texts.
//!
//! `for b { for n { ids = f(net(ids)) where t // k == b } }`  →  `for b { for n { … block b … }; keep b }`
//!
//! In: the graph of a `generate` line. Out: one that gives the same tokens for the same draws, or why every turn needs all
//! positions. [`find`] reads off what a turn changes; the inner turn becomes one over the block, with states for what is
//! read elsewhere ([`super::window`]). Right because no position reads beyond its own block, blocks follow each other and
//! are changed by their own turns alone, and what is kept follows from the text and what is the same in all turns
//! ([`kept`]): all of it is proved. A block that is done writes its states once more, from the text as it is then.

mod build;
mod find;
mod kept;

use super::NotIncremental;
use crate::graph::Graph;

/// The sampler, block by block; nothing if it does not write blocks one after the other.
///
/// # Errors
/// Why a turn of one that does needs all positions.
pub fn blocks(generate: &Graph) -> Result<Option<Graph>, NotIncremental> {
    find::find(generate).map(|nest| build::build(generate, &nest)).transpose()
}
