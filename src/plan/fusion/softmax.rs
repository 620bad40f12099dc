//! Finds `sum over s of softmax(score)[s] · value[s]`, where the score is a function of a product: streamed attention.
//!
//! `e = exp(x - max[s](x)); out = sum[s](e / sum[s](e) · v)` with `x = f(sum[w](q · k), …)` where a relation holds.

use super::expression::Expression;
use crate::graph::{Op, Region, Value};
use crate::model::Combine;
use crate::tensor::{AxisId, Function};

/// An attention in a region.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// The contraction that gives the result.
    pub root: Value,
    /// The normalised weights, for the relations under which they are present.
    pub weights: Value,
    /// The axis of the keys.
    pub keys: AxisId,
    /// The product of queries and keys.
    pub product: Value,
    /// What the product is summed over.
    pub width: Vec<AxisId>,
    /// The operand of the product without the axis of the keys.
    pub query: Value,
    /// The operand of the product with it.
    pub key: Value,
    /// Further products that are added to the first.
    pub further: Vec<Part>,
    /// What the weights are multiplied by.
    pub value: Value,
    /// The score, with the product and further values as leaves.
    pub score: Expression,
}

/// One more product of queries and keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is summed over.
    pub width: Vec<AxisId>,
    /// The operand without the axis of the keys.
    pub query: Value,
    /// The operand with it.
    pub key: Value,
}

/// The attention that a value is the result of, if it is one. Of several products in the score the widest is streamed;
/// the others are further values. `width` says how many elements some axes have.
pub fn attention(region: &Region, root: Value, width: &dyn Fn(&[AxisId]) -> i64) -> Option<Attention> {
    let node = region.node(root.node);
    let Op::Contract(axes) = &node.op else { return None };
    let ([keys], [left, right]) = (axes.as_slice(), node.operands.as_slice()) else { return None };
    let found = weights(region, *left, *keys).map(|found| (*left, *right, found));
    let found = found.or_else(|| weights(region, *right, *keys).map(|found| (*right, *left, found)));
    let (weights, value, score) = found?;
    let product = widest_product(region, &score, width)?;
    let Part { width, query, key } = part(region, product, *keys)?;
    if !region.typed(value).ty.has(*keys) {
        return None;
    }
    let mut further = Vec::new();
    let score = with_one_product(region, &score, (product, *keys), &mut further);
    Some(Attention { root, weights, keys: *keys, product, width, query, key, further, value, score })
}

/// A contraction of queries and keys.
fn part(region: &Region, product: Value, keys: AxisId) -> Option<Part> {
    let node = region.node(product.node);
    let (Op::Contract(width), [one, other]) = (&node.op, node.operands.as_slice()) else { return None };
    let has = |value: &Value| region.typed(*value).ty.has(keys);
    let (query, key) = match (has(one), has(other)) {
        (false, true) => (*one, *other),
        (true, false) => (*other, *one),
        _ => return None,
    };
    Some(Part { width: width.clone(), query, key })
}

/// A score in which a product stands for its sum with other products; these are added to `further`.
fn with_one_product(
    region: &Region,
    score: &Expression,
    (product, keys): (Value, AxisId),
    further: &mut Vec<Part>,
) -> Expression {
    let Expression::Call(function, arguments) = score else { return score.clone() };
    let mut again = |one: &Expression| with_one_product(region, one, (product, keys), further);
    let arguments = arguments.iter().map(&mut again).collect::<Vec<_>>();
    if let (Function::Add, [Expression::Leaf(left), Expression::Leaf(right)]) = (*function, arguments.as_slice()) {
        let other = if *left == product { *right } else { *left };
        let alike = same_axes(region, other, product) && region.typed(other) == region.typed(product);
        if (*left == product) != (*right == product)
            && alike
            && let Some(part) = part(region, other, keys)
        {
            further.push(part);
            return Expression::Leaf(product);
        }
    }
    Expression::Call(*function, arguments)
}

/// Whether two values have the same axes.
pub(super) fn same_axes(region: &Region, left: Value, right: Value) -> bool {
    let [left, right] = [left, right].map(|value| &region.typed(value).ty);
    left.axes.len() == right.axes.len() && left.axes.iter().all(|axis| right.has(*axis))
}

/// The score of which a value is the softmax along an axis.
pub(super) fn weights(region: &Region, value: Value, axis: AxisId) -> Option<Expression> {
    let never = |_: Value| false;
    let Expression::Call(Function::Divide, parts) = Expression::of(region, value, &never)? else { return None };
    let [Expression::Call(Function::Exp, inner), Expression::Leaf(sum)] = parts.as_slice() else { return None };
    let [Expression::Call(Function::Subtract, terms)] = inner.as_slice() else { return None };
    let [score, Expression::Leaf(largest)] = terms.as_slice() else { return None };
    let summed = reduced(region, *sum, Combine::Sum, axis)?;
    let same = Expression::of(region, summed, &never)? == parts[0];
    let over = reduced(region, *largest, Combine::Maximum, axis)?;
    let same = same && Expression::of(region, over, &never)? == *score;
    same.then(|| score.clone())
}

/// The operand of a reduction along one axis.
fn reduced(region: &Region, value: Value, combine: Combine, axis: AxisId) -> Option<Value> {
    match &region.node(value.node).op {
        Op::Reduce(with, axes) if *with == combine && *axes == [axis] => Some(region.node(value.node).operands[0]),
        _ => None,
    }
}

/// The contraction among the leaves of a score that sums most.
fn widest_product(region: &Region, score: &Expression, width: &dyn Fn(&[AxisId]) -> i64) -> Option<Value> {
    let summed = |value: Value| match &region.node(value.node).op {
        Op::Contract(axes) => Some((width(axes), value)),
        _ => None,
    };
    let products = score.leaves().into_iter().filter_map(summed);
    products.max_by_key(|(width, value)| (*width, std::cmp::Reverse(*value))).map(|(_, value)| value)
}

/// The one contraction among the leaves of a score.
pub(super) fn product_of(region: &Region, score: &Expression) -> Option<Value> {
    let is_product = |value: &Value| matches!(region.node(value.node).op, Op::Contract(_));
    let mut products = score.leaves().into_iter().filter(is_product);
    let first = products.next()?;
    products.next().is_none().then_some(first)
}
