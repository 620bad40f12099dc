//! Computes before a `for` what is the same in every turn.
//! `for i { yield y = x * cos(angle) }`  →  `c = cos(angle); for i { yield y = x * c }`
//!
//! Moved are nodes of a body that read only captured values and what was moved before them, unless all that they read
//! is constants: those are cheaper to make again than to hand in. A draw stays, as its number depends on the turn. A
//! value whose presence reads something of the body stays too.

use super::Pass;
use crate::graph::{For, Graph, Node, NodeId, Op, Region, Value};
use crate::tensor::Axes;
use std::collections::HashMap;

pub(super) struct Hoist;

impl Pass for Hoist {
    fn name(&self) -> &'static str {
        "hoist"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        let Graph { axes, root, .. } = graph;
        hoist_all(axes, root)
    }
}

fn hoist_all(axes: &Axes, region: &mut Region) -> bool {
    let mut changed = false;
    for id in region.order() {
        let node = region.node(id).clone();
        let Op::For(mut repeat) = node.op.clone() else { continue };
        let mut moved = false;
        for body in &mut repeat.bodies {
            moved |= hoist_all(axes, body);
        }
        let mut operands = node.operands.clone();
        for place in 0..repeat.bodies.len() {
            moved |= hoist(axes, region, &mut repeat, place, &mut operands);
        }
        if moved {
            region.edit(id, |node| {
                node.op = Op::For(repeat);
                node.operands = operands;
            });
            changed = true;
        }
    }
    changed
}

/// Moves out of one body what does not depend on the turn.
fn hoist(axes: &Axes, outer: &mut Region, repeat: &mut For, place: usize, operands: &mut Vec<Value>) -> bool {
    let captured = repeat.carried + repeat.sliced;
    let body = &mut repeat.bodies[place];
    let movable = movable(axes, body, captured);
    let edge = edge_of(body, &movable);
    if edge.is_empty() {
        return false;
    }
    let mut outside: HashMap<Value, Value> = HashMap::new();
    for id in body.order().into_iter().filter(|id| movable.contains_key(id)) {
        let node = body.node(id).clone();
        let made = match node.op {
            Op::Argument(place) => operands[place],
            _ => Value::of(copy_out(outer, node, &outside)),
        };
        outside.insert(Value::of(id), made);
    }
    for id in edge {
        let node = body.node(id).clone();
        let value = Value::of(id);
        let argument = Node { op: Op::Argument(operands.len()), operands: vec![], ..node };
        operands.push(outside[&value]);
        let new = Value::of(body.insert(argument));
        body.replace(value, new);
    }
    true
}

fn copy_out(outer: &mut Region, mut node: Node, outside: &HashMap<Value, Value>) -> NodeId {
    node.map_reads(|value| outside[&value]);
    outer.insert(node)
}

/// The nodes that could stand outside; true for those that are worth it.
fn movable(axes: &Axes, body: &Region, captured: usize) -> HashMap<NodeId, bool> {
    let mut movable = HashMap::new();
    for id in body.order() {
        let node = body.node(id);
        let reads = node.reads();
        let worth = match &node.op {
            Op::Argument(place) if *place >= captured => Some(false),
            Op::Constant(_) | Op::Coordinate(_) | Op::Length(_) | Op::Setting(_) => Some(false),
            Op::Argument(_) | Op::Turn | Op::Draw(..) | Op::For(_) | Op::Input(_) | Op::Parameter(_) => None,
            // Nothing that lies along two sequences is kept for the whole loop.
            _ if node.results[0].ty.axes.iter().filter(|axis| axes.is_sequence(**axis)).count() > 1 => None,
            _ => reads.iter().all(|read| movable.contains_key(&read.node)).then(|| is_work(node)),
        };
        if let Some(worth) = worth {
            movable.insert(id, worth);
        }
    }
    movable
}

/// Whether handing the value in is cheaper than making it in every turn.
fn is_work(node: &Node) -> bool {
    use crate::tensor::ScalarStep;
    match &node.op {
        Op::Map(scalar) => {
            let calls = scalar.steps.iter().filter(|step| matches!(step, ScalarStep::Call(..)));
            calls.count() > 0 && !node.results[0].ty.axes.is_empty() && node.results[0].presence.is_always()
        }
        Op::Stop | Op::Peek => false,
        Op::Index(places) if places.iter().all(|(_, place)| place.values().next().is_none()) => false,
        _ => node.results[0].presence.is_always(),
    }
}

/// Movable nodes worth it that something in the body reads which cannot move.
fn edge_of(body: &Region, movable: &HashMap<NodeId, bool>) -> Vec<NodeId> {
    let is_read_inside = |id: NodeId| {
        body.users(id).iter().any(|user| !movable.get(user).copied().unwrap_or(false))
            || body.results.contains(&Some(Value::of(id)))
    };
    body.order().into_iter().filter(|id| movable.get(id) == Some(&true) && is_read_inside(*id)).collect()
}
