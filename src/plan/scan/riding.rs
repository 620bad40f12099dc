//! Which axes ride along with a recurrence: no position of them reads another.

use crate::graph::{For, NodeId, Op, Region, Value};
use crate::model::Combine;
use crate::tensor::{Axes, AxisId, BATCH};
use std::collections::HashSet;

/// What rides along.
pub struct Riding {
    /// Axes of everything that is carried, in its order. The last one may be shared in parts.
    pub axes: Vec<AxisId>,
    /// Whether the last of them is the last axis of what is carried.
    pub last: bool,
    /// How many elements of what is carried are at one position of them.
    pub apart: i64,
    /// Yields that are sums over the last of them and nothing else.
    pub sums: HashSet<Value>,
}

impl Riding {
    /// Finds them; `None` if there are none, or the body does what only kernels of their own can. Of several axes that
    /// can be shared in parts it is the one that needs the fewest sums of parts, the outermost of those.
    pub fn of(region: &For, body: &Region, axes: &Axes) -> Option<Riding> {
        let carried = body.results[..region.carried].iter().copied().collect::<Option<Vec<_>>>()?;
        let yields = body.results[region.carried..].iter().flatten().copied().collect::<HashSet<_>>();
        let all = cone(body, carried.iter().chain(&yields).copied());
        if !all.iter().all(|id| is_plain(body, *id, region.axis)) {
            return None;
        }
        let ends = Ends { body, carried, yields };
        let common = ends.common();
        let shared = common.iter().filter(|axis| axes.fixed(**axis).is_some_and(|extent| extent > 1));
        let found = shared.filter_map(|axis| ends.shared_along(axes, &common, *axis));
        found.min_by_key(|riding| riding.sums.len())
    }
}

impl Riding {
    /// Whether something of these axes is as large as what is carried.
    pub fn is_whole(&self, axes: &Axes, own: &[AxisId]) -> bool {
        self.axes.iter().all(|axis| own.contains(axis)) && size(axes, own, &self.axes) >= self.apart
    }
}

/// What a body hands on.
struct Ends<'b> {
    body: &'b Region,
    carried: Vec<Value>,
    yields: HashSet<Value>,
}

impl Ends<'_> {
    /// The axes of everything that is carried.
    fn common(&self) -> Vec<AxisId> {
        let own = |value: &Value| &self.body.typed(*value).ty.axes;
        let in_all = |axis: &AxisId| self.carried.iter().all(|value| own(value).contains(axis));
        let first = self.carried.first().map(own).into_iter().flatten();
        first.copied().filter(in_all).collect()
    }

    /// What rides along if one axis is shared in parts.
    fn shared_along(&self, axes: &Axes, common: &[AxisId], split: AxisId) -> Option<Riding> {
        let sums = self.sums(split);
        let apart = self.ends().filter(|value| !sums.contains(value));
        let under = sums.iter().flat_map(|sum| self.body.node(sum.node).reads());
        let inside = cone(self.body, apart.chain(under));
        let inside = inside.iter().flat_map(|id| self.body.node(*id).crossed()).collect::<HashSet<_>>();
        let crossed_by_sums = sums.iter().flat_map(|sum| self.body.node(sum.node).crossed()).collect::<HashSet<_>>();
        let outer = common.iter().copied().take_while(|axis| *axis != split);
        let mut riding =
            outer.filter(|axis| !inside.contains(axis) && !crossed_by_sums.contains(axis)).collect::<Vec<_>>();
        riding.push(split);
        let complete = |value: &Value| {
            let own = &self.body.typed(*value).ty.axes;
            riding.iter().all(|axis| own.contains(axis) || (*axis == split && sums.contains(value)))
        };
        let own = |value: &Value| &self.body.typed(*value).ty.axes;
        (!inside.contains(&split) && self.yields.iter().all(complete)).then(|| Riding {
            last: self.carried.iter().all(|value| own(value).last() == Some(&split)),
            apart: self.carried.iter().map(|value| size(axes, own(value), &riding)).max().unwrap_or(1),
            sums,
            axes: riding,
        })
    }

    fn ends(&self) -> impl Iterator<Item = Value> {
        self.carried.iter().chain(&self.yields).copied()
    }

    /// Yields that sum over the axis and that nothing else reads. Rows are not summed in parts: they differ in length.
    fn sums(&self, axis: AxisId) -> HashSet<Value> {
        let is_sum = |value: &&Value| {
            let node = self.body.node(value.node);
            let crossed = node.crossed();
            matches!(node.op, Op::Contract(_) | Op::Reduce(Combine::Sum, _))
                && crossed.contains(&axis)
                && !crossed.contains(&BATCH)
                && self.body.users(value.node).is_empty()
                && !self.carried.contains(value)
        };
        self.yields.iter().filter(is_sum).copied().collect()
    }
}

/// The elements along axes that do not ride along.
fn size(axes: &Axes, own: &[AxisId], riding: &[AxisId]) -> i64 {
    let apart = own.iter().filter(|axis| !riding.contains(axis));
    apart.map(|axis| axes.fixed(*axis).unwrap_or(1)).product::<i64>().max(1)
}

/// Whether a node is computed where it is read, and not along the axis of the turns.
fn is_plain(body: &Region, id: NodeId, turns: AxisId) -> bool {
    let node = body.node(id);
    node.is_plain() && node.results.iter().all(|typed| !typed.ty.axes.contains(&turns))
}

/// The nodes that some values are made of, themselves included.
fn cone(body: &Region, values: impl IntoIterator<Item = Value>) -> HashSet<NodeId> {
    let mut open = values.into_iter().map(|value| value.node).collect::<Vec<_>>();
    let mut seen = HashSet::new();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(body.node(id).reads().iter().map(|read| read.node));
        }
    }
    seen
}
