//! Values that are changed in their own memory, turn by turn.
//!
//! `y = write(x, …)`, `for (s = x) { … }`, `for { yield s = write(s[turn], …) }`: if nobody else reads x, the new value
//! takes its memory, and what stays as it was is never copied. So what turns of a sampler keep costs what they write.
//! A state has one memory before and after a call: where others read the old, the new is written when they have.

use super::lowering::Scope;
use super::place::View;
use super::schedule::Planner;
use crate::graph::{For, NodeId, Op, Region, Value};
use crate::ops::yields_of;
use crate::tensor::{Extent, Relation, Scalar};

/// Whether others read what a node writes over: a state may be in the same memory before and after.
pub(super) fn is_read_beside(region: &Region, id: NodeId) -> bool {
    let node = region.node(id);
    let reads = |user: &NodeId| *user != id && region.node(*user).reads().contains(&node.operands[0]);
    matches!(node.op, Op::Write(_)) && region.users(node.operands[0].node).iter().any(reads)
}

/// Whether such a node can wait until all others are done, since none of them reads what it makes.
pub(super) fn is_written_last(region: &Region, id: NodeId) -> bool {
    is_read_beside(region, id) && region.users(id).is_empty()
}

/// A value that is new where something holds, and elsewhere the old one.
pub(super) struct Kept {
    pub(super) new: Value,
    pub(super) holds: Value,
    pub(super) old: Value,
}

/// What a value is made of, if it is `new where holds else old`.
pub(super) fn kept_where(region: &Region, value: Value) -> Option<Kept> {
    let node = region.node(value.node);
    let (Op::Else, [new, old]) = (&node.op, node.operands.as_slice()) else { return None };
    let first = region.node(new.node);
    let (Op::Map(scalar), [own]) = (&first.op, first.operands.as_slice()) else { return None };
    let [Relation::Holds(holds)] = first.results[0].presence.relations.as_slice() else { return None };
    let plain = *scalar == Scalar::identity() && region.typed(*own).presence.is_always();
    plain.then_some(Kept { new: *own, holds: *holds, old: *old })
}

/// The carried results of a body that multiplies which are their old values in places: they are changed where they lie.
pub(super) fn changed_in_places(repeat: &For, body: &Region) -> Vec<Value> {
    let changed = |place: &usize| {
        let result = body.results[*place]?;
        let Kept { new, holds, old } = kept_where(body, result)?;
        let made = |value: Value| !matches!(body.node(value.node).op, Op::Argument(_) | Op::Index(_));
        let own = matches!(body.node(old.node).op, Op::Argument(argument) if argument == *place);
        let once = body.results.iter().flatten().filter(|other| **other == result).count() == 1;
        (own && once && made(new) && made(holds) && body.users(result.node).is_empty()).then_some(result)
    };
    let multiplies = body.ids().into_iter().any(|id| matches!(body.node(id).op, Op::Contract(_)));
    (0..repeat.carried).filter(|_| multiplies).filter_map(|place| changed(&place)).collect()
}

/// What a value becomes that has one reader, which changes it.
fn successor(region: &Region, value: Value) -> Option<Value> {
    let reads = |id: &NodeId| region.node(*id).reads().iter().filter(|read| **read == value).count();
    let users = region.users(value.node).into_iter().filter(|id| reads(id) > 0).collect::<Vec<_>>();
    let [user] = users.as_slice() else { return None };
    if region.results.contains(&Some(value)) || reads(user) != 1 {
        return None;
    }
    let node = region.node(*user);
    let place = node.operands.iter().position(|operand| *operand == value)?;
    let result = match &node.op {
        Op::Write(_) if place == 0 => 0,
        Op::For(repeat) if place < repeat.carried => place,
        Op::For(repeat) if place < repeat.carried + repeat.sliced => updated(repeat, place)?,
        _ => return None,
    };
    Some(Value { node: *user, result: result as u32 })
}

/// The yield that every body makes of a slice by changing it, or by handing it on, if it has one.
fn updated(repeat: &For, place: usize) -> Option<usize> {
    let yields = repeat.carried..repeat.carried + yields_of(repeat);
    let changes = |body: &Region, result: usize| becomes(body, place, result) || leaves(body, place, result);
    let all = |result: &usize| repeat.bodies.iter().all(|body| changes(body, *result));
    yields.into_iter().find(all)
}

