//! The table of axes is the model's; sequences of its other programs have no size in this one.

use crate::graph::{Op, Region};
use crate::tensor::{Axes, AxisId, Extent};
use std::collections::BTreeSet;

/// Gives sequences that no value of the region lies along, no `for` runs along, and no length follows from, the size 0.
pub fn forget_unused(axes: &mut Axes, region: &Region) {
    let mut used = BTreeSet::new();
    collect(region, axes, &mut used);
    loop {
        let lengths = used.iter().flat_map(|axis| match &axes[*axis].extent {
            Extent::Computed { lengths, .. } => lengths.iter().map(|(other, _)| axes[*other].class).collect(),
            Extent::Pieces { of, .. } => vec![axes[*of].class],
            _ => Vec::new(),
        });
        let more: Vec<AxisId> = lengths.filter(|axis| !used.contains(axis)).collect();
        if more.is_empty() {
            break;
        }
        used.extend(more);
    }
    let unused: Vec<AxisId> = axes.iter().map(|(axis, _)| axis).filter(|axis| axes.is_sequence(*axis)).collect();
    for axis in unused {
        if !used.contains(&axes[axis].class) {
            axes.set_extent(axis, Extent::Fixed(0));
        }
    }
}

fn collect(region: &Region, axes: &Axes, used: &mut BTreeSet<AxisId>) {
    for id in region.ids() {
        let node = region.node(id);
        used.extend(node.results.iter().flat_map(|typed| &typed.ty.axes).map(|axis| axes[*axis].class));
        match &node.op {
            Op::Length(axis) => drop(used.insert(axes[*axis].class)),
            Op::For(repeated) => drop(used.insert(axes[repeated.axis].class)),
            _ => {}
        }
        node.bodies().iter().for_each(|body| collect(body, axes, used));
    }
}
