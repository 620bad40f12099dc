//! Reductions and ranks: they skip what is absent; of nothing, `sum` is 0, `any` false, `all` true, others absent.

use super::{Draft, Values};
use crate::model::values::{Combine, ValueId, ValueKind};
use crate::tensor::{Affine, AxisId, BATCH, DType, Function, Presence, Relation, Term};

impl Values {
    /// Combines along axes; the operand repeats along those that it lacks.
    pub fn reduce(&mut self, combine: Combine, axes: &[AxisId], x: ValueId) -> ValueId {
        let mut x = self.broadcast(x, axes);
        if matches!(combine, Combine::Sum | Combine::Product) && self.dtype(x) == DType::Bool {
            x = self.convert(x, DType::Int);
        }
        let presence = match combine {
            Combine::Sum | Combine::Any | Combine::All => Presence::always(),
            _ => self.presence_of_any(x, axes),
        };
        let ty = self.value(x).ty.without(axes);
        let index_of = match combine {
            Combine::Maximum | Combine::Minimum | Combine::First => self.value(x).index_of,
            _ => None,
        };
        let result = self.emit(
            Draft::new(ValueKind::Reduce(combine, axes.to_vec(), x), ty.axes.clone(), ty.dtype)
                .present(self.only_over(&presence, &ty.axes))
                .index_of(index_of),
        );
        self.restrict(result, &presence)
    }

    /// The relations that read no axis but these.
    pub(super) fn only_over(&self, presence: &Presence<ValueId>, axes: &[AxisId]) -> Presence<ValueId> {
        let fits =
            |relation: &&Relation<ValueId>| self.axes_of_relation(relation).iter().all(|axis| axes.contains(axis));
        Presence { relations: presence.relations.iter().filter(fits).cloned().collect() }
    }

    /// The mean of what is present: sum over count.
    pub fn mean(&mut self, axes: &[AxisId], x: ValueId) -> ValueId {
        let x = self.broadcast(x, axes);
        let x = if self.dtype(x).is_real() { x } else { self.convert(x, DType::REAL) };
        let sum = self.reduce(Combine::Sum, axes, x);
        let count = self.count(axes, x);
        let quotient = self.scalar(Function::Divide, &[sum, count]);
        let presence = self.presence_of_any(x, axes);
        self.restrict(quotient, &presence)
    }

    /// How many elements along axes are present.
    fn count(&mut self, axes: &[AxisId], x: ValueId) -> ValueId {
        let presence = self.presence(x);
        let one = self.number(1.0, DType::Int);
        let read = self.axes_of_presence(&presence);
        if !axes.contains(&BATCH) && !axes.iter().any(|axis| read.contains(axis)) {
            return axes.iter().fold(one, |product, axis| {
                let length = self.length(*axis);
                self.scalar(Function::Multiply, &[product, length])
            });
        }
        let counted = self.broadcast(one, axes);
        let counted = self.restrict(counted, &presence);
        self.reduce(Combine::Sum, axes, counted)
    }

    /// The place in falling order along axes.
    pub fn rank(&mut self, axes: &[AxisId], x: ValueId) -> ValueId {
        let x = self.broadcast(x, axes);
        let value = self.value(x).clone();
        let draft = Draft::new(ValueKind::Rank(axes.to_vec(), x), value.ty.axes, DType::Int);
        self.emit(draft.present(value.presence))
    }

    /// Where any element along axes is present.
    pub fn presence_of_any(&mut self, x: ValueId, axes: &[AxisId]) -> Presence<ValueId> {
        let (mut inner, mut outer) = (Presence::always(), Presence::always());
        for relation in self.presence(x).relations {
            let depends = self.axes_of_relation(&relation).iter().any(|axis| axes.contains(axis));
            if depends { &mut inner } else { &mut outer }.require(relation);
        }
        if !self.always_meets(&inner, axes) {
            let yes = self.number(1.0, DType::Bool);
            let present = self.restrict(yes, &inner);
            let some = self.reduce(Combine::Any, axes, present);
            outer.require(Relation::Holds(some));
        }
        outer
    }

