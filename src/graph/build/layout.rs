//! In which order a recurrence keeps the axes of what it carries: those that most of what it reads is indexed by come
//! first, and one of those by which little is indexed stays inside.
//! `for t carrying S[n, m, h] { S + k[h, n] · v[h, m] }`  →  `S[h, n, m]`
//!
//! In: the bodies of a `for` over a sequence. Out: the same bodies with their values in this order. Each position of an
//! outer axis then is a piece of memory of its own, small enough for the nearest cache and for one thread, and the
//! innermost loop runs along an axis of which every operand but few is the same number.

use crate::graph::{For, Node, Op, Region};
use crate::tensor::{Axes, AxisId, BATCH, TensorType};

/// The axes of carried values that go outside, in the order of the program.
#[derive(Debug, Default)]
pub(super) struct Outermost(Vec<AxisId>);

impl Outermost {
    /// Finds them; none if the bodies do what may depend on the order, or the turns are no positions. `types` are those
    /// of the operands.
    pub fn of(axes: &Axes, repeat: &For, types: &[&TensorType]) -> Outermost {
        let plain = |body: &Region| body.ids().into_iter().all(|id| means_the_same(body.node(id)));
        if !axes.is_sequence(repeat.axis) || !repeat.bodies.iter().all(plain) {
            return Outermost::default();
        }
        let (carried, read) = types.split_at(repeat.carried);
        let nodes = repeat.bodies.iter().flat_map(|body| body.ids().into_iter().map(|id| body.node(id)));
        let crossed = nodes.flat_map(Node::crossed).collect::<Vec<_>>();
        let mut riding = Vec::new();
        for axis in carried.iter().flat_map(|ty| &ty.axes) {
            let rides = axes.fixed(*axis).is_some() && !crossed.contains(axis);
            if rides && !riding.contains(axis) {
                riding.push(*axis);
            }
        }
        let readers = |axis: &AxisId| read.iter().filter(|ty| ty.has(*axis)).count();
        // Of those with the fewest readers, the last.
        if let Some(inside) = riding.iter().rev().min_by_key(|axis| readers(axis)).copied() {
            riding.retain(|axis| *axis != inside && readers(axis) > 1);
        }
        Outermost(riding)
    }

    /// A type in this order: rows, the outer axes, the rest.
    pub fn order(&self, ty: &TensorType) -> TensorType {
        let mut axes = ty.axes.clone();
        axes.sort_by_key(|axis| match *axis {
            BATCH => 0,
            axis => self.0.iter().position(|outer| *outer == axis).map_or(self.0.len() + 1, |place| place + 1),
        });
        TensorType { axes, dtype: ty.dtype }
    }

    /// Brings all values of bodies into this order but what is handed in unchanged.
    pub fn arrange(&self, repeat: &mut For) {
        let carried = repeat.carried;
        for body in &mut repeat.bodies {
            for id in body.ids() {
                let given = matches!(body.node(id).op, Op::Argument(place) if place >= carried);
                if !given {
                    let order =
                        |node: &mut Node| node.results.iter_mut().for_each(|typed| typed.ty = self.order(&typed.ty));
                    body.edit(id, order);
                }
            }
        }
    }

    /// Whether nothing goes outside.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a node means the same whatever the order of its axes is.
fn means_the_same(node: &Node) -> bool {
    node.is_plain() || matches!(node.op, Op::Setting(_))
}
