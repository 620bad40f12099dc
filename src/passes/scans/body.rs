//! Reads a body of a `for`: which values do not depend on what is carried, which are affine in it, and how.
//!
//! In: a `for` and the region around it. Out: a [`Form`] for every value of the body. What does not depend on the
//! carried values is computed in the outer region for all turns at once (see `lift`).

use super::form::{Base, Form, MOST_TERMS, Read, Term, collected, product, scaled};
use crate::graph::{For, NodeId, Op, Region, Value};
use crate::model::Combine;
use crate::ops::Tape;
use crate::tensor::{Axes, AxisId, Function, Scalar, ScalarStep, TensorType};
use std::collections::{HashMap, HashSet};

/// A body while it is read.
pub(super) struct Body<'a> {
    /// The outer region.
    pub tape: Tape<'a>,
    pub repeat: &'a For,
    pub operands: &'a [Value],
    pub forms: HashMap<Value, Form>,
    pub reads: Vec<Read>,
    /// The values of the reads in the outer region, once they are known.
    pub read_values: Vec<Option<Value>>,
    /// Why something cannot be computed outside of the loop.
    pub refusal: Option<String>,
    /// Lifted values of the body's nodes.
    pub lifted: HashMap<Value, Value>,
}

impl<'a> Body<'a> {
    /// Reads the only body of a `for`.
    pub fn read(axes: &'a Axes, outer: Region, repeat: &'a For, operands: &'a [Value], path: &str) -> Body<'a> {
        let mut tape = Tape::beside(axes, outer, HashSet::new());
        tape.path = path.to_string();
        let mut body = Body {
            tape,
            repeat,
            operands,
            forms: HashMap::new(),
            reads: Vec::new(),
            read_values: Vec::new(),
            refusal: None,
            lifted: HashMap::new(),
        };
        for id in body.region().order() {
            for (result, form) in body.forms_of(id).into_iter().enumerate() {
                body.forms.insert(Value { node: id, result: result as u32 }, form);
            }
        }
        body
    }

    pub fn region(&self) -> &'a Region {
        &self.repeat.bodies[0]
    }

    /// The type of a carried value.
    pub fn state(&self, place: usize) -> TensorType {
        self.tape.ty(self.operands[place])
    }

    fn forms_of(&mut self, id: NodeId) -> Vec<Form> {
        let node = self.region().node(id);
        if let Op::Argument(place) = node.op {
            return vec![match place < self.repeat.carried {
                true => Form::Affine(vec![Term::of(Base::State(place))]),
                false => Form::Free(self.operands[place]),
            }];
        }
        let reads = node.reads();
        if reads.iter().all(|read| matches!(self.forms[read], Form::Free(_))) {
            return match self.lift(id) {
                Some(value) => vec![Form::Free(value)],
                None => vec![Form::Later("something that the loop must do turn by turn".into()); node.results.len()],
            };
        }
        if let Some(Form::Later(why)) = reads.iter().map(|read| &self.forms[read]).find(|form| is_later(form)) {
            return vec![Form::Later(why.clone()); node.results.len()];
        }
        let form = self.affine(id).map(|form| match form {
            Form::Affine(terms) if terms.len() > MOST_TERMS => Form::Later("a sum of very many terms".into()),
            Form::Affine(terms) => Form::Affine(collected(terms)),
            other => other,
        });
        let why = || Form::Later(format!("`{}` of what is carried", name_of(&node.op)));
        vec![form.unwrap_or_else(why); node.results.len()]
    }

