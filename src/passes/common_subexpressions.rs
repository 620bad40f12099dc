//! Computes equal things once.
//! `a = exp x; b = exp x; c = a + b`  →  `a = exp x; c = a + a`
//!
//! Equal are nodes of one operation, equal operands, types and presence. Draws too: their numbers depend on their path.
//! Two `for`s are equal if their bodies are, whatever their nodes are numbered: a model that is asked twice about the same
//! data runs once.

use super::Pass;
use super::regions::each_region;
use crate::graph::{For, Graph, Node, NodeId, Op, Region, Value};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

pub(super) struct CommonSubexpressions;

impl Pass for CommonSubexpressions {
    fn name(&self) -> &'static str {
        "common-subexpressions"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |_, region| merge(region))
    }
}

fn merge(region: &mut Region) -> bool {
    let mut known: HashMap<String, NodeId> = HashMap::new();
    let mut changed = false;
    for id in region.order() {
        match known.entry(key_of(region.node(id))) {
            Entry::Occupied(first) => {
                for result in 0..region.node(id).results.len() as u32 {
                    region.replace(Value { node: id, result }, Value { node: *first.get(), result });
                }
                changed |= region.remove(id);
            }
            Entry::Vacant(place) => {
                place.insert(id);
            }
        }
    }
    changed
}

/// Everything about a node but its path.
fn key_of(node: &Node) -> String {
    let op = match &node.op {
        Op::For(repeat) => key_of_turns(repeat),
        op => format!("{op:?}"),
    };
    format!("{op} {:?} {:?}", node.operands, node.results)
}

/// Everything about a `for` but its label.
fn key_of_turns(repeat: &For) -> String {
    let For { axis, reverse, carried, sliced, bodies, turns, tracks, stacks, until, label: _ } = repeat;
    let bodies = bodies.iter().map(key_of_body).collect::<Vec<_>>();
    format!("for {axis:?} {reverse} {carried} {sliced} {turns:?} {tracks:?} {stacks:?} {until} {bodies:?}")
}

/// A body, its nodes numbered by the order in which they can be evaluated.
fn key_of_body(body: &Region) -> String {
    let order = body.order();
    let numbers = order.iter().enumerate().map(|(number, id)| (*id, NodeId::new(number))).collect::<HashMap<_, _>>();
    let numbered = |value: Value| Value { node: numbers[&value.node], ..value };
    let mut key = String::new();
    for id in &order {
        let mut node = body.node(*id).clone();
        node.map_reads(numbered);
        key += &key_of(&node);
        key.push('\n');
    }
    let results = body.results.iter().map(|result| result.map(numbered)).collect::<Vec<_>>();
    format!("{key}{results:?}")
}
