//! Gives the values of a recurrence's body to rows.
//!
//! In: a body, and the types of its arguments, some of which have become a row's own because rows stand at different
//! positions. Out: the same body, in which what is computed from them has the axis of the rows too.

use crate::graph::{For, NodeId, Op, Region, Typed};
use crate::ops::{stacked, yields_of};
use crate::tensor::{BATCH, TensorType};

/// The type of a value of one row, with the axis of the rows in front.
pub(super) fn by_row(mut ty: TensorType) -> TensorType {
    if !ty.has(BATCH) {
        ty.axes.insert(0, BATCH);
    }
    ty
}

/// Widens all that depends on the arguments, inner regions included.
pub(super) fn widen(body: &mut Region, arguments: &[Typed]) {
    for id in body.order() {
        if let Op::Argument(place) = body.node(id).op {
            let ty = arguments[place].ty.clone();
            body.edit(id, |node| node.results[0].ty = ty);
        } else if matches!(body.node(id).op, Op::For(_)) {
            widen_inner(body, id);
        } else if reads_rows(body, id) {
            body.edit(id, |node| node.results.iter_mut().for_each(|typed| typed.ty = by_row(typed.ty.clone())));
        }
    }
}

/// Whether a node's results belong to a row because something that it reads does.
fn reads_rows(body: &Region, id: NodeId) -> bool {
    let node = body.node(id);
    let sums_rows = matches!(&node.op, Op::Contract(axes) | Op::Reduce(_, axes) if axes.contains(&BATCH));
    !sums_rows && node.reads().iter().any(|read| body.typed(*read).ty.has(BATCH))
}

/// A `for` inside: what it carries belongs to rows if what it starts from or computes does.
fn widen_inner(body: &mut Region, id: NodeId) {
    let node = body.node(id).clone();
    let Op::For(mut region) = node.op else { return };
    let operands = node.operands.iter().map(|value| body.typed(*value).clone()).collect::<Vec<_>>();
    let sliced = region.carried..region.carried + region.sliced;
    let of_turn = |(place, mut typed): (usize, Typed)| {
        if sliced.contains(&place) {
            typed.ty = region.slice_of(&typed.ty);
        }
        typed
    };
    let arguments = operands.into_iter().enumerate().map(of_turn).collect::<Vec<_>>();
    region.bodies.iter_mut().for_each(|inner| widen(inner, &arguments));
    let types = result_types(&region, &arguments);
    body.edit(id, |node| {
        node.results.iter_mut().zip(types).for_each(|(typed, ty)| typed.ty = ty);
        node.op = Op::For(region);
    });
}

/// The types of a region's results: what it carries, then the stacks of what it yields.
pub(super) fn result_types(region: &For, arguments: &[Typed]) -> Vec<TensorType> {
    let carried = arguments[..region.carried].iter().map(|typed| typed.ty.clone());
    let given = |place: usize| {
        let place_in_body = region.carried + place;
        let made = region.bodies.iter().find_map(|body| body.results[place_in_body].map(|value| body.typed(value)));
        made.map(|typed| stacked(&typed.ty, region.stack_axis(place)))
    };
    let yielded = (0..yields_of(region)).filter_map(given);
    carried.chain(yielded).collect()
}
