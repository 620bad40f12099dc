//! Operations without operands: data from outside, constants, coordinates, lengths, what a body is handed.
//!
//! They have no gradient of their own; a parameter's adjoint is an output of the derived program.

use super::{Scene, TypeError, Typing, exactly, fail};
use crate::tensor::{Array, Axes, AxisId, BATCH, DType, Shape, TensorType};

/// Data from outside is what the builder says.
pub(super) fn given(operands: &[&TensorType], wanted: Option<&TensorType>) -> Result<TensorType, TypeError> {
    exactly::<0>(operands)?;
    wanted.cloned().ok_or_else(|| TypeError("the type of data from outside must be stated".into()))
}

/// A single number, or one for each position of one axis of fixed size.
pub(super) fn constant(
    typing: &Typing,
    numbers: &[f64],
    operands: &[&TensorType],
    wanted: Option<&TensorType>,
) -> Result<TensorType, TypeError> {
    exactly::<0>(operands)?;
    let Some(wanted) = wanted else { return Ok(TensorType::scalar(DType::REAL)) };
    match wanted.axes.as_slice() {
        [] if numbers.len() == 1 => Ok(wanted.clone()),
        [axis] if size_of(typing.axes, *axis) == Some(numbers.len()) => Ok(wanted.clone()),
        _ => fail(format!("{} numbers do not fill a constant of {} axes", numbers.len(), wanted.axes.len())),
    }
}

fn size_of(axes: &Axes, axis: AxisId) -> Option<usize> {
    axes.fixed(axis).and_then(|size| usize::try_from(size).ok())
}

/// One whole number for each row.
pub(super) fn length(typing: &Typing, axis: AxisId, operands: &[&TensorType]) -> Result<TensorType, TypeError> {
    exactly::<0>(operands)?;
    if !typing.axes.is_sequence(axis) {
        return fail("only a sequence has a length for each row");
    }
    Ok(TensorType::new([BATCH], DType::Int))
}

/// The position along one axis.
pub(super) fn coordinate(axis: AxisId, operands: &[&TensorType]) -> Result<TensorType, TypeError> {
    exactly::<0>(operands)?;
    Ok(TensorType::new([axis], DType::Int))
}

/// The number of the turn, the same for all rows.
pub(super) fn turn(operands: &[&TensorType]) -> Result<TensorType, TypeError> {
    exactly::<0>(operands)?;
    Ok(TensorType::scalar(DType::Int))
}

/// The rows' lengths of a sequence.
pub(super) fn eval_length(scene: &Scene, axis: AxisId, shape: Shape) -> Array {
    let full = scene.extent(axis) as f64;
    match scene.lengths(axis) {
        Some(lengths) => Array::new(shape, lengths.iter().map(|length| *length as f64).collect()),
        None => Array::filled(shape, full),
    }
}

/// 0, 1, 2, … along the axis.
pub(super) fn eval_coordinate(shape: Shape) -> Array {
    let numbers = (0..shape.len()).map(|position| position as f64).collect();
    Array::new(shape, numbers)
}
