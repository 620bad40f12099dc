//! A sum over a chosen few runs over their places in the ranking, not over all that could have been chosen.
//! `sum[e](u where rank[e](p) < n)`  →  `sum[c](u[e: who])`, with `who[c] = first[e](e where rank[e](p) == c)`, c in n
//!
//! What u is made of is read at `who` ([`translate`]): a map at its operands, a `for` along e whose turns carry nothing as
//! its body. So turns that were not chosen are not computed, and neither are their gradients. It fires where u comes
//! from such a `for`; a sum of cheap elements stays as it is.

mod translate;

use super::Pass;
use super::dead_code::DeadCode;
use crate::graph::{For, Graph, NodeId, Op, Region, Typed, Value};
use crate::model::Combine;
use crate::ops::{Typing, infer};
use crate::tensor::{Axes, AxisId, DType, Extent, Presence, Relation, Scalar, ScalarStep, TensorType};
use std::collections::HashSet;
use translate::Translation;

pub(super) struct Slots;

impl Pass for Slots {
    fn name(&self) -> &'static str {
        "slots"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        let changed = within(&mut graph.axes, &mut graph.root);
        // The old `for`s still read weights whole until they are gone, and `slices` would let them be.
        changed && {
            DeadCode.run(graph);
            true
        }
    }
}

fn within(axes: &mut Axes, region: &mut Region) -> bool {
    let mut changed = false;
    for id in region.order() {
        if let Some(found) = region.contains(id).then(|| chosen_sum(axes, region, id)).flatten() {
            changed |= rewrite(axes, region, id, &found);
        }
    }
    for id in region.ids() {
        if let Op::For(own) = region.op_mut(id) {
            // Bodies read nothing of the outer region: its edges stay as they are.
            let mut bodies = std::mem::take(&mut own.bodies);
            for body in &mut bodies {
                changed |= within(axes, body);
            }
            if let Op::For(own) = region.op_mut(id) {
                own.bodies = bodies;
            }
        }
    }
    changed
}

/// A bound on a rank in the presence of what is summed.
struct Found {
    /// The rank, over `axes`.
    rank: Value,
    axes: Vec<AxisId>,
    /// How many are chosen.
    count: i64,
}

/// The bound under which a sum is made, if it says more than the sizes do and the sum is worth it.
fn chosen_sum(axes: &Axes, region: &Region, id: NodeId) -> Option<Found> {
    let node = region.node(id);
    let (Op::Reduce(Combine::Sum, summed) | Op::Contract(summed)) = &node.op else { return None };
    let relations = node.operands.iter().flat_map(|operand| &region.typed(*operand).presence.relations);
    let bounds = relations.filter_map(|relation| bound_of(axes, region, relation));
    let inside = bounds.filter(|found| found.axes.iter().all(|axis| summed.contains(axis)));
    let found = inside.max_by_key(|found| found.axes.len())?;
    let worth = |value: &Value| comes_from_turns(region, *value, &found.axes, &mut HashSet::new());
    node.operands.iter().any(worth).then_some(found)
}

fn bound_of(axes: &Axes, region: &Region, relation: &Relation<Value>) -> Option<Found> {
    let Relation::Below { rank, bound } = relation else { return None };
    let (Op::Rank(ranked), Op::Constant(numbers)) = (&region.node(rank.node).op, &region.node(bound.node).op) else {
        return None;
    };
    let [count] = numbers.as_slice() else { return None };
    let all = ranked.iter().map(|axis| axes.fixed(*axis)).product::<Option<i64>>()?;
    let count = *count as i64;
    (count >= 1 && count < all).then(|| Found { rank: *rank, axes: ranked.clone(), count })
}

/// Whether a value is made, by maps, of what independent turns along one of the axes yield.
fn comes_from_turns(region: &Region, value: Value, axes: &[AxisId], seen: &mut HashSet<Value>) -> bool {
    if !seen.insert(value) {
        return false;
    }
    let node = region.node(value.node);
    match &node.op {
        Op::For(own) => axes.contains(&own.axis) && is_independent(own),
        Op::Map(_) | Op::Else => node.operands.iter().any(|operand| comes_from_turns(region, *operand, axes, seen)),
        _ => false,
    }
}

/// Whether the turns know nothing of each other and all do the same.
fn is_independent(own: &For) -> bool {
    own.carried == 0 && own.bodies.len() == 1 && own.turns.is_none() && !own.until
}

fn rewrite(axes: &mut Axes, region: &mut Region, id: NodeId, found: &Found) -> bool {
    let slot = axes.add("slot", Extent::Fixed(found.count));
    let who = places(axes, region, found, slot);
    let node = region.node(id).clone();
    let mut translation = Translation::new(axes, region, found, slot, who);
    let operands = node.operands.iter().map(|operand| translation.of(*operand)).collect::<Option<Vec<_>>>();
    let Some(operands) = operands else { return false };
    let summed = |list: &[AxisId]| {
        let kept = list.iter().copied().filter(|axis| !found.axes.contains(axis));
        kept.chain([slot]).collect::<Vec<_>>()
    };
    let op = match &node.op {
        Op::Reduce(combine, list) => Op::Reduce(*combine, summed(list)),
        Op::Contract(list) => Op::Contract(summed(list)),
        _ => return false,
    };
    let typing = Typing { axes, region };
    let Ok(types) = infer(&typing, &op, &operands, Some(&node.results[0].ty)) else { return false };
    let typed = Typed { ty: types[0].clone(), presence: node.results[0].presence.clone() };
    if typed.ty != node.results[0].ty {
        return false;
    }
    let new = region.add_one(op, operands, typed, node.path);
    region.replace(Value::of(id), new);
    true
}

/// For each ranked axis, where on it the one of each slot is.
fn places(axes: &Axes, region: &mut Region, found: &Found, slot: AxisId) -> Vec<(AxisId, Value)> {
    let rank = region.typed(found.rank).clone();
    let path = region.node(found.rank.node).path.clone();
    let all = axes.ordered(rank.ty.axes.iter().copied().chain([slot]));
    let left = all.iter().copied().filter(|axis| !found.axes.contains(axis)).collect::<Vec<_>>();
    let presence = rank.presence.and(&Presence { relations: vec![Relation::Equal(slot, found.rank)] });
    let filled = (!rank.presence.is_always()).then(|| {
        let yes = Scalar { steps: vec![ScalarStep::Number(1.0, DType::Bool)] };
        let typed = Typed { ty: TensorType { axes: all.clone(), dtype: DType::Bool }, presence: presence.clone() };
        let here = region.add_one(Op::Map(yes), [], typed, path.clone());
        let typed = Typed::always(TensorType { axes: left.clone(), dtype: DType::Bool });
        region.add_one(Op::Reduce(Combine::Any, found.axes.clone()), [here], typed, path.clone())
    });
    let mut where_filled = Presence::always();
    filled.into_iter().for_each(|filled| where_filled.require(Relation::Holds(filled)));
    let mut all_places = Vec::new();
    for axis in &found.axes {
        let coordinate = Scalar { steps: vec![ScalarStep::Coordinate(*axis)] };
        let typed = Typed { ty: TensorType { axes: all.clone(), dtype: DType::Int }, presence: presence.clone() };
        let candidates = region.add_one(Op::Map(coordinate), [], typed, path.clone());
        let typed = Typed { ty: TensorType { axes: left.clone(), dtype: DType::Int }, presence: where_filled.clone() };
        let first = Op::Reduce(Combine::First, found.axes.clone());
        all_places.push((*axis, region.add_one(first, [candidates], typed, path.clone())));
    }
    all_places
}
