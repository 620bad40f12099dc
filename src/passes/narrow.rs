//! Factors of contractions are not repeated along axes that another factor has, nor masked where another one is.
//! `b = map x : [t, d, f]; y = contract[d](b, w[d, f])`  →  `y = contract[d](x[t, d], w[d, f])`
//!
//! A mask on a factor also goes if it does not speak of summed axes and every reader of the sum asks for it anyway.

use super::Pass;
use super::regions::each_region;
use crate::graph::{Graph, NodeId, Op, Region, Value};
use crate::tensor::{AxisId, Relation, Scalar, Term};

pub(super) struct Narrow;

impl Pass for Narrow {
    fn name(&self) -> &'static str {
        "narrow"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |_, region| rewrite(region))
    }
}

fn rewrite(region: &mut Region) -> bool {
    let mut changed = false;
    for id in region.order() {
        while let Some((place, narrow)) = narrower(region, id) {
            region.edit(id, |node| node.operands[place] = narrow);
            changed = true;
        }
    }
    changed
}

/// A factor of a contraction that may be read before it was repeated or masked.
fn narrower(region: &Region, id: NodeId) -> Option<(usize, Value)> {
    let node = region.node(id);
    let Op::Contract(summed) = &node.op else { return None };
    (0..node.operands.len()).find_map(|place| {
        let wide = node.operands[place];
        let made = region.node(wide.node);
        let narrow = match &made.op {
            Op::Map(scalar) if *scalar == Scalar::identity() => made.operands[0],
            _ => return None,
        };
        let (old, new) = (region.typed(wide), region.typed(narrow));
        let others = || node.operands.iter().enumerate().filter(|(other, _)| *other != place);
        let other_has = |axis: &AxisId| others().any(|(_, value)| region.typed(*value).ty.has(*axis));
        let covered = old.ty.axes.iter().all(|axis| new.ty.has(*axis) || other_has(axis));
        let masked = old.presence.relations.iter().filter(|relation| !new.presence.relations.contains(relation));
        let implied = masked.into_iter().all(|relation| {
            let known = |value: &Value| region.typed(*value).presence.relations.contains(relation);
            others().any(|(_, value)| known(value))
                || (!speaks_of(region, relation, summed) && is_asked_for(region, id, relation))
        });
        (old.ty.dtype == new.ty.dtype && covered && implied).then_some((place, narrow))
    })
}

/// Whether every reader of a node is present only where the relation holds.
fn is_asked_for(region: &Region, id: NodeId, relation: &Relation<Value>) -> bool {
    let given = region.results.iter().flatten().any(|result| result.node == id);
    let asks = |user: NodeId| {
        let node = region.node(user);
        matches!(node.op, Op::Map(_)) && node.results.iter().all(|typed| typed.presence.relations.contains(relation))
    };
    !given && region.users(id).into_iter().all(asks)
}

fn speaks_of(region: &Region, relation: &Relation<Value>, axes: &[AxisId]) -> bool {
    let own = match relation {
        Relation::AtLeastZero(affine) => affine.terms.iter().any(|(term, _)| match term {
            Term::Axis(axis) | Term::Quotient(axis, _) | Term::Remainder(axis, _) => axes.contains(axis),
            Term::Value(_) => false,
        }),
        Relation::Equal(axis, _) => axes.contains(axis),
        _ => false,
    };
    let read = |value: &&Value| region.typed(**value).ty.axes.iter().any(|axis| axes.contains(axis));
    own || relation.values().iter().any(read)
}