/// Whether a result of a body is one of its arguments, changed.
fn becomes(body: &Region, place: usize, result: usize) -> bool {
    let (Some(mut value), Some(end)) = (argument(body, place), body.results[result]) else { return false };
    let once = |value: Value| body.results.iter().flatten().filter(|other| **other == value).count() == 1;
    while value != end {
        match successor(body, value) {
            Some(next) => value = next,
            None => return false,
        }
    }
    once(end)
}

/// Whether a body has no slice of an operand and of a stack.
fn leaves(body: &Region, place: usize, result: usize) -> bool {
    let is_it = |id: NodeId| matches!(body.node(id).op, Op::Argument(own) if own == place);
    body.results[result].is_none() && !body.ids().into_iter().any(is_it)
}

/// The one node of an argument that somebody reads.
fn argument(body: &Region, place: usize) -> Option<Value> {
    let own = |id: &NodeId| matches!(body.node(*id).op, Op::Argument(own) if own == place);
    let read = |id: &NodeId| body.is_read(Value::of(*id));
    let all = body.ids().into_iter().filter(|id| own(id) && read(id)).collect::<Vec<_>>();
    match all.as_slice() {
        [only] => Some(Value::of(*only)),
        _ => None,
    }
}

/// A sliced operand, the yield that takes its memory, and the memory.
pub(super) type InPlace = (usize, usize, View);

impl<'p> Planner<'p> {
    /// The arguments of a body whose memory is that of what they become: carried ones, and slices of a stack that takes
    /// the place of what it is made of.
    pub(super) fn own_arguments(&self, repeat: &For, body: &Region, in_place: impl Fn(usize) -> bool) -> Vec<Value> {
        let alike = match &self.sizes.axes()[repeat.axis].extent {
            Extent::Sequence => false,
            Extent::Computed { lengths, .. } => lengths.is_empty(),
            _ => true,
        };
        let places = 0..repeat.carried + repeat.sliced;
        let own = |place: &usize| match *place < repeat.carried {
            true => alike && becomes(body, *place, *place),
            false => in_place(*place),
        };
        places.filter(own).filter_map(|place| argument(body, place)).collect()
    }

    /// The memory of a value that may be overwritten by what its one reader makes of it.
    fn memory_of(&self, scope: &Scope, value: Value) -> Option<View> {
        let own = match scope.region.node(value.node).op {
            Op::Argument(_) => scope.owns(value),
            Op::For(_) | Op::Write(_) => true,
            _ => false,
        };
        scope.stored(value).filter(|_| own && !self.interface.plain).cloned()
    }

    /// The memory that a carried value goes on in.
    pub(super) fn goes_on_in(&self, scope: &Scope, id: NodeId, place: usize) -> Option<View> {
        let node = scope.region.node(id);
        let stops = matches!(&node.op, Op::For(repeat) if repeat.until);
        if scope.running.is_some() && !stops {
            // Rows that have stopped keep what they have; this loop would not ask which.
            return None;
        }
        let operand = node.operands[place];
        let next = successor(scope.region, operand)?;
        (next == Value { node: id, result: place as u32 }).then(|| self.memory_of(scope, operand))?
    }

    /// For every operand that is sliced, the yield that takes its memory.
    pub(super) fn stacks_in_place(&self, scope: &Scope, id: NodeId, repeat: &For) -> Vec<InPlace> {
        let sliced = repeat.carried..repeat.carried + repeat.sliced;
        let found = sliced.filter_map(|place| {
            let operand = scope.region.node(id).operands[place];
            let next = successor(scope.region, operand)?;
            let view = self.memory_of(scope, operand)?;
            (next.node == id).then_some((place, next.result as usize - repeat.carried, view))
        });
        found.collect()
    }

    /// The memory of a value that is written over.
    pub(super) fn written_over(&self, scope: &Scope, value: Value) -> Option<View> {
        let node = scope.region.node(value.node);
        let Op::Write(_) = node.op else { return None };
        let next = successor(scope.region, node.operands[0])?;
        (next == value).then(|| self.memory_of(scope, node.operands[0]))?
    }
}
