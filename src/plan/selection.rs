//! Ranks of which only the first few matter, without ranking: `rank[v](x) < k`, and nothing else is asked of the rank.
//!
//! In: such a rank. Out: a kernel that stores 0 for the k that rank first and k for all others. The smallest of the k is
//! found by halving the range between the smallest and the largest x, counting in each turn how many are no smaller; of
//! equal ones those at smaller indices rank first, as always. So it takes a few dozen passes in lanes over x, where sorting
//! takes n log n steps that cannot be foretold.

use super::lowering::{Emitter, Scope, scalar_type};
use super::place::{Place, Places, View};
use super::program::Step;
use super::schedule::Planner;
use crate::graph::{Node, NodeId, Op, Region, Value};
use crate::kernel::{Bound, Carried, Register, ScalarType};
use crate::model::Combine;
use crate::tensor::{AxisId, Function, Relation};
use archc_runtime::abi::Size;

/// Halvings until no number lies between two of 32 bits: 254 exponents of each sign as one, then the bits of a fraction.
const TURNS: i64 = 8 + 256 + 24;
/// The largest number of 32 bits.
const LARGEST: f64 = f32::MAX as f64;

/// The number of which a rank is asked whether it is below, if that is all that it is asked.
pub(super) fn only_bound(region: &Region, rank: Value) -> Option<i64> {
    if region.results.iter().flatten().any(|result| *result == rank) {
        return None;
    }
    let mut known = None;
    for id in region.ids().into_iter().filter(|id| region.node(*id).reads().contains(&rank)) {
        let bound = bound_in(region, id, rank)?;
        if known.is_some_and(|known| known != bound) {
            return None;
        }
        known = Some(bound);
    }
    known
}

/// The bound that a node's presence puts on a rank, if the node reads it nowhere else.
fn bound_in(region: &Region, id: NodeId, rank: Value) -> Option<i64> {
    let node = region.node(id);
    let placed = node.op.places().iter().any(|(_, place)| place.values().any(|value| *value == rank));
    if node.operands.contains(&rank) || placed {
        return None;
    }
    let relations = node.results.iter().flat_map(|typed| &typed.presence.relations);
    let bounds = relations.filter(|relation| relation.values().contains(&&rank)).map(|relation| match relation {
        Relation::Below { rank: own, bound } if *own == rank => match &region.node(bound.node).op {
            Op::Constant(numbers) => numbers.first().map(|number| *number as i64),
            _ => None,
        },
        _ => None,
    });
    let bounds = bounds.collect::<Option<Vec<_>>>()?;
    bounds.iter().all(|bound| *bound == bounds[0] && *bound > 0).then(|| bounds[0])
}

/// A range of x, as it is narrowed down.
#[derive(Clone, Copy)]
struct Range {
    /// At least k are no smaller than this, or it is the smallest.
    low: Register,
    /// Fewer than k are no smaller than this.
    high: Register,
    /// Whether nothing lies between.
    done: Register,
}

/// A selection on its way.
struct Selection<'s, 'e, 'p> {
    emitter: &'s mut Emitter<'e, 'p>,
    /// x, and no number where it is absent: that compares with nothing.
    keys: &'s View,
    axis: AxisId,
    places: &'s Places,
    end: Register,
    /// How many are selected.
    count: i64,
}

impl<'p> Planner<'p> {
    /// The step that selects what ranks below `count` along an axis.
    pub(super) fn select(
        &mut self,
        scope: &Scope<'p>,
        node: &Node,
        (axis, count): (AxisId, i64),
        view: &View,
    ) -> Option<Step> {
        let (source, axes) = (node.operands[0], node.results[0].ty.axes.clone());
        let dtype = scope.typed(source).ty.dtype;
        if scalar_type(dtype) != ScalarType::F32 {
            return None;
        }
        let keys = self.temporary("keys", &axes, dtype);
        let mut emitter = Emitter::new(scope);
        [&keys, view].into_iter().for_each(|view| emitter.nest.will_write(view));
        let places = self.open_others(&mut emitter, &axes, &[axis]);
        let end = emitter.end(source, axis, &places);
        let all = emitter.length(axis, &places);
        let mut selection = Selection { emitter: &mut emitter, keys: &keys, axis, places: &places, end, count };
        let ends = selection.gather(source);
        let low = selection.narrow(ends);
        selection.store(low, view, all);
        let work = self.sizes.elements(&axes).times(Size::Constant(32));
        Some(self.launch(emitter.nest.finish("select".into(), node.path.clone(), work)))
    }
}

