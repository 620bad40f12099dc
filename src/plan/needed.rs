//! Values that are computed only where somebody asks for them, and choices of which only the taken side is computed.
//!
//! Both hold for whole runs of a kernel's innermost loop: a condition stands outside of it and costs nothing inside.

use super::fusion::{Choice, is_elementary, is_free};
use super::lowering::{Emitter, Scope};
use super::place::View;
use super::program::Step;
use super::schedule::Planner;
use crate::graph::demand::axes_of;
use crate::graph::{Op, Value};
use crate::kernel::ScalarType;
use crate::tensor::{AxisId, Presence, Relation, ScalarStep};
use archc_runtime::abi::Size;

/// From so many scalar operations for each element on it pays to ask first.
const WORTH: i64 = 16;
/// A condition is made of so few steps at most.
const SHORT: usize = 16;

/// A condition, and what a value is where it holds and where it does not.
pub(super) type Arms = (Presence<Value>, [Value; 2]);

impl<'p> Planner<'p> {
    /// Computes a value where it is asked for, as far as conditions tell that are known by then.
    pub(super) fn compute_needed(&mut self, scope: &Scope<'p>, value: Value, view: &View, choice: &Choice) -> Step {
        let worth = self.is_work(scope, value);
        let needed = if worth { self.needed(scope, value, &outer(view), choice) } else { Presence::always() };
        self.compute_where(scope, value, view, &needed)
    }

    /// Where alone a value is asked for: the conditions that are known by now and speak of some axes alone.
    pub(super) fn needed(&self, scope: &Scope<'p>, value: Value, outer: &[AxisId], choice: &Choice) -> Presence<Value> {
        let known = choice.needed.get(&value).into_iter().flatten().filter(|relation| {
            let ready = relation.values().into_iter().all(|read| is_ready(scope, choice, *read, SHORT));
            ready && is_outside(scope, relation, outer)
        });
        Presence { relations: known.cloned().collect() }
    }

    /// Stores whether conditions hold.
    pub(super) fn truths(&mut self, scope: &Scope<'p>, conditions: &Presence<Value>, view: &View) -> Step {
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(view);
        self.fill(&mut emitter, view, |emitter, places| {
            let holds = emitter.relations_hold(conditions, places);
            holds.unwrap_or_else(|| emitter.nest.number(1.0, ScalarType::Bool))
        });
        let axes = view.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        let work = self.sizes.elements(&axes).times(Size::Constant(SHORT as i64));
        self.launch(emitter.nest.finish("asked".into(), String::new(), work))
    }

    /// The two sides of a value that is one or the other for all of its last axis, if one of them is work.
    pub(super) fn arms_of(&self, scope: &Scope, value: Value, view: &View) -> Option<Arms> {
        let node = scope.region.node(value.node);
        let (Op::Else, [yes, no]) = (&node.op, node.operands.as_slice()) else { return None };
        let first = scope.region.node(yes.node);
        let presence = &scope.typed(*yes).presence;
        let simple =
            matches!(first.op, Op::Map(_) | Op::Stop) && first.operands.iter().all(|read| scope.is_always(*read));
        let outside = presence.relations.iter().all(|relation| is_outside(scope, relation, &outer(view)));
        let work = self.is_work(scope, *yes) || self.is_work(scope, *no);
        (simple && outside && work && !presence.is_always()).then(|| (presence.clone(), [*yes, *no]))
    }

    fn is_work(&self, scope: &Scope, value: Value) -> bool {
        let dear = match &scope.region.node(value.node).op {
            Op::Draw(..) => true,
            Op::Map(scalar) => {
                scalar.steps.iter().any(|step| matches!(step, ScalarStep::Call(call, _) if is_elementary(*call)))
            }
            _ => false,
        };
        dear || self.effort(scope, value, 0).constant().is_none_or(|steps| steps >= WORTH)
    }
}

/// The axes that a kernel goes along before the last.
fn outer(view: &View) -> Vec<AxisId> {
    view.strides.iter().rev().skip(1).map(|(axis, _)| *axis).collect()
}

/// Whether a relation speaks of these axes alone.
fn is_outside(scope: &Scope, relation: &Relation<Value>, outer: &[AxisId]) -> bool {
    axes_of(scope.region, relation).iter().all(|axis| outer.contains(axis))
}

/// Whether a value is in memory already or made of such in a few steps.
fn is_ready(scope: &Scope, choice: &Choice, value: Value, steps: usize) -> bool {
    if scope.stored(value).is_some() {
        return true;
    }
    let node = scope.region.node(value.node);
    let plain = is_free(&node.op) || matches!(node.op, Op::Map(_) | Op::Else | Op::Index(_) | Op::Stop);
    let rest = || node.reads().into_iter().all(|read| is_ready(scope, choice, read, steps - 1));
    steps > 0 && plain && !choice.stored.contains(&value) && rest()
}
