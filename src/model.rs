//! Checks syntax trees and resolves them into a [`Model`].
//!
//! This is the last stage that can find fault with the user's program: names, axes, sizes, types, index ranges and
//! presence are settled, blocks are expanded, and every `match` is decided. What is left is a list of typed values.

mod declarations;
mod values;

pub use declarations::*;
pub use values::*;
