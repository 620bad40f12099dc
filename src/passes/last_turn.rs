//! The last turn of a loop changes what is asked for in the end alone.
//! `for i { … give y }`, read where c holds  →  `for i { … give (y where i < last or c) else x }`, where x is carried
//!
//! What a turn makes of other positions is needed by the next, as attention reads all of them; what the last makes is not.
//! So the last of a sampler's layers multiplies the rows that the turn is about. Only products are worth the question, and
//! what the conditions read is known before the loop. It stands after dead code is gone: a reader that nobody reads would
//! ask for everything.

use super::Pass;
use super::regions::each_region;
use crate::graph::demand::{Demand, axes_of, demand};
use crate::graph::{For, Graph, NodeId, Op, Region, Typed, Value};
use crate::tensor::{Axes, DType, Function, Presence, Relation, Scalar, ScalarStep, TensorType};
use std::collections::HashSet;

pub(super) struct LastTurn;

impl Pass for LastTurn {
    fn name(&self) -> &'static str {
        "last-turn"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |axes, region| {
            let order = region.order();
            let found = demand(region, &order.iter().copied().collect());
            order.into_iter().fold(false, |changed, id| narrow(axes, region, id, &found) | changed)
        })
    }
}

/// Leaves carried values as they are where the last turn need not change them.
fn narrow(axes: &Axes, region: &mut Region, id: NodeId, found: &Demand) -> bool {
    let Op::For(repeat) = &region.node(id).op else { return false };
    let Some((arm, last)) = last_turn(axes, repeat).filter(|_| region.node(id).results.len() == repeat.carried) else {
        return false;
    };
    let (mut repeat, path) = (repeat.clone(), region.node(id).path.clone());
    let mut operands = region.node(id).operands.clone();
    let mut changed = false;
    for place in 0..repeat.carried {
        let Some(relations) = conditions(region, Value { node: id, result: place as u32 }, found) else { continue };
        let asked = add_truth(region, region.node(id).results[place].ty.clone(), relations, &path);
        let handed = region.typed(asked).clone();
        keep_rest(&mut repeat.bodies[arm], place, (operands.len(), handed), last);
        operands.push(asked);
        changed = true;
    }
    if changed {
        region.edit(id, |node| {
            node.op = Op::For(repeat);
            node.operands = operands;
        });
    }
    changed
}

/// The body of the last of several turns, and its number, if it multiplies matrices.
fn last_turn(axes: &Axes, repeat: &For) -> Option<(usize, i64)> {
    let last = axes.fixed(repeat.axis)? - 1;
    let arm = repeat.turns.as_ref().map_or(Some(0), |turns| Some(*turns.last()? as usize))?;
    let body = repeat.bodies.get(arm)?;
    let multiplies = body.ids().into_iter().any(|id| matches!(body.node(id).op, Op::Contract(_)));
    (last > 0 && !repeat.reverse && !repeat.until && multiplies).then_some((arm, last))
}

/// Where alone a value is asked for, as far as that differs from place to place and does not depend on the value.
fn conditions(region: &Region, value: Value, found: &Demand) -> Option<Vec<Relation<Value>>> {
    let after = followers(region, value.node);
    let known = |relation: &&Relation<Value>| {
        !axes_of(region, relation).is_empty() && relation.values().iter().all(|read| !after.contains(&read.node))
    };
    let relations = found.get(&value)?.iter().filter(known).cloned().collect::<Vec<_>>();
    (!relations.is_empty()).then_some(relations)
}

/// A node and all that read what it makes, however far.
fn followers(region: &Region, id: NodeId) -> HashSet<NodeId> {
    let mut all = HashSet::from([id]);
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        open.extend(region.users(id).into_iter().filter(|user| all.insert(*user)));
    }
    all
}

/// Whether relations hold, along those axes of a value that they speak of.
fn add_truth(region: &mut Region, of: TensorType, relations: Vec<Relation<Value>>, path: &str) -> Value {
    let spoken = relations.iter().flat_map(|relation| axes_of(region, relation)).collect::<Vec<_>>();
    let axes = of.axes.into_iter().filter(|axis| spoken.contains(axis)).collect::<Vec<_>>();
    let ty = TensorType::new(axes, DType::Bool);
    let [yes, no] = [1.0, 0.0].map(|number| Scalar { steps: vec![ScalarStep::Number(number, DType::Bool)] });
    let holds = Typed { ty: ty.clone(), presence: Presence { relations } };
    let holds = region.add_one(Op::Map(yes), [], holds, path);
    let fails = region.add_one(Op::Map(no), [], Typed::always(TensorType::scalar(DType::Bool)), path);
    region.add_one(Op::Else, [holds, fails], Typed::always(ty), path)
}

/// Lets a body's carried result be the old value where it is the last turn and nobody asks for the new.
fn keep_rest(body: &mut Region, place: usize, (argument, handed): (usize, Typed), last: i64) {
    let Some(new) = body.results[place] else { return };
    let (ty, path) = (body.typed(new).ty.clone(), body.node(new.node).path.clone());
    let old = body.ids().into_iter().find(|id| matches!(body.node(*id).op, Op::Argument(own) if own == place));
    let old = old.map(Value::of);
    let old = old.unwrap_or_else(|| body.add_one(Op::Argument(place), [], Typed::always(ty.clone()), &*path));
    let asked = body.add_one(Op::Argument(argument), [], handed.clone(), &*path);
    let turn = body.add_one(Op::Turn, [], Typed::always(TensorType::scalar(DType::Int)), &*path);
    let goes_on = body.add_one(Op::Map(is_before_or(last)), [turn, asked], handed, &*path);
    let presence = Presence { relations: vec![Relation::Holds(goes_on)] };
    let changes = Typed { ty: ty.clone(), presence };
    let changes = body.add_one(Op::Map(Scalar::identity()), [new], changes, &*path);
    let next = body.add_one(Op::Else, [changes, old], Typed::always(ty), &*path);
    body.results[place] = Some(next);
}

/// `turn < last or asked`.
fn is_before_or(last: i64) -> Scalar {
    let mut scalar = Scalar::default();
    let [turn, last] = [ScalarStep::Operand(0), ScalarStep::Number(last as f64, DType::Int)].map(|s| scalar.push(s));
    let before = scalar.push(ScalarStep::Call(Function::Less, vec![turn, last]));
    let asked = scalar.push(ScalarStep::Operand(1));
    scalar.push(ScalarStep::Call(Function::Or, vec![before, asked]));
    scalar
}
