//! An index of an index is one index, where the first reads bare coordinates or the second's place is one.
//! `a = x[k: n + 8]; b = a[n: p * 4 + i]`  →  `b = x[k: p * 4 + i + 8]`

use crate::graph::{NodeId, Op, Region, Value};
use crate::tensor::{Affine, Axes, AxisId, Term};

type Places = Vec<(AxisId, Affine<Value>)>;

pub(super) fn rewrite(axes: &Axes, region: &mut Region, id: NodeId) -> bool {
    identity(region, id) || compose(axes, region, id)
}

/// Every axis reads its own coordinate.
fn identity(region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let operand = node.operands[0];
    let bare = node.op.places().iter().all(|(axis, place)| place.as_axis() == Some(*axis));
    if !bare || region.typed(operand) != &node.results[0] {
        return false;
    }
    region.replace(Value::of(id), operand);
    region.remove(id)
}

fn compose(axes: &Axes, region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let inner = region.node(node.operands[0].node);
    let Op::Index(inner_places) = &inner.op else { return false };
    let source = inner.operands[0];
    let plain = |places: &[(AxisId, Affine<Value>)]| places.iter().all(|(_, place)| place.values().next().is_none());
    if !plain(inner_places) || !plain(node.op.places()) {
        return false;
    }
    let Some(places) = composed(axes, &region.typed(source).ty.axes, inner_places, node.op.places()) else {
        return false;
    };
    // Where the inner one was outside, so is the result: that is in its recorded presence.
    region.edit(id, |node| {
        node.op = Op::Index(places);
        node.operands = vec![source];
    });
    true
}

/// The places of the index of an index, if they can be written.
pub(super) fn composed(
    axes: &Axes,
    source: &[AxisId],
    inner: &[(AxisId, Affine<Value>)],
    outer: &[(AxisId, Affine<Value>)],
) -> Option<Places> {
    let mut places = Places::new();
    let units = units(axes, source, inner, outer);
    for axis in source.iter().filter(|axis| !units.contains(axis)) {
        let first = inner.iter().find(|(own, _)| own == axis).map(|(_, place)| place.clone());
        let first = first.unwrap_or_else(|| Affine::axis(*axis));
        let mut place = substitute(axes, &first, outer)?;
        place.terms.retain(|(term, _)| !matches!(term, Term::Axis(axis) if units.contains(axis)));
        if place.as_axis() != Some(*axis) {
            places.push((*axis, place));
        }
    }
    Some(places)
}

/// Axes of one place that the inner index picks and the outer one reads: they stay as they are, and count nothing.
fn units(
    axes: &Axes,
    source: &[AxisId],
    inner: &[(AxisId, Affine<Value>)],
    outer: &[(AxisId, Affine<Value>)],
) -> Vec<AxisId> {
    let picked = |axis: &AxisId| inner.iter().any(|(own, place)| own == axis && *place == Affine::number(0));
    let is_read =
        |axis: &AxisId| outer.iter().any(|(_, place)| place.terms.iter().any(|(term, _)| *term == Term::Axis(*axis)));
    source.iter().copied().filter(|axis| axes.fixed(*axis) == Some(1) && picked(axis) && is_read(axis)).collect()
}

/// The place with each coordinate replaced by what the outer index says of it.
fn substitute(axes: &Axes, place: &Affine<Value>, outer: &[(AxisId, Affine<Value>)]) -> Option<Affine<Value>> {
    let mut sum = Affine::number(place.constant);
    for (term, factor) in &place.terms {
        let (axis, whole) = match term {
            Term::Axis(axis) => (axis, true),
            Term::Quotient(axis, _) | Term::Remainder(axis, _) => (axis, false),
            Term::Value(_) => return None,
        };
        let Some((_, replacement)) = outer.iter().find(|(own, _)| own == axis) else {
            sum = sum.plus(&Affine::term(term.clone()), *factor);
            continue;
        };
        let term = match (whole, term) {
            (true, _) => replacement.clone(),
            (_, Term::Quotient(_, by)) => divided(axes, replacement, *by)?.0,
            (_, Term::Remainder(_, by)) => divided(axes, replacement, *by)?.1,
            _ => return None,
        };
        sum = sum.plus(&term, *factor);
    }
    Some(sum)
}

/// Quotient and remainder of a place by a number: of a bare coordinate, or of `q * by + r` with `|r| <= by`.
fn divided(axes: &Axes, place: &Affine<Value>, by: i64) -> Option<(Affine<Value>, Affine<Value>)> {
    if let Some(axis) = place.as_axis() {
        return Some((Affine::term(Term::Quotient(axis, by)), Affine::term(Term::Remainder(axis, by))));
    }
    let (mut quotient, mut remainder) = (Affine::number(0), Affine::number(0));
    for (term, factor) in &place.terms {
        let term = Affine::term(term.clone());
        match factor % by {
            0 => quotient = quotient.plus(&term, factor / by),
            _ => remainder = remainder.plus(&term, *factor),
        }
    }
    remainder.constant = place.constant.rem_euclid(by);
    quotient.constant = place.constant.div_euclid(by);
    let (low, high) = crate::ops::bounds(axes, &remainder)?;
    (low >= 0 && high < by).then_some((quotient, remainder))
}
