//! Long ranks by sorting, and sums over what ranks above as running sums. Where the first few alone matter, ranks are not
//! needed: [`super::selection`].
//!
//! `rank[v](x)`: the present places in order of index, then merged in runs of 1, 2, 4, …; what is equal keeps its order.
//! `sum[u](y[v: u] where rank[v: u] < rank)`: y in the order of the rank, summed up once. So top-p takes n log n steps.

use super::lowering::{Emitter, Scope};
use super::place::{Place, Places, View};
use super::program::Step;
use super::schedule::Planner;
use super::selection::only_bound;
use crate::graph::{Node, Op, Value};
use crate::kernel::{Bound, Carried, Register, ScalarType};
use crate::tensor::{AxisId, BATCH, DType, Function, Relation, Scalar, Term};
use archc_runtime::abi::Size;

/// Up to so many elements, comparing each with each is as fast.
const FEW: i64 = 256;

/// A sum over what ranks above.
struct Running {
    /// What is summed, over the axis of the rank.
    value: Value,
    /// Its own axis.
    summed: AxisId,
    rank: Value,
    axis: AxisId,
}

/// What is ranked on its way into order.
struct Lists<'l> {
    keys: &'l View,
    order: &'l View,
    /// The places along all other axes.
    places: &'l Places,
}

impl<'p> Planner<'p> {
    /// A rank along a long axis, or two of which the inner is long; or a sum over what such a rank puts first.
    pub(super) fn ranked(&mut self, scope: &Scope<'p>, value: Value, view: &View) -> Option<Step> {
        if self.rows.is_some() || self.interface.plain {
            return None;
        }
        let node = scope.region.node(value.node);
        match &node.op {
            Op::Rank(axes) => {
                let long = |axis: &AxisId| self.sizes.axes().fixed(*axis).is_none_or(|size| size > FEW);
                // Two axes are counted as one if the inner is stored last.
                let (outer, axis) = match axes.as_slice() {
                    [axis] => (None, *axis),
                    [outer, inner] if node.results[0].ty.axes.ends_with(axes) => (Some(*outer), *inner),
                    _ => return None,
                };
                let counted = outer.is_none() || self.sizes.axes().fixed(axis).is_some();
                let bound = only_bound(scope.region, value).filter(|_| outer.is_none() && long(&axis));
                let selected = bound.and_then(|bound| self.select(scope, node, (axis, bound), view));
                if selected.is_some() {
                    return selected;
                }
                (long(&axis) && counted).then(|| self.sort_ranks(scope, node, (outer, axis), view))
            }
            Op::Reduce(crate::model::Combine::Sum, _) => {
                let found = running(scope, node)?;
                Some(self.sum_in_order(scope, node, &found, view))
            }
            _ => None,
        }
    }

    /// Opens loops over all axes but those that are ranked together.
    pub(super) fn open_others(&self, emitter: &mut Emitter<'_, 'p>, axes: &[AxisId], ranked: &[AxisId]) -> Places {
        let mut places = Places::new();
        for other in axes.iter().filter(|other| !ranked.contains(other)) {
            self.parallel(emitter, *other, &mut places);
        }
        places
    }

