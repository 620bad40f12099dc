//! The sum along axes of the product of the operands: `y[rest] = Σ over axes of a · b · …`, any einsum.
//!
//! Absent products are skipped; a sum of nothing is 0, so the result is present everywhere, unless its own presence
//! asks for less (a product of two matrices on and below the diagonal only).

use super::{Existence, Scene, Tape, TypeError, fail, joined, union_of};
use crate::graph::{Node, NodeId, Region, Value};
use crate::tensor::{Array, AxisId, DType, Shape, TensorType, walk};

/// Whether two factors have axes that the other lacks: a product of matrices, with rows and columns.
pub fn is_of_matrices(region: &Region, id: NodeId) -> bool {
    let [left, right] = region.node(id).operands[..] else { return false };
    let has_own = |one: Value, other: Value| {
        let axes = &region.typed(one).ty.axes;
        axes.iter().any(|axis| !region.typed(other).ty.has(*axis))
    };
    has_own(left, right) && has_own(right, left)
}

pub(super) fn infer(axes: &[AxisId], operands: &[&TensorType]) -> Result<TensorType, TypeError> {
    let all = TensorType { axes: union_of(operands), dtype: joined(operands) };
    if operands.is_empty() || axes.is_empty() {
        return fail("a contraction has operands and sums along an axis");
    }
    if axes.iter().any(|axis| !all.has(*axis)) {
        return fail("a contraction sums along an axis that no operand has");
    }
    let dtype = if all.dtype.is_real() { all.dtype } else { DType::Int };
    Ok(TensorType { dtype, ..all.without(axes) })
}

/// Sums the products one result after the other, the summed axes in the order in which they are listed.
pub(super) fn eval(scene: &Scene, axes: &[AxisId], operands: &[&Array], shape: Shape) -> Array {
    let summed = scene.box_of(axes);
    let all = shape.axes.iter().chain(&summed.axes).copied().collect::<Vec<_>>();
    let strides = operands.iter().map(|operand| operand.shape.strides(&all)).collect::<Vec<_>>();
    let existence = scene.existence(&all);
    let plain = existence.is_none() && operands.iter().all(|operand| operand.present.is_none());
    let rank = shape.axes.len();
    let (outer, inner) = split(&strides, rank);
    let mut numbers = Vec::with_capacity(shape.len());
    let mut position = vec![0; all.len()];
    walk(&shape.extents, &outer, |coordinates, offsets| {
        position[..rank].copy_from_slice(coordinates);
        numbers.push(match operands {
            [left, right] if plain => sum_of_two(left, right, offsets, &inner, &summed.extents),
            _ => sum_of_present(operands, offsets, &inner, &summed.extents, &existence, &mut position),
        });
    });
    Array::new(shape, numbers)
}

fn split(strides: &[Vec<usize>], rank: usize) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    strides.iter().map(|strides| (strides[..rank].to_vec(), strides[rank..].to_vec())).unzip()
}

/// The usual case: two operands, nothing absent. The last summed axis is a loop of its own.
fn sum_of_two(left: &Array, right: &Array, base: &[usize], strides: &[Vec<usize>], extents: &[usize]) -> f64 {
    let (last, outer) = (extents.len() - 1, &extents[..extents.len() - 1]);
    let steps = [strides[0][last], strides[1][last]];
    let mut sum = 0.0;
    let outer_strides = [strides[0][..last].to_vec(), strides[1][..last].to_vec()];
    walk(outer, &outer_strides, |_, offsets| {
        let mut at = [base[0] + offsets[0], base[1] + offsets[1]];
        for _ in 0..extents[last] {
            sum += left.numbers[at[0]] * right.numbers[at[1]];
            at = [at[0] + steps[0], at[1] + steps[1]];
        }
    });
    sum
}

fn sum_of_present(
    operands: &[&Array],
    base: &[usize],
    strides: &[Vec<usize>],
    extents: &[usize],
    existence: &Option<Existence>,
    position: &mut [usize],
) -> f64 {
    let rank = position.len() - extents.len();
    let mut sum = 0.0;
    walk(extents, strides, |coordinates, offsets| {
        position[rank..].copy_from_slice(coordinates);
        if existence.as_ref().is_some_and(|existence| !existence.holds(position)) {
            return;
        }
        let mut product = 1.0;
        for (place, operand) in operands.iter().enumerate() {
            let offset = base[place] + offsets[place];
            if !operand.is_present(offset) {
                return;
            }
            product *= operand.numbers[offset];
        }
        sum += product;
    });
    sum
}

/// For each operand the contraction of upstream with all others.
pub(super) fn gradient(tape: &mut Tape, node: &Node, upstream: Value) {
    for (place, operand) in node.operands.iter().enumerate() {
        if !tape.is_active(*operand) {
            continue;
        }
        let others = node.operands.iter().enumerate().filter(|(other, _)| *other != place);
        let others = others.map(|(_, other)| *other).collect::<Vec<_>>();
        let mut factors = vec![upstream];
        factors.extend(others.into_iter().map(|other| tape.read(other)));
        let ty = tape.forward.typed(*operand).ty.clone();
        let part = tape.contract(&factors, &ty);
        let part = tape.spread(part, &ty);
        tape.give(*operand, part);
    }
}
