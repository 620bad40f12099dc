//! Operands that were captured become slices: their places among the operands, and the reads of bodies.

use super::{Found, arguments};
use crate::graph::{NodeId, Op, Region, Value};
use crate::tensor::AxisId;

/// Puts what was found after the slices that a `for` has.
pub(super) fn change(region: &mut Region, id: NodeId, found: &[Found]) {
    region.edit(id, |node| {
        let Op::For(own) = &mut node.op else { return };
        let first = own.carried + own.sliced;
        let moved = found.iter().map(|found| found.place).collect::<Vec<_>>();
        let rest = (first..node.operands.len()).filter(|place| !moved.contains(place));
        let order = (0..first).chain(moved.iter().copied()).chain(rest).collect::<Vec<_>>();
        node.operands = order.iter().map(|place| node.operands[*place]).collect();
        own.sliced += moved.len();
        for track in found.iter().filter_map(|found| found.track.as_ref()) {
            if !own.tracks.contains(track) {
                own.tracks.push(track.clone());
            }
        }
        for number in 0..own.bodies.len() {
            for one in found {
                if !own.has_slices(one.axis, number) {
                    forget(&mut own.bodies[number], one.place);
                }
            }
            renumber(&mut own.bodies[number], &order, found);
        }
    });
}

/// Removes the arguments of a place, which nothing reads.
fn forget(body: &mut Region, place: usize) {
    for id in arguments(body, place) {
        body.remove(id);
    }
}

/// Numbers the arguments of a body anew, and lets those that moved be slices.
fn renumber(body: &mut Region, order: &[usize], found: &[Found]) {
    for id in body.ids() {
        let Some(Op::Argument(place)) = body.find(id).map(|node| node.op.clone()) else { continue };
        if let Some(Found { axis, .. }) = found.iter().find(|found| found.place == place) {
            body.edit(id, |node| node.results[0].ty = node.results[0].ty.without(&[*axis]));
            body.users(id).into_iter().for_each(|user| take_slice(body, user, Value::of(id), *axis));
        }
        let new = order.iter().position(|old| *old == place).unwrap_or(place);
        body.edit(id, |node| node.op = Op::Argument(new));
    }
}

fn take_slice(body: &mut Region, user: NodeId, slice: Value, axis: AxisId) {
    body.edit(user, |node| {
        if let Op::Index(places) = &mut node.op {
            places.retain(|(own, _)| *own != axis);
        }
    });
    let node = body.node(user);
    if node.op.places().is_empty() && node.results[0] == *body.typed(slice) {
        body.replace(Value::of(user), slice);
        body.remove(user);
    }
}
