//! Memory that compiled code works on: blocks, tensors, and the arena plan of a call.
//!
//! Blocks come straight from the operating system: zeroed, at page borders (so [`crate::abi::BUFFER_ALIGNMENT`] always
//! holds), on huge pages where they are large. A [`Tensor`] is a block with a shape and an element type.

mod arena;
mod block;
mod tensor;

pub use arena::{Arena, Lifetime, pack};
pub use block::Block;
pub use tensor::{Number, Tensor};
