//! What a vector unit has to do at the least: floating-point instructions of values that are computed once.
//!
//! In: a node. Out: the axes of what it computes, and instructions for one element. A multiplication that a sum goes on
//! with is one instruction together with it. Whole numbers, truths and moves are not counted, nor what is done again.
//! Programs are the same for all machines, so what some of them save is a number of its own.

use super::schedule::Planner;
use crate::graph::{NodeId, Op, Region, Value};
use crate::model::Combine;
use crate::tensor::{AxisId, Function, Scalar, ScalarStep};

/// Instructions of a node.
struct Instructions {
    /// The axes that they are counted along.
    axes: Vec<AxisId>,
    /// How many there are at each position.
    each: i64,
    /// How many fewer if one instruction multiplies by a power of two.
    powers: i64,
}

impl Planner<'_> {
    /// Adds a node's multiply-adds or other instructions.
    pub(super) fn count(&mut self, region: &Region, id: NodeId) {
        let node = region.node(id);
        if let Op::Contract(axes) = &node.op {
            let mut all = node.results[0].ty.axes.clone();
            all.extend(axes);
            let once = self.sizes.elements(&all);
            self.tally.add(&once);
            let all = once.times(self.times.clone());
            self.aside.extend((!self.in_turns).then(|| all.clone()));
            self.multiply_adds.push(all);
        } else if let Some(Instructions { axes, each, powers }) = instructions(region, id) {
            let positions = self.sizes.elements(&axes).times(self.times.clone());
            self.elementwise.push(positions.clone().times(each.into()));
            self.powers.push(positions.times(powers.into()));
        }
    }
}

/// The instructions of a node; `None` if there are none. Contractions are not among them: they are multiply-adds.
fn instructions(region: &Region, id: NodeId) -> Option<Instructions> {
    let node = region.node(id);
    let is_real = |value: Value| region.typed(value).ty.dtype.is_real();
    let (wide, each) = match &node.op {
        Op::Map(scalar) if is_real(Value::of(id)) => (Value::of(id), of_scalar(scalar)),
        Op::Reduce(Combine::First, _) => return None,
        Op::Reduce(..) if is_real(node.operands[0]) => (node.operands[0], 1),
        _ => return None,
    };
    let axes = region.typed(wide).ty.axes.clone();
    let goes_on = is_sum(&node.op) && node.operands.iter().any(|operand| is_own_product(region, *operand, &axes));
    let each = each - i64::from(goes_on);
    let powers = if let Op::Map(scalar) = &node.op { powers_of_two(scalar) } else { 0 };
    (each > 0).then_some(Instructions { axes, each, powers })
}

/// Whether a value is one addition, or adds up.
fn is_sum(op: &Op) -> bool {
    match op {
        Op::Reduce(combine, _) => *combine == Combine::Sum,
        Op::Map(scalar) => matches!(only_call(scalar), Some(Function::Add | Function::Subtract)),
        _ => false,
    }
}

/// Whether a value is a product with all of these axes that is read once.
fn is_own_product(region: &Region, value: Value, axes: &[AxisId]) -> bool {
    let node = region.node(value.node);
    let once = region.users(value.node).len() == 1 && !region.results.contains(&Some(value));
    let product = matches!(&node.op, Op::Map(scalar) if only_call(scalar) == Some(Function::Multiply));
    product && once && axes.iter().all(|axis| region.typed(value).ty.axes.contains(axis))
}

/// The function of an expression that is one call.
fn only_call(scalar: &Scalar) -> Option<Function> {
    let mut calls = calls(scalar);
    let first = calls.next();
    first.filter(|_| calls.next().is_none())
}

fn of_scalar(scalar: &Scalar) -> i64 {
    calls(scalar).map(of_function).sum()
}

/// How often something is multiplied by a power of two, which is two multiplications, as no number holds all powers.
fn powers_of_two(scalar: &Scalar) -> i64 {
    calls(scalar).filter(|function| matches!(function, Function::Exp | Function::Tanh | Function::Erf)).count() as i64
}

fn calls(scalar: &Scalar) -> impl Iterator<Item = Function> {
    scalar.steps.iter().filter_map(|step| match step {
        ScalarStep::Call(function, _) => Some(*function),
        _ => None,
    })
}

/// Elementary functions are as many as their polynomials are on a vector of 32-bit floats (`mlir::mathematics`), where a
/// comparison and the choice that it makes are one. What has no such formula counts as one.
fn of_function(function: Function) -> i64 {
    match function {
        Function::ToReal => 0,
        Function::Exp => 16,
        Function::Expm1 => 20,
        Function::Log => 22,
        Function::Log1p => 28,
        Function::Tanh => 29,
        Function::Erf => 35,
        _ => 1,
    }
}
