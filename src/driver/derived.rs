//! The first half after the checker: the graphs of all programs of a model, and their plans.

use super::{Failure, Session};
use crate::fault::Bug;
use crate::graph::Graph;
use crate::model::{Model, WeightMap};
use crate::plan::Program;

/// The programs of one model as graphs.
#[derive(Debug, Clone)]
pub struct Graphs {
    /// Whole sequences.
    pub forward: Graph,
    /// Loss and gradients, if the model has a loss.
    pub train: Option<Graph>,
    /// New positions after those already seen, if the model allows it.
    pub step: Option<Graph>,
}

impl Graphs {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Graph> {
        std::iter::once(&self.forward).chain(&self.train).chain(&self.step)
    }
}

/// Makes the values that a weight map names outputs of the forward program, under their names there.
pub fn expose_values(model: &mut Model, map: &WeightMap) {
    for (name, value) in &map.values {
        if !model.forward.outputs.iter().any(|(known, _)| known == name) {
            model.forward.outputs.push((name.clone(), *value));
        }
    }
}

/// Makes the graph of each program.
///
/// # Errors
/// A bug of a stage.
pub fn graphs(_model: &Model, _session: &mut Session) -> Result<Graphs, Failure> {
    Err(Bug::new("graph", "graphs are built").into())
}

/// Plans each program.
///
/// # Errors
/// A bug of a stage.
pub fn programs(_graphs: &Graphs, _session: &mut Session) -> Result<Vec<Program>, Failure> {
    Err(Bug::new("program", "graphs are planned").into())
}

/// The output that is the gradient of a parameter.
pub fn gradient_name(path: &str) -> String {
    format!("gradient {path}")
}
