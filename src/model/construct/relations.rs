//! Presence: from bool values to relations and back, `where` and `else`.

use super::{Draft, Values};
use crate::model::values::{ValueId, ValueKind};
use crate::tensor::{Affine, DType, Function, Presence, Relation, Term};

impl Values {
    /// Where a bool value holds, in the most telling form. Where the bool is absent, it does not hold.
    pub fn relations(&mut self, condition: ValueId) -> Presence<ValueId> {
        let mut all = self.presence(condition);
        for relation in self.relations_of(condition) {
            self.add_relation(&mut all, relation);
        }
        all
    }

    /// Adds a relation unless it always holds.
    pub fn add_relation(&mut self, presence: &mut Presence<ValueId>, relation: Relation<ValueId>) {
        if let Relation::AtLeastZero(affine) = &relation
            && self.never_negative(affine)
        {
            return;
        }
        presence.require(relation);
    }

    fn relations_of(&mut self, condition: ValueId) -> Vec<Relation<ValueId>> {
        match self.value(condition).kind.clone() {
            ValueKind::Number(number) if number != 0.0 => Vec::new(),
            ValueKind::Number(_) => vec![Relation::AtLeastZero(Affine::number(-1))],
            ValueKind::Broadcast(x) | ValueKind::Where(x) => self.relations_of(x),
            ValueKind::Index(x, places) if matches!(self.value(x).kind, ValueKind::Scalar(..)) => {
                let inner = self.relations_of(x);
                if inner == [Relation::Holds(x)] {
                    return vec![Relation::Holds(condition)];
                }
                inner.iter().flat_map(|relation| self.move_relation(relation, &places)).collect()
            }
            ValueKind::Scalar(Function::And, operands) => {
                operands.into_iter().flat_map(|operand| self.relations_of(operand)).collect()
            }
            ValueKind::Scalar(Function::Not, operands) => self.relations_of_negation(condition, operands[0]),
            ValueKind::Scalar(function, operands) if operands.len() == 2 => {
                self.relations_of_comparison(condition, function, operands[0], operands[1])
            }
            _ => vec![Relation::Holds(condition)],
        }
    }

    fn relations_of_negation(&mut self, condition: ValueId, inner: ValueId) -> Vec<Relation<ValueId>> {
        match self.value(inner).kind.clone() {
            ValueKind::Scalar(Function::Less, operands) => {
                self.relations_of_comparison(condition, Function::LessEqual, operands[1], operands[0])
            }
            ValueKind::Scalar(Function::LessEqual, operands) => {
                self.relations_of_comparison(condition, Function::Less, operands[1], operands[0])
            }
            _ => vec![Relation::Holds(condition)],
        }
    }

    fn relations_of_comparison(
        &mut self,
        condition: ValueId,
        function: Function,
        left: ValueId,
        right: ValueId,
    ) -> Vec<Relation<ValueId>> {
        if self.dtype(left).is_real() || self.dtype(right).is_real() {
            return vec![Relation::Holds(condition)];
        }
        let difference = self.affine(right).plus(&self.affine(left), -1);
        match function {
            Function::Less | Function::LessEqual | Function::Equal if self.is_rank(left) => {
                self.below(condition, function, left, right)
            }
            Function::Less => vec![Relation::AtLeastZero(difference.plus(&Affine::number(1), -1))],
            Function::LessEqual => vec![Relation::AtLeastZero(difference)],
            Function::Equal => self.equality(condition, left, right, &difference),
            _ => vec![Relation::Holds(condition)],
        }
    }

    fn is_rank(&self, id: ValueId) -> bool {
        matches!(self.value(id).kind, ValueKind::Rank(..))
    }

    /// `rank < n`, `rank <= n`, `rank == 0`.
    fn below(
        &mut self,
        condition: ValueId,
        function: Function,
        rank: ValueId,
        bound: ValueId,
    ) -> Vec<Relation<ValueId>> {
        let one = self.number(1.0, DType::Int);
        match function {
            Function::Less => vec![Relation::Below { rank, bound }],
            Function::LessEqual => {
                let bound = self.scalar(Function::Add, &[bound, one]);
                vec![Relation::Below { rank, bound }]
            }
            _ if self.as_number(bound) == Some(0.0) => vec![Relation::Below { rank, bound: one }],
            _ => vec![Relation::Holds(condition)],
        }
    }

