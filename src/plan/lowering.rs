//! From operations to loop nests: how each operation computes its value at given places.
//!
//! In: a region, and where some of its values are stored. Out: statements of a [`crate::kernel::Nest`]. Reading
//! order: [`Scope`] (what is stored and present), [`Emitter`] (a value at places), then one file for each family of
//! operations. Shares no code with the interpreter, so that the two can disagree.

mod categorical;
mod draw;
mod emitter;
mod index;
mod presence;
mod reduce;
mod scalar;
mod scope;

pub use emitter::*;
pub use scope::*;
