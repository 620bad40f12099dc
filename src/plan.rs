//! Turns a graph into a [`Program`]: kernels in order, buffers with lifetimes, costs.

mod program;

pub use program::*;
