//! Values at other places, and the other operations that only look: `else`, ranks, leaves.

use super::emitter::{Emitter, scalar_type};
use crate::graph::{Node, Op, Value};
use crate::kernel::{Register, ScalarType};
use crate::model::Combine;
use crate::plan::place::{Place, Places};
use crate::tensor::{Affine, AxisId, Extent, Function, TensorType};

impl Emitter<'_, '_> {
    /// An index at places; outside of the operand's axes it reads the nearest element.
    pub(super) fn index(&mut self, node: &Node, indices: &[(AxisId, Affine<Value>)], places: &Places) -> Register {
        let (mut moved, _) = self.moved_places(indices, places);
        self.clamp(indices, &mut moved);
        self.value(node.operands[0], &moved)
    }

    /// The nearest stored positions of the listed axes.
    pub(super) fn clamp(&mut self, indices: &[(AxisId, Affine<Value>)], moved: &mut Places) {
        for (axis, _) in indices {
            if let Some(place) = moved.get(axis).cloned() {
                moved.insert(*axis, self.clamped(place, *axis));
            }
        }
    }

    /// The places of the listed axes alone, and whether they are inside.
    pub fn moved(&mut self, indices: &[(AxisId, Affine<Value>)], places: &Places) -> (Places, Option<Register>) {
        let (mut moved, inside) = self.moved_places(indices, places);
        moved.retain(|axis, _| indices.iter().any(|(listed, _)| listed == axis));
        (moved, inside)
    }

    /// The places that an index reads, and whether they are inside of their axes.
    pub(super) fn moved_places(
        &mut self,
        indices: &[(AxisId, Affine<Value>)],
        places: &Places,
    ) -> (Places, Option<Register>) {
        let mut moved = places.clone();
        let mut inside = None;
        for (axis, affine) in indices {
            let values = affine.values().copied().collect::<Vec<_>>();
            let known = self.all_present(&values, places);
            inside = self.both(inside, known);
            let place = self.affine(affine, places);
            let within = self.within(&place, *axis, places);
            inside = self.both(inside, within);
            moved.insert(*axis, place);
        }
        (moved, inside)
    }

    /// Whether a place is a position of an axis; absent: it surely is.
    pub(super) fn within(&mut self, place: &Place, axis: AxisId, places: &Places) -> Option<Register> {
        if self.runs_along(place, axis) {
            return None;
        }
        let low = self.at_least_zero(place);
        let high = match self.scope.sizes.axes().fixed(axis) {
            Some(size) => self.at_least_zero(&Place::number(size - 1).plus(place, -1)),
            None => {
                let length = self.length(axis, places);
                let register = self.nest.place(place);
                Some(self.nest.call(Function::Less, &[register, length]))
            }
        };
        self.both(low, high)
    }

    /// The nearest stored position of an axis.
    fn clamped(&mut self, place: Place, axis: AxisId) -> Place {
        let fixed = self.scope.sizes.axes().fixed(axis);
        let safe = self.interval(&place).zip(fixed).is_some_and(|((low, high), size)| low >= 0 && high < size);
        if safe || self.runs_along(&place, axis) {
            return place;
        }
        let extent = self.scope.sizes.extent(axis);
        let extent = self.nest.size(&extent);
        let one = self.nest.int(1);
        let last = self.nest.call(Function::Subtract, &[extent, one]);
        let register = self.nest.place(&place);
        let low = self.nest.call(Function::Minimum, &[register, last]);
        let zero = self.nest.int(0);
        Place::register(self.nest.call(Function::Maximum, &[low, zero]))
    }

    /// `a else b` at places.
    pub(super) fn otherwise(&mut self, node: &Node, places: &Places) -> Register {
        let ty = scalar_type(node.results[0].ty.dtype);
        let present = self.present(node.operands[0], places);
        let first = self.value(node.operands[0], places);
        let first = self.nest.convert(first, ty);
        if present.is_none() {
            return first;
        }
        let second = self.value(node.operands[1], places);
        let second = self.nest.convert(second, ty);
        self.choose(present, first, second)
    }

