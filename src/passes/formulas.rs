//! A look-up in a matrix that is a formula of its coordinates is the formula at the place.
//! `m = (1 - b) * (v == w) + b; y[t, v] = m[w: x[t]]`  →  `y[t, v] = (1 - b) * (v == x) + b`
//!
//! The matrix need not be stored, and nobody jumps about in it. Formulas with functions that are dear (`exp`, `cos`) stay
//! tables: there they are computed once for each place.

use super::Pass;
use super::coordinates::{Handed, each_node, expression, tidied};
use crate::graph::{Graph, NodeId, Op, Region, Typed, Value};
use crate::tensor::{Affine, Axes, AxisId, Function, ScalarStep, TensorType};

pub(super) struct Formulas;

impl Pass for Formulas {
    fn name(&self) -> &'static str {
        "formulas"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_node(graph, &rewrite)
    }
}

fn rewrite(_: &Axes, region: &mut Region, id: NodeId, handed: &Handed) -> bool {
    let node = region.node(id);
    let (Op::Index(places), [matrix]) = (&node.op, node.operands.as_slice()) else { return false };
    let ([(axis, place)], matrix) = (places.as_slice(), *matrix) else { return false };
    let (axis, Some(at)) = (*axis, looked_up(place)) else { return false };
    let always = [Value::of(id), at].iter().all(|value| region.typed(*value).presence.is_always());
    if !always || !is_formula(region, matrix, axis, handed) {
        return false;
    }
    let all = node.results[0].ty.axes.clone();
    let value = placed(region, matrix, &Lookup { axis, at, all }, handed);
    region.replace(Value::of(id), value);
    region.remove(id)
}

/// The value that alone says where to look.
fn looked_up(place: &Affine<Value>) -> Option<Value> {
    let value = place.values().next()?;
    (*place == Affine::value(*value)).then_some(*value)
}

/// Whether maps of cheap functions make a value of its coordinate along an axis, and of nothing else that has the axis.
fn is_formula(region: &Region, value: Value, axis: AxisId, handed: &Handed) -> bool {
    let typed = region.typed(value);
    if !typed.ty.has(axis) {
        return true;
    }
    let Some((scalar, operands)) = expression(region, value, handed) else { return false };
    let cheap = |step: &ScalarStep| !matches!(step, ScalarStep::Call(function, _) if is_dear(*function));
    typed.presence.is_always()
        && scalar.steps.iter().all(cheap)
        && operands.iter().all(|operand| is_formula(region, *operand, axis, handed))
}

fn is_dear(function: Function) -> bool {
    use Function::*;
    matches!(
        function,
        Power | Exp | Log | Log1p | Expm1 | Sqrt | Sin | Cos | Tanh | Erf | FloorDivide | Remainder | Divide
    )
}

/// What is looked up where, and the axes of what comes out.
struct Lookup {
    axis: AxisId,
    at: Value,
    all: Vec<AxisId>,
}

/// The value with the place in the stead of the coordinate.
fn placed(region: &mut Region, value: Value, lookup: &Lookup, handed: &Handed) -> Value {
    let old = region.typed(value).ty.clone();
    if !old.has(lookup.axis) {
        return value;
    }
    let Some((scalar, operands)) = expression(region, value, handed) else { return value };
    let mut operands = operands.into_iter().map(|operand| placed(region, operand, lookup, handed)).collect::<Vec<_>>();
    operands.push(lookup.at);
    let steps = scalar.steps.iter().map(|step| match step {
        ScalarStep::Coordinate(axis) if *axis == lookup.axis => ScalarStep::Operand(operands.len() - 1),
        other => other.clone(),
    });
    let (op, operands) = tidied(steps, &operands);
    let of_place = region.typed(lookup.at).ty.axes.clone();
    let has = |axis: &AxisId| of_place.contains(axis) || (*axis != lookup.axis && old.has(*axis));
    let axes = lookup.all.iter().copied().filter(has).collect();
    let (typed, path) = (Typed::always(TensorType { axes, dtype: old.dtype }), region.node(value.node).path.clone());
    region.add_one(op, operands, typed, path)
}
