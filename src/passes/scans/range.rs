//! Between which numbers a value lies, from the functions that make it: whether a decay is positive.

use crate::graph::{Op, Region, Value};
use crate::tensor::{Axes, AxisId, Function, ScalarStep};

/// An interval; an end that is only approached is open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    low: f64,
    high: f64,
    above: bool,
    below: bool,
}

impl Range {
    pub const ANY: Range = Range { low: f64::NEG_INFINITY, high: f64::INFINITY, above: true, below: true };

    fn closed(low: f64, high: f64) -> Range {
        Range { low, high, above: false, below: false }
    }

    pub fn is_positive(self) -> bool {
        self.low > 0.0 || (self.low == 0.0 && self.above)
    }

    fn negated(self) -> Range {
        Range { low: -self.high, high: -self.low, above: self.below, below: self.above }
    }

    fn plus(self, other: Range) -> Range {
        Range {
            low: self.low + other.low,
            high: self.high + other.high,
            above: self.above || other.above,
            below: self.below || other.below,
        }
    }

    fn times(self, other: Range) -> Range {
        if self.low >= 0.0 && other.low >= 0.0 {
            let (low, high) = (self.low * other.low, self.high * other.high);
            let high = if high.is_nan() { f64::INFINITY } else { high };
            let above = self.is_positive() && other.is_positive();
            return Range { low, high, above: above && low == 0.0, below: self.below && other.below };
        }
        let ends = [self.low, self.high].map(|left| [left * other.low, left * other.high]).concat();
        hull(&ends)
    }

    fn inverse(self) -> Range {
        match self.is_positive() {
            true => Range { low: 1.0 / self.high, high: 1.0 / self.low, above: self.below, below: self.above },
            false => Range::ANY,
        }
    }

    fn rising(self, function: impl Fn(f64) -> f64) -> Range {
        Range { low: function(self.low), high: function(self.high), ..self }
    }
}

/// The closed range of some numbers.
fn hull(ends: &[f64]) -> Range {
    if ends.iter().any(|end| end.is_nan()) {
        return Range::ANY;
    }
    let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
    Range::closed(low, ends.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

/// The range of a value of a region whose arguments lie in these.
pub(super) fn range_of(axes: &Axes, region: &Region, arguments: &[Range], value: Value) -> Range {
    let node = region.node(value.node);
    let of = |value: Value| range_of(axes, region, arguments, value);
    match &node.op {
        Op::Constant(numbers) => hull(numbers),
        Op::Argument(place) => arguments.get(*place).copied().unwrap_or(Range::ANY),
        Op::Coordinate(axis) => coordinate(axes, *axis),
        Op::Length(_) | Op::Turn => Range::closed(0.0, f64::INFINITY),
        Op::Index(_) | Op::Stop | Op::Peek => of(node.operands[0]),
        Op::Map(scalar) => {
            let mut steps: Vec<Range> = Vec::with_capacity(scalar.steps.len());
            for step in &scalar.steps {
                steps.push(match step {
                    ScalarStep::Operand(place) => of(node.operands[*place]),
                    ScalarStep::Coordinate(axis) => coordinate(axes, *axis),
                    ScalarStep::Number(number, _) => Range::closed(*number, *number),
                    ScalarStep::Call(function, arguments) => {
                        let arguments = arguments.iter().map(|place| steps[*place]).collect::<Vec<_>>();
                        call(*function, &arguments)
                    }
                });
            }
            steps.pop().unwrap_or(Range::ANY)
        }
        _ => Range::ANY,
    }
}

fn coordinate(axes: &Axes, axis: AxisId) -> Range {
    Range::closed(0.0, axes.fixed(axis).map_or(f64::INFINITY, |size| size as f64 - 1.0))
}

fn call(function: Function, arguments: &[Range]) -> Range {
    let x = arguments[0];
    let y = arguments.get(1).copied().unwrap_or(Range::ANY);
    match function {
        Function::Add => x.plus(y),
        Function::Subtract => x.plus(y.negated()),
        Function::Negate => x.negated(),
        Function::Multiply => x.times(y),
        Function::Divide => x.times(y.inverse()),
        Function::Minimum => lesser(x, y),
        Function::Maximum => lesser(x.negated(), y.negated()).negated(),
        Function::Exp => x.rising(f64::exp),
        Function::Sqrt if x.low >= 0.0 => x.rising(f64::sqrt),
        Function::Log1p if x.low >= 0.0 => x.rising(f64::ln_1p),
        Function::Tanh => x.rising(f64::tanh),
        Function::Power if x.is_positive() => power(x, y),
        Function::Absolute => Range { low: 0.0, high: f64::INFINITY, above: x.is_positive(), below: true },
        Function::ToReal => x,
        Function::Select => {
            let z = arguments[2];
            let (least, most) = (lesser(y, z), lesser(y.negated(), z.negated()).negated());
            Range { low: least.low, above: least.above, high: most.high, below: most.below }
        }
        _ => Range::ANY,
    }
}

/// The range of the smaller of two.
fn lesser(x: Range, y: Range) -> Range {
    let least = if x.low < y.low || (x.low == y.low && !x.above) { x } else { y };
    let most = if x.high < y.high || (x.high == y.high && x.below) { x } else { y };
    Range { low: least.low, above: least.above, high: most.high, below: most.below }
}

fn power(x: Range, y: Range) -> Range {
    let ends = [x.low, x.high].map(|base| [base.powf(y.low), base.powf(y.high)]).concat();
    let hull = hull(&ends);
    if hull == Range::ANY || hull.low <= 0.0 {
        return Range { low: 0.0, high: f64::INFINITY, above: true, below: true };
    }
    hull
}
