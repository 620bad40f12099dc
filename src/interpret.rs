//! Runs a graph by each operation's plain meaning, in double precision: everything else is measured against this.
//!
//! In: a graph and a [`Feed`] of inputs, parameters, lengths and settings. Out: every output by name, as an [`Array`]
//! with its mask. Guaranteed: a value is absent exactly where the rules of presence say so, and if asked, it is
//! checked that what each node records about its presence is no less than that.
//!
//! Nothing of lowering, kernels or plans is used here, so the two can disagree.

mod feed;
mod region;
mod repeat;

pub use feed::*;

use crate::fault::{Bug, Fault};
use crate::graph::Graph;
use crate::tensor::Array;

/// The outputs of a run by name.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// In the order of the graph.
    pub all: Vec<(String, Array)>,
}

impl Outputs {
    /// An output by its name.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.all.iter().find(|(own, _)| own == name).map(|(_, array)| array)
    }
}

/// Runs a graph.
///
/// # Errors
/// `Environment` if the feed lacks something or its sizes contradict each other; `Bug` if the graph is not sound.
pub fn run(graph: &Graph, feed: &Feed) -> Result<Outputs, Fault> {
    let world = feed::world_of(graph, feed)?;
    let frame = region::Frame { world: &world, feed, turns: &[], active: None };
    let values = region::evaluate(frame, &graph.root, &[])?;
    let mut outputs = Outputs::default();
    for (name, result) in graph.outputs.iter().zip(&graph.root.results) {
        let value = result.ok_or_else(|| Bug::new("graph", "every output has a value"))?;
        let array = values[value.node.index()][value.result as usize].as_ref().clone();
        outputs.all.push((name.clone(), array));
    }
    Ok(outputs)
}
