//! Proves that no position reads a later one, or names the place that does.
//!
//! A place reads back if it is `t - j` with `j >= 0`, or another index `s` over all positions; a value that has `s`
//! may be combined along `s` only where it is present for `s <= t` alone. Both are read off the relations. What looks
//! ahead as [`super::ahead`] allows is given back.

use super::reach::offsets;
use super::rewrite::Rewrite;
use super::{NotIncremental, Shared};
use crate::graph::{Node, Op, Value};
use crate::tensor::{Affine, AxisId, Relation, Term};

/// Checks one old node. The values up to which it reads later positions.
pub(super) fn check(rewrite: &Rewrite, node: &Node) -> Result<Vec<Value>, NotIncremental> {
    let shared = &rewrite.shared;
    match &node.op {
        Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) => check_combined(rewrite, node, axes),
        Op::Index(places) => check_places(rewrite, node, places),
        Op::Scatter(_) if node.operands.iter().any(|&operand| touches(rewrite, operand)) => {
            refuse(node, "elements are scattered over positions")
        }
        Op::For(region) if shared.is_context(region.axis) => {
            refuse(node, "a `for` runs along another index over the positions")
        }
        Op::For(region) if region.axis == shared.chunk && shared.block.is_some() => {
            refuse(node, "a recurrence would go over the positions of a block again and again")
        }
        _ => Ok(Vec::new()),
    }
}

fn refuse(node: &Node, reason: &str) -> Result<Vec<Value>, NotIncremental> {
    Err(NotIncremental { path: node.path.clone(), reason: reason.into() })
}

fn check_combined(rewrite: &Rewrite, node: &Node, axes: &[AxisId]) -> Result<Vec<Value>, NotIncremental> {
    let (old, shared) = (rewrite.old, &rewrite.shared);
    if axes.contains(&shared.chunk) && !node.operands.iter().any(|operand| rewrite.is_in_block(*operand)) {
        return refuse(node, "all positions of the sequence are combined");
    }
    let mut sights = Vec::new();
    for &axis in axes.iter().filter(|axis| shared.is_context(**axis)) {
        let relations = || node.operands.iter().flat_map(|&operand| &old.typed(operand).presence.relations);
        if relations().any(|relation| is_causal(relation, axis, shared.chunk) || shared.ends_with_block(relation, axis))
        {
            continue;
        }
        match relations().filter(|_| shared.block.is_none()).find_map(|relation| rewrite.bounded(relation, axis)) {
            Some(sight) => sights.push(sight),
            None => return refuse(node, "a position reads later ones: no relation keeps it to those up to its own"),
        }
    }
    Ok(sights)
}

/// Whether a value has a position axis.
fn touches(rewrite: &Rewrite, value: Value) -> bool {
    rewrite.old.typed(value).ty.axes.iter().any(|&axis| rewrite.shared.is_position(axis))
}

fn check_places(
    rewrite: &Rewrite,
    node: &Node,
    places: &[(AxisId, Affine<Value>)],
) -> Result<Vec<Value>, NotIncremental> {
    let shared = &rewrite.shared;
    for (_, place) in places.iter().filter(|(axis, _)| *axis == shared.chunk) {
        if !is_earlier(shared, place) && !shared.is_last(rewrite.old, place) {
            return refuse(node, "a value is read at positions that cannot be shown to be earlier ones");
        }
    }
    Ok(Vec::new())
}

/// Whether a place is the position `t` or an earlier one: `t - j`, `t + j - n` with `j` of a fixed extent, or another
/// index over the positions, whose reads are checked where it is combined.
fn is_earlier(shared: &Shared, place: &Affine<Value>) -> bool {
    if let [(Term::Axis(axis), 1)] = place.terms.as_slice()
        && *axis != shared.chunk
    {
        return shared.is_context(*axis) && place.constant == 0;
    }
    offsets(shared, place).is_some_and(|(_, high)| high <= 0)
}

/// Whether a relation lets `axis` reach the position along `chunk` at most: `t - s - j >= 0` with `j >= 0`.
fn is_causal(relation: &Relation<Value>, axis: AxisId, chunk: AxisId) -> bool {
    let Relation::AtLeastZero(affine) = relation else { return false };
    let factor = |wanted: AxisId| {
        affine.terms.iter().find_map(|(term, factor)| (*term == Term::Axis(wanted)).then_some(*factor))
    };
    affine.terms.len() == 2 && affine.constant <= 0 && factor(chunk) == Some(1) && factor(axis) == Some(-1)
}
