//! Where values are present, as loop bounds where a relation is linear and as conditions elsewhere.

use super::emitter::Emitter;
use crate::graph::{Op, Value};
use crate::kernel::{AddressTerm, Register, ScalarType};
use crate::model::Combine;
use crate::ops::weights_of;
use crate::plan::place::{Place, Places};
use crate::tensor::{Affine, AxisId, Function, Presence, Relation, Term};

impl Emitter<'_, '_> {
    /// Whether a value that may be absent is present, from its own relations and from what it reads.
    pub(super) fn presence(&mut self, value: Value, places: &Places) -> Option<Register> {
        let scope = self.scope;
        let own = self.relations_hold(&scope.typed(value).presence, places);
        let node = scope.region.node(value.node);
        let structural = match &node.op {
            Op::Map(_) | Op::Stop | Op::Peek | Op::Rank(_) => self.all_present(&node.operands, places),
            // Weights are drawn from where they are present.
            Op::Draw(law, _) => self.all_present(&node.operands[weights_of(*law)..], places),
            Op::Else => {
                let first = self.present(node.operands[0], places);
                let second = self.present(node.operands[1], places);
                match (first, second) {
                    (Some(first), Some(second)) => Some(self.nest.call(Function::Or, &[first, second])),
                    _ => None,
                }
            }
            Op::Reduce(Combine::Sum | Combine::Any | Combine::All, _) => None,
            Op::Reduce(_, axes) => Some(self.any_present(node.operands[0], axes, places)),
            Op::Index(indices) => {
                let (mut moved, inside) = self.moved_places(indices, places);
                self.clamp(indices, &mut moved);
                let operand = self.present(node.operands[0], &moved);
                self.both(inside, operand)
            }
            _ => None,
        };
        self.both(own, structural)
    }

    /// Whether all are present.
    pub(super) fn all_present(&mut self, values: &[Value], places: &Places) -> Option<Register> {
        values.iter().fold(None, |all, &value| {
            let one = self.present(value, places);
            self.both(all, one)
        })
    }

    /// Whether all relations hold.
    pub fn relations_hold(&mut self, presence: &Presence<Value>, places: &Places) -> Option<Register> {
        presence.relations.iter().fold(None, |all, relation| {
            let one = self.relation_holds(relation, places);
            self.both(all, one)
        })
    }

    /// Whether a relation holds; absent: it always does.
    pub(super) fn relation_holds(&mut self, relation: &Relation<Value>, places: &Places) -> Option<Register> {
        let values = relation.values().into_iter().copied().collect::<Vec<_>>();
        let known = self.all_present(&values, places);
        let holds = match relation {
            Relation::AtLeastZero(affine) => {
                let place = self.affine(affine, places);
                self.at_least_zero(&place)
            }
            Relation::Equal(axis, value) => {
                let coordinate = self.coordinate(*axis, places);
                let index = self.value(*value, places);
                let index = self.nest.convert(index, ScalarType::Int);
                Some(self.nest.call(Function::Equal, &[coordinate, index]))
            }
            Relation::Below { rank, bound } => {
                let (rank, bound) = (self.value(*rank, places), self.value(*bound, places));
                Some(self.typed_call(Function::Less, &[rank, bound], ScalarType::Bool))
            }
            Relation::Holds(value) => {
                let truth = self.value(*value, places);
                Some(self.nest.convert(truth, ScalarType::Bool))
            }
        };
        self.both(known, holds)
    }

    /// `place >= 0`; absent where bounds of loops say so.
    pub(super) fn at_least_zero(&mut self, place: &Place) -> Option<Register> {
        if self.interval(place).is_some_and(|(low, _)| low >= 0) || self.is_assumed(place) {
            return None;
        }
        let register = self.nest.place(place);
        let zero = self.nest.int(0);
        Some(self.nest.call(Function::LessEqual, &[zero, register]))
    }

    /// Whether an open loop's bounds guarantee `place >= 0`: an assumed form with the same terms and no larger constant.
    fn is_assumed(&self, place: &Place) -> bool {
        let sorted = sorted(place.clone());
        self.assumed.iter().any(|known| known.terms == sorted.terms && known.constant <= sorted.constant)
    }

    /// Records `place >= 0` until the assumption is taken back.
    pub(super) fn assume(&mut self, place: Place) {
        self.assumed.push(sorted(place));
    }

    /// The coordinate along an axis as a number.
    pub(super) fn coordinate(&mut self, axis: AxisId, places: &Places) -> Register {
        let place = places.get(&axis).cloned().unwrap_or(Place::number(0));
        self.nest.place(&place)
    }

    /// A linear form of coordinates and values at places.
    pub(super) fn affine(&mut self, affine: &Affine<Value>, places: &Places) -> Place {
        let mut sum = Place::number(affine.constant);
        for (term, coefficient) in &affine.terms {
            let at = |axis: &AxisId| places.get(axis).cloned().unwrap_or(Place::number(0));
            let part = match term {
                Term::Axis(axis) => at(axis),
                Term::Quotient(axis, by) => self.divided(&at(axis), *by).0,
                Term::Remainder(axis, by) => self.divided(&at(axis), *by).1,
                Term::Value(value) => {
                    let register = self.value(*value, places);
                    Place::register(self.nest.convert(register, ScalarType::Int))
                }
            };
            sum = sum.plus(&part, *coefficient);
        }
        sum
    }

    /// Quotient and remainder by a positive number; linear again where the loops were split there.
    fn divided(&mut self, place: &Place, by: i64) -> (Place, Place) {
        let mut quotient = Place::number(place.constant.div_euclid(by));
        let mut remainder = Place::number(place.constant.rem_euclid(by));
        for (term, coefficient) in &place.terms {
            quotient.terms.push((*term, coefficient.div_euclid(by)));
            remainder.terms.push((*term, coefficient.rem_euclid(by)));
        }
        quotient.terms.retain(|(_, coefficient)| *coefficient != 0);
        remainder.terms.retain(|(_, coefficient)| *coefficient != 0);
        if self.interval(&remainder).is_some_and(|(low, high)| low >= 0 && high < by) {
            return (quotient, remainder);
        }
        let register = self.nest.place(place);
        let by = self.nest.int(by);
        let parts = [Function::FloorDivide, Function::Remainder];
        let [quotient, remainder] = parts.map(|function| Place::register(self.nest.call(function, &[register, by])));
        (quotient, remainder)
    }

    /// Whether any element along axes is present.
    fn any_present(&mut self, value: Value, axes: &[AxisId], places: &Places) -> Register {
        let element = &mut |emitter: &mut Self, _: &Places| emitter.nest.number(1.0, ScalarType::Bool);
        self.fold(Combine::Any, ScalarType::Bool, axes, &[value], places, element)
    }

    /// Whether a term is the counter of a loop along an axis like `axis`.
    pub(super) fn runs_along(&self, place: &Place, axis: AxisId) -> bool {
        let [(AddressTerm::Index(index), 1)] = place.terms.as_slice() else { return false };
        let along = self.loops.get(index).map(|(along, _)| *along).filter(|_| !self.parts.contains(index));
        place.constant == 0 && along.is_some_and(|along| self.scope.sizes.axes().alike(along, axis))
    }
}

fn sorted(mut place: Place) -> Place {
    place.terms.sort();
    place
}
