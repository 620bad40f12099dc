//! Scalar expressions: every argument is brought to the type that its function computes in.

use super::emitter::{Emitter, scalar_type};
use crate::graph::Node;
use crate::kernel::{Register, ScalarType};
use crate::plan::place::{Place, Places};
use crate::tensor::{Function, Scalar, ScalarStep};

impl Emitter<'_, '_> {
    /// A map at places.
    pub(super) fn map(&mut self, node: &Node, scalar: &Scalar, places: &Places) -> Register {
        let operands = node.operands.iter().map(|operand| self.scope.typed(*operand).ty.dtype).collect::<Vec<_>>();
        let types = scalar.types(&operands);
        let mut steps: Vec<Register> = Vec::with_capacity(scalar.steps.len());
        for (step, dtype) in scalar.steps.iter().zip(types) {
            let register = match step {
                ScalarStep::Operand(place) => self.value(node.operands[*place], places),
                ScalarStep::Coordinate(axis) => {
                    let place = places.get(axis).cloned().unwrap_or(Place::number(0));
                    self.nest.place(&place)
                }
                ScalarStep::Number(number, dtype) => self.nest.number(*number, scalar_type(*dtype)),
                ScalarStep::Call(function, arguments) => {
                    let arguments = arguments.iter().map(|&place| steps[place]).collect::<Vec<_>>();
                    self.typed_call(*function, &arguments, scalar_type(dtype))
                }
            };
            steps.push(self.nest.convert(register, scalar_type(dtype)));
        }
        steps.last().copied().unwrap_or_else(|| self.nest.int(0))
    }

    /// A function of registers of any types; the result has type `ty`.
    pub(super) fn typed_call(&mut self, function: Function, arguments: &[Register], ty: ScalarType) -> Register {
        use Function::*;
        let to = |emitter: &mut Self, ty| {
            arguments.iter().map(|&argument| emitter.nest.convert(argument, ty)).collect::<Vec<_>>()
        };
        let register = match function {
            ToReal | ToInt => arguments[0],
            And | Or | Not => {
                let truths = to(self, ScalarType::Bool);
                self.nest.call(function, &truths)
            }
            Equal | NotEqual | Less | LessEqual => {
                let wide = arguments.iter().fold(ScalarType::Int, |wide, &one| wider(wide, self.nest.ty(one)));
                let same = to(self, wide);
                self.nest.call(function, &same)
            }
            Floor if self.nest.ty(arguments[0]) == ScalarType::Int => arguments[0],
            Floor => self.nest.call(function, arguments),
            Select => {
                let condition = self.nest.convert(arguments[0], ScalarType::Bool);
                let [yes, no] = [1, 2].map(|place| self.nest.convert(arguments[place], ty));
                self.nest.call(function, &[condition, yes, no])
            }
            _ => {
                let same = to(self, ty);
                self.nest.call(function, &same)
            }
        };
        self.nest.convert(register, ty)
    }

    /// The first where a condition holds or there is none, else the second.
    pub fn choose(&mut self, condition: Option<Register>, yes: Register, no: Register) -> Register {
        match condition {
            Some(condition) => self.nest.call(Function::Select, &[condition, yes, no]),
            None => yes,
        }
    }

    /// Both hold; absent stands for true.
    pub fn both(&mut self, left: Option<Register>, right: Option<Register>) -> Option<Register> {
        match (left, right) {
            (Some(left), Some(right)) if left != right => Some(self.nest.call(Function::And, &[left, right])),
            (left, right) => left.or(right),
        }
    }
}

/// The type that both convert to without loss.
pub(super) fn wider(left: ScalarType, right: ScalarType) -> ScalarType {
    let rank = |ty| match ty {
        ScalarType::Bool => 0,
        ScalarType::Int => 1,
        ScalarType::F32 => 2,
        ScalarType::F64 => 3,
    };
    if rank(left) >= rank(right) { left } else { right }
}