    /// A rank at places: how many present elements stand before this one.
    pub(super) fn rank(&mut self, node: &Node, axes: &[AxisId], places: &Places) -> Register {
        let operand = node.operands[0];
        let own = self.value(operand, places);
        let home = places.clone();
        let element = &mut |emitter: &mut Self, there: &Places| {
            let other = emitter.value(operand, there);
            let larger = emitter.typed_call(Function::Less, &[own, other], ScalarType::Bool);
            let equal = emitter.typed_call(Function::Equal, &[own, other], ScalarType::Bool);
            let earlier = emitter.stands_before(axes, there, &home);
            let tied = emitter.nest.call(Function::And, &[equal, earlier]);
            let before = emitter.nest.call(Function::Or, &[larger, tied]);
            emitter.nest.convert(before, ScalarType::Int)
        };
        self.fold(Combine::Sum, ScalarType::Int, axes, &[operand], places, element)
    }

    /// Whether one position comes before another, the last axis counting fastest.
    fn stands_before(&mut self, axes: &[AxisId], there: &Places, home: &Places) -> Register {
        let mut before = self.nest.number(0.0, ScalarType::Bool);
        for &axis in axes.iter().rev() {
            let [there, home] = [there, home].map(|places| self.coordinate(axis, places));
            let less = self.nest.call(Function::Less, &[there, home]);
            let same = self.nest.call(Function::Equal, &[there, home]);
            let tied = self.nest.call(Function::And, &[same, before]);
            before = self.nest.call(Function::Or, &[less, tied]);
        }
        before
    }

    /// A value without operands at places.
    pub(super) fn leaf(&mut self, op: &Op, ty: &TensorType, places: &Places) -> Register {
        match op {
            Op::Length(axis) => self.length(*axis, places),
            Op::Coordinate(axis) => self.coordinate(*axis, places),
            Op::Turn => match self.turn.clone() {
                Some((turn, _)) => self.nest.place(&turn),
                None => {
                    let turn = self.scope.turns.last().cloned().unwrap_or(0.into());
                    self.nest.size(&turn)
                }
            },
            Op::Constant(numbers) => self.table(numbers, ty, places),
            _ => self.nest.number(0.0, scalar_type(ty.dtype)),
        }
    }

    /// One of a list of numbers: the list is part of the code, so it is meant for short ones.
    fn table(&mut self, numbers: &[f64], ty: &TensorType, places: &Places) -> Register {
        let kind = scalar_type(ty.dtype);
        let number = |emitter: &mut Self, number: f64| emitter.nest.number(number, kind);
        let Some(axis) = ty.axes.first() else { return number(self, numbers[0]) };
        let place = places.get(axis).cloned().unwrap_or(Place::number(0));
        if place.terms.is_empty() {
            return number(self, numbers[place.constant.clamp(0, numbers.len() as i64 - 1) as usize]);
        }
        let coordinate = self.nest.place(&place);
        let mut chosen = number(self, numbers[numbers.len() - 1]);
        for (position, &entry) in numbers.iter().enumerate().rev().skip(1) {
            let bound = self.nest.int(position as i64);
            let holds = self.nest.call(Function::LessEqual, &[coordinate, bound]);
            let entry = number(self, entry);
            chosen = self.nest.call(Function::Select, &[holds, entry, chosen]);
        }
        chosen
    }

    /// The number of positions of a sequence in the row at places.
    pub(super) fn computed_length(&mut self, extent: &Extent, places: &Places) -> Option<Register> {
        let Extent::Computed { lengths, settings, constant } = extent else { return None };
        let mut sum = self.nest.int(*constant);
        for (axis, factor) in lengths {
            let length = self.length(*axis, places);
            let factor = self.nest.int(*factor);
            let part = self.nest.call(Function::Multiply, &[length, factor]);
            sum = self.nest.call(Function::Add, &[sum, part]);
        }
        for (name, factor) in settings {
            let setting = self.scope.sizes.setting(name).times((*factor).into());
            let part = self.nest.size(&setting);
            sum = self.nest.call(Function::Add, &[sum, part]);
        }
        Some(sum)
    }
}
