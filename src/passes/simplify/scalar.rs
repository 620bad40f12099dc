//! Algebra on scalar expressions: numbers are folded, steps that change nothing go.

use crate::ops::keep_needed;
use crate::tensor::{DType, Function, Scalar, ScalarStep};

/// An expression of the same value for operands of these types. Only what is exact, or exact but for the sign of a zero.
pub(super) fn simplify(scalar: &Scalar, operands: &[DType]) -> Scalar {
    let types = scalar.types(operands);
    let mut new = Scalar::default();
    let mut places: Vec<usize> = Vec::with_capacity(scalar.steps.len());
    for (at, step) in scalar.steps.iter().enumerate() {
        let place = match step {
            ScalarStep::Call(function, arguments) => {
                let arguments = arguments.iter().map(|&argument| places[argument]).collect::<Vec<_>>();
                let known = new.types(operands);
                call(&mut new, *function, arguments, types[at], &known)
            }
            other => new.push(other.clone()),
        };
        places.push(place);
    }
    places.last().map_or(new.clone(), |last| keep_needed(&new, *last))
}

fn call(new: &mut Scalar, function: Function, arguments: Vec<usize>, dtype: DType, known: &[DType]) -> usize {
    let numbers = arguments.iter().map(|&argument| number(new, argument)).collect::<Vec<_>>();
    if let Some(all) = numbers.iter().copied().collect::<Option<Vec<f64>>>() {
        return new.push(ScalarStep::Number(function.apply(&all), dtype));
    }
    if let Some(same) = unchanged(new, function, &arguments, &numbers)
        && known[same] == dtype
    {
        return same;
    }
    match (function, numbers.get(1).copied().flatten()) {
        (Function::Power, Some(2.0)) => new.push(ScalarStep::Call(Function::Multiply, vec![arguments[0]; 2])),
        (Function::Power, Some(0.5)) => new.push(ScalarStep::Call(Function::Sqrt, vec![arguments[0]])),
        _ => new.push(ScalarStep::Call(function, arguments)),
    }
}

fn number(scalar: &Scalar, step: usize) -> Option<f64> {
    match scalar.steps[step] {
        ScalarStep::Number(number, _) => Some(number),
        _ => None,
    }
}

/// The argument that the call equals, if there is one.
fn unchanged(scalar: &Scalar, function: Function, arguments: &[usize], numbers: &[Option<f64>]) -> Option<usize> {
    use Function::*;
    let is = |place: usize, wanted: f64| numbers.get(place).copied().flatten() == Some(wanted);
    let first = arguments[0];
    match function {
        Add if is(1, 0.0) => Some(first),
        Add if is(0, 0.0) => Some(arguments[1]),
        Subtract if is(1, 0.0) => Some(first),
        Multiply | Divide | Power if is(1, 1.0) => Some(first),
        Multiply if is(0, 1.0) => Some(arguments[1]),
        Negate => match &scalar.steps[first] {
            ScalarStep::Call(Negate, inner) => Some(inner[0]),
            _ => None,
        },
        ToReal | ToInt | Floor => Some(first),
        Select => match numbers[0] {
            Some(0.0) => Some(arguments[2]),
            Some(_) => Some(arguments[1]),
            None if arguments[1] == arguments[2] => Some(arguments[1]),
            None => None,
        },
        And if is(1, 1.0) => Some(first),
        And if is(0, 1.0) => Some(arguments[1]),
        Or if is(1, 0.0) => Some(first),
        Or if is(0, 0.0) => Some(arguments[1]),
        _ => None,
    }
}
