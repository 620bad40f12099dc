//! What ranks first is found without a rank.
//! `first[v](v where rank[v](x) < 1)`  →  `min[v](v where max[v](x) <= x else |v| - 1)`
//! `first[v](f(v) where rank[v](x) < 1)`  →  `first[v](f(v) where max[v](x) <= x)`
//!
//! Of equal ones both take the first. As something always ranks first, the place of it is never absent, and nobody has to
//! look for it again.

use super::Pass;
use crate::graph::{Graph, Node, NodeId, Op, Region, Typed, Value};
use crate::model::Combine;
use crate::tensor::{Axes, AxisId, DType, Function, Presence, Relation, Scalar, ScalarStep, TensorType};
use std::collections::HashMap;

pub(super) struct Best;

impl Pass for Best {
    fn name(&self) -> &'static str {
        "best"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        let Graph { axes, root, .. } = graph;
        within(axes, root, &HashMap::new())
    }
}

/// Rewrites a region and those in it. `coordinates` says which of its arguments are coordinates, and along which axis.
fn within(axes: &Axes, region: &mut Region, coordinates: &HashMap<usize, AxisId>) -> bool {
    let mut changed = false;
    for id in region.ids() {
        let Op::For(repeat) = &region.node(id).op else { continue };
        let captured = repeat.carried + repeat.sliced;
        let operands = region.node(id).operands.iter().enumerate().skip(captured);
        let known = operands.filter_map(|(place, read)| Some((place, coordinate(region, *read, coordinates)?)));
        let known: HashMap<usize, AxisId> = known.collect();
        // Bodies read nothing of the outer region: its edges stay as they are.
        let Op::For(repeat) = region.op_mut(id) else { continue };
        for body in &mut repeat.bodies {
            changed |= within(axes, body, &known);
        }
    }
    region.ids().into_iter().fold(changed, |changed, id| rewrite(axes, region, id, coordinates) | changed)
}

/// The axis that a value is the coordinate along, however it is repeated along others.
fn coordinate(region: &Region, value: Value, coordinates: &HashMap<usize, AxisId>) -> Option<AxisId> {
    let node = region.node(value.node);
    match &node.op {
        Op::Coordinate(axis) => Some(*axis),
        Op::Argument(place) => coordinates.get(place).copied(),
        Op::Map(_) if region.typed(value).presence.is_always() => told_by(region, node, coordinates),
        _ => None,
    }
}

/// The axis that a map says the coordinate along, wherever it says something.
fn told_by(region: &Region, node: &Node, coordinates: &HashMap<usize, AxisId>) -> Option<AxisId> {
    let Op::Map(scalar) = &node.op else { return None };
    match scalar.steps.as_slice() {
        [ScalarStep::Coordinate(axis)] => Some(*axis),
        [ScalarStep::Operand(place)] => coordinate(region, node.operands[*place], coordinates),
        _ => None,
    }
}

fn rewrite(axes: &Axes, region: &mut Region, id: NodeId, coordinates: &HashMap<usize, AxisId>) -> bool {
    let Some((axis, ranked, place)) = first_of_best(region, id) else { return false };
    let node = region.node(id).clone();
    let old = node.operands[0];
    let is_best = add_best(region, axis, ranked, &node.path);
    let chosen = region.node(old.node);
    let plain = chosen.results[0].presence.relations.len() == 1;
    if let (true, Some(size @ 1..)) = (plain && told_by(region, chosen, coordinates) == Some(axis), axes.fixed(axis)) {
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
