//! What is computed element by element lies in memory as what it is computed from, so that both are walked in one order.
//! `y = map x[t, h, m], w[m] : [t, m, h]`  →  `y = map x[t, h, m], w[m] : [t, h, m]`
//!
//! A block over the last axis of its input writes that axis in front of those that ride along; this takes it back. Only
//! axes of fixed sizes change places, and only where all operands that have every one of them agree. Results of
//! regions, what loops are given and what is scattered stay as they are; a sum of products that is no matrix product,
//! such as the gradient of a filter, goes as its operands lie and is turned afterwards.

use super::Pass;
use super::regions::each_region;
use crate::graph::{Graph, NodeId, Op, Region, Value};
use crate::ops::is_of_matrices;
use crate::tensor::{Axes, AxisId, Scalar};
use std::collections::HashSet;

pub(super) struct Order;

impl Pass for Order {
    fn name(&self) -> &'static str {
        "order"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut rewrite)
    }
}

fn rewrite(axes: &Axes, region: &mut Region) -> bool {
    let given = handed_on(region);
    let mut changed = false;
    for id in region.order() {
        let Some(order) = agreed(axes, region, id) else { continue };
        if !given.contains(&id) {
            region.edit(id, |node| node.results[0].ty.axes = order);
            changed = true;
        } else if matches!(region.node(id).op, Op::Contract(_)) {
            turn_afterwards(region, id, order);
            changed = true;
        }
    }
    changed
}

/// Sums in another order of axes; the node itself becomes the same value in its own order.
fn turn_afterwards(region: &mut Region, id: NodeId, order: Vec<AxisId>) {
    let mut sum = region.node(id).clone();
    sum.results[0].ty.axes = order;
    let sum = Value::of(region.insert(sum));
    region.edit(id, |node| {
        node.op = Op::Map(Scalar::identity());
        node.operands = vec![sum];
    });
}

/// What leaves a region, goes into a loop, or is taken to places of another value: that is walked as the other one lies.
fn handed_on(region: &Region) -> HashSet<NodeId> {
    let takes = |op: &Op| matches!(op, Op::For(_) | Op::Scatter(_) | Op::Write(_));
    let takers = region.ids().into_iter().map(|id| region.node(id)).filter(|node| takes(&node.op));
    let taken = takers.flat_map(|node| node.operands.clone());
    taken.chain(region.results.iter().flatten().copied()).map(|value| value.node).collect()
}

/// The order of a node's axes that its operands have, if it is another one.
fn agreed(axes: &Axes, region: &Region, id: NodeId) -> Option<Vec<AxisId>> {
    let node = region.node(id);
    match node.op {
        Op::Contract(_) if is_of_matrices(region, id) => return None,
        Op::Map(_) | Op::Else | Op::Reduce(..) | Op::Contract(_) | Op::Stop | Op::Peek => {}
        _ => return None,
    }
    let own = &node.results.first()?.ty.axes;
    let fixed = own.iter().copied().filter(|axis| axes.fixed(*axis).is_some()).collect::<Vec<_>>();
    let mut orders = node.operands.iter().filter_map(|&operand| order_in(region, operand, &fixed));
    let wished = orders.next().filter(|wished| *wished != fixed)?;
    if orders.any(|other| other != wished) {
        return None;
    }
    let mut wished = wished.into_iter();
    own.iter().map(|axis| if fixed.contains(axis) { wished.next() } else { Some(*axis) }).collect()
}

/// Some axes in the order of a value that has all of them.
fn order_in(region: &Region, value: Value, axes: &[AxisId]) -> Option<Vec<AxisId>> {
    let own = &region.typed(value).ty.axes;
    let order = own.iter().copied().filter(|axis| axes.contains(axis)).collect::<Vec<_>>();
    (order.len() == axes.len()).then_some(order)
}