    fn sort_ranks(
        &mut self,
        scope: &Scope<'p>,
        node: &Node,
        (outer, axis): (Option<AxisId>, AxisId),
        view: &View,
    ) -> Step {
        let (source, axes) = (node.operands[0], node.results[0].ty.axes.clone());
        let keys = self.temporary("keys", &axes, scope.typed(source).ty.dtype);
        let orders = [0, 1].map(|_| self.temporary("order", &axes, DType::Int));
        let mut emitter = Emitter::new(scope);
        [&keys, &orders[0], &orders[1], view].into_iter().for_each(|view| emitter.nest.will_write(view));
        let ranked = outer.iter().copied().chain([axis]).collect::<Vec<_>>();
        let places = self.open_others(&mut emitter, &axes, &ranked);
        // Lists lie along the inner axis and run on over its end.
        let at = |place: Place| {
            let mut all = places.clone();
            all.extend(outer.map(|outer| (outer, Place::number(0))));
            all.insert(axis, place);
            all
        };
        let lists = Lists { keys: &keys, order: &orders[0], places: &places };
        let count = self.gather_present(&mut emitter, source, (outer, axis), &lists, &at);
        let extent = self.sizes.axes().fixed(axis).filter(|_| outer.is_none());
        merge_all(&mut emitter, extent, count, [&orders[0], &orders[1]], &keys, &at);
        let zero = emitter.nest.int(0);
        let index = emitter.nest.open_loop(Bound::Register(zero), Bound::Register(count), false, false);
        let number = emitter.nest.load(&orders[0], &at(Place::index(index)));
        let home = match outer {
            None => at(Place::register(number)),
            Some(outer) => {
                let size = emitter.nest.int(self.sizes.axes().fixed(axis).unwrap_or(1));
                let [turn, rest] = [Function::FloorDivide, Function::Remainder]
                    .map(|function| Place::register(emitter.nest.call(function, &[number, size])));
                let mut home = at(rest);
                home.insert(outer, turn);
                home
            }
        };
        let rank = emitter.nest.place(&Place::index(index));
        emitter.nest.store(view, &home, rank);
        emitter.nest.close_loop(Vec::new());
        let passes = self.sizes.axes().fixed(axis).map_or(16, |size| 64 - size.leading_zeros() as i64);
        let work = self.sizes.elements(&axes).times(Size::Constant(passes * 10));
        self.launch(emitter.nest.finish("rank".into(), node.path.clone(), work))
    }

    /// Copies what is present, and the list of its places; returns how many there are.
    fn gather_present(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        source: Value,
        (outer, axis): (Option<AxisId>, AxisId),
        lists: &Lists,
        at: &dyn Fn(Place) -> Places,
    ) -> Register {
        let zero = emitter.nest.int(0);
        let mut around = lists.places.clone();
        let turn = outer.map(|outer| {
            let end = emitter.length(outer, &around);
            let turn = emitter.nest.open_loop(Bound::Register(zero), Bound::Register(end), false, false);
            emitter.runs(turn, outer);
            around.insert(outer, Place::index(turn));
            (turn, emitter.nest.carry(ScalarType::Int))
        });
        let end = emitter.end(source, axis, &around);
        let index = emitter.nest.open_loop(Bound::Register(zero), Bound::Register(end), false, false);
        emitter.runs(index, axis);
        let count = emitter.nest.carry(ScalarType::Int);
        let mut here = around;
        here.insert(axis, Place::index(index));
        let present = emitter.present(source, &here);
        let key = emitter.value(source, &here);
        let size = self.sizes.axes().fixed(axis).unwrap_or(0);
        let number = turn.map_or(Place::number(0), |(turn, _)| Place::number(0).plus(&Place::index(turn), size));
        let number = number.plus(&Place::index(index), 1);
        emitter.nest.store(lists.keys, &at(number.clone()), key);
        let place = emitter.nest.place(&number);
        // What is absent is written over by the next that is present.
        emitter.nest.store(lists.order, &at(Place::register(count)), place);
        let present = present.unwrap_or_else(|| emitter.nest.number(1.0, ScalarType::Bool));
        let one = emitter.nest.convert(present, ScalarType::Int);
        let next = emitter.nest.call(Function::Add, &[count, one]);
        let initial = turn.map_or(zero, |(_, before)| before);
        emitter.nest.close_loop(vec![Carried { register: count, initial, next, combine: None }]);
        let Some((_, all)) = turn else { return count };
        emitter.nest.close_loop(vec![Carried { register: all, initial: zero, next: count, combine: None }]);
        all
    }

