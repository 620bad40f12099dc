//! What the bodies of a `for` read from outside of it: whole values, and slices of the turn.

use super::Builder;
use crate::model::{BodyId, RegionId, Value, ValueId, ValueKind};
use crate::tensor::{Affine, AxisId, Term};

/// Values from outside a region, in the order of their first use.
#[derive(Debug, Default)]
pub struct Outer {
    /// Read at the turn alone: bodies are given a slice.
    pub sliced: Vec<ValueId>,
    /// Read otherwise: bodies see them whole.
    pub whole: Vec<ValueId>,
}

/// An axis of a program value and where it is read.
pub(super) type Place = (AxisId, Affine<ValueId>);

impl Builder<'_> {
    /// What the bodies of a region, and regions inside them, read from outside.
    pub fn outer(&self, region: RegionId) -> Outer {
        let mut outer = Outer::default();
        for value in &self.program.values {
            if !value.body.is_some_and(|body| self.is_inside(Some(body), region)) {
                continue;
            }
            let slice = self.slice_of(value, region).map(|(operand, _)| operand);
            for read in reads(value) {
                if Some(read) == slice { outer.add_slice(read) } else { self.add_whole(&mut outer, read, region) }
            }
        }
        for (place, other) in self.program.regions.iter().enumerate() {
            let inside = self.is_inside(other.body, region);
            if inside {
                other.carried.iter().for_each(|read| self.add_whole(&mut outer, *read, region));
            }
            if inside || place == region.0 as usize {
                for body in &other.bodies {
                    let results = body.carried.iter().chain(body.yields.iter().flatten()).chain(&body.until);
                    results.for_each(|read| self.add_whole(&mut outer, *read, region));
                }
            }
        }
        outer
    }

    /// Adds a value and what its presence reads, unless they are made inside.
    fn add_whole(&self, outer: &mut Outer, read: ValueId, region: RegionId) {
        let value = &self.program.values[read.0 as usize];
        if self.is_inside(value.body, region) || outer.whole.contains(&read) {
            return;
        }
        for relation in &value.presence.relations {
            relation.values().into_iter().for_each(|inner| self.add_whole(outer, *inner, region));
        }
        outer.whole.push(read);
    }

    /// Whether a body stands in a region, at any depth.
    pub fn is_inside(&self, mut body: Option<BodyId>, region: RegionId) -> bool {
        while let Some(own) = body {
            if own.region == region {
                return true;
            }
            body = self.program.regions[own.region.0 as usize].body;
        }
        false
    }

    /// For an index of a value from outside at the turn of this very region: the value, and the other places.
    pub fn slice_of<'v>(&self, value: &'v Value, region: RegionId) -> Option<(ValueId, Vec<&'v Place>)> {
        let ValueKind::Index(operand, places) = &value.kind else { return None };
        let source = &self.program.values[operand.0 as usize];
        let direct = value.body.is_some_and(|body| body.region == region);
        let is_varied = |other: &Value| matches!(other.kind, ValueKind::Gradient(_, by) if by == *operand);
        // What something is derived by stays one value.
        if self.program.values.iter().any(is_varied)
            || !direct
            || self.is_inside(source.body, region)
            || !source.presence.is_always()
        {
            return None;
        }
        let axis = self.program.regions[region.0 as usize].axis;
        let at_turn = |place: &(AxisId, Affine<ValueId>)| place.0 == axis && self.is_turn(&place.1, region);
        places.iter().any(at_turn).then(|| (*operand, places.iter().filter(|place| !at_turn(place)).collect()))
    }

    fn is_turn(&self, place: &Affine<ValueId>, region: RegionId) -> bool {
        let ([(Term::Value(value), 1)], 0) = (place.terms.as_slice(), place.constant) else { return false };
        let value = &self.program.values[value.0 as usize];
        value.kind == ValueKind::Turn && value.body.is_some_and(|body| body.region == region)
    }
}

impl Outer {
    fn add_slice(&mut self, value: ValueId) {
        if !self.sliced.contains(&value) {
            self.sliced.push(value);
        }
    }
}

/// Every value that a value reads: as data, in places, and in its presence.
fn reads(value: &Value) -> Vec<ValueId> {
    let mut reads = match &value.kind {
        ValueKind::Scalar(_, operands) | ValueKind::Draw { operands, .. } => operands.clone(),
        ValueKind::Broadcast(operand) | ValueKind::Where(operand) | ValueKind::Stop(operand) => vec![*operand],
        ValueKind::Peek(operand) | ValueKind::Reduce(_, _, operand) | ValueKind::Rank(_, operand) => vec![*operand],
        ValueKind::Else(first, second) | ValueKind::Gradient(first, second) => vec![*first, *second],
        ValueKind::Index(operand, places) => {
            let mut all = vec![*operand];
            places.iter().for_each(|(_, place)| all.extend(place.values()));
            all
        }
        _ => Vec::new(),
    };
    value.presence.relations.iter().for_each(|relation| reads.extend(relation.values()));
    reads
}
