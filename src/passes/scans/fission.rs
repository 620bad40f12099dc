//! Splits a `for` by what depends on what: a carried value that never looks at another one is known before the other.
//! `for t { m = max(m, x); S = exp(-m) S + k }`  →  `for t { m = max(m, x) }  for t { S = exp(-m[t]) S + k }`
//!
//! In: a `for` over a sequence. Out: one `for` for each level of dependence, the same values. To a later level the
//! earlier carried values are given numbers of each turn, so that its update may be linear where the whole was not: a
//! running maximum that keeps exponentials small, a gate with a memory.

use super::super::dead_code::remove_unread;
use super::Form;
use super::range::Range;
use super::report::decide;
use crate::graph::{For, Node, NodeId, Op, Region, Typed, Value};
use crate::ops::stacked;
use crate::tensor::Axes;
use std::collections::HashMap;

/// Splits a `for` of a region. Returns the new ones, earlier levels first; nothing if there is only one level.
pub(super) fn split(region: &mut Region, id: NodeId) -> Option<Vec<NodeId>> {
    let node = region.node(id).clone();
    let Op::For(repeat) = &node.op else { return None };
    if repeat.until || repeat.bodies.len() != 1 {
        return None;
    }
    let levels = levels_of(repeat);
    let last = levels.iter().copied().max().filter(|last| *last > 0)?;
    // What carried values are before every turn, once their level is done.
    let mut before = Vec::new();
    let mut made = Vec::new();
    for level in 0..=last {
        let own = (0..repeat.carried).filter(|place| levels[*place] == level).collect::<Vec<_>>();
        let new = one_level(region, &node, repeat, &own, &before, level == last);
        for (number, place) in own.iter().enumerate() {
            region.replace(result(id, *place), result(new, number));
            before.push((*place, result(new, own.len() + number)));
        }
        if level == last {
            let yields = repeat.carried..node.results.len();
            yields.for_each(|place| region.replace(result(id, place), result(new, own.len() + place - repeat.carried)));
        }
        made.push(new);
    }
    region.remove(id);
    Some(made)
}

fn result(node: NodeId, place: usize) -> Value {
    Value { node, result: place as u32 }
}

/// How many steps of dependence lie before each carried value; those that depend on each other share a level.
fn levels_of(repeat: &For) -> Vec<usize> {
    let reached = reached(repeat);
    let all = 0..repeat.carried;
    let earlier = |place: usize| {
        let reached = &reached;
        all.clone().filter(move |other| reached[place][*other] && !reached[*other][place])
    };
    let mut levels = vec![0; repeat.carried];
    // Those of a circle see the same earlier ones; a chain of levels is never longer than there are carried values.
    for _ in all.clone() {
        for place in all.clone() {
            levels[place] = earlier(place).map(|other| levels[other] + 1).max().unwrap_or(0);
        }
    }
    levels
}

/// Which carried values the update of each one looks at, however indirectly.
fn reached(repeat: &For) -> Vec<Vec<bool>> {
    let body = &repeat.bodies[0];
    let mut seen: HashMap<NodeId, Vec<bool>> = HashMap::new();
    for id in body.order() {
        let node = body.node(id);
        let mut own = vec![false; repeat.carried];
        if let Op::Argument(place) = node.op
            && place < repeat.carried
        {
            own[place] = true;
        }
        for read in node.reads() {
            own.iter_mut().zip(&seen[&read.node]).for_each(|(own, seen)| *own |= *seen);
        }
        seen.insert(id, own);
    }
    let of = |place: usize| body.results[place].map_or(vec![false; repeat.carried], |value| seen[&value.node].clone());
    let mut reached = (0..repeat.carried).map(of).collect::<Vec<_>>();
    for middle in 0..repeat.carried {
        let onward = reached[middle].clone();
        for from in reached.iter_mut().filter(|from| from[middle]) {
            from.iter_mut().zip(&onward).for_each(|(own, more)| *own |= *more);
        }
    }
    reached
}

/// The `for` of one level: it carries its own, is given slices of earlier ones, and yields what its own are before each
/// turn; the last yields what the whole did.
fn one_level(
    region: &mut Region,
    node: &Node,
    repeat: &For,
    own: &[usize],
    before: &[(usize, Value)],
    last: bool,
) -> NodeId {
    let mut body = repeat.bodies[0].clone();
    let argument = |place: usize| {
        let is_it = |id: &NodeId| matches!(repeat.bodies[0].node(*id).op, Op::Argument(own) if own == place);
        repeat.bodies[0].ids().into_iter().find(is_it).map(Value::of)
    };
    let mut results = own.iter().map(|place| body.results[*place]).collect::<Vec<_>>();
    let mut types = own.iter().map(|place| node.results[*place].clone()).collect::<Vec<_>>();
    if last {
        results.extend_from_slice(&body.results[repeat.carried..]);
        types.extend_from_slice(&node.results[repeat.carried..]);
    } else {
        for place in own {
            let ty = region.typed(node.operands[*place]).ty.clone();
            let known = argument(*place);
            let known = known.unwrap_or_else(|| body.add_one(Op::Argument(*place), [], Typed::always(ty.clone()), ""));
            results.push(Some(known));
            types.push(Typed::always(stacked(&ty, repeat.axis)));
        }
    }
    body.results = results;
    remove_unread(&mut body);
    let sliced = repeat.carried..repeat.carried + repeat.sliced;
    let mut order = own.iter().copied().chain(sliced).collect::<Vec<_>>();
    order.extend(before.iter().map(|(place, _)| *place));
    order.extend(repeat.carried + repeat.sliced..node.operands.len());
    for id in body.ids() {
        if let Op::Argument(place) = body.node(id).op {
            let new = order.iter().position(|old| *old == place).unwrap_or(place);
            *body.op_mut(id) = Op::Argument(new);
        }
    }
    let given = |place: &usize| match before.iter().find(|(old, _)| old == place) {
        Some((_, value)) => *value,
        None => node.operands[*place],
    };
    let operands = order.iter().map(given).collect::<Vec<_>>();
    let sliced = repeat.sliced + before.len();
    let op = For { carried: own.len(), sliced, bodies: vec![body], ..repeat.clone() };
    region.add(Op::For(op), operands, types, node.path.clone())
}

/// The region with a `for` split that has no chunkwise form as a whole, if some level then is made chunkwise.
pub(super) fn divided(
    axes: &Axes,
    region: &Region,
    id: NodeId,
    arguments: &[Range],
    form: Form,
) -> Option<(Region, Vec<NodeId>)> {
    let mut region = region.clone();
    let levels = split(&mut region, id)?;
    let is_chunked = |id: &NodeId| decide(axes, &region, *id, arguments, form).is_some_and(|it| it.chunk.is_some());
    levels.iter().any(is_chunked).then_some((region, levels))
}
