//! A state with new elements: the first operand, overwritten by the second at the places that an index would read.
//!
//! `y = x; y[rest, axis: place(read)] = u[rest, read]` for every element of `u` that exists and is present; places
//! outside are skipped. No two elements have one place. In compiled code y takes the memory of x.

use super::index::for_each_placed;
use super::{Scene, TypeError, Typing, exactly, fail};
use crate::graph::Value;
use crate::tensor::{Affine, Array, AxisId, TensorType};

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
    let mut result = state.clone();
    for_each_placed(scene, places, new, &state.shape, |to, number| result.numbers[to] = number);
    result
}
