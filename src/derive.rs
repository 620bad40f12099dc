//! Derives new programs from one graph.
//!
//! [`build`] makes that graph; [`gradient`] adds the gradients of a loss; [`step`] makes the decode step with its states from the program for whole
//! sequences, and [`decode`] takes out of that what is the same at every step. [`turn`] makes of a sampler the program
//! of one turn, [`blocks`] of one that goes block by block one that keeps what earlier blocks mean. What is derived is
//! written with the same operations, so that every pass, the planner and the interpreter treat it like a program that
//! somebody wrote.

mod begin;
mod gradient;
mod judged;
mod step;
mod turn;

pub use gradient::{GRADIENT, gradient};
pub use judged::judged;
pub use step::*;
pub use turn::{forgets_blank, run, turn};

use crate::graph::{self, Graph};
use crate::model::{Model, Program};

/// The graph of a program, with what the program derives itself.
pub fn build(model: &Model, program: &Program, name: &str) -> Graph {
    graph::build(model, program, name, &gradient::derivative)
}
