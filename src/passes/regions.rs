//! Runs a rewrite on every region of a graph, inner ones first.

use crate::graph::{Graph, Op, Region};
use crate::tensor::Axes;

/// Whether the rewrite changed any region.
pub(super) fn each_region(graph: &mut Graph, rewrite: &mut dyn FnMut(&Axes, &mut Region) -> bool) -> bool {
    let Graph { axes, root, .. } = graph;
    within(axes, root, rewrite)
}

fn within(axes: &Axes, region: &mut Region, rewrite: &mut dyn FnMut(&Axes, &mut Region) -> bool) -> bool {
    let mut changed = false;
    for id in region.ids() {
        if !matches!(region.node(id).op, Op::For(_)) {
            continue;
        }
        // Bodies read nothing of the outer region: its edges stay as they are.
        let mut bodies = std::mem::take(bodies_of(region, id));
        for body in &mut bodies {
            changed |= within(axes, body, rewrite);
        }
        *bodies_of(region, id) = bodies;
    }
    changed | rewrite(axes, region)
}

fn bodies_of(region: &mut Region, id: crate::graph::NodeId) -> &mut Vec<Region> {
    match region.op_mut(id) {
        Op::For(own) => &mut own.bodies,
        _ => unreachable!("only asked for a `for`"),
    }
}
