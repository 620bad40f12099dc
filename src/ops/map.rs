//! Applies a scalar expression at every position.
//!
//! `y[axes] = f(a[axes of a], b[axes of b], …)`: operands repeat along axes that they lack, and so does the result
//! along axes that its type has beyond theirs. Absent where an operand is absent, and where the result's own presence
//! says so: an identity of narrower presence is a `where`.

use super::{TypeError, add_axes, fail, union_of};
use crate::tensor::{Array, DType, Function, Scalar, ScalarStep, Shape, TensorType, walk};

pub(super) fn infer(
    scalar: &Scalar,
    operands: &[&TensorType],
    wanted: Option<&TensorType>,
) -> Result<TensorType, TypeError> {
    check_steps(scalar, operands.len())?;
    let mut axes = union_of(operands);
    add_axes(&mut axes, &scalar.coordinates());
    if let Some(wanted) = wanted
        && axes.iter().all(|axis| wanted.has(*axis))
    {
        axes = wanted.axes.clone();
    }
    let dtypes = operands.iter().map(|ty| ty.dtype).collect::<Vec<_>>();
    let dtype = *scalar.types(&dtypes).last().unwrap_or(&DType::REAL);
    Ok(TensorType { axes, dtype })
}

fn check_steps(scalar: &Scalar, operands: usize) -> Result<(), TypeError> {
    if scalar.steps.is_empty() {
        return fail("a map without a step has no value");
    }
    for (place, step) in scalar.steps.iter().enumerate() {
        let fits = match step {
            ScalarStep::Operand(operand) => *operand < operands,
            ScalarStep::Call(function, arguments) => {
                arguments.len() == function.arity() && arguments.iter().all(|&argument| argument < place)
            }
            ScalarStep::Coordinate(_) | ScalarStep::Number(..) => true,
        };
        if !fits {
            return fail(format!("step {place} of a map reads what is not there"));
        }
    }
    Ok(())
}

/// Evaluates the steps at every position of the result.
pub(super) fn eval(scalar: &Scalar, operands: &[&Array], shape: Shape) -> Array {
    let strides = operands.iter().map(|operand| operand.shape.strides(&shape.axes)).collect::<Vec<_>>();
    let places = scalar.steps.iter().map(|step| match step {
        ScalarStep::Coordinate(axis) => shape.place(*axis).unwrap_or(usize::MAX),
        _ => usize::MAX,
    });
    let places = places.collect::<Vec<_>>();
    let masked = operands.iter().any(|operand| operand.present.is_some());
    let mut values = vec![0.0; scalar.steps.len()];
    let mut numbers = Vec::with_capacity(shape.len());
    let mut present = masked.then(|| Vec::with_capacity(shape.len()));
    walk(&shape.extents, &strides, |coordinates, offsets| {
        for (at, step) in scalar.steps.iter().enumerate() {
            values[at] = match step {
                ScalarStep::Operand(place) => operands[*place].numbers[offsets[*place]],
                ScalarStep::Coordinate(_) => coordinates[places[at]] as f64,
                ScalarStep::Number(number, _) => *number,
                ScalarStep::Call(function, arguments) => call(*function, arguments, &values),
            };
        }
        numbers.push(values.last().copied().unwrap_or(0.0));
        if let Some(present) = &mut present {
            present.push(operands.iter().zip(offsets).all(|(operand, offset)| operand.is_present(*offset)));
        }
    });
    Array { shape, numbers, present }
}

fn call(function: Function, arguments: &[usize], values: &[f64]) -> f64 {
    match arguments {
        [only] => function.apply(&[values[*only]]),
        [left, right] => function.apply(&[values[*left], values[*right]]),
        [condition, then, otherwise] => function.apply(&[values[*condition], values[*then], values[*otherwise]]),
        _ => f64::NAN,
    }
}
