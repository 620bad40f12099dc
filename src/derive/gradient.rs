//! Reverse-mode gradients, through rolled `for`s.
//!
//! In: a graph and the name of a scalar output. Out: the same graph, with an output `gradient PATH` more for each asked
//! parameter or input, of its own type. `ops` knows each operation's derivative; here the sweep goes back over a
//! region ([`sweep`]), and a `for` becomes a `for` the other way round ([`repeat`]). Only what depends on what was asked
//! for ([`active`]) gets an adjoint. Parameters and inputs share one name space, so a name is enough. What a model derives
//! itself, `grad(y, x)`, is the same sweep from one value of a region to another ([`derivative`]).

mod active;
mod repeat;

use crate::fault::Bug;
use crate::graph::{Graph, NodeId, Op, Region, Typed, Value};
use crate::ops::{Tape, gradient as gradient_of_op};
use crate::tensor::{Axes, TensorType};
use active::{active_from, active_values, is_one_of};
use std::collections::HashSet;

/// What the names of outputs that are gradients begin with; the path of the parameter or the input's name follows.
pub const GRADIENT: &str = "gradient ";

/// The graph with the gradients of an output by parameters and inputs.
///
/// # Errors
/// The output does not exist, or something that it depends on has no gradient yet (`until` in a `for`).
pub fn gradient(graph: &Graph, loss: &str, leaves: &[String]) -> Result<Graph, Bug> {
    let place = graph.outputs.iter().position(|name| name == loss);
    let value = place.and_then(|place| graph.root.results[place]);
    let value = value.ok_or_else(|| Bug::new("derive", format!("there is an output `{loss}`")))?;
    let active = active_values(&graph.root, &is_one_of(leaves), &[]);
    let mut tape = Tape::beside(&graph.axes, graph.root.clone(), active);
    let ty = tape.ty(value);
    let seed = tape.number(1.0, ty.dtype);
    tape.give(value, seed);
    sweep(&mut tape, None)?;
    let mut outputs = graph.outputs.clone();
    let mut results = Vec::new();
    for path in leaves {
        if let Some(adjoint) = adjoint_of(&mut tape, path) {
            results.push(adjoint);
            outputs.push(format!("{GRADIENT}{path}"));
        }
    }
    let (mut root, _) = tape.into_regions();
    root.results.extend(results.into_iter().map(Some));
    Ok(Graph { name: graph.name.clone(), axes: graph.axes.clone(), root, outputs })
}

/// The adjoint of a parameter or input, in its type: zero if nothing depends on it, nothing if the graph does not read it.
fn adjoint_of(tape: &mut Tape, path: &str) -> Option<Value> {
    let is_it = |op: &Op| matches!(op, Op::Parameter(own) | Op::Input(own) if own == path);
    let nodes = tape.forward.ids().into_iter().filter(|&id| is_it(&tape.forward.node(id).op)).collect::<Vec<_>>();
    let ty = tape.forward.typed(Value::of(*nodes.first()?)).ty.clone();
    tape.path = path.to_string();
    Some(sum_of_adjoints(tape, nodes.into_iter().map(Value::of), &ty))
}

/// The sum of the adjoints of some values of one type; zero if they have none.
fn sum_of_adjoints(tape: &mut Tape, values: impl Iterator<Item = Value>, ty: &TensorType) -> Value {
    let parts = values.filter_map(|value| tape.take(value)).collect::<Vec<_>>();
    match parts.into_iter().reduce(|sum, part| tape.plus(sum, part)) {
        Some(sum) => tape.shaped(sum, ty),
        None => tape.filled(0.0, ty),
    }
}

/// Adds to a region the derivative of one of its values, summed over its positions, by another: of its type, present
/// where it is. Whatever the first is made of by way of the second lies in the region: the checker has seen to that.
pub(super) fn derivative(axes: &Axes, region: &mut Region, of: Value, by: Value) -> Value {
    let active = active_from(region, HashSet::from([by]));
    let mut tape = Tape::beside(axes, std::mem::take(region), active);
    let Typed { ty, presence } = tape.typed(by).clone();
    let summed = tape.ty(of);
    let seed = tape.filled(1.0, &summed);
    tape.give(of, seed);
    if let Err(fault) = sweep(&mut tape, Some(by.node)) {
        unreachable!("the checker let through a derivative that cannot be made: {fault:?}");
    }
    let sum = sum_of_adjoints(&mut tape, std::iter::once(by), &ty);
    let derivative = tape.narrow(sum, &presence);
    *region = tape.into_regions().0;
    derivative
}

/// Goes back over the forward region, handing on adjoints. What has no operands keeps its own, and so does `kept`.
fn sweep(tape: &mut Tape, kept: Option<NodeId>) -> Result<(), Bug> {
    for id in tape.forward.order().into_iter().rev().filter(|id| kept != Some(*id)) {
        let node = tape.forward.node(id).clone();
        tape.node = id;
        tape.path.clone_from(&node.path);
        match &node.op {
            Op::For(region) => repeat::gradient(tape, id, &node, region)?,
            Op::Parameter(_) | Op::Input(_) | Op::Argument(_) => {}
            _ => {
                if let Some(upstream) = tape.take(Value::of(id)) {
                    let broken = |error: crate::ops::TypeError| Bug::new("derive", error.0).detail(format!("{node:?}"));
                    gradient_of_op(tape, &node, upstream).map_err(broken)?;
                }
            }
        }
    }
    Ok(())
}
