//! Makes the values of a program: each call adds one value with its type and presence, or finds an equal one.
//!
//! In: operands of the same program. Out: a [`ValueId`] whose axes, element type, presence and body follow from the
//! operands. Equal pure values are one value, and a value stands in the outermost body that its operands allow, so what
//! does not depend on the turn is computed once. Nothing here knows the source language.

mod facts;
mod indexing;
mod reducing;
mod relations;
mod scalars;

pub use facts::Fact;

use super::values::{BodyId, Program, Value, ValueId, ValueKind};
use crate::source::Span;
use crate::tensor::{Affine, Axes, AxisId, BATCH, DType, Presence, Relation, TensorType, Term};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The program under construction.
#[derive(Debug, Clone)]
pub struct Values {
    /// The axes of the compilation.
    pub axes: Axes,
    /// What is made so far.
    pub program: Program,
    /// Where new values are written.
    pub span: Span,
    facts: Vec<Fact>,
    equal: HashMap<u64, Vec<ValueId>>,
    limits: HashMap<AxisId, i64>,
}

/// What a new value is, before its place in the program is known.
#[derive(Debug, Clone)]
pub struct Draft {
    /// How it is made.
    pub kind: ValueKind,
    /// Its axes.
    pub axes: Vec<AxisId>,
    /// Its element type.
    pub dtype: DType,
    /// The axis that it is an index of.
    pub index_of: Option<AxisId>,
    /// Where it is present.
    pub presence: Presence<ValueId>,
    /// The body that it must stand in; absent: as far out as its operands allow.
    pub body: Option<BodyId>,
}

impl Draft {
    /// A value that is present everywhere.
    pub fn new(kind: ValueKind, axes: Vec<AxisId>, dtype: DType) -> Draft {
        Draft { kind, axes, dtype, index_of: None, presence: Presence::always(), body: None }
    }

    /// The same with a presence.
    pub fn present(mut self, presence: Presence<ValueId>) -> Draft {
        self.presence = presence;
        self
    }

    /// The same as an index of an axis.
    pub fn index_of(mut self, axis: Option<AxisId>) -> Draft {
        self.index_of = axis;
        self
    }

    /// The same in a body.
    pub fn inside(mut self, body: Option<BodyId>) -> Draft {
        self.body = body;
        self
    }
}

impl Values {
    /// An empty program over these axes.
    pub fn new(axes: Axes, span: Span) -> Values {
        let (program, facts, equal) = (Program::default(), Vec::new(), HashMap::new());
        Values { axes, program, span, facts, equal, limits: HashMap::new() }
    }

