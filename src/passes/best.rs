//! What ranks first is found without a rank.
//! `first[v](v where rank[v](x) < 1)`  →  `min[v](v where max[v](x) <= x else |v| - 1)`
//! `first[v](f(v) where rank[v](x) < 1)`  →  `first[v](f(v) where max[v](x) <= x)`
//!
//! Of equal ones both take the first. As something always ranks first, the place of it is never absent, and nobody has to
//! look for it again.

use super::Pass;
use super::coordinates::{Handed, each_node, formula};
use crate::graph::{Graph, Node, NodeId, Op, Region, Typed, Value};
use crate::model::Combine;
use crate::tensor::{Axes, AxisId, DType, Function, Presence, Relation, Scalar, ScalarStep, TensorType};

pub(super) struct Best;

impl Pass for Best {
    fn name(&self) -> &'static str {
        "best"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_node(graph, &rewrite)
    }
}

/// The axis that a map says the coordinate along, wherever it says something.
fn told_by(region: &Region, node: &Node, handed: &Handed) -> Option<AxisId> {
    let Op::Map(scalar) = &node.op else { return None };
    let said = match scalar.steps.as_slice() {
        [ScalarStep::Operand(place)] => formula(region, node.operands[*place], handed)?,
        _ => scalar.clone(),
    };
    match said.steps.as_slice() {
        [ScalarStep::Coordinate(axis)] => Some(*axis),
        _ => None,
    }
}

fn rewrite(axes: &Axes, region: &mut Region, id: NodeId, handed: &Handed) -> bool {
    let Some((axis, ranked, place)) = first_of_best(region, id) else { return false };
    let node = region.node(id).clone();
    let old = node.operands[0];
    let is_best = add_best(region, axis, ranked, &node.path);
    let chosen = region.node(old.node);
    let plain = chosen.results[0].presence.relations.len() == 1;
    if let (true, Some(size @ 1..)) = (plain && told_by(region, chosen, handed) == Some(axis), axes.fixed(axis)) {
        let first = add_place(region, (axis, size), is_best, &node.path);
        region.edit(id, |node| {
            node.op = Op::Map(Scalar::identity());
            node.operands = vec![first];
        });
        return true;
    }
    let chosen = instead(region, old, place, is_best);
    region.edit(id, |node| node.operands = vec![chosen]);
    true
}

/// Whether nothing along the axis is larger.
fn add_best(region: &mut Region, axis: AxisId, ranked: Value, path: &str) -> Value {
    let ty = region.typed(ranked).ty.clone();
    let most = Typed::always(ty.without(&[axis]));
    let most = region.add_one(Op::Reduce(Combine::Maximum, vec![axis]), [ranked], most, path);
    let flag = Typed::always(TensorType::new(ty.axes, DType::Bool));
    region.add_one(Op::Map(Scalar::function(Function::LessEqual)), [most, ranked], flag, path)
}

/// The smallest coordinate at which something holds, which it does somewhere.
fn add_place(region: &mut Region, (axis, size): (AxisId, i64), holds: Value, path: &str) -> Value {
    let int = |axes: Vec<AxisId>| Typed::always(TensorType::new(axes, DType::Int));
    let all = region.typed(holds).ty.axes.clone();
    let own = region.add_one(Op::Coordinate(axis), [], int(vec![axis]), path);
    let last = region.add_one(Op::Constant(vec![(size - 1) as f64]), [], int(vec![]), path);
    let either = Op::Map(Scalar::function(Function::Select));
    let either = region.add_one(either, [holds, own, last], int(all.clone()), path);
    let rest = all.into_iter().filter(|other| *other != axis).collect();
    region.add_one(Op::Reduce(Combine::Minimum, vec![axis]), [either], int(rest), path)
}

/// The same value where another relation holds in place of one of its own.
fn instead(region: &mut Region, old: Value, place: usize, holds: Value) -> Value {
    let mut chosen = region.node(old.node).clone();
    let mut presence = Presence::always();
    for (at, relation) in chosen.results[0].presence.relations.iter().enumerate() {
        presence.require(if at == place { Relation::Holds(holds) } else { relation.clone() });
    }
    chosen.results[0].presence = presence;
    Value::of(region.insert(chosen))
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
