//! Reads ahead that end: `s <= max(t, w)`, where `w` is the same at every position.
//!
//! Position `t` then reads later ones, but only up to `w`. If the first piece of a row holds all positions up to `w`,
//! whatever is read is there at every step, and no later step changes what was computed for an earlier position. So
//! there is a step, on that condition; [`AHEAD`](names::AHEAD) says how many positions the first piece must hold. For
//! whatever `max`, `min` and steps back make of `t` and such numbers, it is the value at position 0 and one more.

use super::rewrite::Rewrite;
use crate::graph::{Op, Typed, Value};
use crate::tensor::{AxisId, BATCH, DType, Function, Presence, Relation, Scalar, ScalarStep, TensorType, Term};
use archc_runtime::abi::names;

/// How a part of an expression goes with the position.
#[derive(Clone, Copy, PartialEq)]
enum Course {
    /// The same at every position.
    Fixed,
    /// Beyond the position at most as far as at position 0.
    Bounded,
    /// Anything else.
    Unknown,
}

impl Rewrite<'_> {
    /// Whether a relation keeps `axis` to the positions up to a value that looks ahead by a bounded number; that value.
    pub(super) fn bounded(&self, relation: &Relation<Value>, axis: AxisId) -> Option<Value> {
        let Relation::AtLeastZero(affine) = relation else { return None };
        let back = affine.terms.contains(&(Term::Axis(axis), -1));
        let sight = affine.terms.iter().find_map(|(term, factor)| match term {
            Term::Value(value) if *factor == 1 => Some(*value),
            _ => None,
        });
        let sight = sight.filter(|_| back && affine.terms.len() == 2 && affine.constant <= 0)?;
        self.looks_ahead(sight).then_some(sight)
    }

    /// Whether a value is `max(t, w)` or the like.
    pub(super) fn looks_ahead(&self, value: Value) -> bool {
        self.sights.contains_key(&value) || self.turns.is_none() && self.course(value) == Course::Bounded
    }

    fn course(&self, value: Value) -> Course {
        let old = self.old;
        let node = old.node(value.node);
        match &node.op {
            _ if self.is_steady(value) => Course::Fixed,
            Op::Coordinate(axis) if *axis == self.shared.chunk => Course::Bounded,
            Op::Map(scalar) => {
                let operands = node.operands.iter().map(|operand| self.course(*operand)).collect::<Vec<_>>();
                course_of(scalar, &operands, |axis| axis == self.shared.chunk)
            }
            _ => Course::Unknown,
        }
    }

    /// Whether a value is the same at every position and in every step.
    fn is_steady(&self, value: Value) -> bool {
        let old = self.old;
        let node = old.node(value.node);
        let position = |axis: &AxisId| self.shared.is_position(*axis);
        let changes = match &node.op {
            Op::Length(axis) => position(axis),
            Op::Input(name) => *name == names::TURN || name.starts_with(names::CARRIED),
            Op::For(_) | Op::Draw(..) => true,
            _ => false,
        };
        !changes
            && !node.results.iter().any(|typed| typed.ty.axes.iter().any(position))
            && node.reads().into_iter().all(|read| self.is_steady(read))
    }

    /// Notes that a value was relied on which looks ahead.
    pub(super) fn rely_on(&mut self, value: Value) {
        let outside = self.sights.get(&value).copied().unwrap_or(value);
        if !self.shared.ahead.contains(&outside) {
            self.shared.ahead.push(outside);
        }
    }

    /// A value at position 0.
    fn at_first(&mut self, value: Value) -> Value {
        let old = self.old;
        let node = old.node(value.node);
        let scalar = match &node.op {
            _ if self.is_steady(value) => return self.own[&value],
            Op::Map(scalar) => scalar,
            _ => return self.number(0.0),
        };
        let mut scalar = scalar.clone();
        let chunk = self.shared.chunk;
        let coordinates = scalar.steps.iter_mut().filter(|step| **step == ScalarStep::Coordinate(chunk));
        coordinates.for_each(|step| *step = ScalarStep::Number(0.0, DType::Int));
        let operands = node.operands.iter().map(|operand| self.at_first(*operand)).collect::<Vec<_>>();
        let ty = Typed::always(TensorType::new([BATCH], DType::Int));
        self.new.add_one(Op::Map(scalar), operands, ty, node.path.clone())
    }

    fn number(&mut self, number: f64) -> Value {
        let ty = Typed { ty: TensorType::scalar(DType::Int), presence: Presence::always() };
        self.new.add_one(Op::Constant(vec![number]), [], ty, names::AHEAD)
    }

    /// How many positions the first piece of each row must hold; nothing if any number will do.
    pub(super) fn ahead(&mut self) -> Option<Value> {
        let all = self.shared.ahead.clone().into_iter().map(|value| self.at_first(value)).collect::<Vec<_>>();
        if all.is_empty() {
            return None;
        }
        let mut scalar = Scalar::default();
        let mut most = scalar.push(ScalarStep::Operand(0));
        for place in 1..all.len() {
            let other = scalar.push(ScalarStep::Operand(place));
            most = scalar.push(ScalarStep::Call(Function::Maximum, vec![most, other]));
        }
        let one = scalar.push(ScalarStep::Number(1.0, DType::Int));
        scalar.push(ScalarStep::Call(Function::Add, vec![most, one]));
        let ty = Typed::always(TensorType::new([BATCH], DType::Int));
        Some(self.new.add_one(Op::Map(scalar), all, ty, names::AHEAD))
    }
}

/// How an expression goes with the position, given how its operands do.
fn course_of(scalar: &Scalar, operands: &[Course], position: impl Fn(AxisId) -> bool) -> Course {
    let mut steps: Vec<Course> = Vec::with_capacity(scalar.steps.len());
    for step in &scalar.steps {
        let course = match step {
            ScalarStep::Operand(place) => operands[*place],
            ScalarStep::Number(..) => Course::Fixed,
            ScalarStep::Coordinate(axis) if position(*axis) => Course::Bounded,
            ScalarStep::Coordinate(_) => Course::Unknown,
            ScalarStep::Call(function, arguments) => {
                let own = arguments.iter().map(|place| steps[*place]).collect::<Vec<_>>();
                let back = |place: usize| matches!(scalar.steps[place], ScalarStep::Number(by, _) if by >= 0.0);
                match (function, own.as_slice()) {
                    _ if own.iter().all(|own| *own == Course::Fixed) => Course::Fixed,
                    (Function::Maximum | Function::Minimum, own) if !own.contains(&Course::Unknown) => Course::Bounded,
                    (Function::Subtract, [Course::Bounded, _]) if back(arguments[1]) => Course::Bounded,
                    _ => Course::Unknown,
                }
            }
        };
        steps.push(course);
    }
    steps.last().copied().unwrap_or(Course::Unknown)
}
