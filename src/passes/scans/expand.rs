//! Takes a product apart: what a state gains is an outer product of smaller values, and stays one.
//! `%5 = multiply(key[t, k], val[t, m])`  →  the term `key · val`, not a table of t, k and m

use super::body::Body;
use super::form::{MOST_TERMS, Term, product, scaled};
use crate::graph::{Op, Typed, Value};
use crate::tensor::{AxisId, Function, Scalar, ScalarStep, TensorType};

impl Body<'_> {
    /// An outer value as a sum of products of values that have fewer axes, as far as it is one.
    pub fn expanded(&mut self, value: Value) -> Vec<Term> {
        match self.parts(value) {
            Some(terms) if terms.len() <= MOST_TERMS => terms,
            _ => self.whole(value),
        }
    }

    /// A value that is not taken apart: without the axes along which it only repeats itself, and a number if it is one.
    fn whole(&mut self, value: Value) -> Vec<Term> {
        let value = self.narrowed(value);
        match &self.tape.forward.node(value.node).op {
            Op::Constant(numbers) if numbers.len() == 1 => {
                vec![Term { scale: numbers[0], factors: vec![], ..Term::factor(value) }]
            }
            _ => vec![Term::factor(value)],
        }
    }

    /// The value without the axes along which it only repeats itself.
    fn narrowed(&mut self, value: Value) -> Value {
        let node = self.tape.forward.node(value.node).clone();
        let (Op::Map(scalar), typed) = (&node.op, &node.results[0]) else { return value };
        if !typed.presence.is_always() {
            return value;
        }
        let operands = node.operands.iter().map(|operand| self.narrowed(*operand)).collect::<Vec<_>>();
        let types = operands.iter().map(|operand| self.tape.ty(*operand)).collect::<Vec<_>>();
        if let [only] = operands.as_slice()
            && *scalar == Scalar::identity()
            && types[0].dtype == typed.ty.dtype
        {
            return *only;
        }
        let coordinates = scalar.coordinates();
        let read = |axis: &AxisId| coordinates.contains(axis) || types.iter().any(|ty| ty.has(*axis));
        let axes = typed.ty.axes.iter().copied().filter(read).collect::<Vec<_>>();
        if axes.len() == typed.ty.axes.len() {
            return value;
        }
        let dtype = typed.ty.dtype;
        match self.number_of(scalar, &operands) {
            Some(number) => self.tape.number(number, dtype),
            None => self.tape.add(node.op, operands, Typed::always(TensorType { axes, dtype })),
        }
    }

    /// What a function gives for constants.
    fn number_of(&self, scalar: &Scalar, operands: &[Value]) -> Option<f64> {
        let mut steps: Vec<f64> = Vec::with_capacity(scalar.steps.len());
        for step in &scalar.steps {
            steps.push(match step {
                ScalarStep::Operand(place) => match &self.tape.forward.node(operands[*place].node).op {
                    Op::Constant(numbers) if numbers.len() == 1 => numbers[0],
                    _ => return None,
                },
                ScalarStep::Number(number, _) => *number,
                ScalarStep::Coordinate(_) => return None,
                ScalarStep::Call(function, arguments) => {
                    let arguments = arguments.iter().map(|place| steps[*place]).collect::<Vec<_>>();
                    function.apply(&arguments)
                }
            });
        }
        steps.pop()
    }

    fn parts(&mut self, value: Value) -> Option<Vec<Term>> {
        let node = self.tape.forward.node(value.node).clone();
        let typed = &node.results[0];
        if let Op::Constant(numbers) = &node.op {
            let number = *numbers.first()?;
            return (typed.ty.axes.is_empty())
                .then(|| vec![Term { scale: number, factors: vec![], ..Term::factor(value) }]);
        }
        let Op::Map(scalar) = &node.op else { return None };
        let is_constant = |operand: &Value| matches!(self.tape.forward.node(operand.node).op, Op::Constant(_));
        let real = |operand: &Value| self.tape.ty(*operand).dtype.is_real() || is_constant(operand);
        let real = node.operands.iter().all(real);
        if !typed.presence.is_always() || !real {
            return None;
        }
        let widths = node.operands.iter().map(|operand| self.tape.ty(*operand).axes.len()).collect::<Vec<_>>();
        let narrow = widths.iter().all(|width| *width < typed.ty.axes.len());
        match (called(scalar)?, node.operands.as_slice()) {
            (None, [only]) | (Some(Function::ToReal), [only]) => Some(self.expanded(*only)),
            (Some(Function::Negate), [only]) => Some(scaled(self.expanded(*only), -1.0)),
            (Some(Function::Multiply), [left, right]) => {
                let (left, right) = (self.expanded(*left), self.expanded(*right));
                let number = |terms: &[Term]| terms.iter().all(|term| term.factors.is_empty());
                let several = left.len().max(right.len()) > 1;
                (narrow || number(&left) || number(&right) || several || is_product(&left) || is_product(&right))
                    .then(|| product(&left, &right))
            }
            (Some(Function::Add), [left, right]) => self.sum_of_parts(*left, *right, 1.0),
            (Some(Function::Subtract), [left, right]) => self.sum_of_parts(*left, *right, -1.0),
            (Some(Function::Divide), [left, right]) => self.quotient(*left, *right),
            _ => None,
        }
    }

    /// A quotient of a number by a number is a number, and one of a product is a product.
    fn quotient(&mut self, left: Value, right: Value) -> Option<Vec<Term>> {
        let terms = self.expanded(left);
        if let [Term { scale, factors, .. }] = self.expanded(right).as_slice()
            && factors.is_empty()
            && *scale != 0.0
        {
            return Some(scaled(terms, 1.0 / scale));
        }
        if !is_product(&terms) {
            return None;
        }
        let one = self.tape.number(1.0, self.tape.ty(right).dtype);
        let inverse = self.tape.call(Function::Divide, &[one, right]);
        Some(product(&terms, &[Term::factor(inverse)]))
    }

    /// A sum is taken apart only if something in it is a product.
    fn sum_of_parts(&mut self, left: Value, right: Value, sign: f64) -> Option<Vec<Term>> {
        let (mut left, right) = (self.expanded(left), self.expanded(right));
        let worth = is_product(&left) || is_product(&right);
        left.extend(scaled(right, sign));
        worth.then_some(left)
    }
}

fn is_product(terms: &[Term]) -> bool {
    terms.iter().any(|term| term.factors.len() > 1)
}

/// The one function that is called on the operands in order; nothing inside if it is the operand itself.
fn called(scalar: &Scalar) -> Option<Option<Function>> {
    if *scalar == Scalar::identity() {
        return Some(None);
    }
    match scalar.steps.last()? {
        ScalarStep::Call(function, _) if *scalar == Scalar::function(*function) => Some(Some(*function)),
        _ => None,
    }
}
