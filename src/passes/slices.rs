//! What the bodies of a `for` read of a value from outside at their turn alone, they are handed slice by slice.
//! `for i captured w { … w[i: turn] … }`  →  `for i sliced w { … w … }`
//!
//! Only then is the gradient of w a slice of each turn too, and not a sum over all turns of something as large as w.

use super::Pass;
use super::regions::each_region;
use crate::graph::{For, Graph, NodeId, Op, Region, Value};
use crate::tensor::{Affine, AxisId, Term};

pub(super) struct Slices;

impl Pass for Slices {
    fn name(&self) -> &'static str {
        "slices"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |_, region| {
            let repeats = region.ids().into_iter().filter(|id| matches!(region.node(*id).op, Op::For(_)));
            repeats.collect::<Vec<_>>().into_iter().fold(false, |changed, id| changed | rewrite(region, id))
        })
    }
}

fn rewrite(region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let Op::For(own) = &node.op else { return false };
    let first = own.carried + own.sliced;
    let fits = |place: &usize| {
        let typed = region.typed(node.operands[*place]);
        typed.presence.is_always() && typed.ty.has(own.axis) && is_read_at_turns(own, *place)
    };
    let moved = (first..node.operands.len()).filter(fits).collect::<Vec<_>>();
    if moved.is_empty() {
        return false;
    }
    let rest = (first..node.operands.len()).filter(|place| !moved.contains(place));
    let order = (0..first).chain(moved.iter().copied()).chain(rest).collect::<Vec<_>>();
    region.edit(id, |node| {
        node.operands = order.iter().map(|place| node.operands[*place]).collect();
        if let Op::For(own) = &mut node.op {
            own.sliced += moved.len();
            let axis = own.axis;
            own.bodies.iter_mut().for_each(|body| change(body, axis, &order, &moved));
        }
    });
    true
}

/// Whether bodies read an operand at all, and only at the turn.
fn is_read_at_turns(own: &For, place: usize) -> bool {
    let mut reads = 0;
    for body in &own.bodies {
        for id in arguments(body, place) {
            if body.results.iter().flatten().any(|result| result.node == id) {
                return false;
            }
            for user in body.users(id) {
                if !reads_slice(body, user, Value::of(id), own.axis) {
                    return false;
                }
                reads += 1;
            }
        }
    }
    reads > 0
}

fn arguments(body: &Region, place: usize) -> Vec<NodeId> {
    let is_it = |id: &NodeId| matches!(body.node(*id).op, Op::Argument(own) if own == place);
    body.ids().into_iter().filter(is_it).collect()
}

/// Whether a node is an index at the turn, and reads the value in no other way.
fn reads_slice(body: &Region, user: NodeId, value: Value, axis: AxisId) -> bool {
    let node = body.node(user);
    let Op::Index(places) = &node.op else { return false };
    let once = node.reads().into_iter().filter(|read| *read == value).count() == 1;
    once && node.operands[0] == value && places.iter().any(|(own, place)| *own == axis && is_turn(body, place))
}

fn is_turn(body: &Region, place: &Affine<Value>) -> bool {
    matches!(place.terms.as_slice(), [(Term::Value(turn), 1)] if place.constant == 0
        && matches!(body.node(turn.node).op, Op::Turn))
}

/// Numbers the arguments of a body anew, and lets those that moved be slices.
fn change(body: &mut Region, axis: AxisId, order: &[usize], moved: &[usize]) {
    for id in body.ids() {
        let Some(Op::Argument(place)) = body.find(id).map(|node| node.op.clone()) else { continue };
        if moved.contains(&place) {
            body.edit(id, |node| node.results[0].ty = node.results[0].ty.without(&[axis]));
            body.users(id).into_iter().for_each(|user| take_slice(body, user, Value::of(id), axis));
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
