//! Combines the elements along named axes: sum, product, largest, smallest, any, all, first.
//!
//! `y[rest] = combine over axes of x[rest, axes]`. Absent elements are skipped. Of nothing the sum is 0, `any` is
//! false, `all` is true, and the others are absent. `first` goes through the axes in the order in which they are
//! listed, the last counting fastest.

use super::{Scene, TypeError, exactly, fail};
use crate::model::Combine;
use crate::tensor::{Array, AxisId, DType, Shape, TensorType, walk};

pub(super) fn infer(combine: Combine, axes: &[AxisId], operands: &[&TensorType]) -> Result<TensorType, TypeError> {
    let [x] = exactly(operands)?;
    if axes.is_empty() || axes.iter().any(|axis| !x.has(*axis)) {
        return fail("a reduction goes along axes that its operand has");
    }
    let dtype = match (combine, x.dtype) {
        (Combine::Any | Combine::All, _) => DType::Bool,
        (Combine::First, dtype) => dtype,
        (_, DType::Bool) => DType::Int,
        (_, dtype) => dtype,
    };
    Ok(TensorType { dtype, ..x.without(axes) })
}

/// Goes through the listed axes in order, the last counting fastest.
pub(super) fn eval(scene: &Scene, combine: Combine, axes: &[AxisId], x: &Array, shape: Shape) -> Array {
    let all = shape.axes.iter().chain(axes).copied().collect::<Vec<_>>();
    let existence = scene.existence(&all);
    let mut result = Array::filled(shape.clone(), start(combine));
    let mut met = vec![false; result.numbers.len()];
    let strides = [x.shape.strides(&all), shape.strides(&all)];
    walk(&scene.box_of(&all).extents, &strides, |coordinates, offsets| {
        let exists = existence.as_ref().is_none_or(|existence| existence.holds(coordinates));
        if exists && x.is_present(offsets[0]) {
            let sum = &mut result.numbers[offsets[1]];
            *sum = apply(combine, *sum, x.numbers[offsets[0]], met[offsets[1]]);
            met[offsets[1]] = true;
        }
    });
    if !has_value_of_nothing(combine) {
        result.present = Some(met);
    }
    result.tidy()
}

/// Whether the combination of no element at all is present.
pub fn has_value_of_nothing(combine: Combine) -> bool {
    matches!(combine, Combine::Sum | Combine::Any | Combine::All)
}

fn start(combine: Combine) -> f64 {
    match combine {
        Combine::Product | Combine::All => 1.0,
        Combine::Maximum => f64::NEG_INFINITY,
        Combine::Minimum => f64::INFINITY,
        Combine::Sum | Combine::Any | Combine::First => 0.0,
    }
}

fn apply(combine: Combine, sum: f64, next: f64, met: bool) -> f64 {
    match combine {
        Combine::Sum => sum + next,
        Combine::Product => sum * next,
        Combine::Maximum => sum.max(next),
        Combine::Minimum => sum.min(next),
        Combine::Any => f64::from(u8::from(sum != 0.0 || next != 0.0)),
        Combine::All => f64::from(u8::from(sum != 0.0 && next != 0.0)),
        Combine::First if met => sum,
        Combine::First => next,
    }
}
