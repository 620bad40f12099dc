//! A recurrence as one kernel: the turns run inside of it, and threads share the axes that ride along.
//!
//! In: a `for` whose body computes every position of some axes from the same position of what it carries. Out: one
//! launch in place of several for each turn, whose carried values stay in the nearest cache. What a body sums over the
//! axes that are shared is summed in parts, and the parts afterwards.

mod emission;
mod in_place;
mod riding;
mod turned;

use super::fusion::{Choice, choose};
use super::lowering::Scope;
use super::place::View;
use super::program::Step;
use super::repeat::needs_copy;
use super::schedule::{Planner, element_of};
use crate::graph::{For, NodeId, Op, Region, Value};
use crate::tensor::{AxisId, BATCH, DType};
use archc_runtime::abi::{Role, Size};
use riding::Riding;

/// The number of the part that a thread works on, as if it were a position along an axis.
const PART: AxisId = AxisId(u32::MAX);
/// About how many elements of what is carried are a part.
const ELEMENTS: i64 = 2048;
/// Positions of a part: so many if they lie side by side in memory, and at most.
const SIDE_BY_SIDE: i64 = 16;
const MOST: i64 = 128;

/// Where what a `for` carries, and what it yields turn by turn, is stored.
pub(super) struct Ends<'v> {
    pub(super) operands: &'v [View],
    pub(super) carried: &'v [View],
    pub(super) stacks: &'v [View],
}

/// A `for` on its way to one kernel.
struct Scan<'p> {
    region: &'p For,
    body: &'p Region,
    /// Axes that threads share position by position.
    whole: Vec<AxisId>,
    /// The axis that they share in parts, and how many positions are a part.
    split: AxisId,
    part: i64,
    parts: i64,
    /// Whether what is carried lies side by side along that axis while the turns run.
    turned: bool,
    /// Values that are stored in the course of a turn, in order.
    stored: Vec<(Value, View)>,
    /// Those of them that take the place of what they are made from.
    in_place: Vec<Value>,
    /// Yields that are not the stored value itself.
    copies: Vec<(Value, View)>,
    /// Yields that sum over what is shared: the value, its parts, where the sum belongs.
    sums: Vec<(Value, View, View)>,
    /// What takes the place of what is carried, by way of a copy if others still read the old.
    moves: Vec<Move>,
}

struct Move {
    value: Value,
    copy: Option<View>,
    to: View,
}

impl<'p> Planner<'p> {
    /// The steps of a `for` as one kernel, and the sums of parts; `None` if it cannot be one.
    pub(super) fn scan(&mut self, outer: &Scope<'p>, region: &'p For, ends: &Ends) -> Option<Vec<Step>> {
        let [body] = region.bodies.as_slice() else { return None };
        if self.interface.plain
            || self.rows.is_some()
            || region.until
            || region.turns.is_some()
            || self.has_turns(region, ends.carried)
        {
            return None;
        }
        let mut scope = self.body_scope(outer, region, body, ends);
        let choice = choose(&scope);
        if has_products(&choice) {
            return None;
        }
        let riding = Riding::of(region, body, self.sizes.axes())?;
        if self.streams(region, body, &riding) {
            return None;
        }
        let mut scan = self.shares(region, body, &riding)?;
        self.assign(&mut scope, &mut scan, &choice, &riding, ends);
        self.count_body(region, body);
        let turned = self.turned(outer, &scan, (&choice, &riding), ends);
        let mut steps = vec![self.emit_scan(&scope, &scan, turned.as_ref())];
        steps.extend(scan.sums.iter().map(|(value, parts, sum)| self.add_parts(&scope, &scan, *value, parts, sum)));
        Some(steps)
    }

