//! Kernels that write where an index says: sums of elements at their places, and new elements of a state.

use super::lowering::{Emitter, Scope, scalar_type};
use super::place::{Places, View};
use super::program::Step;
use super::schedule::Planner;
use crate::graph::{NodeId, Typed, Value};
use crate::kernel::Register;
use crate::tensor::{Affine, AxisId, BATCH, Term};

impl<'p> Planner<'p> {
    /// Puts the elements of a value where an index would read them from.
    pub(super) fn write(
        &mut self,
        scope: &Scope<'p>,
        id: NodeId,
        indices: &[(AxisId, Affine<Value>)],
        view: &View,
    ) -> Vec<Step> {
        let node = scope.region.node(id);
        let (state, new) = (node.operands[0], node.operands[1]);
        let mut steps = Vec::new();
        if scope.stored(state) != Some(view) {
            steps.push(self.compute(scope, state, view));
        }
        let axes = scope.typed(new).ty.axes.clone();
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(view);
        self.write_all(&mut emitter, new, indices, view);
        let work = self.sizes.elements(&axes);
        steps.push(self.launch(emitter.nest.finish("write".into(), node.path.clone(), work)));
        steps
    }

    /// All elements are independent: the last axis runs in lanes unless places read it.
    fn write_all(&self, emitter: &mut Emitter<'_, 'p>, new: Value, indices: &[(AxisId, Affine<Value>)], view: &View) {
        let axes = &emitter.scope.typed(new).ty.axes;
        let read = read_axes(emitter.scope, indices);
        let lane = axes.last().copied().filter(|axis| !read.contains(axis) && !self.sizes.axes().is_sequence(*axis));
        let mut places = Places::new();
        for &axis in axes.iter().filter(|axis| Some(**axis) != lane) {
            self.parallel(emitter, axis, &mut places);
        }
        let sequences = places.keys().copied().filter(|axis| self.sizes.axes().is_sequence(*axis));
        let exists = self.exists(emitter, sequences.collect(), &places);
        let (target, inside) = emitter.moved(indices, &places);
        let mut condition = emitter.both(exists, inside);
        // What a row keeps that has stopped stays as it is.
        if let Some(running) = emitter.scope.running.as_ref().filter(|_| places.contains_key(&BATCH)) {
            let runs = emitter.nest.load(running, &places);
            condition = emitter.both(condition, Some(runs));
        }
        if condition.is_some() {
            emitter.nest.open_if();
        }
        if let Some(lane) = lane {
            self.open(emitter, lane, true, &mut places);
        }
        let mut to = places.clone();
        to.extend(target);
        let present = emitter.present(new, &places);
        if present.is_some() {
            emitter.nest.open_if();
        }
        let value = emitter.value(new, &places);
        emitter.nest.store(view, &to, value);
        if let Some(present) = present {
            emitter.nest.close_if(present);
        }
        if lane.is_some() {
            emitter.nest.close_loop(Vec::new());
        }
        if let Some(condition) = condition {
            emitter.nest.close_if(condition);
        }
    }

    /// Adds every element of a value to the place that its index would have read it from.
    pub(super) fn scatter(
        &mut self,
        scope: &Scope<'p>,
        id: NodeId,
        indices: &[(AxisId, Affine<Value>)],
        view: &View,
    ) -> Vec<Step> {
        let node = scope.region.node(id);
        let clear = self.clear(scope, Value::of(id), view);
        let mut emitter = Emitter::new(scope);
        self.add_all(&mut emitter, node.operands[0], indices, view);
        let work = self.sizes.elements(&scope.typed(node.operands[0]).ty.axes);
        vec![clear, self.launch(emitter.nest.finish("scatter".into(), node.path.clone(), work))]
    }

    /// Zeros for a value that sums are added to.
    pub(super) fn clear(&mut self, scope: &Scope<'p>, value: Value, view: &View) -> Step {
        let Typed { ty, .. } = scope.typed(value);
        let mut zero = Emitter::new(scope);
        self.fill(&mut zero, view, |emitter, _| emitter.nest.number(0.0, scalar_type(ty.dtype)));
        let path = scope.region.node(value.node).path.clone();
        self.launch(zero.nest.finish("zero".into(), path, self.sizes.elements(&ty.axes)))
    }

    fn add_all(&self, emitter: &mut Emitter<'_, 'p>, operand: Value, indices: &[(AxisId, Affine<Value>)], view: &View) {
        let axes = &emitter.scope.typed(operand).ty.axes;
        let listed = |axis: AxisId| indices.iter().any(|(named, _)| *named == axis);
        let kept = |axis: AxisId| view.stride(axis).is_some() && !listed(axis);
        let read = read_axes(emitter.scope, indices);
        let lane = axes.last().copied().filter(|&axis| kept(axis) && !read.contains(&axis));
        let mut places = Places::new();
        for &axis in axes.iter().filter(|&&axis| kept(axis) && Some(axis) != lane) {
            self.parallel(emitter, axis, &mut places);
        }
        emitter.nest.will_write(view);
        let inner = axes.iter().copied().filter(|&axis| !kept(axis)).collect::<Vec<_>>();
        emitter.visit(&inner, operand, &mut places, &mut |emitter, places| {
            let (mut target, inside) = emitter.moved(indices, places);
            for axis in axes.iter().filter(|axis| kept(**axis)) {
                target.extend(places.get(axis).map(|place| (*axis, place.clone())));
            }
            self.add_lanes(emitter, operand, lane, inside, (places.clone(), target), view);
        });
    }

    /// Adds one row of elements, if it has a place.
    fn add_lanes(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        operand: Value,
        lane: Option<AxisId>,
        inside: Option<Register>,
        (mut from, mut to): (Places, Places),
        view: &View,
    ) {
        if inside.is_some() {
            emitter.nest.open_if();
        }
        if let Some(lane) = lane {
            self.open(emitter, lane, true, &mut from);
            to.extend(from.get(&lane).map(|place| (lane, place.clone())));
        }
        let present = emitter.present(operand, &from);
        let value = emitter.value(operand, &from);
        let ty = emitter.nest.ty(value);
        let nothing = emitter.nest.number(0.0, ty);
        let value = emitter.choose(present, value, nothing);
        emitter.nest.add(view, &to, value);
        if lane.is_some() {
            emitter.nest.close_loop(Vec::new());
        }
        if let Some(inside) = inside {
            emitter.nest.close_if(inside);
        }
    }
}

/// The axes that places read.
fn read_axes(scope: &Scope, indices: &[(AxisId, Affine<Value>)]) -> Vec<AxisId> {
    let mut read = Vec::new();
    for (term, _) in indices.iter().flat_map(|(_, place)| &place.terms) {
        match term {
            Term::Axis(axis) | Term::Quotient(axis, _) | Term::Remainder(axis, _) => read.push(*axis),
            Term::Value(value) => read.extend(&scope.typed(*value).ty.axes),
        }
    }
    read
}
