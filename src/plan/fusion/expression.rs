//! A value as one scalar expression over the values that it is made of at the same position.
//!
//! Maps are looked through, so that a pattern does not depend on how a formula was cut into operations. What is left
//! are leaves: results of other operations.

use crate::graph::{Node, Op, Region, Value};
use crate::tensor::{AxisId, DType, Function, Relation, Scalar, ScalarStep};

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
        Opening { region, stop, given: &[], size: 0 }.open(value)
    }

    /// The expression of a value as far as the relations that it is present under hold: an `else` that stands in
    /// for what they exclude is looked through.
    pub fn where_present(region: &Region, value: Value) -> Option<Expression> {
        let given = &region.typed(value).presence.relations;
        Opening { region, stop: &|_| false, given, size: 0 }.open(value)
    }

    /// The value for values of the leaves; coordinates have none.
    pub fn evaluate(&self, leaf: &dyn Fn(Value) -> Option<f64>) -> Option<f64> {
        match self {
            Expression::Leaf(value) => leaf(*value),
            Expression::Coordinate(_) => None,
            Expression::Number(number, _) => Some(*number),
            Expression::Call(function, arguments) => {
                let arguments = arguments.iter().map(|one| one.evaluate(leaf)).collect::<Option<Vec<_>>>()?;
                Some(function.apply(&arguments))
            }
        }
    }

    /// The derivative by a leaf, for the functions that scores are made of.
    pub fn derivative(&self, by: Value) -> Option<Expression> {
        use Function::*;
        let number = |number: f64| Expression::Number(number, DType::REAL);
        let call = |function, arguments: &[&Expression]| {
            Expression::Call(function, arguments.iter().map(|one| (*one).clone()).collect())
        };
        if !self.leaves().contains(&by) {
            return Some(number(0.0));
        }
        let Expression::Call(function, arguments) = self else { return Some(number(1.0)) };
        let inner = arguments.iter().map(|one| one.derivative(by)).collect::<Option<Vec<_>>>()?;
        let constant = |place: usize| !arguments[place].leaves().contains(&by);
        match function {
            Add | Subtract if constant(1) => Some(inner[0].clone()),
            Add if constant(0) => Some(inner[1].clone()),
            Add | Subtract => Some(call(*function, &[&inner[0], &inner[1]])),
            Negate => Some(call(Negate, &[&inner[0]])),
            Multiply if constant(1) => Some(call(Multiply, &[&inner[0], &arguments[1]])),
            Multiply if constant(0) => Some(call(Multiply, &[&inner[1], &arguments[0]])),
            Divide if constant(1) => Some(call(Divide, &[&inner[0], &arguments[1]])),
            Tanh => {
                let square = call(Multiply, &[self, self]);
                Some(call(Multiply, &[&inner[0], &call(Subtract, &[&number(1.0), &square])]))
            }
            _ => None,
        }
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

/// What is fixed while an expression is opened.
struct Opening<'o> {
    region: &'o Region,
    stop: &'o dyn Fn(Value) -> bool,
    given: &'o [Relation<Value>],
    size: usize,
}

impl Opening<'_> {
    fn open(&mut self, value: Value) -> Option<Expression> {
        self.size += 1;
        if self.size > LIMIT {
            return None;
        }
        let region = self.region;
        let node = region.node(value.node);
        match &node.op {
            Op::Map(scalar) => self.map(node, scalar),
            Op::Stop | Op::Peek => self.operand(node.operands[0]),
            Op::Else if !self.given.is_empty() && self.is_given(node.operands[0]) => self.operand(node.operands[0]),
            Op::Constant(numbers) if numbers.len() == 1 => {
                Some(Expression::Number(numbers[0], node.results[0].ty.dtype))
            }
            _ => Some(Expression::Leaf(value)),
        }
    }

    fn operand(&mut self, operand: Value) -> Option<Expression> {
        if (self.stop)(operand) { Some(Expression::Leaf(operand)) } else { self.open(operand) }
    }

    fn map(&mut self, node: &Node, scalar: &Scalar) -> Option<Expression> {
        let mut steps: Vec<Expression> = Vec::with_capacity(scalar.steps.len());
        for step in &scalar.steps {
            steps.push(match step {
                ScalarStep::Operand(place) => self.operand(node.operands[*place])?,
                ScalarStep::Coordinate(axis) => Expression::Coordinate(*axis),
                ScalarStep::Number(number, dtype) => Expression::Number(*number, *dtype),
                ScalarStep::Call(function, arguments) => {
                    Expression::Call(*function, arguments.iter().map(|&place| steps[place].clone()).collect())
                }
            });
        }
        steps.pop()
    }

    /// Whether a value is present wherever the given relations hold.
    fn is_given(&self, value: Value) -> bool {
        self.region.typed(value).presence.relations.iter().all(|relation| self.given.contains(relation))
    }
}
