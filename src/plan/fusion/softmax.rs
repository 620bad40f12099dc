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
    /// What the weights are multiplied by.
    pub value: Value,
    /// The score, with the product and further values as leaves.
    pub score: Expression,
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
    let inner = region.node(product.node);
    let (Op::Contract(width), [one, other]) = (&inner.op, inner.operands.as_slice()) else { return None };
    let has = |value: &Value| region.typed(*value).ty.has(*keys);
    let (query, key) = match (has(one), has(other)) {
        (false, true) => (*one, *other),
        (true, false) => (*other, *one),
        _ => return None,
    };
    if !has(&value) {
        return None;
    }
    Some(Attention { root, weights, keys: *keys, product, width: width.clone(), query, key, value, score })
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
