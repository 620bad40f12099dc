//! MLIR's `llvm` dialect to an object file, or to PTX; the only place that names inkwell.
//!
//! In: a lowered module and a [`Target`]. Out: an [`Object`] for the linker, or text for `archc emit`.

mod crossing;
mod machine;
mod ptx;

pub use machine::{Object, assembly, compile, text};
pub use ptx::ptx;
