//! What it costs to compute a value again, beside an addition.

use crate::graph::{NodeId, Op, Region, Value};
use crate::plan::lowering::Scope;
use crate::tensor::{AxisId, Function, ScalarStep};
use std::collections::HashMap;

/// About how many simple steps one element takes, by what its operands cost.
pub fn cost(scope: &Scope, costs: &HashMap<Value, u32>, value: Value) -> u32 {
    let node = scope.region.node(value.node);
    let operands = node.operands.iter().map(|operand| costs.get(operand).copied().unwrap_or(1)).sum::<u32>();
    match &node.op {
        Op::Map(scalar) => {
            let steps = scalar.steps.iter().map(|step| match step {
                ScalarStep::Call(function, _) => price(*function),
                _ => 0,
            });
            operands.saturating_sub(node.operands.len() as u32) + steps.sum::<u32>()
        }
        Op::Reduce(_, axes) | Op::Contract(axes) => {
            let small = axes.iter().all(|axis| scope.sizes.axes().fixed(*axis).is_some_and(|size| size <= 8192));
            if small && matches!(node.op, Op::Reduce(..)) { 2 } else { 1000 }
        }
        _ if is_free(&node.op) => 0,
        Op::Stop | Op::Peek => operands,
        Op::Index(_) => operands,
        Op::Else => operands + 1,
        _ => 1000,
    }
}

/// Whether a function is a polynomial and more: it takes as long as a dozen simple steps.
pub fn is_elementary(function: Function) -> bool {
    price(function) >= price(Function::Exp)
}

fn price(function: Function) -> u32 {
    use Function::*;
    match function {
        Exp | Log | Log1p | Expm1 | Sin | Cos | Tanh | Erf => 6,
        Power => 12,
        Divide | Sqrt | FloorDivide | Remainder => 2,
        ToReal | ToInt => 0,
        _ => 1,
    }
}

/// Whether summed axes are an operand's last, so that they are read one after the other.
pub fn ends_with(region: &Region, operand: Value, axes: &[AxisId]) -> bool {
    let own = &region.typed(operand).ty.axes;
    own.iter().rev().take_while(|axis| axes.contains(axis)).count() == axes.len()
}

/// Numbers of a product that is a sum for each of them.
const FEW: i64 = 16;

/// Whether few numbers come of a product of rows with rows: as many sums, in lanes along what is summed, are done before
/// a panel of one would be packed.
pub fn gives_few(scope: &Scope, id: NodeId) -> bool {
    let node = scope.region.node(id);
    let Op::Contract(axes) = &node.op else { return false };
    let [left, right] = [0, 1].map(|place| &scope.region.typed(node.operands[place]).ty.axes);
    let own = |mine: &[AxisId], other: &[AxisId]| -> Option<i64> {
        let own = mine.iter().filter(|axis| !other.contains(axis));
        own.map(|axis| scope.sizes.axes().fixed(*axis)).product()
    };
    let rows = node.operands.iter().all(|operand| ends_with(scope.region, *operand, axes));
    let numbers = own(left, right).zip(own(right, left)).map(|(rows, columns)| rows * columns);
    rows && numbers.is_some_and(|numbers| numbers <= FEW)
}

/// Whether computing it again is never more than a few instructions.
pub fn is_free(op: &Op) -> bool {
    match op {
        Op::Coordinate(_) | Op::Turn | Op::Length(_) => true,
        Op::Constant(numbers) => numbers.len() == 1,
        _ => false,
    }
}
