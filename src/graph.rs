//! The graph: a dozen operations over named axes, on petgraph, with rolled `for` regions.
//!
//! Every stage after the checker works on it. A [`Graph`] is a table of axes and a root [`Region`]; the bodies of a
//! `for` are regions of their own and reach outer values only through operands.

mod op;
mod region;

pub use op::*;
pub use region::*;
