//! Computes nodes of a body in the region around it, for all turns at once.
//! `for t { yield y = f(x[t]) }`  →  `y = f(x)`
//!
//! A node that depends on the turn gains the axis of the turns, after the rows. The number of the turn becomes the
//! coordinate. A body that reads a value at other positions than its turn's reads it there too.

use super::body::Body;
use super::form::{Base, Form, Term};
use crate::graph::{NodeId, Op, Typed, Value};
use crate::tensor::{Affine, AxisId, BATCH, DType, Function, Presence, Relation, Scalar, TensorType, Term as Place};

impl Body<'_> {
    /// The outer value of a node of the body whose reads have outer values; nothing if the loop is needed for it.
    pub fn lift(&mut self, id: NodeId) -> Option<Value> {
        if let Some(known) = self.lifted.get(&Value::of(id)) {
            return Some(*known);
        }
        let made = self.lift_anew(id);
        match made {
            Some(value) => drop(self.lifted.insert(Value::of(id), value)),
            None => self.refusal = Some(format!("`{}` is not done for all turns at once", self.region().node(id).path)),
        }
        made
    }

    fn lift_anew(&mut self, id: NodeId) -> Option<Value> {
        let axis = self.repeat.axis;
        let mut node = self.region().node(id).clone();
        if let Op::Turn = node.op {
            return Some(self.coordinate());
        }
        if !can_be_lifted(&node.op) || self.reads_whole(id) {
            return None;
        }
        let mut operands = Vec::with_capacity(node.operands.len());
        for operand in &node.operands {
            operands.push(self.outer(*operand)?);
        }
        let mut places = Vec::new();
        for (indexed, place) in node.op.places() {
            places.push((*indexed, self.moved(place)?));
        }
        let presence = self.moved_presence(&node.results[0].presence)?;
        let turns = operands.iter().any(|operand| self.tape.ty(*operand).has(axis) && !places_at(&places, axis))
            || places.iter().any(|(_, place)| self.speaks_of(place, axis))
            || presence.relations.iter().any(|relation| self.relation_speaks_of(relation, axis));
        let mut ty = node.results[0].ty.clone();
        if turns {
            ty.axes.insert(usize::from(ty.axes.first() == Some(&BATCH)), axis);
        }
        for (place, moved) in node.op.places_mut().iter_mut().zip(places) {
            *place = moved;
        }
        Some(self.tape.add(node.op, operands, Typed { ty, presence }))
    }

    /// Whether a node could be computed outside, if all that it reads is.
    pub fn is_liftable(&self, id: NodeId) -> bool {
        can_be_lifted(&self.region().node(id).op) && !self.reads_whole(id)
    }

    /// The number of the turn, for all turns.
    fn coordinate(&mut self) -> Value {
        let axis = self.repeat.axis;
        self.tape.add(Op::Coordinate(axis), vec![], Typed::always(TensorType::new([axis], DType::Int)))
    }

    /// Whether a node reads, at its own turn, a value that lies whole along the axis of the turns.
    fn reads_whole(&self, id: NodeId) -> bool {
        let node = self.region().node(id);
        let is_whole = |value: &Value| match self.region().node(value.node).op {
            Op::Argument(place) => {
                place >= self.repeat.carried + self.repeat.sliced
                    && self.tape.ty(self.operands[place]).has(self.repeat.axis)
            }
            _ => self.region().typed(*value).ty.has(self.repeat.axis),
        };
        let placed = places_at(node.op.places(), self.repeat.axis);
        let own = node.results.iter().any(|typed| typed.ty.has(self.repeat.axis));
        own || node.reads().iter().skip(usize::from(placed)).any(is_whole)
    }

    /// The outer value of a value of the body.
    pub fn outer(&mut self, value: Value) -> Option<Value> {
        match self.forms.get(&value)?.clone() {
            Form::Free(value) => Some(value),
            Form::Affine(terms) => self.made(&terms),
            Form::Later(_) => self.lift(value.node),
        }
    }

    /// The value of a sum of terms in the outer region.
    pub fn made(&mut self, terms: &[Term]) -> Option<Value> {
        let mut sum: Option<Value> = None;
        for term in terms {
            let base = match term.base {
                Base::One => None,
                Base::Read(read) => Some(self.read_values[read]?),
                Base::State(state) => Some(self.whole_read(state)?),
            };
            let part = self.product(term.scale, &term.factors, base);
            sum = Some(sum.map_or(part, |sum| self.tape.call(Function::Add, &[sum, part])));
        }
        Some(sum.unwrap_or_else(|| self.tape.number(0.0, DType::REAL)))
    }

    /// The carried value from before each turn.
    fn whole_read(&self, state: usize) -> Option<Value> {
        let is_it = |read: &super::form::Read| read.state == state && read.summed.is_empty();
        self.read_values[self.reads.iter().position(is_it)?]
    }

    /// A product in the outer region.
    pub fn product(&mut self, scale: f64, factors: &[Value], base: Option<Value>) -> Value {
        let mut all = factors.iter().copied().chain(base).collect::<Vec<_>>();
        all.sort_by_key(|value| self.tape.ty(*value).axes.len());
        let product = all.into_iter().reduce(|left, right| self.tape.call(Function::Multiply, &[left, right]));
        match product {
            None => self.tape.number(scale, DType::REAL),
            Some(product) if scale == 1.0 => product,
            Some(product) => {
                let scale = self.tape.number(scale, self.tape.ty(product).dtype);
                self.tape.call(Function::Multiply, &[scale, product])
            }
        }
    }

    /// An outer value exactly of a type and presence.
    pub fn stored(&mut self, value: Value, typed: Typed) -> Value {
        self.tape.add(Op::Map(Scalar::identity()), vec![value], typed)
    }

    fn moved(&mut self, place: &Affine<Value>) -> Option<Affine<Value>> {
        let mut sum = Affine::number(place.constant);
        for (term, factor) in &place.terms {
            let term = match term {
                Place::Value(value) if matches!(self.region().node(value.node).op, Op::Turn) => {
                    Place::Axis(self.repeat.axis)
                }
                Place::Value(value) => Place::Value(self.outer(*value)?),
                other => other.clone(),
            };
            sum = sum.plus(&Affine::term(term), *factor);
        }
        Some(sum)
    }

    /// The presence of a value of the body, said in the outer region.
    pub fn moved_presence(&mut self, presence: &Presence<Value>) -> Option<Presence<Value>> {
        let mut moved = Presence::always();
        for relation in &presence.relations {
            moved.require(match relation {
                Relation::AtLeastZero(affine) => Relation::AtLeastZero(self.moved(affine)?),
                Relation::Equal(axis, value) => Relation::Equal(*axis, self.outer(*value)?),
                Relation::Below { rank, bound } => {
                    Relation::Below { rank: self.outer(*rank)?, bound: self.outer(*bound)? }
                }
                Relation::Holds(value) => Relation::Holds(self.outer(*value)?),
            });
        }
        Some(moved)
    }

    fn speaks_of(&self, place: &Affine<Value>, axis: AxisId) -> bool {
        place.axes().any(|own| own == axis) || place.values().any(|value| self.tape.ty(*value).has(axis))
    }

    fn relation_speaks_of(&self, relation: &Relation<Value>, axis: AxisId) -> bool {
        match relation {
            Relation::AtLeastZero(affine) => self.speaks_of(affine, axis),
            Relation::Equal(own, value) => *own == axis || self.tape.ty(*value).has(axis),
            other => other.values().iter().any(|value| self.tape.ty(**value).has(axis)),
        }
    }
}

fn places_at<V>(places: &[(AxisId, Affine<V>)], axis: AxisId) -> bool {
    places.iter().any(|(indexed, _)| *indexed == axis)
}

fn can_be_lifted(op: &Op) -> bool {
    let leaf = matches!(op, Op::Constant(_) | Op::Coordinate(_) | Op::Length(_) | Op::Setting(_));
    let plain = matches!(op, Op::Map(_) | Op::Else | Op::Contract(_) | Op::Reduce(..) | Op::Rank(_) | Op::Index(_));
    leaf || plain || matches!(op, Op::Stop | Op::Peek)
}
