//! Derivatives of scalar expressions by one of their operands, as scalar expressions.
//!
//! Where a function has a kink, one side is chosen: `maximum` and `minimum` of equal arguments follow the first,
//! |x| has slope 0 at 0; steps (floor, sign, comparisons) have slope 0.

use crate::tensor::{DType, Function, Scalar, ScalarStep};

/// The derivative by an operand; nothing if the value does not depend on it.
pub(super) fn derivative(scalar: &Scalar, operand: usize) -> Option<Scalar> {
    let mut slope = Slope { steps: scalar.clone() };
    let count = scalar.steps.len();
    let depends = dependence(scalar, operand);
    let mut adjoints: Vec<Option<usize>> = vec![None; count];
    adjoints[count - 1] = depends[count - 1].then(|| slope.number(1.0));
    let mut sum = None;
    for at in (0..count).rev() {
        let Some(adjoint) = adjoints[at] else { continue };
        match &scalar.steps[at] {
            ScalarStep::Operand(place) if *place == operand => sum = Some(adjoint),
            ScalarStep::Call(function, arguments) => {
                for (number, &argument) in arguments.iter().enumerate().filter(|(_, argument)| depends[**argument]) {
                    let Some(local) = slope.local(*function, arguments, at, number) else { continue };
                    let part = slope.times(adjoint, local);
                    adjoints[argument] = Some(match adjoints[argument] {
                        Some(before) => slope.call(Function::Add, &[before, part]),
                        None => part,
                    });
                }
            }
            _ => {}
        }
    }
    sum.map(|last| slope.ending_in(last))
}

fn dependence(scalar: &Scalar, operand: usize) -> Vec<bool> {
    let mut depends = Vec::with_capacity(scalar.steps.len());
    for step in &scalar.steps {
        depends.push(match step {
            ScalarStep::Operand(place) => *place == operand,
            ScalarStep::Call(_, arguments) => arguments.iter().any(|&argument| depends[argument]),
            _ => false,
        });
    }
    depends
}

/// Forward steps, followed by those of the derivative.
struct Slope {
    steps: Scalar,
}

impl Slope {
    fn number(&mut self, number: f64) -> usize {
        self.steps.push(ScalarStep::Number(number, DType::REAL))
    }

    fn is_number(&self, step: usize, number: f64) -> bool {
        matches!(self.steps.steps[step], ScalarStep::Number(own, _) if own == number)
    }

    fn call(&mut self, function: Function, arguments: &[usize]) -> usize {
        self.steps.push(ScalarStep::Call(function, arguments.to_vec()))
    }

    fn times(&mut self, left: usize, right: usize) -> usize {
        match (self.is_number(left, 1.0), self.is_number(right, 1.0)) {
            (true, _) => right,
            (_, true) => left,
            _ => self.call(Function::Multiply, &[left, right]),
        }
    }

    /// The derivative of the step `at` by its argument of that number.
    fn local(&mut self, function: Function, arguments: &[usize], at: usize, number: usize) -> Option<usize> {
        use Function::*;
        let x = arguments[0];
        let y = arguments.get(1).copied().unwrap_or(x);
        let first = number == 0;
        Some(match function {
            Add | ToReal => self.number(1.0),
            Subtract if first => self.number(1.0),
            Subtract | Negate => self.number(-1.0),
            Multiply => arguments[1 - number],
            Divide if first => {
                let one = self.number(1.0);
                self.call(Divide, &[one, y])
            }
            Divide => {
                let ratio = self.call(Divide, &[at, y]);
                self.call(Negate, &[ratio])
            }
            Remainder if first => self.number(1.0),
            Remainder => {
                let whole = self.call(FloorDivide, &[x, y]);
                self.call(Negate, &[whole])
            }
            Power => self.power(x, y, at, first),
            Minimum => self.chooses(LessEqual, x, y, first),
            Maximum => self.chooses(LessEqual, y, x, first),
            Select if number > 0 => {
                let (one, zero) = (self.number(1.0), self.number(0.0));
                let order = if number == 1 { [x, one, zero] } else { [x, zero, one] };
                self.call(Select, &order)
            }
            _ => return self.of_one(function, x, at),
        })
    }

    fn of_one(&mut self, function: Function, x: usize, at: usize) -> Option<usize> {
        use Function::*;
        let one = self.number(1.0);
        Some(match function {
            Absolute => self.call(Sign, &[x]),
            Exp => at,
            Log => self.call(Divide, &[one, x]),
            Log1p => {
                let shifted = self.call(Add, &[one, x]);
                self.call(Divide, &[one, shifted])
            }
            Expm1 => self.call(Exp, &[x]),
            Sqrt => {
                let half = self.number(0.5);
                self.call(Divide, &[half, at])
            }
            Sin => self.call(Cos, &[x]),
            Cos => {
                let sine = self.call(Sin, &[x]);
                self.call(Negate, &[sine])
            }
            Tanh => {
                let square = self.call(Multiply, &[at, at]);
                self.call(Subtract, &[one, square])
            }
            Erf => {
                let square = self.call(Multiply, &[x, x]);
                let falling = self.call(Negate, &[square]);
                let bell = self.call(Exp, &[falling]);
                let factor = self.number(std::f64::consts::FRAC_2_SQRT_PI);
                self.call(Multiply, &[factor, bell])
            }
            _ => return None,
        })
    }

    /// y · x^(y - 1), or x^y · ln x.
    fn power(&mut self, x: usize, y: usize, at: usize, first: bool) -> usize {
        if !first {
            let log = self.call(Function::Log, &[x]);
            return self.call(Function::Multiply, &[at, log]);
        }
        let one = self.number(1.0);
        let exponent = self.call(Function::Subtract, &[y, one]);
        let power = self.call(Function::Power, &[x, exponent]);
        self.call(Function::Multiply, &[y, power])
    }

    /// 1 if the relation holds and the argument is the first, or does not hold and it is the second.
    fn chooses(&mut self, relation: Function, left: usize, right: usize, first: bool) -> usize {
        let (one, zero) = (self.number(1.0), self.number(0.0));
        let holds = self.call(relation, &[left, right]);
        let order = if first { [holds, one, zero] } else { [holds, zero, one] };
        self.call(Function::Select, &order)
    }

    /// The steps that a step needs, in order.
    fn ending_in(&self, last: usize) -> Scalar {
        keep_needed(&self.steps, last)
    }
}

/// The same expression without steps that its value does not need.
pub fn keep_needed(scalar: &Scalar, last: usize) -> Scalar {
    let mut needed = vec![false; last + 1];
    needed[last] = true;
    for at in (0..=last).rev() {
        if let (true, ScalarStep::Call(_, arguments)) = (needed[at], &scalar.steps[at]) {
            arguments.iter().for_each(|&argument| needed[argument] = true);
        }
    }
    let mut kept = Scalar::default();
    let mut places = vec![0; last + 1];
    for at in (0..=last).filter(|at| needed[*at]) {
        let step = match &scalar.steps[at] {
            ScalarStep::Call(function, arguments) => {
                ScalarStep::Call(*function, arguments.iter().map(|&argument| places[argument]).collect())
            }
            other => other.clone(),
        };
        places[at] = kept.push(step);
    }
    kept
}
