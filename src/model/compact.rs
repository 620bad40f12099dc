//! Leaves out of a program what nothing asks for, and puts every value after all that it reads.
//!
//! In: a program with its results named. Out: the same program with new numbers: values in the order in which they are
//! needed, regions that nothing reads left out.

use super::values::{Body, Program, Region, RegionId, Value, ValueId, ValueKind};
use crate::tensor::Relation;
use std::collections::HashMap;

struct Walk<'p> {
    old: &'p Program,
    values: Vec<Value>,
    regions: Vec<Region>,
    value_ids: HashMap<ValueId, ValueId>,
    region_ids: HashMap<RegionId, RegionId>,
}

/// The part of a program that its results need.
pub fn compact(old: &Program) -> Program {
    let (value_ids, region_ids) = (HashMap::new(), HashMap::new());
    let mut walk = Walk { old, values: Vec::new(), regions: Vec::new(), value_ids, region_ids };
    let outputs = old.outputs.iter().map(|(name, value)| (name.clone(), walk.value(*value))).collect();
    let losses = old.losses.iter().map(|(value, weight)| (walk.value(*value), *weight)).collect();
    let updates = old.updates.iter().map(|(place, value)| (*place, walk.value(*value))).collect();
    let requirements = old.requirements.iter().map(|(value, text)| (walk.value(*value), text.clone())).collect();
    let blind = old.blind.iter().map(|(left, right, span)| (walk.value(*left), walk.value(*right), *span)).collect();
    let named = old.named.iter().map(|(name, value)| (name.clone(), walk.value(*value))).collect();
    Program { values: walk.values, regions: walk.regions, outputs, losses, updates, requirements, blind, named }
}

impl Walk<'_> {
    fn value(&mut self, id: ValueId) -> ValueId {
        if let Some(known) = self.value_ids.get(&id) {
            return *known;
        }
        let value = &self.old.values[id.0 as usize];
        let body = value.body.map(|body| super::values::BodyId { region: self.region(body.region), ..body });
        if let Some(known) = self.value_ids.get(&id) {
            return *known;
        }
        let kind = self.kind(&value.kind);
        let relations = value.presence.relations.iter().map(|relation| self.relation(relation)).collect();
        let new = ValueId(self.values.len() as u32);
        let presence = crate::tensor::Presence { relations };
        self.values.push(Value { kind, presence, body, ty: value.ty.clone(), ..*value });
        self.value_ids.insert(id, new);
        new
    }

    fn relation(&mut self, relation: &Relation<ValueId>) -> Relation<ValueId> {
        relation.map_values(|value| self.value(*value))
    }

    fn all(&mut self, values: &[ValueId]) -> Vec<ValueId> {
        values.iter().map(|value| self.value(*value)).collect()
    }

    fn kind(&mut self, kind: &ValueKind) -> ValueKind {
        match kind {
            ValueKind::Scalar(function, operands) => ValueKind::Scalar(*function, self.all(operands)),
            ValueKind::Broadcast(x) => ValueKind::Broadcast(self.value(*x)),
            ValueKind::Where(x) => ValueKind::Where(self.value(*x)),
            ValueKind::Stop(x) => ValueKind::Stop(self.value(*x)),
            ValueKind::Peek(x) => ValueKind::Peek(self.value(*x)),
            ValueKind::Else(x, y) => ValueKind::Else(self.value(*x), self.value(*y)),
            ValueKind::Gradient(y, x) => ValueKind::Gradient(self.value(*y), self.value(*x)),
            ValueKind::Reduce(combine, axes, x) => ValueKind::Reduce(*combine, axes.clone(), self.value(*x)),
            ValueKind::Rank(axes, x) => ValueKind::Rank(axes.clone(), self.value(*x)),
            ValueKind::Index(x, places) => {
                let x = self.value(*x);
                let place = |(axis, place): &(_, crate::tensor::Affine<ValueId>)| {
                    (*axis, place.map_values(|value| self.value(*value)))
                };
                ValueKind::Index(x, places.iter().map(place).collect())
            }
            ValueKind::Draw { law, path, operands } => {
                ValueKind::Draw { law: *law, path: path.clone(), operands: self.all(operands) }
            }
            ValueKind::Final(region, place) => ValueKind::Final(self.region(*region), *place),
            ValueKind::Yielded(region, place) => ValueKind::Yielded(self.region(*region), *place),
            plain => plain.clone(),
        }
    }

    /// A region that something reads: its initial values first, then its bodies.
    fn region(&mut self, id: RegionId) -> RegionId {
        if let Some(known) = self.region_ids.get(&id) {
            return *known;
        }
        let old = &self.old.regions[id.0 as usize];
        let body = old.body.map(|body| super::values::BodyId { region: self.region(body.region), ..body });
        if let Some(known) = self.region_ids.get(&id) {
            return *known;
        }
        let carried = self.all(&old.carried);
        if let Some(known) = self.region_ids.get(&id) {
            return *known;
        }
        let new = RegionId(self.regions.len() as u32);
        let empty = old.bodies.iter().map(|_| Body::default()).collect();
        self.regions.push(Region {
            carried,
            bodies: empty,
            body,
            label: old.label.clone(),
            turns: old.turns.clone(),
            ..*old
        });
        self.region_ids.insert(id, new);
        for (place, body) in old.bodies.iter().enumerate() {
            let carried = self.all(&body.carried);
            let yields = body.yields.iter().map(|value| value.map(|value| self.value(value))).collect();
            let until = body.until.map(|until| self.value(until));
            self.regions[new.0 as usize].bodies[place] = Body { carried, yields, until };
        }
        new
    }
}
