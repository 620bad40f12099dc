//! The graph: a dozen operations over named axes, on petgraph, with rolled `for` regions.
//!
//! Every stage after the checker works on it. A [`Graph`] is a table of axes and a root [`Region`]; the bodies of a
//! `for` are regions of their own and reach outer values only through operands.
//!
//! Reading order: [`Op`], [`Region`] and [`Node`]; `reads` says what a node reads, `edit` changes a region and keeps
//! its edges; `demand` says where values are read. What each operation means and how it is typed is [`crate::ops`], which
//! also holds the verifier.

mod axes;
mod op;
mod region;
mod reads;
mod build;
mod edit;
mod rename;
mod turns;
pub mod demand;
pub mod text;

pub use build::{Derivative, UPDATE, build};
pub use op::*;
pub use region::*;
