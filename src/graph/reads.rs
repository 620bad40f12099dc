//! What a node reads: operands, values in places, values in the presence of its results.
//!
//! Edges, replacement and copying of nodes all go through these two walks, so that no read is forgotten.

use super::{Node, Op, Region, Value};
use crate::tensor::{Affine, AxisId, Presence, TensorType};

use super::{NodeId, Typed};

impl Value {
    /// The first result of a node.
    pub fn of(node: NodeId) -> Value {
        Value { node, result: 0 }
    }
}

impl Typed {
    /// A value that is present everywhere.
    pub fn always(ty: TensorType) -> Typed {
        Typed { ty, presence: Presence::always() }
    }
}

impl Op {
    /// The places of an `Index`, a `Scatter` or a `Write`.
    pub fn places(&self) -> &[(AxisId, Affine<Value>)] {
        match self {
            Op::Index(places) | Op::Scatter(places) | Op::Write(places) => places,
            _ => &[],
        }
    }

    /// The same, to be changed.
    pub fn places_mut(&mut self) -> &mut [(AxisId, Affine<Value>)] {
        match self {
            Op::Index(places) | Op::Scatter(places) | Op::Write(places) => places,
            _ => &mut [],
        }
    }
}

impl Node {
    /// Whether it makes each element by itself of elements of its operands, and keeps nothing.
    pub fn is_plain(&self) -> bool {
        matches!(
            self.op,
            Op::Argument(_)
                | Op::Map(_)
                | Op::Else
                | Op::Contract(_)
                | Op::Reduce(..)
                | Op::Index(_)
                | Op::Stop
                | Op::Peek
                | Op::Length(_)
                | Op::Coordinate(_)
                | Op::Turn
                | Op::Constant(_)
        )
    }

    /// The axes along which a plain node reads other positions than its own.
    pub fn crossed(&self) -> Vec<AxisId> {
        match &self.op {
            Op::Contract(axes) | Op::Reduce(_, axes) => axes.clone(),
            Op::Index(places) => {
                let moved = places.iter().filter(|(axis, place)| place.as_axis() != Some(*axis));
                moved.map(|(axis, _)| *axis).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Every value that the operation reads, whatever the presence of its results does.
    pub fn op_reads(&self) -> Vec<Value> {
        let mut reads = self.operands.clone();
        for (_, place) in self.op.places() {
            reads.extend(place.values());
        }
        reads
    }

    /// Every value that the node reads; one that is read twice is listed twice.
    pub fn reads(&self) -> Vec<Value> {
        let mut reads = self.op_reads();
        for typed in &self.results {
            for relation in &typed.presence.relations {
                reads.extend(relation.values());
            }
        }
        reads
    }

    /// Replaces every value that the node reads.
    pub fn map_reads(&mut self, mut change: impl FnMut(Value) -> Value) {
        for operand in &mut self.operands {
            *operand = change(*operand);
        }
        for (_, place) in self.op.places_mut() {
            *place = merge_terms(place.map_values(|value| change(*value)));
        }
        for typed in &mut self.results {
            typed.presence = typed.presence.map_values(|value| change(*value));
        }
    }

    /// A node's regions: the bodies of a `for`, none for other operations.
    pub fn bodies(&self) -> &[Region] {
        match &self.op {
            Op::For(region) => &region.bodies,
            _ => &[],
        }
    }
}

/// Terms that became equal are added up.
fn merge_terms(place: Affine<Value>) -> Affine<Value> {
    Affine::number(0).plus(&place, 1)
}
