//! Derives new programs from one graph.
//!
//! [`step`] makes the decode step with its states from the program for whole sequences.

mod step;

pub use step::*;