    /// A node that reads carried values affinely.
    fn affine(&mut self, id: NodeId) -> Option<Form> {
        let node = self.region().node(id);
        let [typed] = node.results.as_slice() else { return None };
        let elsewhere = node.reads().len() > node.operands.len();
        if elsewhere || !typed.presence.is_always() || !typed.ty.dtype.is_real() {
            return None;
        }
        let operands = node.operands.iter().map(|operand| self.forms[operand].clone()).collect::<Vec<_>>();
        match &node.op {
            Op::Map(scalar) => self.scalar(scalar, &operands),
            Op::Reduce(Combine::Sum, axes) => self.sum(&operands[0], axes),
            Op::Contract(axes) => {
                let mut all = operands.into_iter();
                let mut form = all.next()?;
                for operand in all {
                    form = self.multiply(&form, &operand)?;
                }
                self.sum(&form, axes)
            }
            Op::Peek => operands.into_iter().next(),
            _ => None,
        }
    }

    fn scalar(&mut self, scalar: &Scalar, operands: &[Form]) -> Option<Form> {
        let mut steps: Vec<Form> = Vec::with_capacity(scalar.steps.len());
        for step in &scalar.steps {
            let form = match step {
                ScalarStep::Operand(place) => operands[*place].clone(),
                ScalarStep::Number(number, dtype) => Form::Free(self.tape.number(*number, *dtype)),
                ScalarStep::Coordinate(axis) if *axis == self.repeat.axis => return None,
                ScalarStep::Coordinate(axis) => {
                    let scalar = Scalar { steps: vec![ScalarStep::Coordinate(*axis)] };
                    Form::Free(self.tape.map(scalar, &[]))
                }
                ScalarStep::Call(function, arguments) => {
                    let arguments = arguments.iter().map(|place| steps[*place].clone()).collect::<Vec<_>>();
                    self.call(*function, &arguments)?
                }
            };
            steps.push(form);
        }
        steps.pop()
    }

    fn call(&mut self, function: Function, arguments: &[Form]) -> Option<Form> {
        let free = arguments.iter().map(|form| if let Form::Free(value) = form { Some(*value) } else { None });
        if let Some(values) = free.collect::<Option<Vec<_>>>() {
            return Some(Form::Free(self.tape.call(function, &values)));
        }
        match (function, arguments) {
            (Function::Add, [left, right]) => self.add(left, right, 1.0),
            (Function::Subtract, [left, right]) => self.add(left, right, -1.0),
            (Function::Negate, [only]) => Some(Form::Affine(scaled(self.terms(only)?, -1.0))),
            (Function::ToReal, [only]) => Some(only.clone()),
            (Function::Multiply, [left, right]) => self.multiply(left, right),
            (Function::Divide, [left, Form::Free(by)]) => {
                let one = self.tape.number(1.0, self.tape.ty(*by).dtype);
                let inverse = Form::Free(self.tape.call(Function::Divide, &[one, *by]));
                self.multiply(left, &inverse)
            }
            (Function::Select, [Form::Free(condition), then, otherwise]) => {
                let holds = Form::Free(self.tape.call(Function::ToReal, &[*condition]));
                let not = self.tape.call(Function::Not, &[*condition]);
                let not = Form::Free(self.tape.call(Function::ToReal, &[not]));
                let (then, otherwise) = (self.multiply(then, &holds)?, self.multiply(otherwise, &not)?);
                self.add(&then, &otherwise, 1.0)
            }
            _ => None,
        }
    }

    fn add(&mut self, left: &Form, right: &Form, sign: f64) -> Option<Form> {
        let mut terms = self.terms(left)?;
        terms.extend(scaled(self.terms(right)?, sign));
        Some(Form::Affine(terms))
    }

    fn multiply(&mut self, left: &Form, right: &Form) -> Option<Form> {
        match (left, right) {
            (Form::Free(left), Form::Free(right)) => {
                Some(Form::Free(self.tape.call(Function::Multiply, &[*left, *right])))
            }
            (Form::Affine(terms), Form::Free(value)) | (Form::Free(value), Form::Affine(terms)) => {
                Some(Form::Affine(product(terms, &self.expanded(*value))))
            }
            _ => None,
        }
    }

    /// A form as a sum of terms.
    pub fn terms(&mut self, form: &Form) -> Option<Vec<Term>> {
        match form {
            Form::Free(value) => Some(self.expanded(*value)),
            Form::Affine(terms) => Some(terms.clone()),
            Form::Later(_) => None,
        }
    }

