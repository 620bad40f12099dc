//! Packs buffers that do not live at the same time into one block.
//!
//! In: a size and a lifetime for each. Out: an offset for each, such that buffers that overlap in time do not overlap
//! in memory, and the total. Largest first, each at the lowest place that is free over its whole life.

use super::Block;
use crate::abi::BUFFER_ALIGNMENT;
use crate::error::Result;

/// What the packing knows of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Its size in bytes.
    pub bytes: usize,
    /// The first step that writes it.
    pub first: usize,
    /// The last step that touches it.
    pub last: usize,
}

impl Lifetime {
    fn meets(&self, other: &Lifetime) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// The offset of each buffer, in the order given, and the size of the whole.
pub fn pack(buffers: &[Lifetime]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(buffers[at].bytes), at));
    let mut offsets = vec![0; buffers.len()];
    let mut placed: Vec<usize> = Vec::with_capacity(buffers.len());
    let mut total = 0;
    for at in order {
        offsets[at] = lowest_gap(buffers, &offsets, &placed, at);
        total = total.max(offsets[at] + padded(buffers[at].bytes));
        let place = placed.partition_point(|&other| offsets[other] <= offsets[at]);
        placed.insert(place, at);
    }
    (offsets, total)
}

/// The lowest offset where a buffer fits between those placed (in order of offset) that live at the same time.
fn lowest_gap(buffers: &[Lifetime], offsets: &[usize], placed: &[usize], at: usize) -> usize {
    let mut start = 0;
    for &other in placed.iter().filter(|&&other| buffers[other].meets(&buffers[at])) {
        if start + padded(buffers[at].bytes) <= offsets[other] {
            break;
        }
        start = start.max(offsets[other] + padded(buffers[other].bytes));
    }
    start
}

/// A size rounded up so that the next buffer is aligned.
fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(BUFFER_ALIGNMENT)
}

/// Scratch memory that grows to the largest call and is then kept.
#[derive(Debug)]
pub struct Arena {
    block: Block,
}

impl Arena {
    /// An arena without memory.
    ///
    /// # Errors
    /// Never in practice: it asks for nothing.
    pub fn empty() -> Result<Arena> {
        Ok(Arena { block: Block::zeroed(0)? })
    }

    /// Its start, with room for so many bytes. What was in it before is lost when it grows.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn room(&mut self, bytes: usize) -> Result<*mut u8> {
        if self.block.len() < bytes {
            // The old block goes first, so that both never exist at once.
            self.block = Block::zeroed(0)?;
            self.block = Block::zeroed(bytes)?;
        }
        Ok(self.block.address())
    }
}
