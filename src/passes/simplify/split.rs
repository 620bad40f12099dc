//! A split of an axis goes before what is done element by element, back to the merge that made the axis.
//! `a = x[g: c // 8, k: c % 8]; b = map a, w[c]; y = b[c: 8 * g + k]`  →  `y = map x, w[c: 8 * g + k]`
//!
//! What lies along the merged axis need not be read by quotients and remainders any more, nor its gradient be scattered.

use super::index::composed;
use crate::graph::{Node, NodeId, Op, Region, Typed, Value};
use crate::ops::add_axes;
use crate::tensor::{Affine, Axes, AxisId, Relation, Term};

/// The split of an axis into others.
struct Split {
    axis: AxisId,
    place: Affine<Value>,
}

pub(super) fn rewrite(axes: &Axes, region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let Op::Index(places) = &node.op else { return false };
    let [(axis, place)] = places.as_slice() else { return false };
    let split = Split { axis: *axis, place: place.clone() };
    let (source, presence) = (node.operands[0], node.results[0].presence.clone());
    let same = region.typed(source).presence == presence && is_elementwise(region, source);
    if !same || !split.is_whole(axes) || !split.meets_merge(axes, region, source, id) {
        return false;
    }
    let before = split.before(axes, region, source);
    let wished = region.node(id).results[0].ty.axes.clone();
    region.edit(before.node, |node| node.results[0].ty.axes = wished);
    region.replace(Value::of(id), before);
    region.remove(id)
}

fn is_elementwise(region: &Region, value: Value) -> bool {
    matches!(region.node(value.node).op, Op::Map(_) | Op::Reduce(..))
}

impl Split {
    /// Whether every element of the axis has one place in the others, as digits of mixed radix.
    fn is_whole(&self, axes: &Axes) -> bool {
        let mut digits = Vec::new();
        for (term, factor) in &self.place.terms {
            let Term::Axis(axis) = term else { return false };
            let Some(size) = axes.fixed(*axis) else { return false };
            digits.push((*factor, size));
        }
        digits.retain(|(_, size)| *size != 1);
        digits.sort_unstable();
        let after = digits.iter().try_fold(1, |next, (factor, size)| (*factor == next).then_some(next * size));
        self.place.constant == 0 && after.is_some() && after == axes.fixed(self.axis)
    }

    /// Whether all that lies along the axis under a value was read by quotients and remainders, or comes from outside.
    fn meets_merge(&self, axes: &Axes, region: &Region, value: Value, user: NodeId) -> bool {
        let node = region.node(value.node);
        let typed = region.typed(value);
        let along = || node.operands.iter().copied().filter(|operand| region.typed(*operand).ty.has(self.axis));
        let alone = region.users(value.node) == [user] && !region.results.contains(&Some(value));
        let passed = match &node.op {
            Op::Map(scalar) => !scalar.coordinates().contains(&self.axis),
            Op::Reduce(_, summed) => !summed.contains(&self.axis),
            _ => false,
        };
        let is_apart = std::iter::once(value).chain(along()).all(|value| self.is_apart(region, value));
        if !alone
            || !passed
            || !is_apart
            || typed.presence.relations.iter().any(|relation| self.is_spoken_of(region, relation))
        {
            return false;
        }
        let is_given = |operand: Value| matches!(region.node(operand.node).op, Op::Argument(_) | Op::Parameter(_));
        let merged = |operand: Value| self.merged(axes, region, operand).is_some();
        let further = |operand: Value| self.meets_merge(axes, region, operand, value.node);
        let fits = along().all(|operand| is_given(operand) || merged(operand) || further(operand));
        fits && along().any(|operand| !is_given(operand))
    }

    /// Whether a value has none of the axes that the axis is split into: they may mean something else there.
    fn is_apart(&self, region: &Region, value: Value) -> bool {
        self.place.axes().all(|axis| !region.typed(value).ty.has(axis))
    }

    fn is_spoken_of(&self, region: &Region, relation: &Relation<Value>) -> bool {
        crate::graph::demand::axes_of(region, relation).contains(&self.axis)
    }

    /// An index that reads by quotients and remainders of the axis, as the one without them that the split makes of it.
    fn merged(&self, axes: &Axes, region: &Region, value: Value) -> Option<Node> {
        let node = region.node(value.node);
        let Op::Index(inner) = &node.op else { return None };
        let plain = inner.iter().all(|(_, place)| place.values().next().is_none());
        let is_part = |term: &Term<Value>| matches!(term, Term::Quotient(..) | Term::Remainder(..));
        let has_parts = |places: &[(AxisId, Affine<Value>)]| {
            places.iter().any(|(_, place)| place.terms.iter().any(|(term, _)| is_part(term)))
        };
        let presence = &node.results[0].presence;
        if !plain || !has_parts(inner) || presence.relations.iter().any(|relation| self.is_spoken_of(region, relation))
        {
            return None;
        }
        let source = &region.typed(node.operands[0]).ty.axes;
        let places = composed(axes, source, inner, &[(self.axis, self.place.clone())])?;
        if has_parts(&places) {
            return None;
        }
        let mut made = node.clone();
        made.op = Op::Index(places);
        made.results = vec![self.typed(&node.results[0])];
        Some(made)
    }

    /// A value with the others in the place of the axis.
    fn before(&self, axes: &Axes, region: &mut Region, value: Value) -> Value {
        if !region.typed(value).ty.has(self.axis) {
            return value;
        }
        if let Some(merged) = self.merged(axes, region, value) {
            return Value::of(region.insert(merged));
        }
        let mut node = region.node(value.node).clone();
        let typed = self.typed(region.typed(value));
        if is_elementwise(region, value) {
            let operands = std::mem::take(&mut node.operands);
            node.operands = operands.into_iter().map(|operand| self.before(axes, region, operand)).collect();
        } else {
            node.op = Op::Index(vec![(self.axis, self.place.clone())]);
            node.operands = vec![value];
        }
        node.results = vec![typed];
        Value::of(region.insert(node))
    }

    fn typed(&self, old: &Typed) -> Typed {
        let mut own = Vec::new();
        for axis in &old.ty.axes {
            match *axis == self.axis {
                true => add_axes(&mut own, &self.place.axes().collect::<Vec<_>>()),
                false => add_axes(&mut own, &[*axis]),
            }
        }
        let mut typed = old.clone();
        typed.ty.axes = own;
        typed
    }
}
