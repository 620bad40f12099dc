//! `a else b`: the first operand where it is present, the second elsewhere; absent where both are.

use super::{TypeError, exactly, joined, union_of};
use crate::tensor::{Array, Shape, TensorType, walk};

pub(super) fn infer(operands: &[&TensorType]) -> Result<TensorType, TypeError> {
    let both = exactly::<2>(operands)?;
    Ok(TensorType { axes: union_of(&both), dtype: joined(&both) })
}

pub(super) fn eval(first: &Array, second: &Array, shape: Shape) -> Array {
    let strides = [first.shape.strides(&shape.axes), second.shape.strides(&shape.axes)];
    let mut result = Array::filled(shape.clone(), 0.0);
    let mut present = Vec::with_capacity(shape.len());
    walk(&shape.extents, &strides, |_, offsets| {
        let takes_first = first.is_present(offsets[0]);
        result.numbers[present.len()] =
            if takes_first { first.numbers[offsets[0]] } else { second.numbers[offsets[1]] };
        present.push(takes_first || second.is_present(offsets[1]));
    });
    result.present = Some(present);
    result.tidy()
}
