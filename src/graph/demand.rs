//! Under which conditions values are read at all: what holds for every reader.
//!
//! In: a region and its live nodes. Out: for each value relations over its own axes; where one of them does not hold, nobody
//! asks what the value is there. `(x where c) else y` asks for x only where c holds, so whatever x alone is made of need not
//! be made elsewhere.

use super::{For, Node, NodeId, Op, Region, Value};
use crate::tensor::{AxisId, Relation};
use std::collections::{HashMap, HashSet};

/// Relations by value; a value without any may be asked for everywhere.
pub type Demand = HashMap<Value, Vec<Relation<Value>>>;

/// What all readers of each value agree on.
pub fn demand(region: &Region, live: &HashSet<NodeId>) -> Demand {
    let mut walk = Walk { region, found: Found::new(), tells: true };
    region.results.iter().flatten().for_each(|value| walk.ask(*value, &[], &[]));
    for id in region.order().into_iter().rev().filter(|id| live.contains(id)) {
        walk.node(id);
    }
    let relations = |all: Vec<Condition>| all.into_iter().map(|one| one.relation).collect::<Vec<_>>();
    walk.found.retain(|_, conditions| !conditions.is_empty());
    walk.found.into_iter().map(|(value, conditions)| (value, relations(conditions))).collect()
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

/// Whether a value is a rank, here or elsewhere along its axis, that is compared with ranks and nothing else.
pub fn is_only_compared(region: &Region, value: Value) -> bool {
    let node = region.node(value.node);
    let is_moved = matches!(node.op, Op::Index(_)) && matches!(region.node(node.operands[0].node).op, Op::Rank(_));
    (is_moved || matches!(node.op, Op::Rank(_)))
        && region.users(value.node).into_iter().all(|user| {
            let reader = region.node(user);
            let placed = reader.op.places().iter().any(|(_, place)| place.values().any(|read| *read == value));
            let moves = !is_moved && matches!(reader.op, Op::Index(_)) && is_only_compared(region, Value::of(user));
            !placed && (moves || !reader.operands.contains(&value))
        })
        && !region.results.contains(&Some(value))
}

/// A relation of the region that is looked at, and what it speaks of.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    relation: Relation<Value>,
    axes: Vec<AxisId>,
}

type Found = HashMap<Value, Vec<Condition>>;

struct Walk<'g> {
    region: &'g Region,
    found: Found,
    /// Whether the relations of this region's values count: not in a body, whose values nobody outside knows.
    tells: bool,
}

impl Walk<'_> {
    /// Somebody asks for a value where conditions hold, as far as these say something about the value's own place.
    fn ask(&mut self, value: Value, under: &[Condition], moved: &[AxisId]) {
        let own = &self.region.typed(value).ty.axes;
        let told = |one: &&Condition| one.axes.iter().all(|axis| own.contains(axis) && !moved.contains(axis));
        let told: Vec<_> = under.iter().filter(told).cloned().collect();
        match self.found.get_mut(&value) {
            Some(known) => known.retain(|one| told.contains(one)),
            None => drop(self.found.insert(value, told)),
        }
    }

    fn node(&mut self, id: NodeId) {
        let node = self.region.node(id);
        if let Op::For(repeat) = &node.op {
            return self.turns(id, repeat);
        }
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
        if self.tells {
            let own = result.presence.relations.iter();
            let own = own.map(|one| Condition { relation: one.clone(), axes: axes_of(self.region, one) });
            under.extend(own);
        }
        node.operands.iter().for_each(|operand| self.ask(*operand, &under, &moved));
        for (_, place) in node.op.places() {
            place.values().for_each(|value| self.ask(*value, &under, &[]));
        }
    }

    /// A loop asks for what its turns ask for, where that is at the same place in every turn.
    fn turns(&mut self, id: NodeId, repeat: &For) {
        let node = self.region.node(id);
        let [body] = repeat.bodies.as_slice() else { return self.everywhere(node) };
        if repeat.until {
            return self.everywhere(node);
        }
        let outside = |result: usize| self.found.get(&Value { node: id, result: result as u32 }).cloned();
        let mut asked = (0..node.results.len()).map(outside).collect::<Vec<_>>();
        let arguments = loop {
            let arguments = arguments_of(body, &asked);
            // What a turn asks of what it carries, it asks of the turn before.
            let mut settled = true;
            for (place, known) in asked.iter_mut().enumerate().take(repeat.carried) {
                let Some(own) = arguments.get(&place) else { continue };
                let kept = known.as_ref().map_or_else(|| own.clone(), |known| common(known, own));
                settled &= known.as_ref() == Some(&kept);
                *known = Some(kept);
            }
            if settled {
                break arguments;
            }
        };
        for (place, operand) in node.operands.iter().enumerate() {
            let carried = asked.get(place).filter(|_| place < repeat.carried).cloned().flatten();
            let under = carried.or_else(|| arguments.get(&place).cloned());
            under.iter().for_each(|under| self.ask(*operand, under, &[]));
        }
    }

    fn everywhere(&mut self, node: &Node) {
        node.reads().into_iter().for_each(|value| self.ask(value, &[], &[]));
    }
}

/// Where a body asks for each of its arguments, if its results are asked for under conditions: none, if nobody asks.
fn arguments_of(body: &Region, asked: &[Option<Vec<Condition>>]) -> HashMap<usize, Vec<Condition>> {
    let mut walk = Walk { region: body, found: Found::new(), tells: false };
    for (result, asked) in body.results.iter().zip(asked) {
        if let (Some(value), Some(under)) = (result, asked) {
            walk.ask(*value, under, &[]);
        }
    }
    let mut arguments: HashMap<usize, Vec<Condition>> = HashMap::new();
    for id in body.order().into_iter().rev() {
        let results = 0..body.node(id).results.len() as u32;
        let all = results.filter_map(|result| walk.found.get(&Value { node: id, result })).cloned().collect::<Vec<_>>();
        match (&body.node(id).op, all.into_iter().reduce(|left, right| common(&left, &right))) {
            (_, None) => {}
            (Op::Argument(place), Some(under)) => {
                let known = arguments.get(place).map_or_else(|| under.clone(), |known| common(known, &under));
                arguments.insert(*place, known);
            }
            _ => walk.node(id),
        }
    }
    arguments
}

/// What two lists share.
fn common(left: &[Condition], right: &[Condition]) -> Vec<Condition> {
    left.iter().filter(|one| right.contains(one)).cloned().collect()
}
