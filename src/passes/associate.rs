//! Sums of products of several factors in the order with the fewest multiply-adds.
//! `k = contract[c](x[s, c], w[c, h, n]); y = contract[n](q[t, h, n], k)`  →  `p = contract[n](q, w); y = contract[c](p, x)`
//!
//! A contraction that one other contraction reads is part of its product. An order is changed if the best one saves a
//! quarter: what is nearly as good stays as it was written.

use super::Pass;
use super::regions::each_region;
use crate::graph::{Graph, NodeId, Op, Region, Typed, Value};
use crate::ops::{Chain, Factor, MOST_FACTORS, Order, Typing, add_axes, infer};
use crate::tensor::{Axes, AxisId, Relation};
use std::ops::Range;

pub(super) struct Associate;

impl Pass for Associate {
    fn name(&self) -> &'static str {
        "associate"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |axes, region| {
            let mut changed = false;
            for id in region.order().into_iter().rev() {
                changed |= region.contains(id) && rewrite(axes, region, id);
            }
            changed
        })
    }
}

/// A product as it is written.
struct Written {
    factors: Vec<Value>,
    /// For each contraction what it sums, and which factors stand below it.
    sums: Vec<(Vec<AxisId>, Range<usize>)>,
    order: Order,
}

fn rewrite(axes: &Axes, region: &mut Region, id: NodeId) -> bool {
    let Some(written) = written(region, id) else { return false };
    if !(3..=MOST_FACTORS).contains(&written.factors.len()) {
        return false;
    }
    let factors = written.factors.iter().map(|value| factor(region, *value)).collect::<Vec<_>>();
    let result = region.node(id).results[0].ty.axes.clone();
    if captures(&factors, &written) {
        return false;
    }
    let chain = Chain { factors: &factors, result: &result, axes };
    let Some((cost, order)) = chain.cheapest() else { return false };
    if cost > 0.75 * chain.cost(&written.order) {
        return false;
    }
    build(axes, region, id, &chain, &written.factors, &order)
}

/// The product of all factors that a contraction and those that it alone reads multiply.
fn written(region: &Region, id: NodeId) -> Option<Written> {
    let node = region.node(id);
    let (Op::Contract(axes), [left, right]) = (&node.op, node.operands.as_slice()) else { return None };
    let mut written = Written { factors: Vec::new(), sums: Vec::new(), order: Order::Factor(0) };
    let left = expand(region, id, *left, &mut written);
    let right = expand(region, id, *right, &mut written);
    written.sums.push((axes.clone(), 0..written.factors.len()));
    written.order = Order::Product(Box::new(left), Box::new(right));
    Some(written)
}

fn expand(region: &Region, reader: NodeId, value: Value, written: &mut Written) -> Order {
    let node = region.node(value.node);
    let alone = region.users(value.node) == [reader] && !region.results.contains(&Some(value));
    let plain =
        node.results[0].presence.is_always() && node.results[0].ty.dtype == region.typed(Value::of(reader)).ty.dtype;
    let twice = region.node(reader).operands.iter().filter(|operand| **operand == value).count() > 1;
    if let (Op::Contract(axes), [left, right]) = (&node.op, node.operands.as_slice())
        && alone
        && plain
        && !twice
    {
        let first = written.factors.len();
        let left = expand(region, value.node, *left, written);
        let right = expand(region, value.node, *right, written);
        written.sums.push((axes.clone(), first..written.factors.len()));
        return Order::Product(Box::new(left), Box::new(right));
    }
    written.factors.push(value);
    Order::Factor(written.factors.len() - 1)
}

/// Axes, and what the presence speaks of.
fn factor(region: &Region, value: Value) -> Factor {
    let typed = region.typed(value);
    let absent = typed.presence.relations.iter().map(|relation| axes_of(region, relation)).collect();
    Factor { axes: typed.ty.axes.clone(), absent }
}

fn axes_of(region: &Region, relation: &Relation<Value>) -> Vec<AxisId> {
    let mut axes = Vec::new();
    match relation {
        Relation::AtLeastZero(affine) => axes.extend(affine.axes()),
        Relation::Equal(axis, _) => axes.push(*axis),
        _ => {}
    }
    let read = relation.values().into_iter().flat_map(|value| &region.typed(*value).ty.axes);
    axes.extend(read);
    axes
}

/// Whether an axis means two things: it is summed by a contraction, and a factor beside that one has it too.
fn captures(factors: &[Factor], written: &Written) -> bool {
    written.sums.iter().any(|(axes, below)| {
        let beside = factors.iter().enumerate().filter(|(place, _)| !below.contains(place));
        beside.into_iter().any(|(_, factor)| factor.axes.iter().any(|axis| axes.contains(axis)))
    })
}

/// Makes the contractions of an order; the last takes the place of the old one.
fn build(axes: &Axes, region: &mut Region, id: NodeId, chain: &Chain, factors: &[Value], order: &Order) -> bool {
    let Order::Product(left, right) = order else { return false };
    let Some(operands) =
        [left, right].map(|part| product(axes, region, id, chain, factors, part)).into_iter().collect()
    else {
        return false;
    };
    let operands: Vec<Value> = operands;
    let summed = summed_between(region, &operands, chain.result);
    region.edit(id, |node| {
        node.op = Op::Contract(summed);
        node.operands = operands;
    });
    true
}

fn product(
    axes: &Axes,
    region: &mut Region,
    id: NodeId,
    chain: &Chain,
    factors: &[Value],
    order: &Order,
) -> Option<Value> {
    let (left, right) = match order {
        Order::Factor(place) => return Some(factors[*place]),
        Order::Product(left, right) => (left, right),
    };
    let left = product(axes, region, id, chain, factors, left)?;
    let right = product(axes, region, id, chain, factors, right)?;
    let op = Op::Contract(summed_between(region, &[left, right], &chain.axes_of(order)));
    let types = infer(&Typing { axes, region }, &op, &[left, right], None).ok()?;
    let path = region.node(id).path.clone();
    Some(region.add_one(op, [left, right], Typed::always(types.into_iter().next()?), path))
}

/// The axes of operands that are not kept.
fn summed_between(region: &Region, operands: &[Value], kept: &[AxisId]) -> Vec<AxisId> {
    let mut summed = Vec::new();
    for operand in operands {
        let own = region.typed(*operand).ty.axes.iter().copied().filter(|axis| !kept.contains(axis));
        add_axes(&mut summed, &own.collect::<Vec<_>>());
    }
    summed
}
