//! Algebra, constant folding, and nodes that say nothing.
//! `c = 2; y = x * c; z = y + 0; w = z * 1`  →  `w = x * 2`
//!
//! Numbers and coordinates move into the maps that read them; a map that changes nothing goes; an index of an index
//! becomes one; an axis that is merged to be split again stays split.

mod index;
mod scalar;
mod split;
mod through;

use super::Pass;
use super::regions::each_region;
use crate::graph::{Graph, Node, NodeId, Op, Region, Value};
use crate::ops::with_read_operands;
use crate::tensor::{Axes, Scalar, ScalarStep};

pub(super) struct Simplify;

impl Pass for Simplify {
    fn name(&self) -> &'static str {
        "simplify"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |axes, region| {
            let order = region.order();
            let mut changed = false;
            for id in order {
                while rewrite(axes, region, id) {
                    changed = true;
                }
            }
            changed
        })
    }
}

/// One step on one node; its users see the result.
fn rewrite(axes: &Axes, region: &mut Region, id: NodeId) -> bool {
    if !region.contains(id) {
        return false;
    }
    let node = region.node(id);
    match &node.op {
        Op::Map(_) => {
            inline_leaves(region, id)
                || simplify_scalar(region, id)
                || become_constant(region, id)
                || skip(region, id)
                || through::rewrite(region, id)
        }
        Op::Else => drop_else(region, id),
        Op::Contract(_) => through::rewrite(region, id),
        Op::Index(_) => index::rewrite(axes, region, id) || split::rewrite(axes, region, id),
        _ => false,
    }
}

/// Numbers and coordinates that a map reads become steps of it.
fn inline_leaves(region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let leaves = node.operands.iter().map(|operand| leaf_step(region.node(operand.node))).collect::<Vec<_>>();
    let Op::Map(scalar) = &node.op else { return false };
    if leaves.iter().all(Option::is_none) {
        return false;
    }
    let steps = scalar.steps.iter().map(|step| match step {
        ScalarStep::Operand(place) => leaves[*place].clone().unwrap_or_else(|| step.clone()),
        other => other.clone(),
    });
    let scalar = Scalar { steps: steps.collect() };
    // An operand that no step reads still decides presence.
    let unread = |place: &usize| leaves[*place].is_none();
    let kept = (0..node.operands.len()).filter(unread).collect::<Vec<_>>();
    let places = |place: usize| kept.iter().position(|kept| *kept == place).unwrap_or(0);
    let steps = scalar.steps.into_iter().map(|step| match step {
        ScalarStep::Operand(place) => ScalarStep::Operand(places(place)),
        other => other,
    });
    let scalar = Scalar { steps: steps.collect() };
    region.edit(id, |node| {
        node.operands = kept.iter().map(|place| node.operands[*place]).collect();
        node.op = Op::Map(scalar);
    });
    true
}

fn leaf_step(node: &Node) -> Option<ScalarStep> {
    let typed = node.results.first()?;
    if !typed.presence.is_always() {
        return None;
    }
    match &node.op {
        Op::Constant(numbers) if typed.ty.axes.is_empty() => Some(ScalarStep::Number(numbers[0], typed.ty.dtype)),
        Op::Coordinate(axis) => Some(ScalarStep::Coordinate(*axis)),
        _ => None,
    }
}

fn simplify_scalar(region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let Op::Map(before) = &node.op else { return false };
    let dtypes = node.operands.iter().map(|operand| region.typed(*operand).ty.dtype).collect::<Vec<_>>();
    let after = scalar::simplify(before, &dtypes);
    // Operands that no step reads go, if they say nothing about presence beyond what is recorded.
    let (numbered, read) = with_read_operands(&after);
    let own = &node.results[0].presence;
    let silent = (0..node.operands.len()).filter(|place| !read.contains(place)).all(|place| {
        let theirs = &region.typed(node.operands[place]).presence;
        theirs.relations.iter().all(|relation| own.relations.contains(relation))
    });
    if silent && (numbered != *before || read.len() < node.operands.len()) {
        let operands = read.iter().map(|place| node.operands[*place]).collect::<Vec<_>>();
        region.edit(id, |node| {
            node.op = Op::Map(numbered);
            node.operands = operands;
        });
        return true;
    }
    if after != *before && !silent {
        region.edit(id, |node| node.op = Op::Map(after));
        return true;
    }
    false
}

/// A map that is one number without axes is a constant.
fn become_constant(region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let Op::Map(scalar) = &node.op else { return false };
    let [ScalarStep::Number(number, _)] = scalar.steps[..] else { return false };
    let typed = &node.results[0];
    if !typed.ty.axes.is_empty() || !typed.presence.is_always() || !node.operands.is_empty() {
        return false;
    }
    region.edit(id, |node| node.op = Op::Constant(vec![number]));
    true
}

/// An identity of the same type and presence is its operand.
fn skip(region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let ([operand], true) = (&node.operands[..], node.op_is_identity()) else { return false };
    let operand = *operand;
    if region.typed(operand) != &node.results[0] {
        return false;
    }
    region.replace(Value::of(id), operand);
    region.remove(id)
}

impl Node {
    fn op_is_identity(&self) -> bool {
        matches!(&self.op, Op::Map(scalar) if *scalar == Scalar::identity())
    }
}

/// What is present everywhere needs no second choice.
fn drop_else(region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let first = node.operands[0];
    if !region.typed(first).presence.is_always() {
        return false;
    }
    region.edit(id, |node| {
        node.op = Op::Map(Scalar::identity());
        node.operands = vec![first];
    });
    true
}