    fn sum_in_order(&mut self, scope: &Scope<'p>, node: &Node, found: &Running, view: &View) -> Step {
        let ty = node.results[0].ty.clone();
        let sums = self.temporary("sums", &ty.axes, ty.dtype);
        let mut emitter = Emitter::new(scope);
        [&sums, view].into_iter().for_each(|view| emitter.nest.will_write(view));
        let places = self.open_others(&mut emitter, &ty.axes, &[found.axis]);
        let with = |axis: AxisId, place: Place| {
            let mut all = places.clone();
            all.insert(axis, place);
            all
        };
        let at = |place: Place| with(found.axis, place);
        let scalar = crate::plan::lowering::scalar_type(ty.dtype);
        let (zero, nothing) = (emitter.nest.int(0), emitter.nest.number(0.0, scalar));
        let all = emitter.length(found.axis, &at(Place::number(0)));
        let end = emitter.end(found.rank, found.axis, &at(Place::number(0)));
        let turns = |emitter: &mut Emitter<'_, 'p>, end: Register| {
            emitter.nest.open_loop(Bound::Register(zero), Bound::Register(end), false, false)
        };
        clear(&mut emitter, &sums, [zero, end, nothing], &at);
        // What is ranked stands in the first places.
        let index = turns(&mut emitter, end);
        emitter.runs(index, found.axis);
        let count = emitter.nest.carry(ScalarType::Int);
        let (here, there) = (at(Place::index(index)), with(found.summed, Place::index(index)));
        let ranked = emitter.present(found.rank, &here);
        let present = emitter.present(found.value, &there);
        let present = emitter.both(ranked, present).unwrap_or_else(|| emitter.nest.number(1.0, ScalarType::Bool));
        let rank = emitter.value(found.rank, &here);
        let value = emitter.value(found.value, &there);
        emitter.nest.open_if();
        emitter.nest.store(&sums, &at(Place::register(rank)), value);
        emitter.nest.close_if(present);
        let ranked = ranked.unwrap_or_else(|| emitter.nest.number(1.0, ScalarType::Bool));
        let one = emitter.nest.convert(ranked, ScalarType::Int);
        let next = emitter.nest.call(Function::Add, &[count, one]);
        emitter.nest.close_loop(vec![Carried { register: count, initial: zero, next, combine: None }]);

        let index = turns(&mut emitter, count);
        let sum = emitter.nest.carry(scalar);
        let own = emitter.nest.load(&sums, &at(Place::index(index)));
        emitter.nest.store(&sums, &at(Place::index(index)), sum);
        let next = emitter.nest.call(Function::Add, &[sum, own]);
        emitter.nest.close_loop(vec![Carried { register: sum, initial: nothing, next, combine: None }]);

        let index = emitter.nest.open_loop(Bound::Register(zero), Bound::Register(all), false, false);
        emitter.runs(index, found.axis);
        let here = at(Place::index(index));
        let ranked = emitter.present(found.rank, &here);
        let rank = emitter.value(found.rank, &here);
        let rank = emitter.choose(ranked, rank, zero);
        let sum = emitter.nest.load(&sums, &at(Place::register(rank)));
        let sum = emitter.choose(ranked, sum, nothing);
        emitter.nest.store(view, &here, sum);
        emitter.nest.close_loop(Vec::new());
        let work = self.sizes.elements(&ty.axes).times(Size::Constant(8));
        self.launch(emitter.nest.finish("sum_above".into(), node.path.clone(), work))
    }
}

/// Stores a number in all places from one to another.
fn clear(emitter: &mut Emitter<'_, '_>, view: &View, [from, to, number]: [Register; 3], at: &dyn Fn(Place) -> Places) {
    let index = emitter.nest.open_loop(Bound::Register(from), Bound::Register(to), false, true);
    emitter.nest.store(view, &at(Place::index(index)), number);
    emitter.nest.close_loop(Vec::new());
}

/// Merges runs until there is one: each turn from the first list to the second and back.
fn merge_all(
    emitter: &mut Emitter<'_, '_>,
    extent: Option<i64>,
    count: Register,
    [first, second]: [&View; 2],
    keys: &View,
    at: &dyn Fn(Place) -> Places,
) {
    let extent = extent.unwrap_or(i64::from(i32::MAX));
    let turns = (64 - (extent - 1).leading_zeros() as i64 + 1) / 2;
    let (zero, one, turns) = (emitter.nest.int(0), emitter.nest.int(1), emitter.nest.int(turns));
    emitter.nest.open_loop(Bound::Register(zero), Bound::Register(turns), false, false);
    let width = emitter.nest.carry(ScalarType::Int);
    let open = emitter.nest.call(Function::Less, &[width, count]);
    let end = emitter.nest.call(Function::Select, &[open, count, zero]);
    let two = emitter.nest.call(Function::Add, &[one, one]);
    let wide = emitter.nest.call(Function::Multiply, &[width, two]);
    merge(emitter, [first, second, keys], [width, count, end], at);
    merge(emitter, [second, first, keys], [wide, count, end], at);
    let next = emitter.nest.call(Function::Multiply, &[wide, two]);
    emitter.nest.close_loop(vec![Carried { register: width, initial: one, next, combine: None }]);
}

