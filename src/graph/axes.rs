//! Which axes a graph speaks of.

use super::{Node, Op, Region};
use crate::model::Law;
use crate::tensor::AxisId;
use std::collections::BTreeSet;

impl Region {
    /// The axes that its nodes speak of.
    pub fn used_axes(&self) -> BTreeSet<AxisId> {
        self.ids().into_iter().flat_map(|id| self.node(id).used_axes()).collect()
    }
}

impl Node {
    /// The axes that it speaks of: in the types of its results, in what it does, in its bodies.
    pub fn used_axes(&self) -> BTreeSet<AxisId> {
        let mut used: BTreeSet<AxisId> = self.results.iter().flat_map(|typed| typed.ty.axes.iter().copied()).collect();
        match &self.op {
            Op::Length(axis) | Op::Coordinate(axis) => used.extend([*axis]),
            Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) => used.extend(axes),
            Op::Draw(Law::UniformIndex(axis) | Law::Categorical(axis), _) => used.extend([*axis]),
            Op::For(region) => {
                used.extend([region.axis]);
                used.extend(region.tracks.iter().map(|track| track.axis));
            }
            Op::Index(places) | Op::Scatter(places) | Op::Write(places) => {
                used.extend(places.iter().flat_map(|(axis, place)| place.axes().chain([*axis])));
            }
            _ => {}
        }
        used.extend(self.bodies().iter().flat_map(Region::used_axes));
        used
    }
}
