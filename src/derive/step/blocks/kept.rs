//! What of a turn makes its states, and that this is the same in every turn.

use super::super::NotIncremental;
use super::find::Nest;
use crate::graph::{Graph, NodeId, Op, Region, Value};
use std::collections::{HashMap, HashSet};

/// The nodes that some values are made of, in order of evaluation; those of `given` are made already.
pub(super) fn made_of(region: &Region, wanted: &[Value], given: &HashSet<NodeId>) -> Vec<NodeId> {
    let mut needed = HashSet::new();
    let mut open = wanted.iter().map(|value| value.node).collect::<Vec<_>>();
    while let Some(id) = open.pop() {
        if !given.contains(&id) && needed.insert(id) {
            open.extend(region.node(id).reads().iter().map(|read| read.node));
        }
    }
    region.order().into_iter().filter(|id| needed.contains(id)).collect()
}

/// Refuses states that follow from anything but the texts, what is the same in all turns, and each other. `place_of` says
/// which argument of the turn as it was an argument of the new one is; none is a state.
pub(super) fn check(
    graph: &Graph,
    nest: &Nest,
    turn: &Region,
    made: &[NodeId],
    place_of: impl Fn(usize) -> Option<usize>,
) -> Result<(), NotIncremental> {
    let (_, inner) = nest.loops(graph);
    for id in made {
        let node = turn.node(*id);
        let refuse = |reason: &str| Err(NotIncremental { path: node.path.clone(), reason: reason.into() });
        match &node.op {
            Op::Turn => return refuse("what earlier blocks mean changes from turn to turn"),
            Op::Draw(..) => return refuse("what earlier blocks mean is drawn anew in every turn"),
            Op::Argument(place) => {
                let Some(place) = place_of(*place) else { continue };
                let text = nest.texts.iter().any(|(own, _)| *own == place);
                let steady = place >= inner.carried + inner.sliced && nest.steady(graph, place).is_some();
                if !text && !steady {
                    return refuse("what earlier blocks mean follows from something that turns change");
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Copies nodes from one region into another; `known` says what stands for what there, and grows.
pub(super) fn copy(from: &Region, nodes: &[NodeId], into: &mut Region, known: &mut HashMap<Value, Value>) {
    for &id in nodes {
        if known.contains_key(&Value::of(id)) {
            continue;
        }
        let mut node = from.node(id).clone();
        node.map_reads(|read| known[&read]);
        let results = node.results.len() as u32;
        let new = into.insert(node);
        for result in 0..results {
            known.insert(Value { node: id, result }, Value { node: new, result });
        }
    }
}
