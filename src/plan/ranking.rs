//! Long ranks by sorting, and sums over what ranks above as running sums. Where the first few alone matter, ranks are not
//! needed: [`super::selection`].
//!
//! `rank[v](x)`: the present places in order of index, then merged in runs of 1, 2, 4, …; what is equal keeps its order.
//! `sum[u](y[v: u] where rank[v: u] < rank)`: y in the order of the rank, summed up once. So top-p takes n log n steps.

mod gather;
mod merge;
mod sums;

use super::fusion::Choice;
use super::lowering::{Emitter, Order, Scope};
use super::place::{Place, Places, View};
use super::program::Step;
use super::schedule::Planner;
use super::selection::only_bound;
use crate::graph::{NodeId, Op, Value};
use crate::kernel::{Bound, Carried, Register, ScalarType};
use crate::model::Combine;
use crate::tensor::{AxisId, DType, Function, Presence};
use archc_runtime::abi::Size;
use gather::{Gathering, Lists};
use merge::merge_all;
use sums::running;

/// Up to so many elements, comparing each with each is as fast.
const FEW: i64 = 256;

impl<'p> Planner<'p> {
    /// A rank along a long axis, or two of which the inner is long; or a sum over what such a rank puts first: where they
    /// are asked for.
    pub(super) fn ranked(&mut self, scope: &Scope<'p>, value: Value, view: &View, choice: &Choice) -> Option<Step> {
        if self.rows.is_some() || self.interface.plain {
            return None;
        }
        let node = scope.region.node(value.node);
        let needed = |planner: &Self, inside: &[AxisId]| {
            let outer = node.results[0].ty.without(inside).axes;
            planner.needed(scope, value, &outer, choice)
        };
        match &node.op {
            Op::Rank(axes) => {
                let needed = needed(self, axes);
                self.rank(scope, value, axes, view, &needed)
            }
            Op::Reduce(Combine::Sum, _) => {
                let found = running(scope, node)?;
                let order = scope.order(found.rank)?;
                let needed = needed(self, &[found.axis]);
                Some(self.sum_in_order(scope, node, (&found, &order), view, &needed))
            }
            _ => None,
        }
    }

    fn rank(
        &mut self,
        scope: &Scope<'p>,
        value: Value,
        axes: &[AxisId],
        view: &View,
        needed: &Presence<Value>,
    ) -> Option<Step> {
        let node = scope.region.node(value.node);
        let long = |axis: &AxisId| self.sizes.axes().fixed(*axis).is_none_or(|size| size > FEW);
        // Two axes are counted as one if the inner is stored last.
        let (outer, axis) = match axes {
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
        let sums = |id: NodeId| running(scope, scope.region.node(id)).is_some_and(|found| found.rank == value);
        let is_summed = outer.is_none() && scope.region.ids().into_iter().any(sums);
        if !counted || !(long(&axis) || is_summed) {
            return None;
        }
        let count = is_summed.then(|| {
            let rest = node.results[0].ty.without(axes).axes;
            self.temporary("count", &rest, DType::Int)
        });
        Some(self.sort_ranks(scope, value, (outer, axis), (view, count), needed))
    }

    /// Opens loops over all axes but those that are ranked together.
    pub(super) fn open_others(&self, emitter: &mut Emitter<'_, 'p>, axes: &[AxisId], ranked: &[AxisId]) -> Places {
        let mut places = Places::new();
        for other in axes.iter().filter(|other| !ranked.contains(other)) {
            self.parallel(emitter, *other, &mut places);
        }
        places
    }

    /// Sorts; where a number of what is present is wanted, the list is kept with it.
    fn sort_ranks(
        &mut self,
        scope: &Scope<'p>,
        value: Value,
        (outer, axis): (Option<AxisId>, AxisId),
        (view, kept): (&View, Option<View>),
        needed: &Presence<Value>,
    ) -> Step {
        let node = scope.region.node(value.node);
        let (source, axes) = (node.operands[0], node.results[0].ty.axes.clone());
        let keys = self.temporary("keys", &axes, scope.typed(source).ty.dtype);
        let orders = [0, 1].map(|_| self.temporary("order", &axes, DType::Int));
        let mut emitter = Emitter::new(scope);
        let written = [&keys, &orders[0], &orders[1], view].into_iter().chain(&kept);
        written.for_each(|view| emitter.nest.will_write(view));
        let ranked = outer.iter().copied().chain([axis]).collect::<Vec<_>>();
        let places = self.open_others(&mut emitter, &axes, &ranked);
        let holds = emitter.relations_hold(needed, &places);
        emitter.only_if(holds, |emitter| {
            // Lists lie along the inner axis and run on over its end.
            let at = |place: Place| {
                let mut all = places.clone();
                all.extend(outer.map(|outer| (outer, Place::number(0))));
                all.insert(axis, place);
                all
            };
            let lists = Lists { keys: &keys, order: &orders[0], places: &places };
            let count = self.gather_present(emitter, source, (outer, axis), &lists, &at);
            kept.iter().for_each(|kept| emitter.nest.store(kept, &places, count));
            let extent = self.sizes.axes().fixed(axis).filter(|_| outer.is_none());
            merge_all(emitter, extent, count, [&orders[0], &orders[1]], &keys, &at);
            self.store_ranks(emitter, (outer, axis), (&orders[0], count), view, &at);
        });
        let passes = self.sizes.axes().fixed(axis).map_or(16, |size| 64 - size.leading_zeros() as i64);
        let work = self.sizes.elements(&axes).times(Size::Constant(passes * 10));
        let [places, _] = orders;
        kept.into_iter().for_each(|count| scope.keep_order(value, Order { places: places.clone(), count }));
        self.launch(emitter.nest.finish("rank".into(), node.path.clone(), work))
    }

    /// The rank of each place of a list.
    fn store_ranks(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        (outer, axis): (Option<AxisId>, AxisId),
        (order, count): (&View, Register),
        view: &View,
        at: &dyn Fn(Place) -> Places,
    ) {
        let zero = emitter.nest.int(0);
        let index = emitter.nest.open_loop(Bound::Register(zero), Bound::Register(count), false, false);
        let number = emitter.nest.load(order, &at(Place::index(index)));
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
        let gathering = Gathering { source, axis, lists, at };
        let Some(outer) = outer else {
            return match emitter.scope.is_always(source) {
                true => {
                    let end = emitter.end(source, axis, lists.places);
                    gathering.stretch(emitter, lists.places, [zero, end, zero], None)
                }
                false => gathering.stretches(emitter),
            };
        };
        let mut around = lists.places.clone();
        let end = emitter.length(outer, &around);
        let turn = emitter.nest.open_loop(Bound::Register(zero), Bound::Register(end), false, false);
        emitter.runs(turn, outer);
        around.insert(outer, Place::index(turn));
        let count = emitter.nest.carry(ScalarType::Int);
        let end = emitter.end(source, axis, &around);
        let size = self.sizes.axes().fixed(axis).unwrap_or(0);
        let next = gathering.stretch(emitter, &around, [zero, end, count], Some((turn, size)));
        emitter.nest.close_loop(vec![Carried { register: count, initial: zero, next, combine: None }]);
        count
    }
}
