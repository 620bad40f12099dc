//! Decides which values of a region are stored, and which are computed where they are read.
//!
//! A value is stored if a matrix product or a region reads it, if computing it again would cost more than reading it,
//! or if it is a result. Products take the maps on top of them as epilogues.

use super::chunks::{Chunks, Live};
use super::expression::Expression;
use super::gemm::is_product;
use super::grouped::{Grouped, GroupedSum, grouped, grouped_sum};
use super::price::{cost, ends_with, gives_few, is_free};
use super::softmax::{Attention, attention};
use super::softmax_gradient::{AttentionGradient, attention_gradients};
use crate::graph::demand::{Demand, axes_of, demand, is_only_compared};
use crate::graph::{NodeId, Op, Region, Value};
use crate::plan::lowering::Scope;
use crate::plan::updates::kept_where;
use crate::tensor::{AxisId, Relation};
use std::collections::{HashMap, HashSet};

/// A matrix product and what happens to its elements.
#[derive(Debug, Clone)]
pub struct Product {
    /// The contraction.
    pub contract: Value,
    /// What is stored, with the contraction as a leaf.
    pub epilogue: Expression,
}

/// What is decided for one region.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Values that get a buffer.
    pub stored: HashSet<Value>,
    /// Matrix products by the value that is stored in the end.
    pub products: HashMap<Value, Product>,
    /// Streamed attention by its result.
    pub attentions: HashMap<Value, Attention>,
    /// Products of rows with matrices that they chose.
    pub grouped: HashMap<Value, Grouped>,
    /// The transposes of such, by what is scattered to the matrices.
    pub grouped_sums: HashMap<Value, GroupedSum>,
    /// Gradients of streamed attention.
    pub gradients: Vec<AttentionGradient>,
    /// Values that are computed for some rows at a time.
    pub chunks: Vec<Chunks>,
    /// Where alone stored values are asked for.
    pub needed: Demand,
}

impl Choice {
    /// The gradient of an attention that a value is part of.
    pub fn gradient_with(&self, value: Value) -> Option<&AttentionGradient> {
        self.gradients.iter().find(|found| found.roots.contains(&value))
    }
}

/// Decides for a region.
pub fn choose(scope: &Scope) -> Choice {
    let mut chooser = Chooser::new(scope);
    chooser.find_products();
    chooser.find_chunks();
    for id in scope.region.order() {
        if chooser.live.contains(&id) {
            chooser.decide(id);
        }
    }
    chooser.absorb();
    chooser.find_needed();
    let Choice { chunks, stored, .. } = &mut chooser.choice;
    chunks.iter_mut().for_each(|chunks| chunks.reuse(scope, stored));
    chooser.choice
}

pub(super) struct Chooser<'c, 'g> {
    pub(super) scope: &'c Scope<'g>,
    pub(super) region: &'g Region,
    pub(super) choice: Choice,
    pub(super) required: HashSet<Value>,
    /// Required by loops, products and results that are open, of all of which it is known where they ask for it.
    handed: HashSet<Value>,
    pub(super) contracts: HashSet<Value>,
    pub(super) users: HashMap<Value, Vec<NodeId>>,
    live: HashSet<NodeId>,
    costs: HashMap<Value, u32>,
}

/// Above this many simple steps a value with several readers is stored.
const CHEAP: u32 = 4;
/// What costs as much, such as a draw, is stored for several readers even where it is as wide as a chunk.
const DEAR: u32 = 1000;

impl<'c, 'g> Chooser<'c, 'g> {
    fn new(scope: &'c Scope<'g>) -> Chooser<'c, 'g> {
        let region = scope.region;
        let results = region.results.iter().flatten().copied();
        let (open, closed): (Vec<Value>, Vec<Value>) = results.partition(|own| scope.is_open(*own));
        let open = open.into_iter().filter_map(|own| kept_where(region, own));
        Chooser {
            scope,
            region,
            choice: Choice::default(),
            required: closed.into_iter().collect(),
            handed: open.flat_map(|kept| [kept.new, kept.holds]).collect(),
            contracts: HashSet::new(),
            users: HashMap::new(),
            live: HashSet::new(),
            costs: HashMap::new(),
        }
    }

    /// What results depend on; the inside of an attention is not computed for its own sake.
    fn find_live(&mut self) {
        let mut open = self.region.results.iter().flatten().copied().collect::<Vec<_>>();
        while let Some(value) = open.pop() {
            if !self.live.insert(value.node) {
                continue;
            }
            let gradient = self.choice.gradient_with(value).map(|found| {
                let mut read = self.read_by(&found.forward);
                read.push(found.forward.root);
                read
            });
            let attended = || self.choice.attentions.get(&value).map(|found| self.read_by(found));
            let reads = gradient.or_else(attended).unwrap_or_else(|| self.region.node(value.node).reads());
            for &read in &reads {
                let known = self.users.entry(read).or_default();
                if !known.contains(&value.node) {
                    known.push(value.node);
                }
            }
            open.extend(reads);
        }
    }

