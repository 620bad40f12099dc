//! An object file to something that runs: a shared library for this process, or an executable of its own.

mod cc;
mod loaded;

pub use cc::{executable, shared};
pub use loaded::{Block, Loaded};
