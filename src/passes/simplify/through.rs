//! Reads through maps that only repeat or hide: whoever repeats or hides anyway needs no copy.
//! `a = x : [t, d]; b = a where c; y = b * w where c`  →  `y = x * w where c`
//!
//! - A node whose one reader hides part of it is made without that part.
//! - A map repeats its operands itself; it may read a hidden one bare if its own presence says the same.
//! - A contraction may read a bare operand if the others have the axes and the relations that are lost.

use crate::graph::{Node, NodeId, Op, Region, Typed, Value};
use crate::ops::add_axes;
use crate::tensor::{AxisId, Scalar};

pub(super) fn rewrite(region: &mut Region, id: NodeId) -> bool {
    match &region.node(id).op {
        Op::Map(_) => absorb(region, id) || map_reads_through(region, id),
        Op::Contract(_) => contract_reads_through(region, id),
        _ => false,
    }
}

/// The operand of a map that changes no element.
fn bare(region: &Region, value: Value) -> Option<Value> {
    let node = region.node(value.node);
    let Op::Map(scalar) = &node.op else { return None };
    let [operand] = node.operands[..] else { return None };
    let same = region.typed(operand).ty.dtype == node.results[0].ty.dtype;
    (*scalar == Scalar::identity() && same).then_some(operand)
}

/// An identity that hides part of a value which nobody else reads: the value is made without the part.
fn absorb(region: &mut Region, id: NodeId) -> bool {
    let value = Value::of(id);
    let Some(operand) = bare(region, value) else { return false };
    let own = region.typed(value).clone();
    let producer = region.node(operand.node);
    let read_once = region.users(operand.node) == [id] && !region.results.contains(&Some(operand));
    let can = matches!(producer.op, Op::Map(_) | Op::Contract(_) | Op::Index(_) | Op::Else);
    if !can || !read_once || producer.results[0].ty != own.ty || !contains(&own, &producer.results[0]) {
        return false;
    }
    // A relation that reads the value itself would read itself.
    if own.presence.relations.iter().any(|relation| relation.values().contains(&&operand)) {
        return false;
    }
    region.edit(operand.node, |node| node.results[0].presence = own.presence);
    region.replace(value, operand);
    region.remove(id);
    true
}

fn contains(wide: &Typed, narrow: &Typed) -> bool {
    narrow.presence.relations.iter().all(|relation| wide.presence.relations.contains(relation))
}

fn map_reads_through(region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let result = &node.results[0];
    let through = node.operands.iter().map(|operand| {
        let inner = bare(region, *operand).filter(|inner| inner.node != id)?;
        contains(result, region.typed(*operand)).then_some(inner)
    });
    let through = through.collect::<Vec<_>>();
    replace_operands(region, id, &through)
}

fn replace_operands(region: &mut Region, id: NodeId, through: &[Option<Value>]) -> bool {
    if through.iter().all(Option::is_none) {
        return false;
    }
    region.edit(id, |node| {
        for (operand, inner) in node.operands.iter_mut().zip(through) {
            *operand = inner.unwrap_or(*operand);
        }
    });
    true
}

fn contract_reads_through(region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id).clone();
    for (place, operand) in node.operands.iter().enumerate() {
        let Some(inner) = bare(region, *operand) else { continue };
        let others = node.operands.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, value)| *value);
        let others = others.collect::<Vec<_>>();
        if loses_nothing(region, &node, *operand, inner, &others) {
            let mut through = vec![None; node.operands.len()];
            through[place] = Some(inner);
            return replace_operands(region, id, &through);
        }
    }
    false
}

fn loses_nothing(region: &Region, node: &Node, outer: Value, inner: Value, others: &[Value]) -> bool {
    let mut axes: Vec<AxisId> = Vec::new();
    for value in others.iter().chain([&inner]) {
        add_axes(&mut axes, &region.typed(*value).ty.axes);
    }
    let (hidden, known) = (region.typed(outer), region.typed(inner));
    let said = |relation| {
        known.presence.relations.contains(relation)
            || others.iter().any(|other| region.typed(*other).presence.relations.contains(relation))
    };
    let covered = hidden.ty.axes.iter().all(|axis| axes.contains(axis));
    covered
        && node.results[0].ty.axes.iter().all(|axis| axes.contains(axis))
        && hidden.presence.relations.iter().all(said)
}