    /// What a streamed attention reads.
    fn read_by(&self, found: &Attention) -> Vec<Value> {
        let score = found.score.leaves().into_iter().filter(|leaf| *leaf != found.product);
        let [key, value] = [found.key, found.value].map(|one| self.scope.memory_of(found, one));
        let further = found.further.iter().flat_map(|part| [part.query, self.scope.memory_of(found, part.key)]);
        score.chain([found.query, key, value]).chain(further).chain(self.scope.conditions(found)).collect()
    }

    /// Products and attentions, and what they need in memory.
    fn find_products(&mut self) {
        let order = self.region.order();
        let axes = self.scope.sizes.axes();
        let width = |summed: &[AxisId]| summed.iter().map(|axis| axes.fixed(*axis).unwrap_or(1)).product();
        for &id in &order {
            let value = Value::of(id);
            let found = attention(self.region, value, &width).filter(|found| self.scope.can_stream(found));
            if let Some(found) = found {
                self.choice.attentions.insert(value, found);
            }
        }
        let gradients = attention_gradients(self.region).into_iter();
        self.choice.gradients = gradients.filter(|found| self.scope.can_stream(&found.forward)).collect();
        self.find_live();
        let attentions = self.choice.attentions.values().filter(|found| self.live.contains(&found.root.node));
        let gradients = self.choice.gradients.iter().map(|found| &found.forward);
        let upstream = self.choice.gradients.iter().map(|found| found.forward.root);
        let read = attentions.chain(gradients).flat_map(|found| self.read_by(found));
        let read = read.chain(upstream).collect::<Vec<_>>();
        read.into_iter().for_each(|value| self.require(value));
        let order = order.into_iter().filter(|id| self.live.contains(id)).collect::<Vec<_>>();
        self.find_grouped(&order);
        for &id in &order {
            let value = Value::of(id);
            let special = self.choice.attentions.contains_key(&value)
                || self.choice.gradient_with(value).is_some()
                || self.choice.grouped.contains_key(&value)
                || self.is_inside_sum(value);
            if !special && is_product(self.region, id) {
                let present = self.region.node(id).operands.iter().filter(|operand| self.scope.is_always(**operand));
                let factors = present.map(|operand| self.scope.alias_base(*operand)).collect::<Vec<_>>();
                if gives_few(self.scope, id) {
                    self.required.extend(factors.into_iter().chain([value]));
                } else {
                    self.contracts.insert(value);
                    self.handed.extend(factors.into_iter().filter(|factor| !self.required.contains(factor)));
                }
            }
        }
        for &id in &order {
            if let Op::For(_) = self.region.node(id).op {
                let operands = self.region.node(id).operands.iter().map(|operand| self.scope.alias_base(*operand));
                let fresh = operands.filter(|operand| !self.required.contains(operand)).collect::<Vec<_>>();
                self.handed.extend(fresh);
            }
        }
        self.required.extend(&self.handed);
    }

    /// What is computed for some rows at a time, and which parts of it are stored. A product that whole turns of a loop do
    /// without is stored: then it is not computed in them.
    fn find_chunks(&mut self) {
        let live = Live { scope: self.scope, nodes: &self.live, users: &self.users };
        let asked = demand(self.region, &self.live);
        let is_turn = self.region.ids().iter().any(|id| matches!(self.region.node(*id).op, Op::Argument(_) | Op::Turn));
        let left_out = |relation: &Relation<Value>| is_turn && axes_of(self.region, relation).is_empty();
        let always = |value: &&Value| !asked.get(*value).is_some_and(|relations| relations.iter().any(left_out));
        let chunks = live.chunks(&self.contracts.iter().filter(always).copied().collect());
        for value in chunks.iter().flat_map(|chunks| chunks.required(&live)) {
            self.handed.remove(&value);
            self.required.insert(value);
        }
        self.choice.chunks = chunks;
    }

    /// Products with chosen matrices and their transposes.
    fn find_grouped(&mut self, order: &[NodeId]) {
        for &id in order {
            if let Some(found) = grouped(self.region, id) {
                let read = found.chosen.who.iter().map(|(_, who)| *who).chain([found.left, found.matrices]);
                read.collect::<Vec<_>>().into_iter().for_each(|value| self.require(value));
                self.choice.grouped.insert(Value::of(id), found);
            } else if let Some(found) = grouped_sum(self.region, id) {
                let read = found.chosen.who.iter().map(|(_, who)| *who).chain(found.factors);
                read.collect::<Vec<_>>().into_iter().for_each(|value| self.require(value));
                self.choice.grouped_sums.insert(Value::of(id), found);
            }
        }
    }

    /// Whether a value is the product under a transpose, which never exists.
    fn is_inside_sum(&self, value: Value) -> bool {
        self.choice.grouped_sums.values().any(|found| found.products.contains(&value))
    }

    fn require(&mut self, value: Value) {
        self.required.insert(self.scope.alias_base(value));
    }

    fn decide(&mut self, id: NodeId) {
        let node = self.region.node(id);
        for result in 0..node.results.len() {
            let value = Value { node: id, result: result as u32 };
            if self.must_store(value) || self.should_store(value) {
                self.choice.stored.insert(value);
                self.costs.insert(value, 1);
            } else {
                let cost = self.cost(value);
                self.costs.insert(value, cost);
            }
        }
    }

