//! Kernels that compute one stored value: a loop over each of its axes, and the value at each place.

use super::lowering::{Emitter, Scope};
use super::place::{Place, Places, View};
use super::program::Step;
use super::schedule::Planner;
use crate::graph::{Op, Value};
use crate::kernel::{Amount, Bound, Register};
use crate::model::Law;
use crate::ops::name_of;
use crate::tensor::{AxisId, BATCH, Function, Presence, Term};
use archc_runtime::abi::Size;
use std::collections::HashSet;

impl<'p> Planner<'p> {
    /// Computes a value into a view of its axes.
    pub(super) fn compute(&mut self, scope: &Scope<'p>, value: Value, view: &View) -> Step {
        self.compute_where(scope, value, view, &Presence::always())
    }

    /// Computes a value into a view of its axes, at least where conditions hold that its last axis has no part in.
    pub(super) fn compute_where(
        &mut self,
        scope: &Scope<'p>,
        value: Value,
        view: &View,
        needed: &Presence<Value>,
    ) -> Step {
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(view);
        emitter.instead = self.laid_along(scope, value, view);
        let split = view.strides.last().and_then(|(axis, _)| self.split_of(scope, value, *axis));
        // Rows that are long work inside: lanes run along what they go through.
        let lanes = !(view.strides.last().is_some_and(|(axis, _)| *axis == BATCH) && folds(scope, value));
        let node = scope.region.node(value.node);
        let arms = self.arms_of(scope, value, view);
        let mut places = Places::new();
        let last = self.open_outer(&mut emitter, view, &mut places);
        let holds = emitter.relations_hold(needed, &places);
        emitter.only_if(holds, |emitter| {
            let fill = |emitter: &mut Emitter<'_, 'p>, value| {
                if last.is_some_and(|axis| self.fill_groups(emitter, value, view, axis, &places)) {
                    return;
                }
                self.fill_last(emitter, view, (last, split, lanes), &places, |emitter, at| emitter.value(value, at));
            };
            let Some((presence, [yes, no])) = arms else { return fill(emitter, value) };
            let taken = emitter.relations_hold(&presence, &places);
            emitter.only_if(taken, |emitter| fill(emitter, yes));
            if let Some(taken) = taken {
                let other = emitter.nest.call(Function::Not, &[taken]);
                emitter.only_if(Some(other), |emitter| fill(emitter, no));
            }
        });
        let work = self.work(scope, value);
        self.launch(emitter.nest.finish(name_of(&node.op).to_string(), node.path.clone(), work))
    }

    /// A copy of a value that is 0 where it is absent, and at positions past a row's length along sequences.
    pub(super) fn masked_copy(&mut self, scope: &Scope<'p>, value: Value, sequences: &[AxisId], view: &View) -> Step {
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(view);
        emitter.instead = self.laid_along(scope, value, view);
        self.fill(&mut emitter, view, |emitter, places| {
            let present = emitter.present(value, places);
            let exists = self.exists(emitter, sequences.to_vec(), places);
            let exists = emitter.both(present, exists);
            let value = emitter.value(value, places);
            let ty = emitter.nest.ty(value);
            let zero = emitter.nest.number(0.0, ty);
            emitter.choose(exists, value, zero)
        });
        let work = self.elements(&scope.typed(value).ty.axes);
        self.launch(emitter.nest.finish("existing".into(), scope.region.node(value.node).path.clone(), work))
    }

    /// Whether places are before the ends of their row along sequences; absent: there are none.
    pub(super) fn exists(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        sequences: Vec<AxisId>,
        places: &Places,
    ) -> Option<Register> {
        sequences.into_iter().fold(None, |exists, axis| {
            let length = emitter.length(axis, places);
            let here = emitter.nest.place(places.get(&axis)?);
            let inside = emitter.nest.call(Function::Less, &[here, length]);
            emitter.both(exists, Some(inside))
        })
    }

    /// Loops over a view and stores what `element` gives at each place.
    pub(super) fn fill(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        view: &View,
        element: impl FnOnce(&mut Emitter<'_, 'p>, &Places) -> Register,
    ) {
        let mut places = Places::new();
        let last = self.open_outer(emitter, view, &mut places);
        self.fill_last(emitter, view, (last, None, true), &places, element);
    }

    /// Loops over all axes of a view but the last, which is given.
    fn open_outer(&self, emitter: &mut Emitter<'_, 'p>, view: &View, places: &mut Places) -> Option<AxisId> {
        let axes = view.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        let axes = self.open_rows(emitter, axes, places);
        let (&last, outer) = axes.split_last()?;
        outer.iter().for_each(|axis| self.parallel(emitter, *axis, places));
        Some(last)
    }

