//! Which values of a step program are the same at every step.

use crate::derive::STATE;
use crate::graph::{Node, NodeId, Op, Region};
use crate::tensor::{Axes, AxisId};
use archc_runtime::abi::names;
use std::collections::HashMap;

/// What is known of a node whose results are the same at every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// It follows from data that a caller brings, not from parameters and sizes alone.
    pub data: bool,
    /// Something was summed, ranked or run turn by turn to make it.
    pub work: bool,
}

/// The nodes of a region that are the same at every step; `arguments` says so of the arguments of a body.
pub fn known(
    axes: &Axes,
    region: &Region,
    arguments: &[Option<Known>],
    position: &dyn Fn(AxisId) -> bool,
) -> HashMap<NodeId, Known> {
    let mut known: HashMap<NodeId, Known> = HashMap::new();
    for id in region.order() {
        let node = region.node(id);
        let reads = node.reads().iter().map(|read| known.get(&read.node).copied()).collect::<Option<Vec<_>>>();
        let Some(reads) = reads.filter(|_| is_steady(node, position)) else { continue };
        let all = Known { data: reads.iter().any(|read| read.data), work: reads.iter().any(|read| read.work) };
        let own = match &node.op {
            Op::Argument(place) => arguments.get(*place).copied().flatten(),
            Op::Input(_) => Some(Known { data: true, work: false }),
            Op::Length(axis) => Some(Known { data: axes.is_sequence(*axis), work: false }),
            Op::Contract(_) | Op::Reduce(..) | Op::Rank(_) | Op::Scatter(_) | Op::For(_) => {
                Some(Known { work: true, ..all })
            }
            _ => Some(all),
        };
        if let Some(own) = own {
            known.insert(id, own);
        }
    }
    known
}

/// Whether a node reads nothing but its operands that changes from step to step.
fn is_steady(node: &Node, position: &dyn Fn(AxisId) -> bool) -> bool {
    let plain = match &node.op {
        Op::Input(name) => {
            ![names::START, names::TURN].contains(&name.as_str())
                && ![STATE, names::CARRIED].iter().any(|own| name.starts_with(own))
        }
        Op::Length(axis) => !position(*axis),
        Op::For(repeat) => !position(repeat.axis),
        Op::Setting(_) | Op::Draw(..) | Op::Write(_) => false,
        _ => true,
    };
    let inside = node.bodies().iter().flat_map(|body| body.ids().into_iter().map(|id| body.node(id)));
    plain
        && node.results.iter().all(|typed| typed.ty.axes.iter().all(|axis| !position(*axis)))
        && inside.into_iter().all(|inner| is_steady(inner, position))
}
