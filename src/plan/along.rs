//! Weights that a kernel would read with a stride in every lane lie along the lanes instead: a copy is made of them.
//! `y[t, c] = sum[j](w[c, j] x[t + j, c])`  →  `w'[j, c] = w[c, j]`, then `y[t, c] = sum[j](w'[j, c] x[t + j, c])`
//!
//! In: a value on its way to a kernel whose lanes go along its last axis. Out: the steps that copy what it reads across,
//! if it reads that again and again; parameters are copied once for all calls where programs read packed ones.

use super::builder::NestBuilder;
use super::fusion::Packing;
use super::lowering::Scope;
use super::place::{Place, Places, Slice, View};
use super::program::{Launch, Step};
use super::schedule::Planner;
use crate::graph::{Op, Value};
use crate::kernel::{Amount, Bound, Kernel};
use crate::tensor::{Affine, AxisId, DType, Term};
use archc_runtime::abi::{BufferInfo, Role, Size};
use std::collections::{HashMap, HashSet};

/// A copy has at most so many elements for each that a position of the kernel has.
const MOST: i64 = 64;

/// What a kernel reads with a stride in every lane.
struct Across {
    leaf: Value,
    /// Its axis that the lanes go along.
    along: AxisId,
    view: View,
}

impl<'p> Planner<'p> {
    /// The copies that a value's kernel reads, as far as they are not there yet.
    pub(super) fn lay_along(&mut self, scope: &Scope<'p>, value: Value, view: &View) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.interface.plain || self.rows.is_some() {
            return steps;
        }
        for Across { leaf, along, view } in self.read_across(scope, value, view) {
            if scope.along(leaf, along).is_none() {
                let copy = self.copy_along(scope.typed(leaf).ty.dtype, along, &view, &mut steps);
                scope.lay_along(leaf, along, copy);
            }
        }
        steps
    }

    /// The copies that a value's kernel reads, by what they are of.
    pub(super) fn laid_along(&self, scope: &Scope, value: Value, view: &View) -> HashMap<Value, View> {
        let known = |Across { leaf, along, .. }| Some((leaf, scope.along(leaf, along)?));
        self.read_across(scope, value, view).into_iter().filter_map(known).collect()
    }

    /// The stored values of fixed sizes that a value is made of and that lie across its last axis.
    fn read_across(&self, scope: &Scope, value: Value, view: &View) -> Vec<Across> {
        let fixed = |axis: &AxisId| self.sizes.axes().fixed(*axis);
        let sizes = view.strides.iter().map(|(axis, _)| fixed(axis)).collect::<Vec<_>>();
        let Some((lane, _)) = view.strides.last().filter(|_| sizes.contains(&None)) else { return Vec::new() };
        let each = sizes.into_iter().flatten().fold(MOST, i64::saturating_mul);
        let (mut open, mut seen, mut found) = (vec![(value, *lane)], HashSet::new(), Vec::new());
        while let Some((leaf, along)) = open.pop() {
            if !seen.insert((leaf, along)) {
                continue;
            }
            let node = scope.region.node(leaf.node);
            match scope.stored(leaf).filter(|_| leaf != value) {
                Some(view) => {
                    let elements = self.elements(&scope.typed(leaf).ty.axes).constant();
                    let across = view.stride(along).is_some_and(|stride| *stride != Size::Constant(1));
                    let few = elements.is_some_and(|elements| elements <= each);
                    found.extend((across && few).then(|| Across { leaf, along, view: view.clone() }));
                }
                None => open.extend(node.operands.iter().filter_map(|own| Some((*own, seen_by(&node.op, along)?)))),
            }
        }
        found
    }

    fn copy_along(&mut self, dtype: DType, along: AxisId, view: &View, steps: &mut Vec<Step>) -> View {
        let mut axes = view.strides.iter().map(|(axis, _)| *axis).filter(|axis| *axis != along).collect::<Vec<_>>();
        axes.push(along);
        if self.interface.packs && self.buffers[view.buffer].role == Role::Parameter {
            return self.parameter_along(view, &axes);
        }
        let copy = self.temporary("along", &axes, dtype);
        let made = self.copying(&[], &axes, view, &copy);
        steps.push(self.launch(made));
        copy
    }

    /// A parameter, all slices of it, with these axes innermost in this order; the view is of the present slice.
    fn parameter_along(&mut self, view: &View, axes: &[AxisId]) -> View {
        let parameter = self.buffers[view.buffer].clone();
        let number = |(place, slice): (usize, &Slice)| (numbered(place), slice.extent.clone());
        let mut shape = view.slices.iter().enumerate().map(number).collect::<Vec<_>>();
        shape.extend(self.sizes.shape(axes));
        let names = axes.iter().map(|axis| self.sizes.axes()[*axis].name.as_str()).collect::<Vec<_>>().join(" ");
        let packed = BufferInfo {
            name: format!("{} as {names}", parameter.name),
            role: Role::Packed,
            element: parameter.element,
            shape: shape.iter().map(|(_, size)| size.clone()).collect(),
        };
        let (buffer, known) = self.packed(&packed);
        let whole = View::dense(buffer, parameter.element, &shape);
        if !known {
            let mut source = View { buffer: 0, offset: Size::Constant(0), ..view.clone() };
            let strides = view.slices.iter().enumerate().map(|(place, slice)| (numbered(place), slice.stride.clone()));
            source.strides.extend(strides);
            let target = View { buffer: 1, ..whole.clone() };
            let made = self.copying(&view.slices, axes, &source, &target);
            self.packings.push(Packing::new(parameter, packed, made));
        }
        let at = |view: View, (place, slice): (usize, &Slice)| {
            view.slice(numbered(place), slice.at.clone(), slice.extent.clone())
        };
        view.slices.iter().enumerate().fold(whole, at)
    }

    /// The kernel that copies all slices of a view.
    fn copying(&self, slices: &[Slice], axes: &[AxisId], source: &View, target: &View) -> (Kernel, Launch) {
        let mut nest = NestBuilder::default();
        nest.will_write(target);
        let mut places = Places::new();
        let mut work = self.sizes.elements(axes);
        for (place, slice) in slices.iter().enumerate() {
            places.insert(numbered(place), Place::index(nest.parallel(&slice.extent)));
            work = work.times(slice.extent.clone());
        }
        let (outer, last) = axes.split_at(axes.len() - 1);
        for axis in outer {
            places.insert(*axis, Place::index(nest.parallel(&self.sizes.extent(*axis))));
        }
        let to = nest.amount(&self.sizes.extent(last[0]));
        let index = nest.open_loop(Bound::Amount(Amount::Constant(0)), Bound::Amount(to), false, true);
        places.insert(last[0], Place::index(index));
        let element = nest.load(source, &places);
        nest.store(target, &places, element);
        nest.close_loop(Vec::new());
        nest.finish("along".into(), String::new(), work)
    }
}

/// The axis that an operand has where a value made of it has another, if an operation keeps to it.
fn seen_by(op: &Op, along: AxisId) -> Option<AxisId> {
    match op {
        Op::Map(_) | Op::Else | Op::Contract(_) | Op::Reduce(..) | Op::Stop | Op::Peek => Some(along),
        Op::Index(places) => {
            let mut reading = places.iter().filter(|(_, place)| place.axes().any(|axis| axis == along));
            match (reading.next(), reading.next()) {
                (None, _) => Some(along),
                (Some((axis, place)), None) => steps_by_one(place, along).then_some(*axis),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a place goes one further where an axis does.
fn steps_by_one(place: &Affine<Value>, along: AxisId) -> bool {
    place.terms.contains(&(Term::Axis(along), 1)) && place.axes().filter(|axis| *axis == along).count() == 1
}

/// A name for the axis that a slice was cut from.
fn numbered(place: usize) -> AxisId {
    AxisId(u32::MAX - place as u32)
}
