//! An index that moves along the positions and along other axes as two indices: the positions last.
//! `y[s, k] = x[t: s, p: k // 2, i: k % 2]`  →  `z[t, k] = x[p: k // 2, i: k % 2]; y[s, k] = z[t: s]`
//!
//! So what is read at other positions is kept in the form in which it is read, and not taken apart at every step.

use crate::graph::{For, NodeId, Op, Region, Typed, Value};
use crate::ops::{Typing, bounds, infer};
use crate::tensor::{Affine, Axes, AxisId, TensorType};

type Place = (AxisId, Affine<Value>);

/// Splits the indices of a region and of all bodies in it along the sequence `along`.
pub(super) fn split(axes: &Axes, region: &mut Region, along: AxisId) {
    for id in region.ids() {
        if let Op::For(repeat) = &region.node(id).op {
            let mut bodies = repeat.bodies.clone();
            bodies.iter_mut().for_each(|body| split(axes, body, along));
            let repeat = Op::For(For { bodies, ..repeat.clone() });
            region.edit(id, |node| node.op = repeat);
        } else if let Some((inner, ty, place)) = parts(axes, region, id, along) {
            let (operand, path) = (region.node(id).operands[0], region.node(id).path.clone());
            let value = region.add_one(Op::Index(inner), [operand], Typed::always(ty), path);
            region.edit(id, |node| {
                node.op = Op::Index(vec![place]);
                node.operands = vec![value];
            });
        }
    }
}

/// The places along other axes, the type that they give, and the place along the positions.
fn parts(axes: &Axes, region: &Region, id: NodeId, along: AxisId) -> Option<(Vec<Place>, TensorType, Place)> {
    let node = region.node(id);
    let Op::Index(places) = &node.op else { return None };
    let place = places.iter().find(|(axis, _)| *axis == along)?.clone();
    let inner = places.iter().filter(|(axis, _)| *axis != along).cloned().collect::<Vec<_>>();
    let source = region.typed(node.operands[0]);
    let inside = |(axis, place): &Place| {
        let range = bounds(axes, place).zip(axes.fixed(*axis));
        range.is_some_and(|((low, high), size)| low >= 0 && high < size) && place.axes().all(|read| read != along)
    };
    if inner.is_empty() || !source.presence.is_always() || !inner.iter().all(inside) {
        return None;
    }
    let types = infer(&Typing { axes, region }, &Op::Index(inner.clone()), &node.operands, None).ok()?;
    Some((inner, types.into_iter().next()?, place))
}
