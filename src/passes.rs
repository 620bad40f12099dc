//! Graph to graph: what every program gains before it is planned.
//!
//! In: a graph. Out: a verified graph of the same meaning. A pass is one file that opens with what it rewrites; the
//! order stands here. Each is run on the root and on every body, innermost first.

mod constants;
mod contract;
mod yields;

use crate::fault::Bug;
use crate::graph::{Graph, NodeId, Op, Region};
use crate::ops::Verified;
use crate::tensor::Axes;

/// Rewrites one region, whose bodies are done.
type Pass = fn(&Axes, &mut Region);

/// All passes by name, in order.
const PASSES: [(&str, Pass); 2] = [("constants", constants::run), ("contract", contract::run)];

/// Runs all passes.
///
/// # Errors
/// The pass that broke a guarantee of graphs, by name.
pub fn optimize(mut graph: Graph) -> Result<Verified<Graph>, Bug> {
    for (name, pass) in PASSES {
        let Graph { axes, root, .. } = &mut graph;
        everywhere(axes, root, pass);
        remove_dead(&mut graph.root);
        graph.verify().map_err(|bug| bug.detail(format!("after the pass {name}")))?;
    }
    graph.verified()
}

fn everywhere(axes: &Axes, region: &mut Region, pass: Pass) {
    for id in region.ids() {
        if matches!(region.node(id).op, Op::For(_)) {
            region.edit(id, |node| {
                if let Op::For(inner) = &mut node.op {
                    inner.bodies.iter_mut().for_each(|body| everywhere(axes, body, pass));
                }
            });
        }
    }
    pass(axes, region);
}

/// Removes what no result depends on.
fn remove_dead(region: &mut Region) {
    let order = region.order();
    for id in order.into_iter().rev() {
        if !is_handed_in(region, id) && region.remove(id) {
            continue;
        }
        if region.contains(id) && matches!(region.node(id).op, Op::For(_)) {
            yields::trim(region, id);
            region.edit(id, |node| {
                if let Op::For(inner) = &mut node.op {
                    inner.bodies.iter_mut().for_each(remove_dead);
                }
            });
        }
    }
}

/// Inputs stay: callers bring them whether they are read or not.
fn is_handed_in(region: &Region, id: NodeId) -> bool {
    matches!(region.node(id).op, Op::Input(_))
}
