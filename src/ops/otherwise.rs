//! `a else b`: the first operand where it is present, the second elsewhere; absent where both are.

use super::{Tape, TypeError, exactly, joined, union_of};
use crate::graph::{Node, Value};
use crate::tensor::{Array, DType, Shape, TensorType, walk};

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

/// Each operand gets the upstream where it is the one taken.
pub(super) fn gradient(tape: &mut Tape, node: &Node, upstream: Value) {
    let [first, second] = [node.operands[0], node.operands[1]];
    let ty = tape.forward.typed(first).ty.clone();
    if tape.is_active(first) {
        let part = tape.contract(&[upstream], &ty);
        tape.give(first, part);
    }
    if tape.is_active(second) {
        let taken = tape.read(first);
        let absence = tape.absence_of(taken, DType::Bool);
        let part = tape.narrow(upstream, &absence);
        let ty = tape.forward.typed(second).ty.clone();
        let part = tape.contract(&[part], &ty);
        tape.give(second, part);
    }
}
