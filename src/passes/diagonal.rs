//! A sum of products with a matrix that is one thing on its diagonal and another beside it needs no product of matrices.
//! `y = sum[v](p[v] * m)`  →  `y = p[v: w] * (on - off) + sum[v](p) * off`, where m asks of v only whether it is w
//!
//! `on` is m where `v == w` holds, `off` where it does not; neither has v. Such are the transitions of noise that hides
//! tokens or makes any token of them, as their papers write them: `(1 - beta) * (v == w) + beta / |v|`.

use super::Pass;
use super::coordinates::{Handed, each_node, expression, tidied};
use crate::graph::{Graph, NodeId, Op, Region, Typed, Value};
use crate::model::Combine;
use crate::tensor::{Affine, Axes, AxisId, DType, Function, Scalar, ScalarStep, TensorType};

pub(super) struct Diagonal;

impl Pass for Diagonal {
    fn name(&self) -> &'static str {
        "diagonal"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_node(graph, &rewrite)
    }
}

/// A sum that may be split.
struct Split {
    /// What is summed, and with which axis of the matrix.
    summed: AxisId,
    other: AxisId,
    matrix: Value,
    vector: Value,
}

fn rewrite(axes: &Axes, region: &mut Region, id: NodeId, handed: &Handed) -> bool {
    let Some(split) = split(axes, region, id, handed) else { return false };
    let path = region.node(id).path.clone();
    let [on, off] = [true, false].map(|equal| settled(region, split.matrix, &split, equal, handed));
    let ty = region.typed(split.vector).ty.clone();
    let there = ty.axes.iter().map(|axis| if *axis == split.summed { split.other } else { *axis }).collect();
    let there = Typed::always(TensorType { axes: there, dtype: ty.dtype });
    let place = vec![(split.summed, Affine::axis(split.other))];
    let there = region.add_one(Op::Index(place), [split.vector], there, &*path);
    let sum = Op::Reduce(Combine::Sum, vec![split.summed]);
    let all = region.add_one(sum, [split.vector], Typed::always(ty.without(&[split.summed])), path);
    region.edit(id, |node| {
        node.op = Op::Map(joined());
        node.operands = vec![there, on, off, all];
    });
    true
}

/// `there * (on - off) + all * off`.
fn joined() -> Scalar {
    let mut scalar = Scalar::default();
    let [there, on, off, all] = [0, 1, 2, 3].map(|place| scalar.push(ScalarStep::Operand(place)));
    let mut call = |function, left, right| scalar.push(ScalarStep::Call(function, vec![left, right]));
    let more = call(Function::Subtract, on, off);
    let (own, rest) = (call(Function::Multiply, there, more), call(Function::Multiply, all, off));
    call(Function::Add, own, rest);
    scalar
}

/// The sum over one axis of a vector times a matrix that asks only whether that axis is another.
fn split(axes: &Axes, region: &Region, id: NodeId, handed: &Handed) -> Option<Split> {
    let node = region.node(id);
    let (Op::Reduce(Combine::Sum, along), [product]) = (&node.op, node.operands.as_slice()) else { return None };
    let [summed] = along[..] else { return None };
    let Op::Map(scalar) = &region.node(product.node).op else { return None };
    let [left, right] = region.node(product.node).operands[..] else { return None };
    let always = [Value::of(id), *product, left, right].iter().all(|value| region.typed(*value).presence.is_always());
    if !always || *scalar != Scalar::function(Function::Multiply) {
        return None;
    }
    [(left, right), (right, left)].into_iter().find_map(|(matrix, vector)| {
        let mut other = None;
        let asks = asks_only_for_equal(region, matrix, summed, handed, &mut other);
        let other = other.filter(|_| asks)?;
        let size = axes.fixed(summed);
        let ty = &region.typed(vector).ty;
        let fits = size.is_some() && size == axes.fixed(other) && ty.has(summed) && !ty.has(other);
        (fits && ty.dtype.is_real()).then_some(Split { summed, other, matrix, vector })
    })
}

/// Whether maps make a value that depends on its place along an axis only by whether that is its place along `other`.
fn asks_only_for_equal(
    region: &Region,
    value: Value,
    axis: AxisId,
    handed: &Handed,
    other: &mut Option<AxisId>,
) -> bool {
    let typed = region.typed(value);
    if !typed.ty.has(axis) {
        return true;
    }
    let Some((scalar, operands)) = expression(region, value, handed) else { return false };
    let asks = |(place, step): (usize, &ScalarStep)| match step {
        ScalarStep::Call(_, arguments) => {
            let bare = arguments.iter().any(|argument| scalar.steps[*argument] == ScalarStep::Coordinate(axis));
            !bare || compared(&scalar, place, axis).is_some_and(|with| *other.get_or_insert(with) == with)
        }
        // The value itself would be the coordinate.
        ScalarStep::Coordinate(own) => *own != axis || place + 1 < scalar.steps.len(),
        _ => true,
    };
    typed.presence.is_always()
        && scalar.steps.iter().enumerate().all(asks)
        && operands.iter().all(|operand| asks_only_for_equal(region, *operand, axis, handed, other))
}

/// The other axis, if a step asks whether a coordinate equals that along another axis.
fn compared(scalar: &Scalar, place: usize, axis: AxisId) -> Option<AxisId> {
    let ScalarStep::Call(Function::Equal, arguments) = &scalar.steps[place] else { return None };
    match [&scalar.steps[arguments[0]], &scalar.steps[arguments[1]]] {
        [ScalarStep::Coordinate(left), ScalarStep::Coordinate(right)] if *left == axis && *right != axis => {
            Some(*right)
        }
        [ScalarStep::Coordinate(left), ScalarStep::Coordinate(right)] if *right == axis && *left != axis => Some(*left),
        _ => None,
    }
}

/// The matrix where its two coordinates are equal, or where they are not.
fn settled(region: &mut Region, value: Value, split: &Split, equal: bool, handed: &Handed) -> Value {
    if !region.typed(value).ty.has(split.summed) {
        return value;
    }
    let Some((scalar, operands)) = expression(region, value, handed) else { return value };
    let operands =
        operands.into_iter().map(|operand| settled(region, operand, split, equal, handed)).collect::<Vec<_>>();
    let known = ScalarStep::Number(f64::from(u8::from(equal)), DType::Bool);
    let steps = scalar.steps.iter().enumerate().map(|(place, step)| match compared(&scalar, place, split.summed) {
        Some(_) => known.clone(),
        None => step.clone(),
    });
    let (op, operands) = tidied(steps, &operands);
    let (typed, path) = (region.typed(value).ty.without(&[split.summed]), region.node(value.node).path.clone());
    region.add_one(op, operands, Typed::always(typed), path)
}