impl Selection<'_, '_, '_> {
    fn call(&mut self, function: Function, arguments: &[Register]) -> Register {
        self.emitter.nest.call(function, arguments)
    }

    fn real(&mut self, number: f64) -> Register {
        self.emitter.nest.number(number, ScalarType::F32)
    }

    fn at(&self, place: Place) -> Places {
        let mut all = self.places.clone();
        all.insert(self.axis, place);
        all
    }

    /// Copies x; returns the smallest and the largest.
    fn gather(&mut self, source: Value) -> [Register; 2] {
        let zero = self.emitter.nest.int(0);
        let ends = [self.real(f64::INFINITY), self.real(f64::NEG_INFINITY)];
        let nothing = self.real(f64::NAN);
        let index = self.emitter.nest.open_loop(Bound::Register(zero), Bound::Register(self.end), false, true);
        self.emitter.runs(index, self.axis);
        let carried = [0, 1].map(|_| self.emitter.nest.carry(ScalarType::F32));
        let here = self.at(Place::index(index));
        let present = self.emitter.present(source, &here);
        let key = self.emitter.value(source, &here);
        let kept = self.emitter.choose(present, key, nothing);
        self.emitter.nest.store(self.keys, &here, kept);
        let mut list = Vec::new();
        let parts = [(Function::Minimum, Combine::Minimum), (Function::Maximum, Combine::Maximum)];
        for (place, (function, combine)) in parts.into_iter().enumerate() {
            let own = self.emitter.choose(present, key, ends[place]);
            let next = self.call(function, &[carried[place], own]);
            list.push(Carried { register: carried[place], initial: ends[place], next, combine: Some(combine) });
        }
        self.emitter.nest.close_loop(list);
        carried
    }

    /// How many x compare with a number, up to a place.
    fn count_if(&mut self, function: Function, bound: Register, end: Register) -> Register {
        let zero = self.emitter.nest.int(0);
        // Counted in reals, which lanes hold twice as many of: exact up to 2^24.
        let (none, one) = (self.real(0.0), self.real(1.0));
        let index = self.emitter.nest.open_loop(Bound::Register(zero), Bound::Register(end), false, true);
        let register = self.emitter.nest.carry(ScalarType::F32);
        let key = self.emitter.nest.load(self.keys, &self.at(Place::index(index)));
        let holds = self.call(function, &[bound, key]);
        let own = self.call(Function::Select, &[holds, one, none]);
        let next = self.call(Function::Add, &[register, own]);
        self.emitter.nest.close_loop(vec![Carried { register, initial: none, next, combine: Some(Combine::Sum) }]);
        register
    }

    /// The k-th largest x: what is larger is selected, and of what is equal as many as there is room for.
    fn narrow(&mut self, [smallest, largest]: [Register; 2]) -> Register {
        let (zero, turns) = (self.emitter.nest.int(0), self.emitter.nest.int(TURNS));
        let never = self.emitter.nest.number(0.0, ScalarType::Bool);
        let index = self.emitter.nest.open_loop(Bound::Register(zero), Bound::Register(turns), false, false);
        let turn = self.emitter.nest.place(&Place::index(index));
        let range = Range {
            low: self.emitter.nest.carry(ScalarType::F32),
            high: self.emitter.nest.carry(ScalarType::F32),
            done: self.emitter.nest.carry(ScalarType::Bool),
        };
        let tried = self.tried(turn, range, [smallest, largest]);
        let end = self.call(Function::Select, &[range.done, zero, self.end]);
        let found = self.count_if(Function::LessEqual, tried, end);
        let next = self.narrowed(turn, range, tried, found);
        let own = [range.low, range.high, range.done].into_iter().zip([next.low, next.high, next.done]);
        let carried = own.zip([smallest, largest, never]);
        let carried = carried.map(|((register, next), initial)| Carried { register, initial, next, combine: None });
        self.emitter.nest.close_loop(carried.collect());
        range.low
    }

    /// What is tried in a turn: the largest, then the ends of what is finite, then the middle.
    fn tried(&mut self, turn: Register, range: Range, [smallest, largest]: [Register; 2]) -> Register {
        let (least, most, half) = (self.real(-LARGEST), self.real(LARGEST), self.real(0.5));
        let parts = [range.low, range.high].map(|end| self.call(Function::Multiply, &[end, half]));
        let middle = self.call(Function::Add, &parts);
        let from = self.call(Function::Maximum, &[smallest, least]);
        let to = self.call(Function::Minimum, &[largest, most]);
        [(2, to), (1, from), (0, largest)].into_iter().fold(middle, |tried, (number, other)| {
            let number = self.emitter.nest.int(number);
            let now = self.call(Function::Equal, &[turn, number]);
            self.call(Function::Select, &[now, other, tried])
        })
    }

    /// The range after `found` were no smaller than what was tried.
    fn narrowed(&mut self, turn: Register, range: Range, tried: Register, found: Register) -> Range {
        let (count, first_halving) = (self.real(self.count as f64), self.emitter.nest.int(3));
        let enough = self.call(Function::LessEqual, &[count, found]);
        let exact = self.call(Function::Equal, &[count, found]);
        let above = self.call(Function::Less, &[range.low, tried]);
        let below = self.call(Function::Less, &[tried, range.high]);
        let between = self.call(Function::And, &[above, below]);
        let apart = self.call(Function::Not, &[between]);
        let halves = self.call(Function::LessEqual, &[first_halving, turn]);
        let ended = self.call(Function::And, &[halves, apart]);
        let ended = self.call(Function::Or, &[ended, exact]);
        let done = self.call(Function::Or, &[range.done, ended]);
        let open = self.call(Function::Not, &[range.done]);
        // Ends of what is finite may lie outside of the range already.
        let raises = self.call(Function::LessEqual, &[range.low, tried]);
        let raises = self.call(Function::And, &[raises, enough]);
        let raises = self.call(Function::And, &[raises, open]);
        let lowers = self.call(Function::Not, &[enough]);
        let lowers = self.call(Function::And, &[lowers, open]);
        let low = self.call(Function::Select, &[raises, tried, range.low]);
        let high = self.call(Function::Select, &[lowers, tried, range.high]);
        Range { low, high, done }
    }

    /// Stores 0 for what is larger than the k-th largest and for the first of what is equal to it, and k for the rest.
    fn store(&mut self, low: Register, view: &View, all: Register) {
        let above = self.count_if(Function::Less, low, self.end);
        let count = self.emitter.nest.int(self.count);
        let above = self.emitter.nest.convert(above, ScalarType::Int);
        let room = self.call(Function::Subtract, &[count, above]);
        let zero = self.emitter.nest.int(0);
        let index = self.emitter.nest.open_loop(Bound::Register(zero), Bound::Register(all), false, false);
        let equals = self.emitter.nest.carry(ScalarType::Int);
        let here = self.at(Place::index(index));
        let place = self.emitter.nest.place(&Place::index(index));
        let inside = self.call(Function::Less, &[place, self.end]);
        let key = self.emitter.nest.load(self.keys, &here);
        let larger = self.call(Function::Less, &[low, key]);
        let equal = self.call(Function::Equal, &[low, key]);
        let fits = self.call(Function::Less, &[equals, room]);
        let fits = self.call(Function::And, &[equal, fits]);
        let chosen = self.call(Function::Or, &[larger, fits]);
        let chosen = self.call(Function::And, &[chosen, inside]);
        let rank = self.call(Function::Select, &[chosen, zero, count]);
        self.emitter.nest.store(view, &here, rank);
        let one = self.emitter.nest.convert(equal, ScalarType::Int);
        let next = self.call(Function::Add, &[equals, one]);
        self.emitter.nest.close_loop(vec![Carried { register: equals, initial: zero, next, combine: None }]);
    }
}
