//! Finds the gradient of attention: what gradients by queries, keys and values have in common.
//!
//! With `p = exp(x - m) / z` and `dp = sum[v](g · v)` there are sums of `e · k`, `e · q` and `p · g`, where
//! `e = p · (dp - sum[s](dp · p)) · dx`. How the formula of e was arranged does not matter: it is compared with this
//! one at random numbers.

use super::expression::Expression;
use super::softmax::{Attention, product_of, same_axes, weights};
use crate::graph::{NodeId, Op, Region, Value};
use crate::tensor::AxisId;

/// The gradient of an attention in a region.
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionGradient {
    /// What was computed; its `root` is the gradient of the result, which has the result's axes.
    pub forward: Attention,
    /// The gradients by queries, keys and values.
    pub roots: [Value; 3],
    /// The derivative of the score by the product.
    pub slope: Expression,
}

/// All in a region.
pub fn attention_gradients(region: &Region) -> Vec<AttentionGradient> {
    let ids = region.order();
    let contractions = ids.into_iter().filter(|&id| matches!(region.node(id).op, Op::Contract(_))).collect::<Vec<_>>();
    contractions.iter().filter_map(|&id| gradient(region, &contractions, id)).collect()
}

/// Starts from the gradient by the values: a sum of `p · g`.
fn gradient(region: &Region, contractions: &[NodeId], by_values: NodeId) -> Option<AttentionGradient> {
    let [left, right] = pair(region, by_values)?;
    let (upstream, share, keys, score) = share_of(region, left, right).or_else(|| share_of(region, right, left))?;
    let product = product_of(region, &score)?;
    let [one, other] = pair(region, product.node)?;
    let has = |value: Value| region.typed(value).ty.has(keys);
    let (query, key) = if has(other) { (one, other) } else { (other, one) };
    let width = summed(region, product.node)?;
    let find = |operand: Value, fits: &dyn Fn(NodeId, Value) -> bool| {
        contractions.iter().find_map(|&id| {
            let [left, right] = pair(region, id)?;
            let others =
                [(left, right), (right, left)].into_iter().find(|(own, other)| *own == operand && fits(id, *other));
            others.map(|(_, other)| (Value::of(id), other))
        })
    };
    let wide = |id: NodeId| same_axes(region, Value::of(id), share);
    let (products, value) = find(upstream, &|id, other| wide(id) && has(other))?;
    let (mean, mean_weights) = contractions.iter().find_map(|&id| {
        let [left, right] = pair(region, id)?;
        let is_products = |value| Expression::where_present(region, value) == Some(Expression::Leaf(products));
        let other = if is_products(left) {
            right
        } else if is_products(right) {
            left
        } else {
            return None;
        };
        (summed(region, id)? == [keys]).then_some((Value::of(id), other))
    })?;
    let formula = Formula { region, score: &score, product, share, products, mean, mean_weights };
    let (by_queries, first) =
        find(key, &|id, other| summed(region, id) == Some(vec![keys]) && formula.is_slope(other))?;
    let (by_keys, second) = find(query, &|id, other| has(Value::of(id)) && formula.is_slope(other))?;
    if first != second && !formula.is_slope(second) {
        return None;
    }
    let slope = score.derivative(product)?;
    let forward = Attention {
        root: upstream,
        weights: share,
        keys,
        product,
        width,
        query,
        key,
        further: Vec::new(),
        value,
        score: score.clone(),
    };
    Some(AttentionGradient { forward, roots: [by_queries, by_keys, Value::of(by_values)], slope })
}

/// The upstream gradient, the weights, the axis of the keys and the score, if `share` are an attention's weights.
fn share_of(region: &Region, upstream: Value, share: Value) -> Option<(Value, Value, AxisId, Expression)> {
    let own = region.typed(share).ty.axes.iter().copied().filter(|axis| !region.typed(upstream).ty.has(*axis));
    own.into_iter().find_map(|axis| weights(region, share, axis).map(|score| (upstream, share, axis, score)))
}

fn pair(region: &Region, id: NodeId) -> Option<[Value; 2]> {
    let node = region.node(id);
    matches!(node.op, Op::Contract(_)).then(|| node.operands.as_slice().try_into().ok())?
}

fn summed(region: &Region, id: NodeId) -> Option<Vec<AxisId>> {
    match &region.node(id).op {
        Op::Contract(axes) => Some(axes.clone()),
        _ => None,
    }
}

/// The values of one gradient while its formula is checked.
struct Formula<'f> {
    region: &'f Region,
    score: &'f Expression,
    product: Value,
    share: Value,
    products: Value,
    mean: Value,
    mean_weights: Value,
}

impl Formula<'_> {
    /// Whether a value is `p · (dp - sum of dp · p) · dx`.
    fn is_slope(&self, value: Value) -> bool {
        let open = |value| Expression::where_present(self.region, value);
        let parts = (open(value), open(self.share), open(self.mean_weights), self.score.derivative(self.product));
        let (Some(found), Some(share), Some(weights), Some(slope)) = parts else { return false };
        (0..4).all(|trial| self.agrees(trial, [&found, &share, &weights, &slope]).unwrap_or(false))
    }

    fn agrees(&self, trial: usize, [found, share, weights, slope]: [&Expression; 4]) -> Option<bool> {
        let known = |leaf: Value| Some(sample(trial, leaf));
        let p = share.evaluate(&known)?;
        let factor = weights.evaluate(&known)? / p;
        let moved = |leaf: Value| Some(sample(if leaf == self.product { trial + 7 } else { trial }, leaf));
        let factor_elsewhere = weights.evaluate(&moved)? / share.evaluate(&moved)?;
        let inner = sample(trial, self.mean);
        let with_mean = |leaf: Value| if leaf == self.mean { Some(inner * factor) } else { known(leaf) };
        let value = found.evaluate(&with_mean)?;
        let wanted = p * (known(self.products)? - inner) * slope.evaluate(&known)?;
        let near = |left: f64, right: f64| (left - right).abs() <= 1e-9 * (left.abs() + right.abs()) + 1e-12;
        Some(near(factor, factor_elsewhere) && near(value, wanted))
    }
}

/// A number between 0.5 and 1.5 that depends on a trial and a value.
fn sample(trial: usize, leaf: Value) -> f64 {
    let mixed = (trial * 7919 + leaf.node.index() * 104_729 + leaf.result as usize * 31) % 1000;
    0.5 + (mixed * mixed % 1000) as f64 / 1000.0
}
