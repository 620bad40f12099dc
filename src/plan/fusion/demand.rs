//! Under which conditions values are read at all: what holds for every reader.
//!
//! In: a region and its live nodes. Out: for each value relations over its own axes; where one of them does not hold, nobody
//! asks what the value is there. `(x where c) else y` asks for x only where c holds, so whatever x alone is made of need not
//! be made elsewhere.

use crate::graph::{Node, NodeId, Op, Region, Value};
use crate::plan::lowering::Scope;
use crate::tensor::{AxisId, Relation};
use std::collections::{HashMap, HashSet};

/// Relations by value; a value without any may be asked for everywhere.
pub type Demand = HashMap<Value, Vec<Relation<Value>>>;

/// What all readers of each value agree on.
pub fn demand(scope: &Scope, live: &HashSet<NodeId>) -> Demand {
    let mut walk = Walk { region: scope.region, found: Demand::new() };
    scope.region.results.iter().flatten().for_each(|value| walk.ask(*value, &[], &[]));
    for id in scope.region.order().into_iter().rev().filter(|id| live.contains(id)) {
        walk.node(id);
    }
    walk.found.retain(|_, relations| !relations.is_empty());
    walk.found
}

/// The axes that a relation speaks of.
pub fn axes_of(region: &Region, relation: &Relation<Value>) -> Vec<AxisId> {
    let mut axes = match relation {
        Relation::AtLeastZero(affine) => affine.axes().collect(),
        Relation::Equal(axis, _) => vec![*axis],
        Relation::Below { .. } | Relation::Holds(_) => Vec::new(),
    };
    axes.extend(relation.values().into_iter().flat_map(|value| region.typed(*value).ty.axes.iter().copied()));
    axes
}

struct Walk<'g> {
    region: &'g Region,
    found: Demand,
}

impl Walk<'_> {
    /// Somebody asks for a value where relations hold, as far as these say something about the value's own place.
    fn ask(&mut self, value: Value, under: &[Relation<Value>], moved: &[AxisId]) {
        let own = &self.region.typed(value).ty.axes;
        let region = self.region;
        let told = |relation: &&Relation<Value>| {
            axes_of(region, relation).iter().all(|axis| own.contains(axis) && !moved.contains(axis))
        };
        let told: Vec<_> = under.iter().filter(told).cloned().collect();
        match self.found.get_mut(&value) {
            Some(known) => known.retain(|relation| told.contains(relation)),
            None => drop(self.found.insert(value, told)),
        }
    }

    fn node(&mut self, id: NodeId) {
        let node = self.region.node(id);
        let [result] = node.results.as_slice() else { return self.everywhere(node) };
        let moved: Vec<AxisId> = match &node.op {
            Op::Map(_) | Op::Else | Op::Stop | Op::Peek | Op::Reduce(..) | Op::Contract(_) | Op::Draw(..) => Vec::new(),
            Op::Rank(axes) => axes.clone(),
            Op::Index(places) => places.iter().map(|(axis, _)| *axis).collect(),
            _ => return self.everywhere(node),
        };
        let outside = self.found.get(&Value::of(id)).cloned().unwrap_or_default();
        // Whether a relation holds is asked wherever the value is asked for.
        for relation in &result.presence.relations {
            relation.values().into_iter().for_each(|value| self.ask(*value, &outside, &[]));
        }
        let mut under = outside;
        under.extend(result.presence.relations.iter().cloned());
        node.operands.iter().for_each(|operand| self.ask(*operand, &under, &moved));
        for (_, place) in node.op.places() {
            place.values().for_each(|value| self.ask(*value, &under, &[]));
        }
    }

    fn everywhere(&mut self, node: &Node) {
        node.reads().into_iter().for_each(|value| self.ask(value, &[], &[]));
    }
}
