//! Scalar expressions ([`Scalar`]) on registers, with the conversions that their types ask for.

use super::text::{Kind, Type, Value, Writer};
use crate::tensor::{DType, Function, Precision, Scalar, ScalarStep};

impl Writer {
    /// The value of an expression for operands in their register types. Coordinates are operands by now.
    pub fn evaluate(&mut self, scalar: &Scalar, operands: &[Value]) -> Value {
        let mut values: Vec<Value> = Vec::with_capacity(scalar.steps.len());
        for step in &scalar.steps {
            let value = match step {
                ScalarStep::Operand(place) => operands[*place],
                ScalarStep::Coordinate(_) => self.int(0),
                ScalarStep::Number(value, dtype) => self.number(*value, Type::scalar(kind_of(*dtype))),
                ScalarStep::Call(function, arguments) => {
                    let arguments = arguments.iter().map(|&place| values[place]).collect::<Vec<_>>();
                    self.call(*function, &arguments)
                }
            };
            values.push(value);
        }
        values.last().copied().unwrap_or_else(|| operands[0])
    }

    /// A function after converting its arguments to one type.
    fn call(&mut self, function: Function, arguments: &[Value]) -> Value {
        use Function::*;
        let whole = |kind: Kind| if kind == Kind::I1 { Kind::I64 } else { kind };
        let real = |kind: Kind| if kind.is_float() { kind } else { Kind::F32 };
        match function {
            ToReal => self.convert(arguments[0], real(arguments[0].ty.kind)),
            ToInt => self.convert(arguments[0], Kind::I64),
            And | Or | Not => {
                let truths = self.converted(arguments, Kind::I1);
                self.apply(function, &truths)
            }
            Select => {
                let condition = self.convert(arguments[0], Kind::I1);
                let arms = self.converted(&arguments[1..], joined(&arguments[1..]));
                self.apply(function, &[condition, arms[0], arms[1]])
            }
            Floor => {
                let value = self.apply(function, arguments);
                self.convert(value, Kind::I64)
            }
            Divide | Power | Exp | Log | Log1p | Expm1 | Sqrt | Sin | Cos | Tanh | Erf => {
                let reals = self.converted(arguments, real(joined(arguments)));
                self.apply(function, &reals)
            }
            _ => {
                let numbers = self.converted(arguments, whole(joined(arguments)));
                self.apply(function, &numbers)
            }
        }
    }

    fn converted(&mut self, arguments: &[Value], kind: Kind) -> Vec<Value> {
        arguments.iter().map(|&argument| self.convert(argument, kind)).collect()
    }
}

/// The kind that arithmetic on all of them is done in.
fn joined(arguments: &[Value]) -> Kind {
    let has = |kind| arguments.iter().any(|argument| argument.ty.kind == kind);
    [Kind::F64, Kind::F32, Kind::I64].into_iter().find(|&kind| has(kind)).unwrap_or(Kind::I1)
}

fn kind_of(dtype: DType) -> Kind {
    match dtype {
        DType::Real(Precision::F64) => Kind::F64,
        DType::Real(_) => Kind::F32,
        DType::Int => Kind::I64,
        DType::Bool => Kind::I1,
    }
}
