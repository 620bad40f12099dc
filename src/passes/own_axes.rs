//! Bodies that see slices of the same weights call their axes the same.
//! `for … { v = w[c: e]; … v … } { … w … }`  →  `for … { … w … } { … w … }`, where a body has e in the place of c alone
//!
//! Layers of two kinds that both have some attention were elaborated apart, each with axes of its own. With one name for
//! one axis their kernels are the same kernels, and what decoding keeps for them is alike.

use super::Pass;
use super::regions::each_region;
use crate::graph::{Graph, NodeId, Op, Region, Value};
use crate::tensor::{Axes, AxisId};
use std::collections::BTreeSet;

pub(super) struct OwnAxes;

impl Pass for OwnAxes {
    fn name(&self) -> &'static str {
        "own-axes"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |axes, region| {
            region.ids().into_iter().fold(false, |changed, id| {
                let Op::For(own) = region.op_mut(id) else { return changed };
                let several = own.bodies.len() > 1;
                own.bodies.iter_mut().filter(|_| several).fold(changed, |changed, body| unify(axes, body) | changed)
            })
        })
    }
}

fn unify(axes: &Axes, body: &mut Region) -> bool {
    let mut changed = false;
    while let Some((outer, own)) = renamed(axes, body) {
        body.rename(own, outer);
        changed = true;
    }
    changed
}

/// An axis of arguments, and the axis of the body that stands in its place wherever an argument is read.
fn renamed(axes: &Axes, body: &Region) -> Option<(AxisId, AxisId)> {
    let fixed = argument_axes(body);
    let pairs = body.ids().into_iter().flat_map(|id| names(body, id)).collect::<BTreeSet<_>>();
    let mut fits = pairs.into_iter().filter(|&(outer, own)| {
        let size = axes.fixed(outer);
        size.is_some() && size == axes.fixed(own) && !fixed.contains(&own) && is_alone(body, outer, own)
    });
    fits.next()
}

/// The axes that a body does not choose: of its arguments, and of its results.
fn argument_axes(body: &Region) -> BTreeSet<AxisId> {
    let arguments = body.ids().into_iter().filter(|id| matches!(body.node(*id).op, Op::Argument(_))).map(Value::of);
    let all = arguments.chain(body.results.iter().flatten().copied());
    all.flat_map(|value| body.typed(value).ty.axes.clone()).collect()
}

/// The names that an index of an argument gives to axes.
fn names(body: &Region, id: NodeId) -> Vec<(AxisId, AxisId)> {
    let node = body.node(id);
    let Op::Index(places) = &node.op else { return Vec::new() };
    if !matches!(body.node(node.operands[0].node).op, Op::Argument(_)) {
        return Vec::new();
    }
    let named = places.iter().filter_map(|(axis, place)| Some((*axis, place.as_axis()?)));
    named.filter(|(axis, own)| axis != own).collect()
}

/// Whether nothing speaks of an axis but arguments and the indices that give it the other name.
fn is_alone(body: &Region, outer: AxisId, own: AxisId) -> bool {
    let speaks = |id: &NodeId| body.node(*id).used_axes().contains(&outer);
    let handed_on = |id: NodeId| body.results.iter().flatten().any(|result| result.node == id);
    body.ids().into_iter().filter(speaks).all(|id| match &body.node(id).op {
        Op::Argument(_) => {
            !handed_on(id) && body.users(id).iter().all(|user| names(body, *user).contains(&(outer, own)))
        }
        Op::Index(places) => {
            let read_elsewhere = places.iter().any(|(_, place)| place.axes().any(|axis| axis == outer));
            names(body, id).contains(&(outer, own)) && !body.node(id).results[0].ty.has(outer) && !read_elsewhere
        }
        _ => false,
    })
}
