//! The transpose of an index: adds every element to the place that the index would have read it from.
//!
//! `y[rest, axis] = Σ over positions with place = axis of x[rest, read]`. The result has the listed axes and those
//! axes of the operand that its type keeps; the operand is summed along the others. Absent elements and places
//! outside are skipped, so the result is present everywhere.

use super::index::for_each_placed;
use super::inverse::in_range;
use super::{Scene, Tape, TypeError, Typing, exactly, fail};
use crate::graph::{Node, Op, Value};
use crate::tensor::{Affine, Array, AxisId, Presence, Shape, TensorType};

pub(super) fn infer(
    typing: &Typing,
    places: &[(AxisId, Affine<Value>)],
    operands: &[&TensorType],
    wanted: Option<&TensorType>,
) -> Result<TensorType, TypeError> {
    let [x] = exactly(operands)?;
    typing.check_places(places)?;
    let listed = |axis: &AxisId| places.iter().any(|(named, _)| named == axis);
    if places.iter().any(|(_, place)| typing.axes_of(place).iter().any(|axis| !x.has(*axis))) {
        return fail("a place reads an axis that the scattered value lacks");
    }
    let Some(wanted) = wanted else { return fail("the axes that a scatter keeps must be stated") };
    let known = wanted.axes.iter().all(|axis| listed(axis) || x.has(*axis));
    if !known || places.iter().any(|(axis, _)| !wanted.has(*axis)) {
        return fail("a scatter has the axes that it lists and some of its operand's");
    }
    Ok(TensorType { axes: wanted.axes.clone(), dtype: x.dtype })
}

pub(super) fn eval(scene: &Scene, places: &[(AxisId, Affine<Value>)], x: &Array, shape: Shape) -> Array {
    let mut result = Array::filled(shape.clone(), 0.0);
    for_each_placed(scene, places, x, &shape, |to, number| result.numbers[to] += number);
    result
}

/// The same places, read: the transpose of the transpose.
pub(super) fn gradient(
    tape: &mut Tape,
    places: &[(AxisId, Affine<Value>)],
    node: &Node,
    upstream: Value,
) -> Result<(), TypeError> {
    let operand = node.operands[0];
    if !tape.is_active(operand) {
        return Ok(());
    }
    let ty = tape.forward.typed(operand).ty.clone();
    let places = places.iter().map(|(axis, place)| (*axis, place.map_values(|value| tape.read(*value))));
    let places = places.collect::<Vec<_>>();
    // A place outside is absent and gives nothing; so says the presence of what is read.
    let mut presence = Presence::always();
    for (axis, place) in &places {
        presence = in_range(tape, &ty, *axis, place).map_or(presence.clone(), |range| presence.and(&range));
        let absent = place.values().fold(Presence::always(), |sum, value| sum.and(&tape.typed(*value).presence));
        presence = presence.and(&absent);
    }
    let upstream = tape.total(upstream);
    let part = tape.infer(Op::Index(places), vec![upstream], None)?;
    let part = tape.with_presence(part, presence);
    let part = tape.spread(part, &ty);
    tape.give(operand, part);
    Ok(())
}
