//! Combines the elements along named axes: sum, product, largest, smallest, any, all, first.
//!
//! `y[rest] = combine over axes of x[rest, axes]`. Absent elements are skipped. Of nothing the sum is 0, `any` is
//! false, `all` is true, and the others are absent. `first` goes through the axes in the order in which they are
//! listed, the last counting fastest.

use super::{Scene, Tape, TypeError, exactly, fail};
use crate::graph::{Node, Op, Typed, Value};
use crate::model::Combine;
use crate::tensor::{Array, AxisId, DType, Function, Relation, Scalar, ScalarStep, Shape, TensorType, walk};

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

/// A sum hands upstream to every element; largest and smallest share it evenly among the equal ones; `first` gives
/// it to the element that it chose.
pub(super) fn gradient(
    tape: &mut Tape,
    combine: Combine,
    axes: &[AxisId],
    node: &Node,
    upstream: Value,
) -> Result<(), TypeError> {
    let operand = node.operands[0];
    if !tape.is_active(operand) {
        return Ok(());
    }
    let ty = tape.forward.typed(operand).ty.clone();
    let part = match combine {
        Combine::Sum => tape.spread(upstream, &ty),
        Combine::Maximum | Combine::Minimum => {
            let (x, y) = (tape.read(operand), tape.read(Value { node: tape.node, result: 0 }));
            let chosen = tape.call(Function::Equal, &[x, y]);
            let count = tape.reduce(Combine::Sum, axes, chosen)?;
            let share = tape.call(Function::Divide, &[upstream, count]);
            tape.call(Function::Multiply, &[share, chosen])
        }
        Combine::Product => {
            let x = tape.read(operand);
            product_of_others(tape, axes, x, upstream)?
        }
        Combine::First => {
            let x = tape.read(operand);
            where_first(tape, axes, x, upstream)?
        }
        Combine::Any | Combine::All => return Ok(()),
    };
    tape.give(operand, part);
    Ok(())
}

/// Sound where elements are zero: the product of the others is then that of the nonzero ones, or zero too.
fn product_of_others(tape: &mut Tape, axes: &[AxisId], x: Value, upstream: Value) -> Result<Value, TypeError> {
    let dtype = tape.ty(x).dtype;
    let (zero, one) = (tape.number(0.0, dtype), tape.number(1.0, dtype));
    let is_zero = tape.call(Function::Equal, &[x, zero]);
    let zeros = tape.reduce(Combine::Sum, axes, is_zero)?;
    let filled = tape.call(Function::Select, &[is_zero, one, x]);
    let product = tape.reduce(Combine::Product, axes, filled)?;
    let others = tape.call(Function::Divide, &[product, filled]);
    let other_zeros = tape.call(Function::Subtract, &[zeros, is_zero]);
    let cofactor = tape.call(Function::Select, &[other_zeros, zero, others]);
    Ok(tape.call(Function::Multiply, &[upstream, cofactor]))
}

fn where_first(tape: &mut Tape, axes: &[AxisId], x: Value, upstream: Value) -> Result<Value, TypeError> {
    let Typed { ty, presence } = tape.typed(x).clone();
    let mut chosen = presence.clone();
    for axis in axes {
        let here = Scalar { steps: vec![ScalarStep::Coordinate(*axis)] };
        let ty = TensorType { axes: ty.axes.clone(), dtype: DType::Int };
        let place = tape.add(Op::Map(here), vec![], Typed { ty, presence: presence.clone() });
        let first = tape.infer(Op::Reduce(Combine::First, axes.to_vec()), vec![place], None)?;
        chosen.require(Relation::Equal(*axis, first));
    }
    let spread = tape.spread(upstream, &ty);
    Ok(tape.narrow(spread, &chosen))
}
