//! Which indexings can be undone by another indexing, and which pick one position of an axis.
//!
//! A rename, a shift, a split and a merge have an inverse; a look-up has none, and its transpose is a scatter. A place
//! that reads no coordinate of its own picks: its transpose is upstream where the coordinate equals the place.

use super::{Tape, add_axes};
use crate::graph::{Op, Value};
use crate::tensor::{Affine, Axes, AxisId, BATCH, Extent, Presence, Relation, TensorType, Term};

type Places = Vec<(AxisId, Affine<Value>)>;

/// The places that lead back, if the indexing of a value of type `from` loses no element. `axes_of` gives the axes of
/// a value in a place.
pub(super) fn inverse(
    axes: &Axes,
    from: &TensorType,
    places: &[(AxisId, Affine<Value>)],
    axes_of: impl Fn(&Value) -> Vec<AxisId>,
) -> Option<Places> {
    let kept = |axis: &AxisId| from.has(*axis) && places.iter().all(|(indexed, _)| indexed != axis);
    let mut back = Vec::new();
    let mut read = Vec::new();
    let mut singles = places.to_vec();
    while let Some((first, second, merge)) = find_merge(axes, &singles) {
        let merged = merge.0;
        if kept(&merged) || read.contains(&merged) {
            return None;
        }
        read.push(merged);
        back.push(merge);
        singles.retain(|(axis, _)| *axis != first && *axis != second);
    }
    for (axis, place) in &singles {
        let own = place.axes().collect::<Vec<_>>();
        if own.is_empty() || own.iter().any(|axis| kept(axis) || read.contains(axis)) {
            return None;
        }
        if place.values().any(|value| axes_of(value).iter().any(|axis| !kept(axis))) {
            return None;
        }
        add_axes(&mut read, &own);
        back.extend(inverse_of_one(axes, *axis, place)?);
    }
    Some(back)
}

fn inverse_of_one(axes: &Axes, axis: AxisId, place: &Affine<Value>) -> Option<Places> {
    let coordinates = place.terms.iter().filter(|(term, _)| !matches!(term, Term::Value(_))).collect::<Vec<_>>();
    match coordinates.as_slice() {
        [(Term::Axis(read), 1)] => {
            let rest = place.plus(&Affine::axis(*read), -1);
            Some(vec![(*read, Affine::axis(axis).plus(&rest, -1))])
        }
        [(Term::Axis(outer), by), (Term::Axis(inner), 1)] | [(Term::Axis(inner), 1), (Term::Axis(outer), by)]
            if axes.fixed(*inner) == Some(*by) && place.constant == 0 && place.values().next().is_none() =>
        {
            let quotient = Affine::term(Term::Quotient(axis, *by));
            Some(vec![(*outer, quotient), (*inner, Affine::term(Term::Remainder(axis, *by)))])
        }
        _ => None,
    }
}

/// `[p: k // n, i: k % n]` with `|i| = n` is undone by `[k: p * n + i]`: p, i, and the way back.
fn find_merge(axes: &Axes, places: &[(AxisId, Affine<Value>)]) -> Option<(AxisId, AxisId, (AxisId, Affine<Value>))> {
    let bare = |place: &Affine<Value>| match (place.terms.as_slice(), place.constant) {
        ([(term, 1)], 0) => Some(term.clone()),
        _ => None,
    };
    for (outer, first) in places {
        let Some(Term::Quotient(merged, by)) = bare(first) else { continue };
        let rest = Some(Term::Remainder(merged, by));
        let inner = places.iter().find(|(inner, second)| bare(second) == rest && axes.fixed(*inner) == Some(by));
        if let Some((inner, _)) = inner {
            let terms = vec![(Term::Axis(*outer), by), (Term::Axis(*inner), 1)];
            return Some((*outer, *inner, (merged, Affine { terms, constant: 0 })));
        }
    }
    None
}

/// Where `axis: place` reads inside of the axis; what is proved is left out. Nothing if it cannot be said: a sequence's
/// end is a row's own, and a value without rows has none.
pub(super) fn in_range(
    tape: &mut Tape,
    ty: &TensorType,
    axis: AxisId,
    place: &Affine<Value>,
) -> Option<Presence<Value>> {
    let mut presence = Presence::always();
    if place.as_axis().is_some_and(|read| tape.axes.alike(read, axis)) {
        return Some(presence);
    }
    if !is_never_negative(tape.axes, place) {
        presence.require(Relation::AtLeastZero(place.clone()));
    }
    let last = match tape.axes[axis].extent {
        Extent::Fixed(size) if bounds(tape.axes, place).is_some_and(|(_, high)| high < size) => return Some(presence),
        Extent::Fixed(size) => Affine::number(size - 1),
        Extent::Pieces { of, size } if is_piece_of(tape.axes, place, of, size) => return Some(presence),
        _ if !ty.has(BATCH) => return None,
        _ => {
            let length = tape.infer(Op::Length(axis), vec![], None).ok()?;
            Affine::value(length).plus(&Affine::number(1), -1)
        }
    };
    presence.require(Relation::AtLeastZero(last.plus(place, -1)));
    Some(presence)
}

/// Whether a place is the number of the piece that a position of the sequence lies in.
fn is_piece_of(axes: &Axes, place: &Affine<Value>, of: AxisId, size: i64) -> bool {
    let quotient =
        |term: &Term<Value>| matches!(term, Term::Quotient(axis, by) if axes.alike(*axis, of) && *by == size);
    place.constant == 0 && matches!(place.terms.as_slice(), [(term, 1)] if quotient(term))
}

fn is_never_negative(axes: &Axes, place: &Affine<Value>) -> bool {
    let rises = |(term, factor): &(Term<Value>, i64)| *factor > 0 && !matches!(term, Term::Value(_));
    bounds(axes, place).is_some_and(|(low, _)| low >= 0) || (place.constant >= 0 && place.terms.iter().all(rises))
}

/// The least and the largest value of a place, if it reads coordinates of axes of fixed size only.
pub fn bounds(axes: &Axes, place: &Affine<Value>) -> Option<(i64, i64)> {
    let mut range = (place.constant, place.constant);
    for (term, factor) in &place.terms {
        let high = match term {
            Term::Axis(axis) => axes.fixed(*axis)? - 1,
            Term::Quotient(axis, by) => (axes.fixed(*axis)? - 1).div_euclid(*by),
            Term::Remainder(axis, by) => (axes.fixed(*axis)? - 1).min(by - 1),
            Term::Value(_) => return None,
        };
        let end = factor * high;
        range = (range.0 + end.min(0), range.1 + end.max(0));
    }
    Some(range)
}
