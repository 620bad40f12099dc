//! Applies a scalar expression at every position.
//!
//! `y[axes] = f(a[axes of a], b[axes of b], …)`: operands repeat along axes that they lack, and so does the result
//! along axes that its type has beyond theirs. Absent where an operand is absent, and where the result's own presence
//! says so: an identity of narrower presence is a `where`.

use super::derivative::derivative;
use super::{Tape, TypeError, add_axes, fail, union_of};
use crate::graph::{Node, Value};
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

/// Upstream times the derivative by each operand, summed along the axes that the operand lacks.
pub(super) fn gradient(tape: &mut Tape, scalar: &Scalar, node: &Node, upstream: Value) {
    for (place, operand) in node.operands.iter().enumerate() {
        if !tape.is_active(*operand) {
            continue;
        }
        if let Some(slope) = derivative(scalar, place) {
            let ty = tape.forward.typed(*operand).ty.clone();
            let part = product(tape, &slope, node, upstream, &ty);
            tape.give(*operand, part);
        }
    }
}

fn product(tape: &mut Tape, slope: &Scalar, node: &Node, upstream: Value, ty: &TensorType) -> Value {
    match slope.steps.as_slice() {
        [ScalarStep::Number(1.0, _)] => tape.contract(&[upstream], ty),
        [ScalarStep::Number(-1.0, _)] => {
            let sum = tape.contract(&[upstream], ty);
            tape.call(Function::Negate, &[sum])
        }
        [ScalarStep::Operand(place)] => {
            let other = tape.read(node.operands[*place]);
            tape.contract(&[upstream, other], ty)
        }
        _ => {
            let (mut scalar, read) = with_read_operands(slope);
            let mut operands = read.iter().map(|place| tape.read(node.operands[*place])).collect::<Vec<_>>();
            let wide = tape.ty(upstream).axes.iter().any(|axis| !ty.has(*axis));
            if wide {
                let local = tape.map(scalar, &operands);
                return tape.contract(&[upstream, local], ty);
            }
            let slope = scalar.steps.len() - 1;
            operands.push(upstream);
            let upstream = scalar.push(ScalarStep::Operand(operands.len() - 1));
            scalar.push(ScalarStep::Call(Function::Multiply, vec![upstream, slope]));
            tape.map(scalar, &operands)
        }
    }
}

/// The expression with its operands numbered anew, and which old ones they are.
pub fn with_read_operands(scalar: &Scalar) -> (Scalar, Vec<usize>) {
    let mut read = Vec::new();
    let steps = scalar.steps.iter().map(|step| match step {
        ScalarStep::Operand(place) => {
            let known = read.iter().position(|known| known == place);
            ScalarStep::Operand(known.unwrap_or_else(|| {
                read.push(*place);
                read.len() - 1
            }))
        }
        other => other.clone(),
    });
    (Scalar { steps: steps.collect() }, read)
}
