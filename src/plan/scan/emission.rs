//! The statements of a recurrence: parallel loops over what is shared, the turns inside, and in a turn one value after
//! the other.

use super::turned::{Turned, WORTH};
use super::{Move, PART, Scan};
use crate::graph::{Op, Value};
use crate::kernel::{Amount, Bound, Register};
use crate::plan::lowering::{Emitter, Scope, scalar_type};
use crate::plan::place::{Place, Places, View};
use crate::plan::program::Step;
use crate::plan::schedule::Planner;
use crate::tensor::{AxisId, Function};
use archc_runtime::abi::Size;

impl<'p> Planner<'p> {
    /// The kernel, which has many turns in another order where there is one.
    pub(super) fn emit_scan(&mut self, scope: &Scope<'p>, scan: &Scan<'p>, many: Option<&Turned<'p>>) -> Step {
        let mut emitter = Emitter::new(scope);
        emitter.nest.fused = true;
        declare(&mut emitter, scan);
        let mut places = Places::new();
        scan.whole.iter().for_each(|axis| self.parallel(&mut emitter, *axis, &mut places));
        let part = emitter.nest.parallel(&scan.parts.into());
        emitter.counts(part, scan.split, scan.parts);
        places.insert(PART, Place::index(part));
        emitter = match many {
            Some(many) => self.few_or_many(emitter, scan, many, &places),
            None => {
                self.turns(&mut emitter, scan, &mut places);
                emitter
            }
        };
        let moved = scan.moves.iter().map(|one| &one.to);
        let in_place = scan.stored.iter().filter(|(value, _)| scan.in_place.contains(value)).map(|(_, view)| view);
        let carried = moved.chain(in_place).map(|view| self.elements_of(view));
        let work = carried.fold(Size::Constant(1), Size::plus).times(self.sizes.extent(scan.region.axis));
        let effort = (scan.stored.len() + scan.moves.len() + scan.sums.len()) as i64 * 8;
        self.launch(emitter.nest.finish("scan".into(), scan.path(), work.times(effort.into())))
    }

