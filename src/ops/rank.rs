//! The place of each element in falling order along axes, 0 for the largest.
//!
//! Only present elements are counted and ranked. Of equal ones the one with the lower index comes first, the last of
//! the listed axes counting fastest.

use super::{Scene, TypeError, exactly, fail};
use crate::tensor::{Array, AxisId, DType, Shape, TensorType, walk};

pub(super) fn infer(axes: &[AxisId], operands: &[&TensorType]) -> Result<TensorType, TypeError> {
    let [x] = exactly(operands)?;
    if axes.is_empty() || axes.iter().any(|axis| !x.has(*axis)) {
        return fail("a rank goes along axes that its operand has");
    }
    Ok(TensorType { axes: x.axes.clone(), dtype: DType::Int })
}

pub(super) fn eval(scene: &Scene, axes: &[AxisId], x: &Array, shape: Shape) -> Array {
    let outer = shape.axes.iter().copied().filter(|axis| !axes.contains(axis)).collect::<Vec<_>>();
    let all = outer.iter().chain(axes).copied().collect::<Vec<_>>();
    let existence = scene.existence(&all);
    let strides = [x.shape.strides(&all), shape.strides(&all)];
    let group = scene.box_of(axes).len();
    let mut result = Array::filled(shape, 0.0);
    let mut present = vec![false; result.numbers.len()];
    let mut elements = Vec::with_capacity(group);
    let mut seen = 0;
    walk(&scene.box_of(&all).extents, &strides, |coordinates, offsets| {
        let exists = existence.as_ref().is_none_or(|existence| existence.holds(coordinates));
        if exists && x.is_present(offsets[0]) {
            elements.push((x.numbers[offsets[0]], offsets[1]));
        }
        seen += 1;
        if seen % group == 0 {
            // A stable sort keeps equal elements in the order of their indices.
            elements.sort_by(|left, right| right.0.total_cmp(&left.0));
            for (place, (_, offset)) in elements.drain(..).enumerate() {
                result.numbers[offset] = place as f64;
                present[offset] = true;
            }
        }
    });
    // What does not exist is neither absent nor present: no reader may look there.
    result.present = x.present.as_ref().map(|_| present);
    result
}
