//! A state with new elements: the first operand, overwritten by the second at the places that an index would read.
//!
//! `y = x; y[rest, axis: place(read)] = u[rest, read]` for every element of `u` that exists and is present; places
//! outside are skipped. No two elements have one place. In compiled code y takes the memory of x.

use super::index::Reading;
use super::{Scene, TypeError, Typing, exactly, fail};
use crate::graph::Value;
use crate::tensor::{Affine, Array, AxisId, BATCH, TensorType, walk};

pub(super) fn infer(
    typing: &Typing,
    places: &[(AxisId, Affine<Value>)],
    operands: &[&TensorType],
) -> Result<TensorType, TypeError> {
    let [state, new] = exactly(operands)?;
    typing.check_places(places)?;
    let listed = |axis: &AxisId| places.iter().any(|(named, _)| named == axis);
    if places.iter().any(|(axis, _)| !state.has(*axis))
        || state.axes.iter().any(|axis| !listed(axis) && !new.has(*axis))
    {
        return fail("a write gives every axis of the state a place or a coordinate");
    }
    if places.iter().any(|(_, place)| typing.axes_of(place).iter().any(|axis| !new.has(*axis))) {
        return fail("a place reads an axis that the written value lacks");
    }
    Ok(state.clone())
}

pub(super) fn eval(scene: &Scene, places: &[(AxisId, Affine<Value>)], state: &Array, new: &Array) -> Array {
    let axes = &new.shape.axes;
    let row = axes.iter().position(|axis| *axis == BATCH);
    let readings = places.iter().map(|(axis, place)| Reading {
        reader: scene.reader(place, axes),
        extent: scene.extent(*axis) as i64,
        lengths: row.and(scene.lengths(*axis)),
        stride: state.shape.stride(*axis),
    });
    let readings = readings.collect::<Vec<_>>();
    let strides = state.shape.strides(axes);
    let existence = scene.existence(axes);
    let mut result = state.clone();
    let mut at = 0;
    walk(&new.shape.extents, &[strides], |coordinates, offsets| {
        let exists = existence.as_ref().is_none_or(|existence| existence.holds(coordinates));
        if exists && new.is_present(at) {
            let row = row.map(|place| coordinates[place]);
            let start = Some(offsets[0]);
            let to = readings.iter().fold(start, |sum, reading| Some(sum? + reading.offset(coordinates, row)?));
            if let Some(to) = to {
                result.numbers[to] = new.numbers[at];
            }
        }
        at += 1;
    });
    result
}
