//! The turns of a recurrence as positions of the whole sequence.
//!
//! In: the body of a `for` along the growing sequence. Its turns count from the first new position: right where a value
//! is read at the turn, since values hold the new positions alone, and wrong wherever the position is a number. Out: the
//! same body, in which the number is `start + turn`; or the place that reads another position than its own.

use super::NotIncremental;
use crate::graph::{Node, NodeId, Op, Region, Typed, Value};
use crate::tensor::{Affine, AxisId, BATCH, DType, Function, Scalar, ScalarStep, TensorType};

/// Whether a body uses its turn as a number.
pub(super) fn counts(body: &Region, chunk: AxisId) -> bool {
    body.ids().into_iter().any(|id| turn_is_number(body, body.node(id), chunk))
}

/// Refuses a body that reads what has the sequence anywhere but at its turn.
pub(super) fn check(body: &Region, chunk: AxisId) -> Result<(), NotIncremental> {
    for id in body.ids() {
        let node = body.node(id);
        let elsewhere = node.op.places().iter().any(|(axis, place)| *axis == chunk && !is_turn(body, place));
        let inside = matches!(node.op, Op::For(_)) && node.operands.iter().any(|one| body.typed(*one).ty.has(chunk));
        if elsewhere || inside {
            let reason =
                "a recurrence reads other positions than its own of a value: bind what it reads before the `for`";
            return Err(NotIncremental { path: node.path.clone(), reason: reason.into() });
        }
    }
    Ok(())
}

/// Uses `start + turn`, with `start` as the argument of this number, where the turn is a number.
pub(super) fn count_from_start(body: &mut Region, argument: usize, chunk: AxisId) {
    let typed = Typed::always(TensorType::new([BATCH], DType::Int));
    let start = body.add_one(Op::Argument(argument), [], typed.clone(), "start");
    let is_turn = |id: &NodeId| matches!(body.node(*id).op, Op::Turn);
    let turns = body.ids().into_iter().filter(is_turn).collect::<Vec<_>>();
    for turn in turns {
        let mut scalar = Scalar::default();
        let operands = [0, 1].map(|place| scalar.push(ScalarStep::Operand(place)));
        scalar.push(ScalarStep::Call(Function::Add, operands.to_vec()));
        let users = body.users(turn);
        let turn = Value::of(turn);
        let position = body.add_one(Op::Map(scalar), [start, turn], typed.clone(), "position");
        for user in users {
            body.edit(user, |node| replace(node, turn, position, chunk));
        }
        let results = body.results.iter_mut().flatten();
        results.filter(|result| **result == turn).for_each(|result| *result = position);
    }
}

/// Counts all positions where a body asks for the length of the sequence.
pub(super) fn measure_all(body: &mut Region, chunk: AxisId, context: AxisId) {
    for id in body.ids() {
        body.edit(id, |node| {
            if matches!(node.op, Op::Length(axis) if axis == chunk) {
                node.op = Op::Length(context);
            }
        });
    }
}

/// Puts the position in the place of the turn, except where that says which new position is read.
fn replace(node: &mut Node, turn: Value, position: Value, chunk: AxisId) {
    let moved = |value: &Value| if *value == turn { position } else { *value };
    node.operands.iter_mut().for_each(|operand| *operand = moved(operand));
    if let Op::Index(places) = &mut node.op {
        let others = places.iter_mut().filter(|(axis, _)| *axis != chunk);
        others.for_each(|(_, place)| *place = place.map_values(moved));
    }
    node.results.iter_mut().for_each(|typed| typed.presence = typed.presence.map_values(moved));
}

fn turn_is_number(body: &Region, node: &Node, chunk: AxisId) -> bool {
    let turn = |value: &Value| matches!(body.node(value.node).op, Op::Turn);
    let places = node.op.places().iter().filter(|(axis, _)| *axis != chunk);
    let present = node.results.iter().flat_map(|typed| &typed.presence.relations);
    node.operands.iter().any(turn)
        || places.into_iter().any(|(_, place)| place.values().any(turn))
        || present.flat_map(|relation| relation.values()).any(turn)
}

fn is_turn(body: &Region, place: &Affine<Value>) -> bool {
    let of = |id: NodeId| matches!(body.node(id).op, Op::Turn);
    place.constant == 0
        && place.terms.len() == 1
        && place.values().all(|value| of(value.node))
        && place.values().count() == 1
}