    /// The turns as they are for few of them, and in another order for many.
    fn few_or_many<'s>(
        &self,
        mut emitter: Emitter<'s, 'p>,
        scan: &Scan<'p>,
        Turned { scope, scan: other, copies }: &'s Turned<'p>,
        places: &Places,
    ) -> Emitter<'s, 'p> {
        // A row alone may have fewer turns than the batch, and comes out the same.
        emitter.nest.alike = true;
        declare(&mut emitter, other);
        copies.before.iter().chain(&copies.after).for_each(|(_, to)| emitter.nest.will_write(to));
        let turns = emitter.nest.size(&self.sizes.extent(scan.region.axis));
        let worth = emitter.nest.int(WORTH);
        let few = emitter.nest.call(Function::Less, &[turns, worth]);
        let many = emitter.nest.call(Function::Not, &[few]);
        emitter.only_if(Some(few), |emitter| self.turns(emitter, scan, &mut places.clone()));
        let mut emitter = emitter.go_on(scope);
        emitter.only_if(Some(many), |emitter| {
            copies.before.iter().for_each(|copy| self.copy_part(emitter, other, copy, places));
            self.turns(emitter, other, &mut places.clone());
            copies.after.iter().for_each(|copy| self.copy_part(emitter, other, copy, places));
        });
        emitter
    }

    fn elements_of(&self, view: &View) -> Size {
        self.sizes.elements(&view.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>())
    }

    fn turns(&self, emitter: &mut Emitter<'_, 'p>, scan: &Scan<'p>, places: &mut Places) {
        let region = scan.region;
        let to = emitter.nest.amount(&self.sizes.extent(region.axis));
        let zero = Bound::Amount(Amount::Constant(0));
        let turn = emitter.nest.open_loop(zero, Bound::Amount(to), region.reverse, false);
        emitter.runs(turn, region.axis);
        emitter.turn_inside(Place::index(turn));
        places.insert(region.axis, Place::index(turn));
        for (value, view) in &scan.stored {
            self.each(emitter, scan, view, places, |emitter, places| {
                let new = emitter.made(*value, places);
                if scan.in_place.contains(value) { self.kept(emitter, scan, view, new, places) } else { new }
            });
        }
        for (value, view) in &scan.copies {
            self.each(emitter, scan, view, places, |emitter, places| emitter.value(*value, places));
        }
        for (value, parts, _) in &scan.sums {
            self.each(emitter, scan, parts, places, |emitter, places| self.part_of_sum(emitter, scan, *value, places));
        }
        for Move { value, copy, .. } in &scan.moves {
            if let Some(copy) = copy {
                self.each(emitter, scan, copy, places, |emitter, places| emitter.value(*value, places));
            }
        }
        for one in &scan.moves {
            self.each(emitter, scan, &one.to, places, |emitter, places| self.moved(emitter, scan, one, places));
        }
        emitter.nest.close_loop(Vec::new());
    }

    /// Loops over this thread's part of a view, and stores what `element` gives.
    pub(super) fn each(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        scan: &Scan<'p>,
        view: &View,
        places: &Places,
        element: impl FnOnce(&mut Emitter<'_, 'p>, &Places) -> Register,
    ) {
        let mut places = places.clone();
        let axes = view.strides.iter().map(|(axis, _)| *axis).filter(|axis| !places.contains_key(axis));
        let mut axes = axes.collect::<Vec<_>>();
        // Lanes run along the shared axis where that is innermost in memory; what else there is, inside of it.
        let lanes = if scan.turned && axes.contains(&scan.split) {
            axes.sort_by_key(|axis| *axis != scan.split);
            Some(scan.split)
        } else {
            axes.last().copied()
        };
        for axis in &axes {
            self.open_part(emitter, scan, *axis, lanes == Some(*axis), &mut places);
        }
        let register = element(emitter, &places);
        emitter.nest.store(view, &places, register);
        axes.iter().for_each(|_| emitter.nest.close_loop(Vec::new()));
    }

    /// A loop along an axis, or this thread's part of it.
    fn open_part(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        scan: &Scan<'p>,
        axis: AxisId,
        lanes: bool,
        places: &mut Places,
    ) {
        if axis != scan.split {
            return self.open(emitter, axis, lanes, places);
        }
        let [from, to] = [0, scan.part].map(|turn| Bound::Amount(Amount::Constant(turn)));
        let index = emitter.nest.open_loop(from, to, false, lanes);
        emitter.counts(index, axis, scan.part);
        places.insert(axis, scan.within(places, Place::index(index)));
    }

    /// What a thread's part of the shared axes adds to a sum over them.
    fn part_of_sum(&self, emitter: &mut Emitter<'_, 'p>, scan: &Scan<'p>, value: Value, places: &Places) -> Register {
        let node = scan.body.node(value.node);
        let (Op::Contract(axes) | Op::Reduce(_, axes)) = &node.op else { return emitter.nest.int(0) };
        let rest = axes.iter().copied().filter(|axis| !scan.shares(*axis)).collect::<Vec<_>>();
        if !axes.contains(&scan.split) {
            return emitter.summed(node, &rest, places);
        }
        let ty = scalar_type(node.results[0].ty.dtype);
        emitter.sum_over(Amount::Constant(scan.part), rest.is_empty(), ty, |emitter, index| {
            emitter.counts(index, scan.split, scan.part);
            let mut places = places.clone();
            places.insert(scan.split, scan.within(&places, Place::index(index)));
            emitter.summed(node, &rest, &places)
        })
    }

    /// What takes the place of something carried.
    fn moved(&self, emitter: &mut Emitter<'_, 'p>, scan: &Scan<'p>, one: &Move, places: &Places) -> Register {
        let new = match &one.copy {
            Some(copy) => emitter.nest.load(copy, places),
            None => emitter.value(one.value, places),
        };
        self.kept(emitter, scan, &one.to, new, places)
    }

    /// The new value in rows that this turn is for, else the old.
    fn kept(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        scan: &Scan<'p>,
        view: &View,
        new: Register,
        places: &Places,
    ) -> Register {
        let axis = scan.region.axis;
        if !self.ends_by_row(axis, view) {
            return new;
        }
        let old = emitter.nest.load(view, places);
        let turn = emitter.nest.place(&places[&axis]);
        let inside = emitter.has_turn(axis, turn, places);
        emitter.choose(Some(inside), new, old)
    }

    /// The sum of all parts.
    pub(super) fn add_parts(
        &mut self,
        scope: &Scope<'p>,
        scan: &Scan<'p>,
        value: Value,
        parts: &View,
        sum: &View,
    ) -> Step {
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(sum);
        let ty = scalar_type(scope.typed(value).ty.dtype);
        let apart = parts.strides.iter().map(|(axis, _)| *axis).filter(|axis| sum.stride(*axis).is_none());
        let apart = apart.collect::<Vec<_>>();
        self.fill(&mut emitter, sum, |emitter, places| self.add_along(emitter, scan, parts, (&apart, ty), places));
        let work = self.elements_of(sum).times(scan.parts.into());
        self.launch(emitter.nest.finish("parts".into(), scan.path(), work))
    }

    fn add_along(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        scan: &Scan<'p>,
        parts: &View,
        (axes, ty): (&[AxisId], crate::kernel::ScalarType),
        places: &Places,
    ) -> Register {
        let Some((&axis, inner)) = axes.split_first() else { return emitter.nest.load(parts, places) };
        let extent = if axis == PART { scan.parts.into() } else { self.sizes.extent(axis) };
        let turns = emitter.nest.amount(&extent);
        emitter.sum_over(turns, inner.is_empty(), ty, |emitter, index| {
            let mut places = places.clone();
            places.insert(axis, Place::index(index));
            self.add_along(emitter, scan, parts, (inner, ty), &places)
        })
    }
}

impl Scan<'_> {
    /// Where a position of a thread's part is along the whole axis.
    fn within(&self, places: &Places, position: Place) -> Place {
        Place::number(0).plus(&places[&PART], self.part).plus(&position, 1)
    }

    fn shares(&self, axis: AxisId) -> bool {
        axis == self.split || self.whole.contains(&axis)
    }

    /// Where the recurrence is in the source.
    fn path(&self) -> String {
        self.region.label.clone()
    }
}

/// Says what the kernel writes, before anything is read.
fn declare(emitter: &mut Emitter, scan: &Scan) {
    let parts = scan.sums.iter().map(|(_, parts, _)| parts);
    let moved = scan.moves.iter().flat_map(|one| one.copy.iter().chain([&one.to]));
    let stored = scan.stored.iter().chain(&scan.copies).map(|(_, view)| view);
    parts.chain(moved).chain(stored).for_each(|view| emitter.nest.will_write(view));
}
