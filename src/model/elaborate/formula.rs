//! How a parameter starts that is computed from draws: `u[c] ~ uniform(1, 16); param w[c] = log(u)`.
//!
//! In: the value after `=`. Out: its steps from coordinates and draws, for the runtime, which knows the seed; nothing if
//! it depends on anything else. A draw is the parameter's then: once for each turn of the `for`s around, for no row.

use super::Elaborator;
use crate::model::values::{Law, ValueId, ValueKind};
use crate::tensor::{AxisId, BATCH, Function};
use archc_runtime::abi::{Arithmetic, Formula, StartStep};
use std::collections::HashMap;

/// The steps so far, and which of them a value is.
#[derive(Default)]
struct Steps {
    steps: Vec<StartStep>,
    known: HashMap<ValueId, usize>,
}

impl Elaborator<'_> {
    /// The steps of a value over the axes of a parameter.
    pub fn formula(&mut self, value: ValueId, axes: &[AxisId]) -> Option<Formula> {
        let mut steps = Steps::default();
        self.step_of(value, axes, &mut steps)?;
        Some(Formula(steps.steps))
    }

    fn step_of(&mut self, value: ValueId, axes: &[AxisId], steps: &mut Steps) -> Option<usize> {
        if let Some(&known) = steps.known.get(&value) {
            return Some(known);
        }
        let step = match self.state.values.value(value).kind.clone() {
            ValueKind::Number(number) => StartStep::Number(number),
            ValueKind::Coordinate(axis) => StartStep::Coordinate(axes.iter().position(|own| *own == axis)?),
            ValueKind::Broadcast(x) => return self.step_of(x, axes, steps),
            ValueKind::Scalar(Function::ToReal, operands) => return self.step_of(*operands.first()?, axes, steps),
            ValueKind::Scalar(function, operands) => {
                let operands = operands.iter().map(|operand| self.step_of(*operand, axes, steps));
                StartStep::Call(arithmetic(function)?, operands.collect::<Option<_>>()?)
            }
            ValueKind::Draw { law: law @ (Law::Normal | Law::Uniform), path, operands } => {
                let [first, second] = operands.as_slice() else { return None };
                let of = [self.step_of(*first, axes, steps)?, self.step_of(*second, axes, steps)?];
                let drawn = self.values().axes_of(value).to_vec();
                let riding = self.frame().riding.clone();
                let strange = |axis: &&AxisId| !axes.contains(axis) && **axis != BATCH && !riding.contains(axis);
                if drawn.iter().any(|axis| strange(&axis)) {
                    return None;
                }
                let along = (0..axes.len()).filter(|place| drawn.contains(&axes[*place])).collect();
                StartStep::Draw { path, normal: law == Law::Normal, of, along }
            }
            _ => return None,
        };
        steps.steps.push(step);
        steps.known.insert(value, steps.steps.len() - 1);
        Some(steps.steps.len() - 1)
    }
}

/// A function as the runtime knows it, if it does.
fn arithmetic(function: Function) -> Option<Arithmetic> {
    Some(match function {
        Function::Add => Arithmetic::Add,
        Function::Subtract => Arithmetic::Subtract,
        Function::Multiply => Arithmetic::Multiply,
        Function::Divide => Arithmetic::Divide,
        Function::Power => Arithmetic::Power,
        Function::Minimum => Arithmetic::Minimum,
        Function::Maximum => Arithmetic::Maximum,
        Function::Negate => Arithmetic::Negate,
        Function::Absolute => Arithmetic::Absolute,
        Function::Floor => Arithmetic::Floor,
        Function::Exp => Arithmetic::Exp,
        Function::Log => Arithmetic::Log,
        Function::Log1p => Arithmetic::Log1p,
        Function::Expm1 => Arithmetic::Expm1,
        Function::Sqrt => Arithmetic::Sqrt,
        Function::Sin => Arithmetic::Sin,
        Function::Cos => Arithmetic::Cos,
        Function::Tanh => Arithmetic::Tanh,
        _ => return None,
    })
}
