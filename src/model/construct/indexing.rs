//! `Index`: reading a value at other places, with what that does to its presence.

use super::{Draft, Values};
use crate::model::values::{ValueId, ValueKind};
use crate::tensor::{Affine, AxisId, BATCH, Presence, Relation, Term};

/// Axes and where they are read.
pub type Places = Vec<(AxisId, Affine<ValueId>)>;

impl Values {
    /// The value at other places: absent where a place is outside its axis, where `when` does not hold, and where the
    /// value read is absent. The operand must have all axes of `places`.
    pub fn index(&mut self, x: ValueId, places: Places, when: &Presence<ValueId>) -> ValueId {
        let places = places.into_iter().filter(|(axis, place)| place.as_axis() != Some(*axis)).collect::<Vec<_>>();
        if places.is_empty() {
            return self.restrict(x, when);
        }
        if let Some(known) = self.index_of_coordinate(x, &places) {
            return self.restrict(known, when);
        }
        let mut presence = when.clone();
        for (axis, place) in &places {
            for relation in self.range(*axis, place) {
                self.add_relation(&mut presence, relation);
            }
        }
        let x = if self.axes_of_presence(&presence).contains(&BATCH) { self.broadcast(x, &[BATCH]) } else { x };
        for relation in self.presence(x).relations {
            for moved in self.move_relation(&relation, &places) {
                self.add_relation(&mut presence, moved);
            }
        }
        let axes = self.axes_after(x, &places);
        let (dtype, index_of) = (self.dtype(x), self.value(x).index_of);
        let draft = Draft::new(ValueKind::Index(x, places), axes.clone(), dtype);
        let bare = draft.clone().present(presence.clone()).index_of(index_of);
        if self.axes_of_presence(&presence).iter().all(|axis| axes.contains(axis)) {
            return self.emit(bare);
        }
        let fitting = self.only_over(&presence, &axes);
        let inner = self.emit(draft.present(fitting).index_of(index_of));
        self.restrict(inner, &presence)
    }

    /// A coordinate read elsewhere is the place itself, where that is inside.
    fn index_of_coordinate(&mut self, x: ValueId, places: &Places) -> Option<ValueId> {
        let ValueKind::Coordinate(axis) = self.value(x).kind else { return None };
        let (_, place) = places.iter().find(|(read, _)| *read == axis)?;
        let place = place.clone();
        if !self.range(axis, &place).is_empty() {
            return None;
        }
        Some(self.evaluate(&place))
    }

    /// The axes of a value that is read at other places: each axis gives way to those that its place reads.
    fn axes_after(&self, x: ValueId, places: &Places) -> Vec<AxisId> {
        let mut axes = Vec::new();
        for axis in self.axes_of(x) {
            match places.iter().find(|(read, _)| read == axis) {
                Some((_, place)) => axes.extend(self.axes_read(place)),
                None => axes.push(*axis),
            }
        }
        self.order(axes)
    }

    /// A relation over the operand's axes, said over those of the result.
    pub(super) fn move_relation(&mut self, relation: &Relation<ValueId>, places: &Places) -> Vec<Relation<ValueId>> {
        match relation {
            Relation::AtLeastZero(affine) => vec![Relation::AtLeastZero(self.move_affine(affine, places))],
            Relation::Equal(axis, value) => {
                let value = self.move_value(*value, places);
                match places.iter().find(|(read, _)| read == axis).map(|(_, place)| place.clone()) {
                    None => vec![Relation::Equal(*axis, value)],
                    Some(place) => match place.as_axis() {
                        Some(axis) => vec![Relation::Equal(axis, value)],
                        None => {
                            let difference = place.plus(&self.affine(value), -1);
                            let opposite = Affine::number(0).plus(&difference, -1);
                            vec![Relation::AtLeastZero(difference), Relation::AtLeastZero(opposite)]
                        }
                    },
                }
            }
            Relation::Below { rank, bound } => {
                let (rank, bound) = (self.move_value(*rank, places), self.move_value(*bound, places));
                vec![Relation::Below { rank, bound }]
            }
            Relation::Holds(value) => vec![Relation::Holds(self.move_value(*value, places))],
        }
    }

    fn move_affine(&mut self, affine: &Affine<ValueId>, places: &Places) -> Affine<ValueId> {
        let mut moved = Affine::number(affine.constant);
        for (term, factor) in &affine.terms {
            let form = self.move_term(term, places);
            moved = moved.plus(&form, *factor);
        }
        moved
    }

    fn move_term(&mut self, term: &Term<ValueId>, places: &Places) -> Affine<ValueId> {
        let place_of = |axis: &AxisId| places.iter().find(|(read, _)| read == axis).map(|(_, place)| place.clone());
        match term {
            Term::Value(value) => {
                let moved = self.move_value(*value, places);
                self.affine(moved)
            }
            Term::Axis(axis) => place_of(axis).unwrap_or_else(|| Affine::axis(*axis)),
            Term::Quotient(axis, by) | Term::Remainder(axis, by) => {
                let quotient = matches!(term, Term::Quotient(..));
                match place_of(axis) {
                    None => Affine::term(term.clone()),
                    Some(place) => self.divide_affine(&place, *by, quotient),
                }
            }
        }
    }

    /// The quotient or remainder of a place by a number.
    pub fn divide_affine(&mut self, place: &Affine<ValueId>, by: i64, quotient: bool) -> Affine<ValueId> {
        use crate::tensor::{DType, Function};
        let (place, by) = (self.evaluate(place), self.number(by as f64, DType::Int));
        let function = if quotient { Function::FloorDivide } else { Function::Remainder };
        let value = self.scalar(function, &[place, by]);
        self.affine(value)
    }

    /// A value that a relation reads, at the new places.
    fn move_value(&mut self, value: ValueId, places: &Places) -> ValueId {
        let axes = self.axes_of(value).to_vec();
        let own = places.iter().filter(|(axis, _)| axes.contains(axis)).cloned().collect::<Vec<_>>();
        if own.is_empty() { value } else { self.index(value, own, &Presence::always()) }
    }
}