/// One pass: runs of `width` of the list `from` become runs of twice that in the list `to`, the first `end` places of it.
fn merge(
    emitter: &mut Emitter<'_, '_>,
    [from, to, keys]: [&View; 3],
    [width, count, end]: [Register; 3],
    at: &dyn Fn(Place) -> Places,
) {
    let (zero, one) = (emitter.nest.int(0), emitter.nest.int(1));
    let most = emitter.nest.call(Function::Subtract, &[count, one]);
    let index = emitter.nest.open_loop(Bound::Register(zero), Bound::Register(end), false, false);
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

/// A sum over one axis of what a rank along another, over the same positions, puts before each position.
fn running(scope: &Scope, node: &Node) -> Option<Running> {
    let Op::Reduce(_, summed) = &node.op else { return None };
    let ([summed], [operand]) = (summed.as_slice(), node.operands.as_slice()) else { return None };
    let outer = scope.region.node(operand.node);
    let (Op::Map(scalar), [value]) = (&outer.op, outer.operands.as_slice()) else { return None };
    let relations = &outer.results[0].presence.relations;
    let (rank, axis) = relations.iter().find_map(|relation| above(scope, relation, *summed))?;
    let inner = scope.typed(strip(scope, *value));
    let other = places_read(scope, rank, relations);
    let own = |relation: &Relation<Value>| {
        let mut parts = [inner, scope.typed(rank)].into_iter().chain(other.iter().map(|value| scope.typed(*value)));
        above(scope, relation, *summed).is_some() || parts.any(|part| part.presence.relations.contains(relation))
    };
    let apart = !inner.ty.has(axis) && inner.ty.has(*summed);
    let long =
        scope.sizes.axes().alike(axis, *summed) || scope.sizes.axes().fixed(axis) == scope.sizes.axes().fixed(*summed);
    let rows = node.results[0].ty.has(BATCH) || !scope.sizes.axes().is_sequence(axis);
    let plain = *scalar == Scalar::identity() && node.results[0].ty.has(axis) && relations.iter().all(own);
    let found = Running { value: strip(scope, *value), summed: *summed, rank, axis };
    (plain && apart && long && rows && scope.stored(rank).is_some()).then_some(found)
}

/// What relations read beside a rank: the rank elsewhere.
fn places_read(scope: &Scope, rank: Value, relations: &[Relation<Value>]) -> Vec<Value> {
    let reads = relations.iter().flat_map(|relation| relation.values()).copied();
    let elsewhere = |value: &Value| scope.region.node(value.node).operands == [rank];
    reads.filter(|value| *value != rank && elsewhere(value)).collect()
}

/// What is repeated along further axes.
fn strip(scope: &Scope, mut value: Value) -> Value {
    loop {
        let node = scope.region.node(value.node);
        match (&node.op, node.operands.as_slice()) {
            (Op::Map(scalar), [only])
                if *scalar == Scalar::identity() && scope.typed(*only).presence == node.results[0].presence =>
            {
                value = *only;
            }
            _ => return value,
        }
    }
}

/// The rank and its axis, if a relation is `rank[axis: summed] < rank`.
fn above(scope: &Scope, relation: &Relation<Value>, summed: AxisId) -> Option<(Value, AxisId)> {
    let Relation::AtLeastZero(form) = relation else { return None };
    let value = |factor: i64| {
        form.terms.iter().find_map(|(term, own)| match term {
            Term::Value(value) if *own == factor => Some(*value),
            _ => None,
        })
    };
    let (rank, other) = (value(1)?, value(-1)?);
    let Op::Rank(axes) = &scope.region.node(rank.node).op else { return None };
    let [axis] = axes.as_slice() else { return None };
    let read = scope.region.node(other.node);
    let Op::Index(places) = &read.op else { return None };
    let moved = matches!(places.as_slice(), [(own, place)] if own == axis && place.as_axis() == Some(summed));
    (form.terms.len() == 2 && form.constant == -1 && moved && read.operands == [rank]).then_some((rank, *axis))
}
