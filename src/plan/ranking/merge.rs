//! Lists put into order by merging runs of twice the length in each pass; what is equal keeps its order.

use crate::kernel::{Bound, Carried, Register, ScalarType};
use crate::plan::lowering::Emitter;
use crate::plan::place::{Place, Places, View};
use crate::tensor::Function;

/// Merges runs until there is one: each turn from the first list to the second and back.
pub(super) fn merge_all(
    emitter: &mut Emitter<'_, '_>,
    extent: Option<i64>,
    count: Register,
    [first, second]: [&View; 2],
    keys: &View,
    at: &dyn Fn(Place) -> Places,
) {
    let turns = turns_of(emitter, extent.unwrap_or(i64::from(i32::MAX)), count);
    let (zero, one) = (emitter.nest.int(0), emitter.nest.int(1));
    emitter.nest.open_loop(Bound::Register(zero), Bound::Register(turns), false, false);
    let width = emitter.nest.carry(ScalarType::Int);
    let two = emitter.nest.call(Function::Add, &[one, one]);
    let wide = emitter.nest.call(Function::Multiply, &[width, two]);
    merge(emitter, [first, second, keys], [width, count], at);
    merge(emitter, [second, first, keys], [wide, count], at);
    let next = emitter.nest.call(Function::Multiply, &[wide, two]);
    emitter.nest.close_loop(vec![Carried { register: width, initial: one, next, combine: None }]);
}

/// How often runs become four times as long until there is one of `count`: how many of 1, 4, 16, … are less.
fn turns_of(emitter: &mut Emitter<'_, '_>, extent: i64, count: Register) -> Register {
    let widths = std::iter::successors(Some(1), |width| Some(width * 4)).take_while(|width| *width < extent);
    widths.fold(emitter.nest.int(0), |turns, width| {
        let width = emitter.nest.int(width);
        let open = emitter.nest.call(Function::Less, &[width, count]);
        let open = emitter.nest.convert(open, ScalarType::Int);
        emitter.nest.call(Function::Add, &[turns, open])
    })
}

/// One pass: runs of `width` of the list `from` become runs of twice that in the list `to`.
fn merge(
    emitter: &mut Emitter<'_, '_>,
    [from, to, keys]: [&View; 3],
    [width, count]: [Register; 2],
    at: &dyn Fn(Place) -> Places,
) {
    let (zero, one) = (emitter.nest.int(0), emitter.nest.int(1));
    let most = emitter.nest.call(Function::Subtract, &[count, one]);
    let index = emitter.nest.open_loop(Bound::Register(zero), Bound::Register(count), false, false);
    let carried = [0; 4].map(|_| emitter.nest.carry(ScalarType::Int));
    let call = |emitter: &mut Emitter<'_, '_>, function, arguments: &[Register]| emitter.nest.call(function, arguments);
    let here = emitter.nest.place(&Place::index(index));
    // At the end of a pair of runs the next pair begins.
    let begins = call(emitter, Function::Equal, &[here, carried[3]]);
    let half = call(emitter, Function::Add, &[here, width]);
    let half = call(emitter, Function::Minimum, &[half, count]);
    let past = call(emitter, Function::Add, &[half, width]);
    let past = call(emitter, Function::Minimum, &[past, count]);
    let fresh = [here, half, half, past];
    let [left, right, middle, last] =
        [0, 1, 2, 3].map(|place| call(emitter, Function::Select, &[begins, fresh[place], carried[place]]));
    let read = |emitter: &mut Emitter<'_, '_>, place: Register| {
        let place = call(emitter, Function::Minimum, &[place, most]);
        let own = emitter.nest.load(from, &at(Place::register(place)));
        (own, emitter.nest.load(keys, &at(Place::register(own))))
    };
    let ((left_place, left_key), (right_place, right_key)) = (read(emitter, left), read(emitter, right));
    let larger = call(emitter, Function::Less, &[left_key, right_key]);
    let over = call(emitter, Function::LessEqual, &[last, right]);
    let not_larger = call(emitter, Function::Not, &[larger]);
    let first = call(emitter, Function::Or, &[over, not_larger]);
    let open = call(emitter, Function::Less, &[left, middle]);
    let takes_left = call(emitter, Function::And, &[open, first]);
    let taken = call(emitter, Function::Select, &[takes_left, left_place, right_place]);
    emitter.nest.store(to, &at(Place::index(index)), taken);
    let step = emitter.nest.convert(takes_left, ScalarType::Int);
    let other = call(emitter, Function::Subtract, &[one, step]);
    let next_left = call(emitter, Function::Add, &[left, step]);
    let next_right = call(emitter, Function::Add, &[right, other]);
    let next = [next_left, next_right, middle, last];
    let carried = carried.into_iter().zip(next);
    let carried = carried.map(|(register, next)| Carried { register, initial: zero, next, combine: None });
    emitter.nest.close_loop(carried.collect());
}
