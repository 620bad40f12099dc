//! How far back the positions of a sequence are read: how many of them a state must hold.
//!
//! `u[t: t - j]` reads j positions back. `key[t: s]` is combined along `s` in the end; if every such combination is
//! restricted by a relation `t - s <= w`, no position needs more than the w before it.
//!
//! Which of both it is decides where old values lie: a position at a known distance is found where it is, in the run or
//! in the state; one of another index must be found in one place with all others.

use super::Shared;
use crate::graph::{Node, NodeId, Op, Region, Value};
use crate::ops::bounds;
use crate::tensor::{Affine, AxisId, Relation, Term};
use std::collections::{HashMap, HashSet};

/// Which earlier positions are read of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those at known distances, the largest of which this is.
    Shifts(i64),
    /// Those of another index, so many back at most.
    Window(i64),
    /// All.
    All,
}

impl Reach {
    /// What both read.
    fn with(self, other: Reach) -> Reach {
        match (self, other) {
            (Reach::Shifts(left), Reach::Shifts(right)) => Reach::Shifts(left.max(right)),
            (Reach::Shifts(left) | Reach::Window(left), Reach::Shifts(right) | Reach::Window(right)) => {
                Reach::Window(left.max(right))
            }
            _ => Reach::All,
        }
    }
}

/// The reach of each value that is read at other positions.
pub(super) type Reaches = HashMap<Value, Reach>;

/// Those of the needed nodes of a region. What is made again is read as far as it is needed.
pub(super) fn reaches(shared: &Shared, region: &Region, needed: &HashSet<NodeId>, remade: &HashSet<Value>) -> Reaches {
    let mut reaches = Reaches::new();
    for &id in needed {
        let node = region.node(id);
        let Some((_, place)) = node.op.places().iter().find(|(axis, _)| *axis == shared.chunk) else { continue };
        if shared.is_last(region, place) {
            continue;
        }
        let reach = match place.as_axis() {
            Some(axis) if axis != shared.chunk => {
                combined(shared, region, needed, Value::of(id), axis).map_or(Reach::All, Reach::Window)
            }
            _ => offsets(shared, place).map_or(Reach::All, |(low, _)| Reach::Shifts(-low)),
        };
        let mut open = vec![node.operands[0]];
        while let Some(value) = open.pop() {
            match remade.contains(&value) {
                true => open.extend(region.node(value.node).reads()),
                false => {
                    let known = reaches.entry(value).or_insert(reach);
                    *known = known.with(reach);
                }
            }
        }
    }
    reaches
}

/// The least and the largest distance of a place from its own position: `t + j - 3` with `|j| = 4` has -3 and 0.
pub(super) fn offsets(shared: &Shared, place: &Affine<Value>) -> Option<(i64, i64)> {
    let own = place.terms.contains(&(Term::Axis(shared.chunk), 1));
    own.then(|| bounds(&shared.axes, &place.plus(&Affine::axis(shared.chunk), -1)))?
}

/// How far back the combinations along `axis` go that a value gets into; nothing if one of them is not restricted.
fn combined(shared: &Shared, region: &Region, needed: &HashSet<NodeId>, value: Value, axis: AxisId) -> Option<i64> {
    let (mut open, mut seen, mut reach) = (vec![value], HashSet::new(), 0);
    while let Some(value) = open.pop() {
        if !seen.insert(value) {
            continue;
        }
        if region.results.contains(&Some(value)) {
            return None;
        }
        for user in region.users(value.node).into_iter().filter(|user| needed.contains(user)) {
            let node = region.node(user);
            if !node.reads().contains(&value) {
                continue;
            }
            if let Some(window) = window_of_node(shared, region, node, axis)? {
                reach = reach.max(window);
            }
            let results = (0..node.results.len()).filter(|result| node.results[*result].ty.has(axis));
            open.extend(results.map(|result| Value { node: user, result: result as u32 }));
        }
    }
    Some(reach)
}

/// How far back a node goes that combines along `axis`; nothing inside if it does not, nothing at all if that cannot be
/// said.
fn window_of_node(shared: &Shared, region: &Region, node: &Node, axis: AxisId) -> Option<Option<i64>> {
    match &node.op {
        Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) if axes.contains(&axis) => {
            let relations = node.operands.iter().flat_map(|operand| &region.typed(*operand).presence.relations);
            relations.filter_map(|relation| window(relation, axis, shared.chunk)).min().map(Some)
        }
        Op::Map(_) | Op::Else | Op::Stop | Op::Peek | Op::Contract(_) | Op::Reduce(..) | Op::Rank(_) => Some(None),
        Op::Index(places) if places.iter().all(|(indexed, _)| *indexed != axis) => Some(None),
        _ => None,
    }
}

/// `w` of the relation `t - s <= w`.
fn window(relation: &Relation<Value>, axis: AxisId, chunk: AxisId) -> Option<i64> {
    let Relation::AtLeastZero(affine) = relation else { return None };
    let has = |axis: AxisId, factor: i64| affine.terms.contains(&(Term::Axis(axis), factor));
    (affine.terms.len() == 2 && has(axis, 1) && has(chunk, -1)).then_some(affine.constant.max(0))
}
