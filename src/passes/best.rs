//! What ranks first is found without a rank.
//! `first[v](f(v) where rank[v](x) < 1)`  →  `first[v](f(v) where max[v](x) <= x)`
//!
//! Of equal ones both take the first.

use super::Pass;
use super::regions::each_region;
use crate::graph::{Graph, NodeId, Op, Region, Typed, Value};
use crate::model::Combine;
use crate::tensor::{AxisId, DType, Function, Presence, Relation, Scalar, TensorType};

pub(super) struct Best;

impl Pass for Best {
    fn name(&self) -> &'static str {
        "best"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |_, region| {
            region.ids().into_iter().fold(false, |changed, id| rewrite(region, id) | changed)
        })
    }
}

fn rewrite(region: &mut Region, id: NodeId) -> bool {
    let Some((axis, ranked, place)) = first_of_best(region, id) else { return false };
    let node = region.node(id).clone();
    let old = node.operands[0];
    let ty = region.typed(ranked).ty.clone();
    let most = Typed::always(ty.without(&[axis]));
    let most = region.add_one(Op::Reduce(Combine::Maximum, vec![axis]), [ranked], most, node.path.clone());
    let flag = Typed::always(TensorType::new(ty.axes, DType::Bool));
    let is_best = Op::Map(Scalar::function(Function::LessEqual));
    let is_best = region.add_one(is_best, [most, ranked], flag, node.path);
    let mut chosen = region.node(old.node).clone();
    let mut presence = Presence::always();
    for (at, relation) in chosen.results[0].presence.relations.iter().enumerate() {
        presence.require(if at == place { Relation::Holds(is_best) } else { relation.clone() });
    }
    chosen.results[0].presence = presence;
    let chosen = Value::of(region.insert(chosen));
    region.edit(id, |node| node.operands = vec![chosen]);
    true
}

/// The axis, what is ranked, and the place of the relation that says `rank < 1`.
fn first_of_best(region: &Region, id: NodeId) -> Option<(AxisId, Value, usize)> {
    let node = region.node(id);
    let (Op::Reduce(Combine::First, axes), [operand]) = (&node.op, node.operands.as_slice()) else { return None };
    let ([axis], Op::Map(_)) = (axes.as_slice(), &region.node(operand.node).op) else { return None };
    let relations = &region.typed(*operand).presence.relations;
    let one = |bound: &Value| matches!(&region.node(bound.node).op, Op::Constant(numbers) if *numbers == [1.0]);
    relations.iter().enumerate().find_map(|(place, relation)| {
        let Relation::Below { rank, bound } = relation else { return None };
        let ranking = region.node(rank.node);
        let (Op::Rank(along), [ranked]) = (&ranking.op, ranking.operands.as_slice()) else { return None };
        let plain = region.typed(*ranked).presence.is_always() && region.typed(*rank).presence.is_always();
        (along.as_slice() == [*axis] && one(bound) && plain).then_some((*axis, *ranked, place))
    })
}
