//! Which of many a draw takes: where the running sum of weights gets above a drawn part of their whole sum.
//!
//! In: weights along an axis and a number from 0 to 1. Out: an index of positive weight, the same however many threads
//! there are. Sums of parts are made in lanes, so that only one part is looked through number by number.

use super::emitter::Emitter;
use crate::graph::Value;
use crate::kernel::{Bound, Carried, Index, Register, ScalarType};
use crate::model::Combine;
use crate::plan::place::{Place, Places};
use crate::tensor::{AxisId, Function};

/// How many weights are looked through one by one for the one that is drawn.
const PART: i64 = 32;

impl Emitter<'_, '_> {
    /// The first index at which the running sum of weights exceeds the drawn part of their whole sum; if rounding lets
    /// none do so, the last of positive weight. Among many, the part of them that holds it is found by sums of parts.
    pub(super) fn categorical(&mut self, weights: Value, axis: AxisId, part: Register, places: &Places) -> Register {
        let ty = ScalarType::F32;
        let weight = &mut |emitter: &mut Self, places: &Places| {
            let weight = emitter.value(weights, places);
            emitter.nest.convert(weight, ty)
        };
        let whole = self.fold(Combine::Sum, ty, &[axis], &[weights], places, weight);
        let bar = self.nest.call(Function::Multiply, &[part, whole]);
        let (zero, end) = (self.nest.int(0), self.length(axis, places));
        let nothing = self.nest.number(0.0, ty);
        if self.scope.sizes.extent(axis).constant().is_some_and(|count| count <= 2 * PART) {
            return self.first_above(weights, axis, (zero, end), (nothing, bar), places);
        }
        let (begin, before) = self.part_above(weights, axis, end, bar, places);
        let part = self.nest.int(PART);
        let past = self.nest.call(Function::Add, &[begin, part]);
        let past = self.nest.call(Function::Minimum, &[past, end]);
        self.first_above(weights, axis, (begin, past), (before, bar), places)
    }

    /// Where the part begins in which a running sum gets above a bar, and the sum before it.
    fn part_above(
        &mut self,
        weights: Value,
        axis: AxisId,
        end: Register,
        bar: Register,
        places: &Places,
    ) -> (Register, Register) {
        let ty = ScalarType::F32;
        let (zero, nothing) = (self.nest.int(0), self.nest.number(0.0, ty));
        let (size, more) = (self.nest.int(PART), self.nest.int(PART - 1));
        let count = self.nest.call(Function::Add, &[end, more]);
        let count = self.nest.call(Function::FloorDivide, &[count, size]);
        let initial = [nothing, nothing, zero, self.nest.number(0.0, ScalarType::Bool)];
        let index = self.nest.open_loop(Bound::Register(zero), Bound::Register(count), false, false);
        let carried = [ty, ty, ScalarType::Int, ScalarType::Bool].map(|ty| self.nest.carry(ty));
        let [sum, before, begin, done] = carried;
        let number = self.nest.place(&Place::index(index));
        let here = self.nest.call(Function::Multiply, &[number, size]);
        let past = self.nest.call(Function::Add, &[here, size]);
        let past = self.nest.call(Function::Minimum, &[past, end]);
        let own = self.sum_between(weights, axis, (here, past), places);
        let next_sum = self.nest.call(Function::Add, &[sum, own]);
        let taken = self.is_open(own, done);
        let next_before = self.nest.call(Function::Select, &[taken, sum, before]);
        let next_begin = self.nest.call(Function::Select, &[taken, here, begin]);
        let exceeds = self.nest.call(Function::Less, &[bar, next_sum]);
        let next_done = self.nest.call(Function::Or, &[done, exceeds]);
        self.close(carried, initial, [next_sum, next_before, next_begin, next_done]);
        (begin, before)
    }

    /// The weights from one place to before another.
    fn sum_between(&mut self, weights: Value, axis: AxisId, range: (Register, Register), places: &Places) -> Register {
        let initial = self.nest.number(0.0, ScalarType::F32);
        let index = self.nest.open_loop(Bound::Register(range.0), Bound::Register(range.1), false, true);
        let register = self.nest.carry(ScalarType::F32);
        let (_, value) = self.weight_at(weights, axis, index, places);
        let next = self.nest.call(Function::Add, &[register, value]);
        self.nest.close_loop(vec![Carried { register, initial, next, combine: Some(Combine::Sum) }]);
        register
    }

    /// The first index of a range at which a sum that runs from `before` exceeds a bar, else the last of positive weight.
    fn first_above(
        &mut self,
        weights: Value,
        axis: AxisId,
        range: (Register, Register),
        (before, bar): (Register, Register),
        places: &Places,
    ) -> Register {
        let initial = [before, self.nest.int(0), self.nest.number(0.0, ScalarType::Bool)];
        let index = self.nest.open_loop(Bound::Register(range.0), Bound::Register(range.1), false, false);
        let carried = [ScalarType::F32, ScalarType::Int, ScalarType::Bool].map(|ty| self.nest.carry(ty));
        let [sum, chosen, done] = carried;
        let (places, value) = self.weight_at(weights, axis, index, places);
        let next_sum = self.nest.call(Function::Add, &[sum, value]);
        let taken = self.is_open(value, done);
        let here = self.coordinate(axis, &places);
        let next_chosen = self.nest.call(Function::Select, &[taken, here, chosen]);
        let exceeds = self.nest.call(Function::Less, &[bar, next_sum]);
        let next_done = self.nest.call(Function::Or, &[done, exceeds]);
        self.close(carried, initial, [next_sum, next_chosen, next_done]);
        chosen
    }

    /// The weight at an index of a loop along the axis, 0 where there is none; and the places there.
    fn weight_at(&mut self, weights: Value, axis: AxisId, index: Index, places: &Places) -> (Places, Register) {
        self.runs(index, axis);
        let mut places = places.clone();
        places.insert(axis, Place::index(index));
        let present = self.present(weights, &places);
        let value = self.value(weights, &places);
        let value = self.nest.convert(value, ScalarType::F32);
        let nothing = self.nest.number(0.0, ScalarType::F32);
        (places, self.choose(present, value, nothing))
    }

    /// Whether there is some weight, and nothing was found before.
    fn is_open(&mut self, weight: Register, done: Register) -> Register {
        let nothing = self.nest.number(0.0, ScalarType::F32);
        let positive = self.nest.call(Function::Less, &[nothing, weight]);
        let open = self.nest.call(Function::Not, &[done]);
        self.nest.call(Function::And, &[positive, open])
    }

    fn close<const COUNT: usize>(
        &mut self,
        carried: [Register; COUNT],
        initial: [Register; COUNT],
        next: [Register; COUNT],
    ) {
        let all = carried.into_iter().zip(initial).zip(next);
        let all = all.map(|((register, initial), next)| Carried { register, initial, next, combine: None });
        self.nest.close_loop(all.collect());
    }
}