    fn must_store(&self, value: Value) -> bool {
        let op = &self.region.node(value.node).op;
        let outside = matches!(op, Op::Input(_) | Op::Parameter(_) | Op::Setting(_) | Op::Argument(_));
        let alone = matches!(op, Op::For(_) | Op::Scatter(_) | Op::Write(_));
        outside
            || alone
            || self.required.contains(&value)
            || self.contracts.contains(&value)
            || self.choice.attentions.contains_key(&value)
            || self.choice.gradient_with(value).is_some()
            || self.choice.grouped.contains_key(&value)
    }

    fn should_store(&self, value: Value) -> bool {
        let node = self.region.node(value.node);
        let users = self.users.get(&value).map_or(&[][..], Vec::as_slice);
        let dear = users.len() > 1 && (self.cost(value) >= DEAR || self.is_taken_or_not(value));
        let open = !dear && self.choice.chunks.iter().any(|chunks| chunks.leaves_open(self.scope, value));
        if open || self.is_inside_sum(value) || is_free(&node.op) || self.scope.is_alias(value) {
            return false;
        }
        let repeated = users.iter().any(|&user| self.repeats(value, user));
        match &node.op {
            Op::Reduce(_, axes) | Op::Contract(axes) => {
                let trailing = node.operands.iter().all(|operand| ends_with(self.region, *operand, axes));
                let beyond = || users.iter().any(|&user| self.repeats_beyond(value, user, 8));
                users.len() > 1 || repeated || !trailing || beyond()
            }
            Op::Rank(_) | Op::Draw(..) => true,
            _ => {
                let on_product = node.operands.iter().any(|operand| self.contracts.contains(operand));
                let cost = self.cost(value);
                (repeated && cost > 2) || (users.len() > 1 && (cost > CHEAP || on_product))
            }
        }
    }

    /// Whether it is one or the other of two values everywhere, not both of them cheap: stored, it costs what is taken alone.
    fn is_taken_or_not(&self, value: Value) -> bool {
        let node = self.region.node(value.node);
        let (Op::Else, Some(first)) = (&node.op, node.operands.first()) else { return false };
        let relations = &self.region.typed(*first).presence.relations;
        let everywhere = relations.iter().all(|relation| axes_of(self.region, relation).is_empty());
        self.cost(value) > 4 * CHEAP && everywhere && !relations.is_empty()
    }

    /// Whether one of so many maps on a reader runs along another axis innermost, and so computes the value again.
    fn repeats_beyond(&self, value: Value, user: NodeId, steps: usize) -> bool {
        let innermost = |id: NodeId| self.region.node(id).results.first().and_then(|typed| typed.ty.axes.last());
        let is_map = |id: NodeId| matches!(self.region.node(id).op, Op::Map(_) | Op::Else | Op::Index(_));
        if steps == 0 || !is_map(user) || self.required.contains(&Value::of(user)) {
            return false;
        }
        let further = self.users.get(&Value::of(user)).into_iter().flatten();
        further.filter(|further| is_map(**further)).any(|&further| {
            let turned = innermost(further) != innermost(user) && self.repeats(value, further);
            turned || self.repeats_beyond(value, further, steps - 1)
        })
    }

    /// Whether a reader computes the value several times over.
    fn repeats(&self, value: Value, user: NodeId) -> bool {
        let own = &self.region.typed(value).ty.axes;
        let node = self.region.node(user);
        let Some(result) = node.results.first() else { return true };
        let mut outer = result.ty.axes.clone();
        match &node.op {
            Op::Map(_) | Op::Else | Op::Stop | Op::Peek => {
                outer.pop();
            }
            Op::Reduce(..) | Op::Contract(_) => {}
            Op::Index(places) => {
                let read = places.iter().flat_map(|(_, place)| place.axes()).collect::<Vec<_>>();
                outer.retain(|axis| !read.contains(axis));
            }
            _ => return true,
        }
        let all = outer.iter().all(|axis| own.contains(axis));
        !all && own.len() < result.ty.axes.len()
    }

    /// About how many simple steps one element takes.
    fn cost(&self, value: Value) -> u32 {
        cost(self.scope, &self.costs, value)
    }

    /// Where alone values are asked for that loops of their own compute, or products. A number that tells a place is made
    /// everywhere: it may have been proved to be one.
    fn find_needed(&mut self) {
        self.choice.needed = demand(self.region, &self.live);
        let Choice { needed, stored, products, .. } = &mut self.choice;
        needed.retain(|value, _| {
            let base = self.scope.alias_base(*value);
            let read = self.required.contains(&base) && !self.handed.contains(&base);
            let inside = self.contracts.contains(value) && !products.contains_key(value);
            let number = self.region.typed(*value).ty.dtype.is_real() || is_only_compared(self.region, *value);
            stored.contains(value) && number && !read && !inside && !self.scope.is_alias(*value)
        });
    }
}