    /// A coordinate that equals an index, or two affine numbers that are equal.
    fn equality(
        &self,
        condition: ValueId,
        left: ValueId,
        right: ValueId,
        difference: &Affine<ValueId>,
    ) -> Vec<Relation<ValueId>> {
        let (a, b) = (self.affine(left), self.affine(right));
        for (place, other) in [(&a, &b), (&b, &a)] {
            if let (Some(axis), Some(Term::Value(value))) = (place.as_axis(), super::single(other)) {
                return vec![Relation::Equal(axis, *value)];
            }
        }
        let reads_coordinates = difference.axes().next().is_some();
        if !reads_coordinates && difference.values().next().is_some() {
            return vec![Relation::Holds(condition)];
        }
        let opposite = Affine::number(0).plus(difference, -1);
        vec![Relation::AtLeastZero(difference.clone()), Relation::AtLeastZero(opposite)]
    }

    /// `x where …`: the value, present only where it was and the relations hold.
    pub fn restrict(&mut self, x: ValueId, relations: &Presence<ValueId>) -> ValueId {
        let presence = self.presence(x).and(relations);
        if presence == self.value(x).presence {
            return x;
        }
        let wide = self.broadcast(x, &self.axes_of_presence(relations));
        let value = self.value(wide).clone();
        let draft = Draft::new(ValueKind::Where(wide), value.ty.axes, value.ty.dtype);
        self.emit(draft.present(presence).index_of(value.index_of))
    }

    /// `x else y`.
    pub fn otherwise(&mut self, x: ValueId, y: ValueId) -> ValueId {
        if self.value(x).presence.is_always() {
            return x;
        }
        let dtype = self.dtype(x).join(self.dtype(y));
        let (x, y) = (self.convert_kind(x, dtype), self.convert_kind(y, dtype));
        let axes = [self.axes_of(x), self.axes_of(y)].concat();
        let (x, y) = (self.broadcast(x, &axes), self.broadcast(y, &axes));
        let presence = self.either_present(x, y);
        let index_of = self.joined_index(x, y);
        let axes = self.axes_of(x).to_vec();
        self.emit(Draft::new(ValueKind::Else(x, y), axes, dtype).present(presence).index_of(index_of))
    }

    /// The value with the kind of a type; precisions of reals stay.
    fn convert_kind(&mut self, x: ValueId, dtype: DType) -> ValueId {
        let is = self.dtype(x);
        if is == dtype || is.is_real() && dtype.is_real() { x } else { self.convert(x, dtype) }
    }

    /// Where one of two values is present.
    fn either_present(&mut self, x: ValueId, y: ValueId) -> Presence<ValueId> {
        let (first, second) = (self.presence(x), self.presence(y));
        if second.relations.iter().all(|relation| first.relations.contains(relation)) {
            return second;
        }
        let (first, second) = (self.truth_of(&first), self.truth_of(&second));
        let any = self.scalar(Function::Or, &[first, second]);
        let mut presence = Presence::always();
        presence.require(Relation::Holds(any));
        presence
    }

    /// A bool: whether all relations hold.
    pub fn truth_of(&mut self, presence: &Presence<ValueId>) -> ValueId {
        let (yes, no) = (self.number(1.0, DType::Bool), self.number(0.0, DType::Bool));
        let yes = self.restrict(yes, presence);
        self.otherwise(yes, no)
    }

    /// The value with 0 where it is absent: what leaves a `for` beside a flag that says where it is present.
    pub fn filled(&mut self, x: ValueId) -> ValueId {
        let zero = self.number(0.0, self.dtype(x));
        self.otherwise(x, zero)
    }

    /// The axis that both of two values are an index of; a number inside it counts as one.
    pub fn joined_index(&self, x: ValueId, y: ValueId) -> Option<crate::tensor::AxisId> {
        let (left, right) = (self.value(x).index_of, self.value(y).index_of);
        let fits = |axis, id: ValueId| {
            let number = match self.value(id).kind {
                ValueKind::Broadcast(inner) => self.as_number(inner),
                _ => self.as_number(id),
            };
            let inside = |number: f64| self.axes.fixed(axis).is_none_or(|size| number < size as f64);
            number.is_some_and(|number| number >= 0.0 && inside(number))
        };
        match (left, right) {
            (Some(left), Some(right)) if self.axes.alike(left, right) => Some(left),
            (Some(left), None) if fits(left, y) => Some(left),
            (None, Some(right)) if fits(right, x) => Some(right),
            _ => None,
        }
    }
}