    /// A value.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.program.values[id.0 as usize]
    }

    /// A value's axes.
    pub fn axes_of(&self, id: ValueId) -> &[AxisId] {
        &self.value(id).ty.axes
    }

    /// A value's element type.
    pub fn dtype(&self, id: ValueId) -> DType {
        self.value(id).ty.dtype
    }

    /// A value's presence.
    pub fn presence(&self, id: ValueId) -> Presence<ValueId> {
        self.value(id).presence.clone()
    }

    /// Declares that no row is longer than this along an axis and those like it.
    pub fn limit(&mut self, axis: AxisId, length: i64) {
        self.limits.insert(self.axes[axis].class, length);
    }

    /// Adds a value, or finds the equal one.
    pub fn emit(&mut self, mut draft: Draft) -> ValueId {
        draft.body = draft.body.or_else(|| self.innermost(&draft));
        let value = Value {
            kind: draft.kind,
            ty: TensorType::new(draft.axes, draft.dtype),
            index_of: draft.index_of,
            presence: draft.presence,
            body: draft.body,
            span: self.span,
        };
        let digest = digest(&value);
        let candidates = self.equal.get(&digest).cloned().unwrap_or_default();
        if let Some(known) = candidates.into_iter().find(|known| interchangeable(self.value(*known), &value)) {
            return known;
        }
        let id = ValueId(self.program.values.len() as u32);
        let fact = self.fact_of(&value, id);
        self.program.values.push(value);
        self.facts.push(fact);
        self.equal.entry(digest).or_default().push(id);
        id
    }

    /// The innermost body that an operand stands in.
    fn innermost(&self, draft: &Draft) -> Option<BodyId> {
        let mut reads = draft.kind.operands();
        reads.extend(draft.presence.relations.iter().flat_map(Relation::values).copied());
        if let ValueKind::Final(region, _) | ValueKind::Yielded(region, _) = draft.kind {
            return self.program.regions[region.0 as usize].body;
        }
        let bodies = reads.into_iter().filter_map(|id| self.value(id).body);
        bodies.max_by_key(|body| self.depth(Some(*body)))
    }

    /// How many bodies a body stands in, itself included.
    pub fn depth(&self, mut body: Option<BodyId>) -> usize {
        let mut depth = 0;
        while let Some(inner) = body {
            depth += 1;
            body = self.program.regions[inner.region.0 as usize].body;
        }
        depth
    }

    /// The union of axes in storage order: batch, sequences, then the rest by first appearance.
    pub fn order(&self, axes: impl IntoIterator<Item = AxisId>) -> Vec<AxisId> {
        self.axes.ordered(axes)
    }

    /// The axes that a place reads: those of its coordinates and of its values.
    pub fn axes_read(&self, affine: &Affine<ValueId>) -> Vec<AxisId> {
        let mut read = affine.axes().collect::<Vec<_>>();
        for value in affine.values() {
            read.extend(self.axes_of(*value));
        }
        read
    }

    /// The axes that a presence depends on.
    pub fn axes_of_presence(&self, presence: &Presence<ValueId>) -> Vec<AxisId> {
        presence.relations.iter().flat_map(|relation| self.axes_of_relation(relation)).collect()
    }

    /// The axes that a relation depends on.
    pub fn axes_of_relation(&self, relation: &Relation<ValueId>) -> Vec<AxisId> {
        match relation {
            Relation::AtLeastZero(affine) => self.axes_read(affine),
            Relation::Equal(axis, value) => {
                let mut read = vec![*axis];
                read.extend(self.axes_of(*value));
                read
            }
            other => other.values().into_iter().flat_map(|value| self.axes_of(*value).to_vec()).collect(),
        }
    }

    /// A number without axes.
    pub fn number(&mut self, number: f64, dtype: DType) -> ValueId {
        self.emit(Draft::new(ValueKind::Number(number), Vec::new(), dtype))
    }

    /// The coordinate along an axis.
    pub fn coordinate(&mut self, axis: AxisId) -> ValueId {
        self.emit(Draft::new(ValueKind::Coordinate(axis), vec![axis], DType::Int).index_of(Some(axis)))
    }

    /// The number of positions of an axis, as a value.
    pub fn length(&mut self, axis: AxisId) -> ValueId {
        match self.axes.fixed(axis) {
            Some(size) => self.number(size as f64, DType::Int),
            None => {
                let representative = self.axes[axis].class;
                self.emit(Draft::new(ValueKind::Length(representative), vec![BATCH], DType::Int))
            }
        }
    }

    /// The number that a value is, if it is one.
    pub fn as_number(&self, id: ValueId) -> Option<f64> {
        match self.value(id).kind {
            ValueKind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The value repeated along the axes that it lacks.
    pub fn broadcast(&mut self, id: ValueId, axes: &[AxisId]) -> ValueId {
        let all = self.order(self.axes_of(id).to_vec().into_iter().chain(axes.iter().copied()));
        if all.len() == self.axes_of(id).len() {
            return id;
        }
        let value = self.value(id).clone();
        let draft = Draft::new(ValueKind::Broadcast(id), all, value.ty.dtype);
        self.emit(draft.present(value.presence).index_of(value.index_of))
    }

    /// The same value over exactly these axes in this order; they hold all of its own. What different turns make of one
    /// name must agree in the order too.
    pub fn laid_out(&mut self, id: ValueId, axes: &[AxisId]) -> ValueId {
        let value = self.value(id).clone();
        if value.ty.axes == axes {
            return id;
        }
        let draft = Draft::new(ValueKind::Broadcast(id), axes.to_vec(), value.ty.dtype);
        self.emit(draft.present(value.presence).index_of(value.index_of))
    }

    /// The same value in another element type (a precision that was asked for, an int as a real).
    pub fn convert(&mut self, id: ValueId, dtype: DType) -> ValueId {
        let value = self.value(id).clone();
        if value.ty.dtype == dtype {
            return id;
        }
        if let ValueKind::Number(number) = value.kind {
            return self.number(number, dtype);
        }
        let function = if dtype.is_real() { crate::tensor::Function::ToReal } else { crate::tensor::Function::ToInt };
        let draft = Draft::new(ValueKind::Scalar(function, vec![id]), value.ty.axes, dtype);
        self.emit(draft.present(value.presence))
    }
}

impl ValueKind {
    /// The values that it reads, presence aside.
    pub fn operands(&self) -> Vec<ValueId> {
        match self {
            ValueKind::Scalar(_, operands) | ValueKind::Draw { operands, .. } => operands.clone(),
            ValueKind::Broadcast(x) | ValueKind::Where(x) | ValueKind::Stop(x) | ValueKind::Peek(x) => vec![*x],
            ValueKind::Reduce(_, _, x) | ValueKind::Rank(_, x) => vec![*x],
            ValueKind::Else(x, y) | ValueKind::Gradient(x, y) => vec![*x, *y],
            ValueKind::Index(x, places) => {
                let mut reads = vec![*x];
                reads.extend(places.iter().flat_map(|(_, place)| place.values()));
                reads
            }
            _ => Vec::new(),
        }
    }
}

/// Whether two values mean the same wherever they are written.
fn interchangeable(left: &Value, right: &Value) -> bool {
    left.kind == right.kind
        && left.ty == right.ty
        && left.index_of == right.index_of
        && left.presence == right.presence
        && left.body == right.body
}

/// A hash that equal values share.
fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    std::mem::discriminant(&value.kind).hash(&mut hasher);
    value.kind.operands().hash(&mut hasher);
    value.ty.hash(&mut hasher);
    match &value.kind {
        ValueKind::Number(number) => number.to_bits().hash(&mut hasher),
        ValueKind::Scalar(function, _) => function.hash(&mut hasher),
        ValueKind::Input(place) | ValueKind::Parameter(place) => place.hash(&mut hasher),
        _ => {}
    }
    hasher.finish()
}

/// The bare term of an affine, if it is one.
fn single(affine: &Affine<ValueId>) -> Option<&Term<ValueId>> {
    match (affine.terms.as_slice(), affine.constant) {
        ([(term, 1)], 0) => Some(term),
        _ => None,
    }
}