    /// The loop over the last axis, or two, the inner one of `split` turns; in lanes or not.
    fn fill_last(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        view: &View,
        (last, split, lanes): (Option<AxisId>, Option<i64>, bool),
        outer: &Places,
        element: impl FnOnce(&mut Emitter<'_, 'p>, &Places) -> Register,
    ) {
        let mut places = outer.clone();
        let loops = match (last, split) {
            (None, _) => 0,
            (Some(last), Some(split)) => {
                self.open_split(emitter, last, split, &mut places);
                2
            }
            (Some(last), None) => {
                self.open(emitter, last, lanes, &mut places);
                1
            }
        };
        let register = element(emitter, &places);
        emitter.nest.store(view, &places, register);
        (0..loops).for_each(|_| emitter.nest.close_loop(Vec::new()));
    }

    /// Two loops along an axis whose size is a multiple of `split`.
    fn open_split(&self, emitter: &mut Emitter<'_, 'p>, axis: AxisId, split: i64, places: &mut Places) {
        let extent = self.sizes.axes().fixed(axis).unwrap_or(split);
        let zero = Bound::Amount(Amount::Constant(0));
        let outer = emitter.nest.open_loop(zero, Bound::Amount(Amount::Constant(extent / split)), false, false);
        let inner = emitter.nest.open_loop(zero, Bound::Amount(Amount::Constant(split)), false, true);
        emitter.counts(outer, axis, extent / split);
        emitter.counts(inner, axis, split);
        let place = Place { terms: Vec::new(), constant: 0 };
        places.insert(axis, place.plus(&Place::index(outer), split).plus(&Place::index(inner), 1));
    }

    /// By what the axis is divided in places that the value reads, if one number does.
    fn split_of(&self, scope: &Scope, value: Value, axis: AxisId) -> Option<i64> {
        let size = self.sizes.axes().fixed(axis)?;
        let mut found = None;
        let mut open = vec![value];
        let mut seen = HashSet::new();
        while let Some(value) = open.pop() {
            if !seen.insert(value) || (scope.stored(value).is_some()) {
                continue;
            }
            let node = scope.region.node(value.node);
            for (_, place) in node.op.places() {
                for (term, _) in &place.terms {
                    match term {
                        Term::Quotient(read, by) | Term::Remainder(read, by) if *read == axis => {
                            found = Some(found.unwrap_or(*by).max(*by));
                        }
                        _ => {}
                    }
                }
            }
            open.extend(&node.operands);
        }
        found.filter(|by| *by >= 4 && size % by == 0)
    }

    /// A parallel loop along a whole axis.
    pub(super) fn parallel(&self, emitter: &mut Emitter<'_, 'p>, axis: AxisId, places: &mut Places) {
        let index = emitter.nest.parallel(&self.sizes.extent(axis));
        emitter.runs(index, axis);
        places.insert(axis, Place::index(index));
    }

    /// A loop along a whole axis.
    pub(super) fn open(&self, emitter: &mut Emitter<'_, 'p>, axis: AxisId, lanes: bool, places: &mut Places) {
        let from = crate::kernel::Amount::Constant(0);
        let to = emitter.nest.amount(&self.sizes.extent(axis));
        let index = emitter.nest.open_loop(Bound::Amount(from), Bound::Amount(to), false, lanes);
        emitter.runs(index, axis);
        places.insert(axis, Place::index(index));
    }

    /// About how many scalar operations a value takes.
    pub(super) fn work(&self, scope: &Scope, value: Value) -> Size {
        self.elements(&scope.typed(value).ty.axes).times(self.effort(scope, value, 0))
    }

    /// The same for one element.
    pub(super) fn effort(&self, scope: &Scope, value: Value, depth: usize) -> Size {
        let node = scope.region.node(value.node);
        if depth > 12 || (depth > 0 && scope.stored(value).is_some()) {
            return Size::Constant(1);
        }
        let operands = node
            .operands
            .iter()
            .fold(Size::Constant(0), |sum, &operand| sum.plus(self.effort(scope, operand, depth + 1)));
        match &node.op {
            Op::Map(scalar) => operands.plus(Size::Constant(scalar.steps.len() as i64)),
            Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) => {
                self.sizes.elements(axes).times(operands.plus(Size::Constant(1)))
            }
            _ => operands.plus(Size::Constant(1)),
        }
    }
}

/// Whether computing a value goes through an axis that it does not have.
fn folds(scope: &Scope, value: Value) -> bool {
    let mut open = vec![value];
    let mut seen = HashSet::new();
    while let Some(value) = open.pop() {
        if !seen.insert(value) || (seen.len() > 1 && scope.stored(value).is_some()) {
            continue;
        }
        let node = scope.region.node(value.node);
        if matches!(node.op, Op::Reduce(..) | Op::Contract(_) | Op::Rank(_) | Op::Draw(Law::Categorical(_), _)) {
            return true;
        }
        open.extend(node.reads());
    }
    false
}
