//! Nodes, values and regions, held in a petgraph graph.

use super::Op;
use crate::tensor::{Axes, Presence, TensorType};
use petgraph::stable_graph::{NodeIndex, StableDiGraph};

/// A node of one region.
pub type NodeId = NodeIndex<u32>;

/// One result of a node of the same region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    /// The node.
    pub node: NodeId,
    /// Which of its results.
    pub result: u32,
}

/// A program as a graph.
#[derive(Debug, Clone)]
pub struct Graph {
    /// `forward`, `train`, `step`, …
    pub name: String,
    /// All axes of the graph and of its bodies.
    pub axes: Axes,
    /// The nodes; its results are the program's outputs.
    pub root: Region,
    /// The name of each output, in the order of the root's results.
    pub outputs: Vec<String>,
}

/// Nodes and what they give to the outside.
#[derive(Debug, Clone, Default)]
pub struct Region {
    /// Node weights, with an edge from producer to user for every value that a node reads.
    pub(crate) nodes: StableDiGraph<Node, ()>,
    /// What it returns; absent where a body of a `for` yields nothing.
    pub results: Vec<Option<Value>>,
}

/// One operation and its types.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// What it reads as data, in order. Places and presence read further values.
    pub operands: Vec<Value>,
    /// The type and presence of each result.
    pub results: Vec<Typed>,
    /// Where it comes from in the source: a dotted path for reports.
    pub path: String,
}

/// A tensor type and where the tensor is present.
#[derive(Debug, Clone, PartialEq)]
pub struct Typed {
    /// Axes and element type.
    pub ty: TensorType,
    /// Relations over its axes and over values of the same region.
    pub presence: Presence<Value>,
}
