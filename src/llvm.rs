//! MLIR's `llvm` dialect to an object file; the only place that names inkwell.
//!
//! In: a lowered module and a [`Target`]. Out: an [`Object`] for the linker, or text for `archc emit`.

mod crossing;
mod machine;

pub use machine::{Object, assembly, compile, text};
