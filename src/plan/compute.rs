//! Kernels that compute one stored value: a loop over each of its axes, and the value at each place.

use super::lowering::{Emitter, Scope, scalar_type};
use super::place::{Place, Places, View};
use super::program::Step;
use super::schedule::Planner;
use crate::graph::{Op, Value};
use crate::kernel::{Bound, Register};
use crate::ops::name_of;
use crate::tensor::{Affine, AxisId, Term};
use archc_runtime::abi::Size;

impl<'p> Planner<'p> {
    /// Computes a value into a view of its axes.
    pub(super) fn compute(&mut self, scope: &Scope<'p>, value: Value, view: &View) -> Step {
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(view);
        self.fill(&mut emitter, view, |emitter, places| emitter.value(value, places));
        let node = scope.region.node(value.node);
        let work = self.work(scope, value);
        self.launch(emitter.nest.finish(name_of(&node.op).to_string(), node.path.clone(), work))
    }

    /// Loops over a view and stores what `element` gives at each place.
    pub(super) fn fill(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        view: &View,
        element: impl FnOnce(&mut Emitter<'_, 'p>, &Places) -> Register,
    ) {
        let axes = view.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        let mut places = Places::new();
        let Some((&last, outer)) = axes.split_last() else {
            let register = element(emitter, &places);
            return emitter.nest.store(view, &places, register);
        };
        for &axis in outer {
            self.parallel(emitter, axis, &mut places);
        }
        self.open(emitter, last, true, &mut places);
        let register = element(emitter, &places);
        emitter.nest.store(view, &places, register);
        emitter.nest.close_loop(Vec::new());
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
        self.sizes.elements(&scope.typed(value).ty.axes).times(self.effort(scope, value, 0))
    }

    /// The same for one element.
    fn effort(&self, scope: &Scope, value: Value, depth: usize) -> Size {
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

    /// Adds every element of a value to the place that its index would have read it from.
    pub(super) fn scatter(
        &mut self,
        scope: &Scope<'p>,
        id: crate::graph::NodeId,
        indices: &[(AxisId, Affine<Value>)],
        view: &View,
    ) -> Vec<Step> {
        let node = scope.region.node(id);
        let ty = scalar_type(node.results[0].ty.dtype);
        let mut zero = Emitter::new(scope);
        self.fill(&mut zero, view, |emitter, _| emitter.nest.number(0.0, ty));
        let clear = zero.nest.finish("zero".into(), node.path.clone(), self.sizes.elements(&node.results[0].ty.axes));
        let clear = self.launch(clear);
        let mut emitter = Emitter::new(scope);
        self.add_all(&mut emitter, node.operands[0], indices, view);
        let work = self.sizes.elements(&scope.typed(node.operands[0]).ty.axes);
        vec![clear, self.launch(emitter.nest.finish("scatter".into(), node.path.clone(), work))]
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
