//! What is carried in another order while the turns run: side by side along the axis that threads share.
//!
//! `seen[c] = sum[n](S[c, n] * C[n])` of a state whose elements lie side by side along n adds up the lanes of a vector for
//! every c. If the state lies side by side along c, vectors are added to vectors, and what has no n is computed once for
//! all n. So a thread copies its part of the state, and of what bodies see whole, before the first turn, and the state back
//! after the last. Few turns are not worth the copies: the kernel asks how many there are.

use super::{Ends, PART, SIDE_BY_SIDE, Scan, riding::Riding};
use crate::graph::{Op, Value};
use crate::plan::fusion::Choice;
use crate::plan::lowering::{Emitter, Scope};
use crate::plan::place::{Places, View};
use crate::plan::schedule::{Planner, element_of};
use crate::tensor::{AxisId, DType};
use archc_runtime::abi::{Element, Role, Size};

/// As many turns pay for the copies.
pub(super) const WORTH: i64 = 8;

/// The recurrence with what is carried in another order.
pub(super) struct Turned<'p> {
    pub(super) scope: Scope<'p>,
    pub(super) scan: Scan<'p>,
    pub(super) copies: Copies,
}

/// What is copied, from where and to where.
pub(super) struct Copies {
    /// Before the first turn: what is carried, and what bodies see whole.
    pub(super) before: Vec<(View, View)>,
    /// After the last.
    pub(super) after: Vec<(View, View)>,
}

impl<'p> Planner<'p> {
    /// The recurrence in another order, if sums in the body are better off.
    pub(super) fn turned(
        &mut self,
        outer: &Scope<'p>,
        scan: &Scan<'p>,
        (choice, riding): (&Choice, &Riding),
        ends: &Ends,
    ) -> Option<Turned<'p>> {
        let fills = scan.part % SIDE_BY_SIDE == 0;
        if riding.last || riding.apart == 1 || !riding.sums.is_empty() || !fills || !scan.sums_across() {
            return None;
        }
        if !scan.by_turn(ends).all(|view| is_side_by_side(scan, view)) {
            return None;
        }
        let carried = ends.carried.iter().map(|view| self.turned_copy(scan, view)).collect::<Option<Vec<_>>>()?;
        let mut before = ends.carried.iter().cloned().zip(carried.iter().cloned()).collect::<Vec<_>>();
        let after = before.iter().cloned().map(|(from, to)| (to, from)).collect();
        let mut operands = ends.operands.to_vec();
        for (place, operand) in operands.iter_mut().enumerate().skip(scan.region.carried + scan.region.sliced) {
            if scan.reads(place) && !is_side_by_side(scan, operand) {
                let copy = self.turned_copy(scan, operand)?;
                before.push((std::mem::replace(operand, copy.clone()), copy));
            }
        }
        let ends = Ends { operands: &operands, carried: &carried, stacks: ends.stacks };
        let mut scope = self.body_scope(outer, scan.region, scan.body, &ends);
        let mut scan = Scan { turned: true, ..self.shares(scan.region, scan.body, riding)? };
        self.assign(&mut scope, &mut scan, choice, riding, &ends);
        Some(Turned { scope, scan, copies: Copies { before, after } })
    }

    fn turned_copy(&mut self, scan: &Scan<'p>, view: &View) -> Option<View> {
        let axes = view.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        (view.element == Element::F32).then(|| self.turned_view(scan, &axes, view.element))?
    }

    /// A buffer of which every thread has a part of its own, with the shared axis innermost.
    fn turned_view(&mut self, scan: &Scan<'p>, axes: &[AxisId], element: Element) -> Option<View> {
        let inner = axes.iter().copied().filter(|axis| *axis != scan.split && !scan.whole.contains(axis));
        let inner = inner.collect::<Vec<_>>();
        let each = self.sizes.elements(&inner).constant()?;
        let mut shape = self.sizes.shape(&scan.whole);
        shape.push((PART, scan.parts.into()));
        shape.extend(self.sizes.shape(&inner));
        shape.push((scan.split, scan.part.into()));
        let name = format!("turned.{}", self.buffers.len());
        let sizes = shape.iter().map(|(_, size)| size.clone()).collect();
        let buffer = self.buffer(name, Role::Temporary { first: 0, last: 0 }, element, sizes);
        let mut view = View::dense(buffer, element, &shape);
        // A place along the shared axis counts the parts before it already, each as one row.
        let own = Size::Constant(scan.part * (each - 1));
        view.strides.iter_mut().filter(|(axis, _)| *axis == PART).for_each(|(_, stride)| *stride = own.clone());
        Some(view)
    }

    /// What [`Planner::private`] gives where the order is another.
    pub(super) fn private_turned(&mut self, scan: &Scan<'p>, axes: &[AxisId], dtype: DType) -> Option<View> {
        let is_turned = scan.turned && axes.contains(&scan.split);
        is_turned.then(|| self.turned_view(scan, axes, element_of(dtype)))?
    }

    /// Copies a thread's part of something.
    pub(super) fn copy_part(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        scan: &Scan<'p>,
        (from, to): &(View, View),
        places: &Places,
    ) {
        self.each(emitter, scan, to, places, |emitter, places| emitter.nest.load(from, places));
    }
}

/// Whether neighbours along the shared axis are neighbours in memory, if there are any.
fn is_side_by_side(scan: &Scan<'_>, view: &View) -> bool {
    view.stride(scan.split).is_none_or(|stride| stride.constant() == Some(1))
}

impl Scan<'_> {
    /// What a turn reads and writes of its own.
    fn by_turn<'v>(&self, ends: &'v Ends) -> impl Iterator<Item = &'v View> {
        let sliced = self.region.carried..self.region.carried + self.region.sliced;
        ends.operands[sliced].iter().chain(ends.stacks)
    }

    /// Whether the body adds up what has the shared axis, along others.
    fn sums_across(&self) -> bool {
        let crosses = |id| {
            let node = self.body.node(id);
            let has = |value: &Value| self.body.typed(*value).ty.axes.contains(&self.split);
            matches!(node.op, Op::Contract(_) | Op::Reduce(..)) && node.operands.iter().any(has)
        };
        self.body.ids().into_iter().any(crosses)
    }

    /// Whether the body reads an operand.
    fn reads(&self, place: usize) -> bool {
        self.body.ids().into_iter().any(|id| matches!(self.body.node(id).op, Op::Argument(own) if own == place))
    }
}
