//! What is present along an axis, copied and listed in the order of its places.

use crate::graph::Value;
use crate::kernel::{Bound, Carried, Index, Register, ScalarType};
use crate::model::Combine;
use crate::plan::lowering::Emitter;
use crate::plan::place::{Place, Places, View};
use crate::tensor::{AxisId, Function};

/// So many places are asked together whether any is present.
const STRETCH: i64 = 32;

/// What is ranked on its way into order.
pub(super) struct Lists<'l> {
    pub(super) keys: &'l View,
    pub(super) order: &'l View,
    /// The places along all other axes.
    pub(super) places: &'l Places,
}

/// What is copied and listed, and along which axis.
pub(super) struct Gathering<'l> {
    pub(super) source: Value,
    pub(super) axis: AxisId,
    pub(super) lists: &'l Lists<'l>,
    pub(super) at: &'l dyn Fn(Place) -> Places,
}

impl Gathering<'_> {
    /// All of an axis, a stretch at a time: one without anything present is passed over in lanes.
    pub(super) fn stretches(&self, emitter: &mut Emitter<'_, '_>) -> Register {
        let places = self.lists.places;
        let (zero, one, size) = (emitter.nest.int(0), emitter.nest.int(1), emitter.nest.int(STRETCH));
        let end = emitter.end(self.source, self.axis, places);
        let last = emitter.nest.call(Function::Subtract, &[end, one]);
        let stretches = emitter.nest.call(Function::FloorDivide, &[last, size]);
        let stretches = emitter.nest.call(Function::Add, &[stretches, one]);
        let index = emitter.nest.open_loop(Bound::Register(zero), Bound::Register(stretches), false, false);
        let count = emitter.nest.carry(ScalarType::Int);
        let from = emitter.nest.place(&Place::number(0).plus(&Place::index(index), STRETCH));
        let to = emitter.nest.call(Function::Add, &[from, size]);
        let to = emitter.nest.call(Function::Minimum, &[to, end]);
        let any = self.any_present(emitter, [from, to]);
        let to = emitter.nest.call(Function::Select, &[any, to, from]);
        let next = self.stretch(emitter, places, [from, to, count], None);
        emitter.nest.close_loop(vec![Carried { register: count, initial: zero, next, combine: None }]);
        count
    }

    /// Whether anything is present from one place to another; asked in reals, which lanes hold twice as many of.
    fn any_present(&self, emitter: &mut Emitter<'_, '_>, [from, to]: [Register; 2]) -> Register {
        let [none, one] = [0.0, 1.0].map(|number| emitter.nest.number(number, ScalarType::F32));
        let index = emitter.nest.open_loop(Bound::Register(from), Bound::Register(to), false, true);
        emitter.runs(index, self.axis);
        let register = emitter.nest.carry(ScalarType::F32);
        let mut here = self.lists.places.clone();
        here.insert(self.axis, Place::index(index));
        let present = emitter.present(self.source, &here);
        let own = emitter.choose(present, one, none);
        let next = emitter.nest.call(Function::Maximum, &[register, own]);
        let carried = Carried { register, initial: none, next, combine: Some(Combine::Maximum) };
        emitter.nest.close_loop(vec![carried]);
        emitter.nest.call(Function::Less, &[none, register])
    }

    /// One stretch, after `count` that are listed; of which turn of an outer axis, and how long a turn is.
    pub(super) fn stretch(
        &self,
        emitter: &mut Emitter<'_, '_>,
        around: &Places,
        [from, to, before]: [Register; 3],
        turn: Option<(Index, i64)>,
    ) -> Register {
        let index = emitter.nest.open_loop(Bound::Register(from), Bound::Register(to), false, false);
        emitter.runs(index, self.axis);
        let count = emitter.nest.carry(ScalarType::Int);
        let mut here = around.clone();
        here.insert(self.axis, Place::index(index));
        let present = emitter.present(self.source, &here);
        let key = emitter.value(self.source, &here);
        let number = turn.map_or(Place::number(0), |(turn, size)| Place::number(0).plus(&Place::index(turn), size));
        let number = number.plus(&Place::index(index), 1);
        emitter.nest.store(self.lists.keys, &(self.at)(number.clone()), key);
        let place = emitter.nest.place(&number);
        // What is absent is written over by the next that is present.
        emitter.nest.store(self.lists.order, &(self.at)(Place::register(count)), place);
        let present = present.unwrap_or_else(|| emitter.nest.number(1.0, ScalarType::Bool));
        let one = emitter.nest.convert(present, ScalarType::Int);
        let next = emitter.nest.call(Function::Add, &[count, one]);
        emitter.nest.close_loop(vec![Carried { register: count, initial: before, next, combine: None }]);
        count
    }
}
