//! Forgets conditions that always hold.
//! `x where c`, `c` always true  →  `x`
//!
//! A bool always holds if it is a number, if it follows from others that do, or if something is certain to be there: of
//! `any[s](true where s <= t)` the position `t` itself.

use crate::graph::{For, NodeId, Op, Region, Typed, Value};
use crate::model::Combine;
use crate::tensor::{Affine, Axes, AxisId, DType, Function, Relation, Scalar, ScalarStep, Term};
use std::collections::HashSet;

/// Removes every relation of a region and of all bodies in it that always holds.
pub(super) fn settle(axes: &Axes, region: &mut Region) {
    settle_body(axes, region, &HashSet::new());
}

fn settle_body(axes: &Axes, region: &mut Region, arguments: &HashSet<usize>) {
    let truths = truths(axes, region, arguments);
    for id in region.ids() {
        if let Op::For(repeat) = &region.node(id).op {
            let mut repeat = repeat.clone();
            let inner = inner_arguments(axes, &repeat, &region.node(id).operands, &truths);
            repeat.bodies.iter_mut().for_each(|body| settle_body(axes, body, &inner));
            region.edit(id, |node| node.op = Op::For(repeat));
        }
        region.edit(id, |node| node.results.iter_mut().for_each(|typed| forget(typed, &truths)));
    }
}

fn forget(typed: &mut Typed, truths: &HashSet<Value>) {
    typed.presence.relations.retain(|relation| !matches!(relation, Relation::Holds(flag) if truths.contains(flag)));
}

/// The bools of a region that always hold.
fn truths(axes: &Axes, region: &Region, arguments: &HashSet<usize>) -> HashSet<Value> {
    let mut truths = HashSet::new();
    for id in region.order() {
        let node = region.node(id);
        match &node.op {
            Op::For(repeat) => truths.extend(true_results(axes, id, repeat, &node.operands, &truths)),
            _ if node.results[0].ty.dtype == DType::Bool && holds(axes, region, id, arguments, &truths) => {
                truths.insert(Value::of(id));
            }
            _ => {}
        }
    }
    truths
}

fn holds(axes: &Axes, region: &Region, id: NodeId, arguments: &HashSet<usize>, truths: &HashSet<Value>) -> bool {
    let node = region.node(id);
    let there = |value: &Value| truths.contains(value) && is_everywhere(region.typed(*value), truths);
    match &node.op {
        Op::Argument(place) => arguments.contains(place),
        Op::Constant(numbers) => numbers.iter().all(|number| *number != 0.0),
        Op::Map(scalar) => {
            let known = node.operands.iter().map(|operand| truths.contains(operand)).collect::<Vec<_>>();
            is_true(scalar, &known)
        }
        Op::Else => there(&node.operands[0]) || node.operands.iter().all(|operand| truths.contains(operand)),
        Op::Index(_) | Op::Stop | Op::Peek | Op::Reduce(Combine::All, _) => truths.contains(&node.operands[0]),
        Op::Reduce(Combine::Any, summed) => {
            truths.contains(&node.operands[0])
                && is_somewhere(axes, region, &node.results[0], node.operands[0], summed, truths)
        }
        _ => false,
    }
}

fn is_everywhere(typed: &Typed, truths: &HashSet<Value>) -> bool {
    typed.presence.relations.iter().all(|relation| matches!(relation, Relation::Holds(flag) if truths.contains(flag)))
}

/// Whether a value is present at some position of the summed axis, wherever the others are: at one that it shares with
/// an axis like it, or at any if nothing is asked.
fn is_somewhere(
    axes: &Axes,
    region: &Region,
    result: &Typed,
    operand: Value,
    summed: &[AxisId],
    truths: &HashSet<Value>,
) -> bool {
    let [summed] = summed else { return false };
    let mut relations = region.typed(operand).presence.relations.iter();
    let rest =
        relations.by_ref().filter(|relation| !matches!(relation, Relation::Holds(flag) if truths.contains(flag)));
    let rest = rest.collect::<Vec<_>>();
    if rest.is_empty() {
        return axes.fixed(*summed).is_some_and(|size| size > 0);
    }
    let others = result.ty.axes.iter().filter(|axis| axes.alike(**axis, *summed));
    others.into_iter().any(|other| {
        rest.iter().all(|relation| {
            let Relation::AtLeastZero(affine) = relation else { return false };
            let there = affine.map_axes(|axis| if axis == *summed { *other } else { axis });
            there.terms.is_empty() && there.constant >= 0
        })
    })
}

/// Whether an expression is true given the operands that are.
fn is_true(scalar: &Scalar, operands: &[bool]) -> bool {
    let mut steps: Vec<Option<f64>> = Vec::with_capacity(scalar.steps.len());
    for step in &scalar.steps {
        let known = match step {
            ScalarStep::Operand(place) => operands[*place].then_some(1.0),
            ScalarStep::Number(number, _) => Some(*number),
            ScalarStep::Coordinate(_) => None,
            ScalarStep::Call(function, arguments) => {
                let known = arguments.iter().map(|place| steps[*place]).collect::<Vec<_>>();
                match function {
                    Function::Or if known.iter().flatten().any(|number| *number != 0.0) => Some(1.0),
                    _ => known.into_iter().collect::<Option<Vec<_>>>().map(|all| function.apply(&all)),
                }
            }
        };
        steps.push(known);
    }
    steps.last().copied().flatten().is_some_and(|number| number != 0.0)
}

/// The arguments of bodies that always hold: what is handed in, and what is carried if every turn keeps it so.
fn inner_arguments(axes: &Axes, repeat: &For, operands: &[Value], truths: &HashSet<Value>) -> HashSet<usize> {
    let mut known = (0..operands.len()).filter(|place| truths.contains(&operands[*place])).collect::<HashSet<_>>();
    loop {
        let inside = repeat.bodies.iter().map(|body| self::truths(axes, body, &known)).collect::<Vec<_>>();
        let kept = |place: &usize| {
            let result = |body: &Region, inside: &HashSet<Value>| {
                body.results[*place].is_some_and(|value| inside.contains(&value))
            };
            *place >= repeat.carried || repeat.bodies.iter().zip(&inside).all(|(body, inside)| result(body, inside))
        };
        let before = known.len();
        known.retain(kept);
        if known.len() == before {
            return known;
        }
    }
}

/// The results of a `for` that always hold.
fn true_results(axes: &Axes, id: NodeId, repeat: &For, operands: &[Value], truths: &HashSet<Value>) -> Vec<Value> {
    let known = inner_arguments(axes, repeat, operands, truths);
    let inside = repeat.bodies.iter().map(|body| self::truths(axes, body, &known)).collect::<Vec<_>>();
    let yields = repeat.bodies.first().map_or(0, |body| body.results.len() - usize::from(repeat.until));
    let holds = |place: &usize| match *place < repeat.carried {
        true => known.contains(place),
        false => repeat
            .bodies
            .iter()
            .zip(&inside)
            .all(|(body, inside)| body.results[*place].is_some_and(|value| inside.contains(&value))),
    };
    (0..yields).filter(holds).map(|place| Value { node: id, result: place as u32 }).collect()
}

/// A form without a value that stands for a sum of others.
pub(super) fn expand(form: &Affine<Value>, value: Value, sum: &Affine<Value>) -> Affine<Value> {
    let own = form.terms.iter().find(|(term, _)| *term == Term::Value(value)).map_or(0, |(_, factor)| *factor);
    form.plus(&Affine::value(value), -own).plus(sum, own)
}
