//! Values that are expressions of coordinates: passes that put something else in the place of a coordinate.
//!
//! Guarantee: what is handed into a body counts as what it is outside, so a mask that stands before a loop is known in it.

use crate::graph::{Graph, NodeId, Op, Region, Value};
use crate::ops::{keep_needed, with_read_operands};
use crate::tensor::{Axes, Scalar, ScalarStep};
use std::collections::HashMap;

/// What a body is handed that is made of coordinates and numbers alone, by the place of the argument.
pub(super) type Handed = HashMap<usize, Scalar>;

/// Rewrites one node, and says whether it did.
type Rewrite<'a> = &'a dyn Fn(&Axes, &mut Region, NodeId, &Handed) -> bool;

/// Runs a rewrite on every node of a graph, in inner regions first; says whether one changed anything.
pub(super) fn each_node(graph: &mut Graph, rewrite: Rewrite) -> bool {
    let Graph { axes, root, .. } = graph;
    within(axes, root, &Handed::new(), rewrite)
}

fn within(axes: &Axes, region: &mut Region, handed: &Handed, rewrite: Rewrite) -> bool {
    let mut changed = false;
    for id in region.ids() {
        let Op::For(repeat) = &region.node(id).op else { continue };
        let captured = region.node(id).operands.iter().enumerate().skip(repeat.carried + repeat.sliced);
        let inside = captured.filter_map(|(place, read)| Some((place, formula(region, *read, handed)?)));
        let inside: Handed = inside.collect();
        // Bodies read nothing of the outer region: its edges stay as they are.
        let Op::For(repeat) = region.op_mut(id) else { continue };
        for body in &mut repeat.bodies {
            changed |= within(axes, body, &inside, rewrite);
        }
    }
    region.order().into_iter().fold(changed, |changed, id| rewrite(axes, region, id, handed) | changed)
}

/// A value as an expression of coordinates and numbers.
pub(super) fn formula(region: &Region, value: Value, handed: &Handed) -> Option<Scalar> {
    let (node, typed) = (region.node(value.node), region.typed(value));
    if !typed.presence.is_always() {
        return None;
    }
    match &node.op {
        Op::Coordinate(axis) => Some(Scalar { steps: vec![ScalarStep::Coordinate(*axis)] }),
        Op::Constant(numbers) if typed.ty.axes.is_empty() => {
            Some(Scalar { steps: vec![ScalarStep::Number(numbers[0], typed.ty.dtype)] })
        }
        Op::Argument(place) => handed.get(place).cloned(),
        Op::Map(scalar) => {
            let parts =
                node.operands.iter().map(|operand| formula(region, *operand, handed)).collect::<Option<Vec<_>>>()?;
            Some(composed(scalar, &parts))
        }
        _ => None,
    }
}

/// An expression with others in place of its operands.
fn composed(scalar: &Scalar, parts: &[Scalar]) -> Scalar {
    let mut whole = Scalar::default();
    let last = append(&mut whole, scalar, parts);
    keep_needed(&whole, last)
}

fn append(whole: &mut Scalar, scalar: &Scalar, parts: &[Scalar]) -> usize {
    let mut places: Vec<usize> = Vec::with_capacity(scalar.steps.len());
    for step in &scalar.steps {
        let place = match step {
            ScalarStep::Operand(operand) => append(whole, &parts[*operand], &[]),
            ScalarStep::Call(function, arguments) => {
                let arguments = arguments.iter().map(|argument| places[*argument]).collect();
                whole.push(ScalarStep::Call(*function, arguments))
            }
            leaf => whole.push(leaf.clone()),
        };
        places.push(place);
    }
    places.last().copied().unwrap_or(0)
}

/// How maps make a value: the expression, and what it reads.
pub(super) fn expression(region: &Region, value: Value, handed: &Handed) -> Option<(Scalar, Vec<Value>)> {
    let node = region.node(value.node);
    let own = || match &node.op {
        Op::Map(scalar) => Some((scalar.clone(), node.operands.clone())),
        _ => None,
    };
    formula(region, value, handed).map(|scalar| (scalar, Vec::new())).or_else(own)
}

/// The steps of an expression without those that nothing reads, and the operands that they read.
pub(super) fn tidied(steps: impl IntoIterator<Item = ScalarStep>, operands: &[Value]) -> (Op, Vec<Value>) {
    let scalar = Scalar { steps: steps.into_iter().collect() };
    let (scalar, read) = with_read_operands(&keep_needed(&scalar, scalar.steps.len() - 1));
    (Op::Map(scalar), read.into_iter().map(|place| operands[place]).collect())
}