    fn sum(&mut self, form: &Form, axes: &[AxisId]) -> Option<Form> {
        let terms = self.terms(form)?;
        let mut sums = Vec::with_capacity(terms.len());
        for term in terms {
            sums.push(self.sum_of(term, axes)?);
        }
        Some(Form::Affine(sums))
    }

    /// The sum of a term along axes.
    fn sum_of(&mut self, term: Term, axes: &[AxisId]) -> Option<Term> {
        let own = match term.base {
            Base::One => Vec::new(),
            Base::State(state) => self.state(state).axes,
            Base::Read(read) => self.read_axes(read),
        };
        let has = |tape: &Tape, value: &Value, axes: &[AxisId]| axes.iter().any(|axis| tape.ty(*value).has(*axis));
        let (of_base, others): (Vec<_>, Vec<_>) = axes.iter().copied().partition(|axis| own.contains(axis));
        let mut factors = term.factors;
        // A product that does not vary along an axis is summed along it by counting.
        let (others, same): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|axis| factors.iter().any(|value| self.tape.ty(*value).has(*axis)));
        let mut scale = term.scale;
        for axis in same {
            scale *= self.tape.axes.fixed(axis)? as f64;
        }
        if !others.is_empty() {
            let (summed, kept): (Vec<_>, Vec<_>) = factors.iter().partition(|value| has(&self.tape, value, &others));
            let apart = summed.iter().all(|value| !has(&self.tape, value, &of_base));
            if !(apart || of_base.is_empty()) {
                return None;
            }
            factors = kept;
            factors.push(self.contracted(&summed, &others)?);
        }
        if of_base.is_empty() {
            return Some(Term { scale, factors, ..term });
        }
        let Base::State(state) = term.base else { return None };
        let (weights, factors) = factors.into_iter().partition(|value| has(&self.tape, value, &of_base));
        let read = self.add_read(Read { state, factors: weights, summed: of_base });
        Some(Term { scale, factors, base: Base::Read(read) })
    }

    /// The sum along axes of a product in the outer region.
    pub fn contracted(&mut self, values: &[Value], axes: &[AxisId]) -> Option<Value> {
        let mut all = values.iter().copied();
        let product = all.next()?;
        let product = all.fold(product, |product, value| self.tape.call(Function::Multiply, &[product, value]));
        self.tape.reduce(Combine::Sum, axes, product).ok()
    }

    /// The place of a read; the same is not made twice.
    pub fn add_read(&mut self, mut read: Read) -> usize {
        read.factors.sort_unstable();
        read.summed.sort_unstable();
        self.reads.iter().position(|known| *known == read).unwrap_or_else(|| {
            self.reads.push(read);
            self.reads.len() - 1
        })
    }

    /// The axes of a read in the outer region, that of the turns left out.
    pub fn read_axes(&self, read: usize) -> Vec<AxisId> {
        let Read { state, factors, summed } = &self.reads[read];
        let mut axes = self.state(*state).axes;
        for factor in factors {
            crate::ops::add_axes(&mut axes, &self.tape.ty(*factor).axes);
        }
        axes.retain(|axis| !summed.contains(axis) && *axis != self.repeat.axis);
        axes
    }
}

fn is_later(form: &Form) -> bool {
    matches!(form, Form::Later(_))
}

/// An operation in a message.
fn name_of(op: &Op) -> String {
    match op {
        Op::Map(scalar) => match scalar.steps.last() {
            Some(ScalarStep::Call(function, _)) => function.name().into(),
            _ => "where".into(),
        },
        Op::Reduce(combine, _) => format!("{combine:?}").to_lowercase(),
        Op::Index(_) => "index".into(),
        Op::Else => "else".into(),
        Op::For(_) => "for".into(),
        Op::Stop => "stop".into(),
        _ => "another operation".into(),
    }
}
