//! A region over another axis: every coordinate, sum, place and type that has the one has the other instead.

use super::{For, Op, Region, Typed};
use crate::model::Law;
use crate::tensor::{AxisId, Relation, ScalarStep};

impl Region {
    /// Puts the axis `to` in the place of `from`, in all bodies too.
    pub fn rename(&mut self, from: AxisId, to: AxisId) {
        let name = |axis: AxisId| if axis == from { to } else { axis };
        for id in self.ids() {
            self.edit(id, |node| {
                rename_op(&mut node.op, from, to);
                node.results.iter_mut().for_each(|typed| rename_typed(typed, &name));
            });
        }
    }
}

fn rename_typed(typed: &mut Typed, name: &impl Fn(AxisId) -> AxisId) {
    typed.ty.axes.iter_mut().for_each(|axis| *axis = name(*axis));
    for relation in &mut typed.presence.relations {
        match relation {
            Relation::AtLeastZero(affine) => *affine = affine.map_axes(name),
            Relation::Equal(axis, _) => *axis = name(*axis),
            Relation::Below { .. } | Relation::Holds(_) => {}
        }
    }
}

fn rename_op(op: &mut Op, from: AxisId, to: AxisId) {
    let name = |axis: AxisId| if axis == from { to } else { axis };
    match op {
        Op::Length(axis) | Op::Coordinate(axis) => *axis = name(*axis),
        Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) => {
            axes.iter_mut().for_each(|axis| *axis = name(*axis))
        }
        Op::Index(places) | Op::Scatter(places) | Op::Write(places) => {
            for (axis, place) in places {
                *axis = name(*axis);
                *place = place.map_axes(name);
            }
        }
        Op::Map(scalar) => {
            for step in &mut scalar.steps {
                if let ScalarStep::Coordinate(axis) = step {
                    *axis = name(*axis);
                }
            }
        }
        Op::Draw(Law::UniformIndex(axis) | Law::Categorical(axis), _) => *axis = name(*axis),
        Op::For(For { axis, bodies, tracks, stacks, .. }) => {
            *axis = name(*axis);
            tracks.iter_mut().for_each(|track| track.axis = name(track.axis));
            stacks.iter_mut().for_each(|axis| *axis = name(*axis));
            bodies.iter_mut().for_each(|body| body.rename(from, to));
        }
        _ => {}
    }
}
