//! Normal numbers that are stored, where the axis that runs innermost has a size known here: the four of a group share the
//! words of one counter, so four are computed and written at a time.
//!
//! In: a draw, the view that it is stored in, the places outside. Out: a loop over whole groups, and one over the rest of
//! the axis, number by number. Every number is what `tensor::random::Stream::normal` says.

use super::lowering::Emitter;
use super::place::{Place, Places, View};
use super::schedule::Planner;
use crate::graph::{Node, Op, Region, Value};
use crate::kernel::{Amount, Bound};
use crate::model::Law;
use crate::tensor::AxisId;
use crate::tensor::random::APART;

const GROUPS: i64 = APART as i64;
const SHARED: i64 = 4 * GROUPS;
/// So many numbers are made one after the other.
const FEW: i64 = 2;

impl Planner<'_> {
    /// The size of an axis along which a draw's numbers lie in groups, if there is a whole one.
    fn shared_along(&self, emitter: &Emitter<'_, '_>, value: Value, axis: AxisId) -> Option<i64> {
        let node = emitter.scope.region.node(value.node);
        let drawn = matches!(node.op, Op::Draw(Law::Normal, _)) && emitter.scope.stored(value).is_none();
        let grouped = drawn && emitter.counted(node, Law::Normal).last() == Some(&axis);
        self.sizes.axes().fixed(axis).filter(|size| grouped && *size >= SHARED)
    }

    /// Computes and stores normal numbers along the last axis of a view; false if the value is none that lie in groups.
    pub(super) fn fill_groups(
        &self,
        emitter: &mut Emitter<'_, '_>,
        value: Value,
        view: &View,
        axis: AxisId,
        outer: &Places,
    ) -> bool {
        let Some(size) = self.shared_along(emitter, value, axis) else { return false };
        let node = emitter.scope.region.node(value.node);
        let bound = |number| Bound::Amount(Amount::Constant(number));
        let block = emitter.nest.open_loop(bound(0), bound(size / SHARED), false, false);
        let group = emitter.nest.open_loop(bound(0), bound(GROUPS), false, true);
        emitter.counts(block, axis, size / SHARED);
        emitter.counts(group, axis, GROUPS);
        let at = |factor: i64| Place::number(0).plus(&Place::index(block), factor).plus(&Place::index(group), 1);
        store_four(emitter, node, view, axis, [at(GROUPS), at(SHARED)], outer);
        emitter.nest.close_loop(Vec::new());
        emitter.nest.close_loop(Vec::new());
        if size % SHARED != 0 {
            // A vector of lanes for one or two numbers takes longer than they do.
            let lanes = size % SHARED > FEW;
            let index = emitter.nest.open_loop(bound(size / SHARED * SHARED), bound(size), false, lanes);
            emitter.runs(index, axis);
            let mut places = outer.clone();
            places.insert(axis, Place::index(index));
            let number = emitter.value(value, &places);
            emitter.nest.store(view, &places, number);
            emitter.nest.close_loop(Vec::new());
        }
        true
    }
}

/// Stores the numbers of the group that has a coordinate and a first place.
fn store_four(
    emitter: &mut Emitter<'_, '_>,
    node: &Node,
    view: &View,
    axis: AxisId,
    [group, first]: [Place; 2],
    outer: &Places,
) {
    let Op::Draw(_, path) = &node.op else { return };
    let mut places = outer.clone();
    places.insert(axis, first.clone());
    let group = emitter.nest.place(&group);
    let numbers = emitter.normals(node, path, &places, group);
    for (member, number) in numbers.into_iter().enumerate() {
        places.insert(axis, first.clone().plus(&Place::number(GROUPS), member as i64));
        let number = emitter.normal(node, number, &places);
        emitter.nest.store(view, &places, number);
    }
}

/// Whether anything in a region is drawn.
pub(super) fn draws(region: &Region) -> bool {
    region.ids().into_iter().any(|id| {
        let node = region.node(id);
        matches!(node.op, Op::Draw(..)) || node.bodies().iter().any(draws)
    })
}