    /// The body, with its arguments where they are for all turns.
    fn body_scope(&self, outer: &Scope<'p>, region: &For, body: &'p Region, ends: &Ends) -> Scope<'p> {
        // The turn is no size here: the kernel counts.
        let mut scope = outer.inside(body, Size::Constant(0));
        for id in body.ids() {
            if let Op::Argument(place) = body.node(id).op {
                let view = if place < region.carried { &ends.carried[place] } else { &ends.operands[place] };
                scope.store(Value::of(id), view.clone());
            }
        }
        scope
    }

    /// Whether all that is carried is also read or written turn by turn, as on the way to a gradient and back. Memory
    /// then decides, and it is fastest if all threads go through it in order.
    fn streams(&self, region: &For, body: &Region, riding: &Riding) -> bool {
        let argument = |id: NodeId| match body.node(id).op {
            Op::Argument(place) => (region.carried..region.carried + region.sliced).contains(&place),
            _ => false,
        };
        let sliced = body.ids().into_iter().filter(|id| argument(*id)).map(Value::of);
        let yielded = body.results[region.carried..].iter().flatten().copied();
        let whole = |value: Value| riding.is_whole(self.sizes.axes(), &body.typed(value).ty.axes);
        riding.apart > 1 && sliced.chain(yielded).any(whole)
    }

    /// How threads share the axes that ride along.
    fn shares(&self, region: &'p For, body: &'p Region, riding: &Riding) -> Option<Scan<'p>> {
        let (&split, whole) = riding.axes.split_last()?;
        let extent = self.sizes.axes().fixed(split).filter(|extent| *extent > 0 && split != BATCH)?;
        let least = if riding.last { SIDE_BY_SIDE } else { 1 };
        let wanted = (ELEMENTS / riding.apart).clamp(least, MOST);
        let part = (1..=wanted.min(extent)).rev().find(|part| extent % part == 0)?;
        // An axis of a prime number of positions is not shared.
        let part = if part < least.min(extent) { extent } else { part };
        Some(Scan {
            region,
            body,
            whole: whole.to_vec(),
            split,
            part,
            parts: extent / part,
            turned: false,
            stored: Vec::new(),
            in_place: Vec::new(),
            copies: Vec::new(),
            sums: Vec::new(),
            moves: Vec::new(),
        })
    }

    /// Decides where everything is stored.
    fn assign(&mut self, scope: &mut Scope<'p>, scan: &mut Scan<'p>, choice: &Choice, riding: &Riding, ends: &Ends) {
        let results = &scan.body.results[scan.region.carried..];
        let yields = results.iter().zip(ends.stacks).filter_map(|(value, view)| Some(((*value)?, view.clone())));
        let yields = yields.collect::<Vec<_>>();
        for id in scan.body.order() {
            let value = Value::of(id);
            let outside = matches!(scan.body.node(id).op, Op::Argument(_)) || riding.sums.contains(&value);
            if outside || !choice.stored.contains(&value) {
                continue;
            }
            let target = yields.iter().find(|(yielded, _)| *yielded == value).map(|(_, view)| view.clone());
            let old = scan.place_of_old(scope, choice, value, ends).filter(|_| target.is_none());
            scan.in_place.extend(old.is_some().then_some(value));
            let target = target.or(old);
            let axes = &scope.typed(value).ty.axes;
            if target.is_none() && axes.iter().all(|axis| scan.whole.contains(axis)) {
                continue;
            }
            let view = target.unwrap_or_else(|| self.private(scan, axes, scope.typed(value).ty.dtype, None));
            scan.stored.push((value, view.clone()));
            scope.store(value, view);
        }
        for (value, view) in yields {
            if riding.sums.contains(&value) {
                let typed = scope.typed(value);
                let parts = self.private(scan, &typed.ty.axes, typed.ty.dtype, Some(scan.region.axis));
                scan.sums.push((value, parts, view));
            } else if scope.stored(value) != Some(&view) {
                scan.copies.push((value, view));
            }
        }
        self.assign_moves(scope, scan, ends);
    }

    fn assign_moves(&mut self, scope: &Scope<'p>, scan: &mut Scan<'p>, ends: &Ends) {
        for (place, to) in ends.carried.iter().enumerate() {
            let Some(value) = scan.body.results[place].filter(|value| scope.stored(*value) != Some(to)) else {
                continue;
            };
            let typed = scope.typed(value);
            let copy = needs_copy(scope, value, ends.carried)
                .then(|| self.private(scan, &typed.ty.axes, typed.ty.dtype, None));
            scan.moves.push(Move { value, copy, to: to.clone() });
        }
    }

    /// A buffer of which every thread has a part of its own, for one turn or for each along an axis.
    fn private(&mut self, scan: &Scan<'p>, axes: &[AxisId], dtype: DType, turns: Option<AxisId>) -> View {
        if let Some(view) = self.private_turned(scan, axes, dtype) {
            return view;
        }
        let mut shape = self.sizes.shape(&turns.into_iter().collect::<Vec<_>>());
        let shared = scan.whole.iter().copied().filter(|axis| !axes.contains(axis)).collect::<Vec<_>>();
        shape.extend(self.sizes.shape(&shared));
        if !axes.contains(&scan.split) {
            shape.push((PART, scan.parts.into()));
        }
        shape.extend(self.sizes.shape(axes));
        let element = element_of(dtype);
        let name = format!("turn.{}", self.buffers.len());
        let sizes = shape.iter().map(|(_, size)| size.clone()).collect();
        let buffer = self.buffer(name, Role::Temporary { first: 0, last: 0 }, element, sizes);
        View::dense(buffer, element, &shape)
    }

    fn count_body(&mut self, region: &For, body: &Region) {
        let times = self.times.clone();
        self.times = times.clone().times(self.sizes.extent(region.axis));
        body.ids().into_iter().for_each(|id| self.count(body, id));
        self.times = times;
    }
}

/// Whether something in a body has a kernel of its own.
fn has_products(choice: &Choice) -> bool {
    !(choice.products.is_empty()
        && choice.attentions.is_empty()
        && choice.grouped.is_empty()
        && choice.grouped_sums.is_empty()
        && choice.gradients.is_empty()
        && choice.chunks.is_empty())
}
