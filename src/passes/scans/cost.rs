//! What a region costs, from its own operations: multiply-adds, functions, and passes over memory.
//!
//! In: a region. Out: its cost on one thread of a CPU, where sequences are as long as costs are compared at. The unit is
//! one element of a value that is made in a loop over chunks: such values mostly go through memory. Only the relation
//! of two costs is meant. The factors are from recurrences of six kinds with states of 64 by 64 and 128 by 128, trained
//! on AVX2 in both forms: with them the relation is within a third of the measured one, and on its side of 1.

use crate::graph::{For, Node, Op, Region};
use crate::ops::{POSITIONS, add_axes, nominal};
use crate::tensor::{Axes, AxisId, Extent, Function, Scalar, ScalarStep};
use std::collections::HashSet;

/// A multiply-add of a product of matrices.
const MULTIPLY_ADD: f64 = 0.125;
/// A function that is a series, like the exponential.
const SERIES: f64 = 3.0;
/// An element of a value that a loop over positions makes: all of a turn is one kernel, in registers.
const IN_REGISTER: f64 = 0.25;
/// An element that is carried from turn to turn: read and written.
const CARRIED: f64 = 2.0;

/// The cost of all that a region's results need.
pub(super) fn cost(axes: &Axes, region: &Region) -> f64 {
    Cost { axes, element: 1.0 }.of_region(region)
}

struct Cost<'a> {
    axes: &'a Axes,
    /// What an element of a value costs.
    element: f64,
}

impl Cost<'_> {
    fn of_region(&self, region: &Region) -> f64 {
        let mut open = region.results.iter().flatten().map(|value| value.node).collect::<Vec<_>>();
        let mut seen = HashSet::new();
        let mut sum = 0.0;
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                let node = region.node(id);
                sum += self.of_node(region, node);
                open.extend(node.reads().iter().map(|read| read.node));
            }
        }
        sum
    }

    fn of_node(&self, region: &Region, node: &Node) -> f64 {
        let elements = node.results.first().map_or(0.0, |typed| self.elements(&typed.ty.axes));
        match &node.op {
            Op::For(repeat) => self.of_repeat(repeat, node),
            Op::Contract(summed) => self.of_product(region, node, summed),
            Op::Map(scalar) => elements * self.of_scalar(scalar),
            Op::Index(_) | Op::Else => elements * self.element,
            Op::Reduce(..) => self.elements(&region.typed(node.operands[0]).ty.axes) * self.element,
            _ => 0.0,
        }
    }

    /// All turns; where several bodies take turns, as if each took all.
    fn of_repeat(&self, repeat: &For, node: &Node) -> f64 {
        let element = if self.axes.is_sequence(repeat.axis) { IN_REGISTER } else { self.element };
        let inside = Cost { axes: self.axes, element };
        let bodies = repeat.bodies.iter().map(|body| inside.of_region(body)).sum::<f64>();
        let carried = node.results[..repeat.carried].iter().map(|typed| self.elements(&typed.ty.axes)).sum::<f64>();
        self.extent(repeat.axis) * (bodies + CARRIED * carried)
    }

    /// A product of matrices where both operands have an axis of their own; a pass over the larger otherwise.
    fn of_product(&self, region: &Region, node: &Node, summed: &[AxisId]) -> f64 {
        let mut all = node.results[0].ty.axes.clone();
        add_axes(&mut all, summed);
        let own = |operand: &crate::graph::Value| region.typed(*operand).ty.axes.clone();
        let operands = node.operands.iter().map(own).collect::<Vec<_>>();
        let has_own = |left: &[AxisId], right: &[AxisId]| {
            left.iter().any(|axis| !right.contains(axis) && self.extent(*axis) > 1.0)
        };
        let matrices = matches!(&operands[..], [left, right] if has_own(left, right) && has_own(right, left));
        self.elements(&all) * if matrices { MULTIPLY_ADD } else { self.element }
    }

    /// Every step of an element; what only moves or repeats it is done where it is read.
    fn of_scalar(&self, scalar: &Scalar) -> f64 {
        let step = |step: &ScalarStep| match step {
            ScalarStep::Call(function, _) if is_series(*function) => SERIES,
            ScalarStep::Call(..) => self.element,
            _ => 0.0,
        };
        scalar.steps.iter().map(step).sum()
    }

    fn elements(&self, own: &[AxisId]) -> f64 {
        own.iter().map(|axis| self.extent(*axis)).product()
    }

    fn extent(&self, axis: AxisId) -> f64 {
        match self.axes[axis].extent {
            Extent::Pieces { size, .. } => POSITIONS / size as f64,
            _ => nominal(self.axes, axis),
        }
    }
}

fn is_series(function: Function) -> bool {
    use Function::*;
    matches!(function, Divide | Power | Exp | Log | Log1p | Expm1 | Sqrt | Sin | Cos | Tanh | Erf)
}
