//! A value as one scalar expression over the values that it is made of at the same position.
//!
//! Maps are looked through, so that a pattern does not depend on how a formula was cut into operations. What is left
//! are leaves: results of other operations.

use crate::graph::{Op, Region, Value};
use crate::tensor::{AxisId, DType, Function, Scalar, ScalarStep};

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A value that is not a map.
    Leaf(Value),
    /// A coordinate.
    Coordinate(AxisId),
    /// A number.
    Number(f64, DType),
    /// A function.
    Call(Function, Vec<Expression>),
}

/// How large an expression may get.
const LIMIT: usize = 400;

impl Expression {
    /// The expression of a value; maps for which `stop` holds are leaves, except the value itself.
    pub fn of(region: &Region, value: Value, stop: &dyn Fn(Value) -> bool) -> Option<Expression> {
        let expression = open(region, value, stop, &mut 0)?;
        Some(expression)
    }

    /// The leaves, each once.
    pub fn leaves(&self) -> Vec<Value> {
        let mut leaves = Vec::new();
        self.collect(&mut leaves);
        leaves
    }

    fn collect(&self, leaves: &mut Vec<Value>) {
        match self {
            Expression::Leaf(value) if !leaves.contains(value) => leaves.push(*value),
            Expression::Call(_, arguments) => arguments.iter().for_each(|one| one.collect(leaves)),
            _ => {}
        }
    }

    /// The expression as a scalar over operands; `None` if it reads a coordinate.
    pub fn scalar(&self, operands: &[Value], dtypes: &[DType]) -> Option<Scalar> {
        let mut scalar = Scalar::default();
        let last = self.push(operands, &mut scalar)?;
        if last + 1 != scalar.steps.len() {
            return None;
        }
        let _ = dtypes;
        Some(scalar)
    }

    fn push(&self, operands: &[Value], scalar: &mut Scalar) -> Option<usize> {
        let step = match self {
            Expression::Leaf(value) => ScalarStep::Operand(operands.iter().position(|operand| operand == value)?),
            Expression::Coordinate(_) => return None,
            Expression::Number(number, dtype) => ScalarStep::Number(*number, *dtype),
            Expression::Call(function, arguments) => {
                let places = arguments.iter().map(|one| one.push(operands, scalar)).collect::<Option<Vec<_>>>()?;
                ScalarStep::Call(*function, places)
            }
        };
        Some(scalar.push(step))
    }
}

fn open(region: &Region, value: Value, stop: &dyn Fn(Value) -> bool, size: &mut usize) -> Option<Expression> {
    *size += 1;
    if *size > LIMIT {
        return None;
    }
    let node = region.node(value.node);
    match &node.op {
        Op::Map(scalar) => {
            let mut steps: Vec<Expression> = Vec::with_capacity(scalar.steps.len());
            for step in &scalar.steps {
                let expression = match step {
                    ScalarStep::Operand(place) => {
                        let operand = node.operands[*place];
                        if stop(operand) { Expression::Leaf(operand) } else { open(region, operand, stop, size)? }
                    }
                    ScalarStep::Coordinate(axis) => Expression::Coordinate(*axis),
                    ScalarStep::Number(number, dtype) => Expression::Number(*number, *dtype),
                    ScalarStep::Call(function, arguments) => {
                        Expression::Call(*function, arguments.iter().map(|&place| steps[place].clone()).collect())
                    }
                };
                steps.push(expression);
            }
            steps.pop()
        }
        Op::Stop | Op::Peek if !stop(node.operands[0]) => open(region, node.operands[0], stop, size),
        Op::Stop | Op::Peek => Some(Expression::Leaf(node.operands[0])),
        Op::Constant(numbers) if numbers.len() == 1 => Some(Expression::Number(numbers[0], node.results[0].ty.dtype)),
        _ => Some(Expression::Leaf(value)),
    }
}
