//! Derives the decode step from the program for whole sequences.
//!
//! In: a forward graph and the sequence that grows. Out: a graph that takes a run of new positions (the axis `chunk`, from
//! position `start` on), keeps what later positions will read in states over the axis `context`, and gives the
//! outputs at the last new position. Prefill is a long run, decoding a run of one, prefill in pieces anything between.
//! Right only if no position reads a later one, which is proved here, or the place that looks ahead is named.
//!
//! [`keep`] decides which values are kept and which are made again, [`reach`] and [`ahead`] how far away they are read.
//! What depends on a position alone is computed for the new ones. What is read at others becomes a state: `key[t: s]` is
//! written first and read from there, `u[t: t - 1]` is read from the run, and from the state only where it is older.

mod ahead;
mod blocks;
mod causality;
mod elsewhere;
mod homes;
mod keep;
mod last;
mod reach;
mod regions;
mod rewrite;
mod rows;
mod split;
mod state;
mod tail;
mod turns;
mod window;

pub use blocks::blocks;

use super::begin::begin;
use crate::graph::{Graph, Op, Region, Typed, Value};
use crate::tensor::{Affine, Axes, AxisId, BATCH, DType, TensorType, Term};
use archc_runtime::abi::names;
use rewrite::Rewrite;
use std::fmt;

/// What the names of states begin with.
pub const STATE: &str = "state.";

/// Why there is no step program: some position reads later ones, or all of them at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotIncremental {
    /// The dotted path of the place.
    pub path: String,
    /// What happens there.
    pub reason: String,
}

impl fmt::Display for NotIncremental {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.is_empty() {
            true => formatter.write_str(&self.reason),
            false => write!(formatter, "at `{}`, {}", self.path, self.reason),
        }
    }
}

/// What all regions of one derivation share.
#[derive(Debug)]
struct Shared {
    /// The table of the new graph.
    axes: Axes,
    /// The axis that grows: in the new graph, the new positions.
    chunk: AxisId,
    /// All positions.
    context: AxisId,
    /// Names of states given out so far.
    states: Vec<String>,
    /// Axes of states that hold the latest positions only.
    rings: Vec<AxisId>,
    /// Values of the old graph that look ahead, and are relied on.
    ahead: Vec<Value>,
    /// How many new positions there always are, if they are a block that is computed again and again.
    block: Option<i64>,
    /// How many of the last positions of a run the next one has again, with something else in their place.
    again: i64,
}

impl Shared {
    /// Whether an axis counts all positions.
    fn is_context(&self, axis: AxisId) -> bool {
        self.axes.alike(axis, self.context)
    }

    /// Whether an axis counts positions of the growing sequence, new or all.
    fn is_position(&self, axis: AxisId) -> bool {
        axis == self.chunk || self.is_context(axis)
    }

    /// Whether a place of an old region is the last position: `|t| - 1`.
    fn is_last(&self, old: &Region, place: &Affine<Value>) -> bool {
        let [(Term::Value(length), 1)] = place.terms.as_slice() else { return false };
        let length = matches!(old.node(length.node).op, Op::Length(axis) if self.is_position(axis));
        length && place.constant == -1 && self.block.is_none()
    }

    /// A name for a state, from the path of what it keeps.
    fn name_state(&mut self, path: &str) -> String {
        let name = format!("{STATE}{path}.{}", self.states.len());
        self.states.push(name.clone());
        name
    }
}

/// What decoding runs.
#[derive(Debug, Clone)]
pub struct Decode {
    /// What is the same at every step: run once before them.
    pub begin: Option<Graph>,
    /// The step.
    pub step: Graph,
}

/// The step program of `graph`, and apart from it what is the same at every step.
///
/// # Errors
/// As [`step`].
pub fn decode(graph: &Graph, along: AxisId, outputs: &[&str]) -> Result<Decode, NotIncremental> {
    let (step, context) = derive(graph, along, outputs)?;
    let axes = step.axes.clone();
    let (begin, step) = begin(step, &|axis| axis == along || axes.alike(axis, context));
    Ok(Decode { begin, step })
}

/// The step program of `graph` along the sequence `along`, with the outputs of these names.
///
/// # Errors
/// The first place at which a position reads what is not there yet.
pub fn step(graph: &Graph, along: AxisId, outputs: &[&str]) -> Result<Graph, NotIncremental> {
    derive(graph, along, outputs).map(|(step, _)| step)
}

/// The step program and the axis of all positions in it.
fn derive(graph: &Graph, along: AxisId, outputs: &[&str]) -> Result<(Graph, AxisId), NotIncremental> {
    let mut axes = graph.axes.clone();
    let context = axes.divide(along, names::CHUNK, names::CONTEXT);
    let (states, rings, ahead, again) = (Vec::new(), Vec::new(), Vec::new(), blanks(graph));
    let mut shared = Shared { axes, chunk: along, context, states, rings, ahead, block: None, again };
    let mut old = graph.root.clone();
    split::split(&graph.axes, &mut old, along);
    let mut root = Region::default();
    let per_row = Typed::always(TensorType::new([BATCH], DType::Int));
    let start = root.add_one(Op::Input(names::START.into()), [], per_row, names::START);
    let mut rewrite = Rewrite::new(&mut shared, &old, root, start, None);
    let wanted = wanted_outputs(graph, outputs);
    rewrite.run(&wanted.iter().map(|(_, value)| *value).collect::<Vec<_>>())?;
    let mut results = Vec::new();
    let mut outputs = Vec::new();
    let runs = graph.name == names::RUN;
    for (name, value) in wanted {
        results.push(Some(if runs { rewrite.own[&value] } else { rewrite.last(value) }));
        outputs.push(name);
    }
    for slot in &rewrite.slots {
        results.push(Some(slot.written));
        outputs.push(slot.name.clone());
    }
    if let Some(ahead) = rewrite.ahead() {
        results.push(Some(ahead));
        outputs.push(names::AHEAD.into());
    }
    let mut root = rewrite.new;
    root.results = results;
    let own = [names::TURN, names::RUN].into_iter().find(|name| *name == graph.name);
    let name = own.unwrap_or(names::STEP);
    Ok((Graph { name: name.into(), axes: shared.axes, root, outputs }, context))
}

/// How many positions a run ends with that are not written yet.
fn blanks(graph: &Graph) -> i64 {
    let is_blank = |id| matches!(&graph.root.node(id).op, Op::Input(name) if name == names::BLANK);
    i64::from(graph.root.ids().into_iter().any(is_blank))
}

/// The named outputs and their values, in the order of the graph.
fn wanted_outputs(graph: &Graph, outputs: &[&str]) -> Vec<(String, Value)> {
    let named = graph.outputs.iter().zip(&graph.root.results);
    named
        .filter(|(name, _)| outputs.contains(&name.as_str()))
        .filter_map(|(name, value)| value.map(|value| (name.clone(), value)))
        .collect()
}
