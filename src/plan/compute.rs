//! Kernels that compute one stored value: a loop over each of its axes, and the value at each place.

use super::lowering::{Emitter, Scope};
use super::place::{Place, Places, View};
use super::program::Step;
use super::schedule::Planner;
use crate::graph::{Op, Value};
use crate::kernel::{Bound, Register};
use crate::ops::name_of;
use crate::tensor::{AxisId, Function};
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

    /// A copy of a value that is 0 where it is absent, and at positions past a row's length along sequences.
    pub(super) fn masked_copy(&mut self, scope: &Scope<'p>, value: Value, sequences: &[AxisId], view: &View) -> Step {
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(view);
        self.fill(&mut emitter, view, |emitter, places| {
            let mut exists = emitter.present(value, places);
            for &axis in sequences {
                let length = emitter.length(axis, places);
                let here = places.get(&axis).map(|place| emitter.nest.place(place));
                if let Some(here) = here {
                    let inside = emitter.nest.call(Function::Less, &[here, length]);
                    exists = emitter.both(exists, Some(inside));
                }
            }
            let value = emitter.value(value, places);
            let ty = emitter.nest.ty(value);
            let zero = emitter.nest.number(0.0, ty);
            emitter.choose(exists, value, zero)
        });
        let work = self.sizes.elements(&scope.typed(value).ty.axes);
        self.launch(emitter.nest.finish("existing".into(), scope.region.node(value.node).path.clone(), work))
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
}