    /// Whether, for every position of the other axes, some position along `axes` satisfies all relations: each axis in
    /// turn is tried at its first place, at an index that it must equal, and beside each axis that it is like.
    fn always_meets(&mut self, relations: &Presence<ValueId>, axes: &[AxisId]) -> bool {
        let mut rest = Presence::always();
        for relation in &relations.relations {
            if !self.chosen_exists(relation, relations, axes) {
                rest.require(relation.clone());
            }
        }
        if rest.relations.is_empty() {
            return true;
        }
        let read = self.axes_of_presence(&rest);
        let reduced = axes.iter().copied().filter(|axis| read.contains(axis)).collect::<Vec<_>>();
        self.search(&rest, &reduced)
    }

    /// A bound of at least one on a rank holds for somebody, where the ranked are not all absent for another reason.
    fn chosen_exists(&self, relation: &Relation<ValueId>, all: &Presence<ValueId>, axes: &[AxisId]) -> bool {
        let Relation::Below { rank, bound } = relation else { return false };
        let ValueKind::Rank(along, ranked) = &self.value(*rank).kind else { return false };
        let others = all.relations.iter().filter(|other| *other != relation);
        let ranked = &self.value(*ranked).presence;
        self.interval_of(*bound).0 >= Some(1)
            && along.iter().all(|axis| axes.contains(axis))
            && others.into_iter().all(|other| ranked.relations.contains(other))
    }

    fn search(&mut self, rest: &Presence<ValueId>, reduced: &[AxisId]) -> bool {
        let Some((axis, later)) = reduced.split_first() else {
            return rest.relations.iter().all(|relation| self.holds_always(relation));
        };
        let candidates = self.candidates(*axis, rest);
        candidates.into_iter().any(|place| {
            let placed = place_in(self, rest, *axis, &place);
            placed.is_some_and(|placed| self.search(&placed, later))
        })
    }

    fn candidates(&self, axis: AxisId, rest: &Presence<ValueId>) -> Vec<Affine<ValueId>> {
        let mut candidates = Vec::new();
        for other in self.axes_of_presence(rest) {
            if other != axis && self.axes.alike(other, axis) {
                candidates.push(Affine::axis(other));
            }
        }
        for relation in &rest.relations {
            for value in relation.values() {
                if self.value(*value).index_of.is_some_and(|other| self.axes.alike(other, axis)) {
                    candidates.push(Affine::value(*value));
                }
            }
        }
        candidates.push(Affine::number(0));
        candidates.extend(self.axes.fixed(axis).map(|size| Affine::number(size - 1)));
        candidates
    }

    fn holds_always(&mut self, relation: &Relation<ValueId>) -> bool {
        match relation {
            Relation::AtLeastZero(affine) => self.never_negative(affine),
            _ => false,
        }
    }
}

/// The relations with an axis at a place; absent if one cannot be said there.
fn place_in(
    values: &Values,
    rest: &Presence<ValueId>,
    axis: AxisId,
    place: &Affine<ValueId>,
) -> Option<Presence<ValueId>> {
    let mut placed = Presence::always();
    for relation in &rest.relations {
        match relation {
            Relation::Equal(own, value) if *own == axis && *place == Affine::value(*value) => {}
            Relation::AtLeastZero(affine) => {
                let factor =
                    affine.terms.iter().find(|(term, _)| *term == Term::Axis(axis)).map_or(0, |(_, factor)| *factor);
                let moved = affine.plus(&Affine::axis(axis), -factor).plus(place, factor);
                if values.axes_read(&moved).contains(&axis) {
                    return None;
                }
                placed.require(Relation::AtLeastZero(moved));
            }
            other if values.axes_of_relation(other).contains(&axis) => return None,
            other => placed.require(other.clone()),
        }
    }
    Some(placed)
}
