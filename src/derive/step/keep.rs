//! Which values decoding keeps: a minimum cut between what only the past knows and what is read at other positions.
//!
//! Every value that is read at other positions is kept, or made again there from values that are. Keeping costs its
//! numbers for each position, which are read from memory at every step; making it again costs multiply-adds for each
//! position at every step. The cheapest choice for all values together is a minimum cut. A sum of products that is
//! only read by another is priced in the best order of both: what `q · (x · w)` costs as `(q · w) · x`.

use super::Shared;
use crate::graph::{Node, NodeId, Op, Region, Value};
use crate::ops::{Chain, Factor, MOST_FACTORS, POSITIONS, nominal};
use crate::tensor::{AxisId, Scalar, ScalarStep};
use petgraph::algo::ford_fulkerson;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use std::collections::{HashMap, HashSet};

/// How many multiply-adds take as long as reading one number from memory: about what one core of the machines that
/// archc was measured on does (100 GFLOP/s beside 18 GB/s, README).
const WORK_OF_A_NUMBER: f64 = 12.0;
/// What is not possible.
const NEVER: u64 = 1 << 50;

/// The values that are made again at other positions instead of being kept.
pub(super) fn remade(shared: &Shared, region: &Region, needed: &HashSet<NodeId>) -> HashSet<Value> {
    let reads = reads(shared, region, needed);
    let cut = Cut { shared, region, needed, reads: &reads };
    cut.remade()
}

/// An index that reads a value at other positions.
struct Read {
    id: NodeId,
    source: Value,
    /// The other index over the positions; absent for a shift.
    along: Option<AxisId>,
}

fn reads(shared: &Shared, region: &Region, needed: &HashSet<NodeId>) -> Vec<Read> {
    let mut ids = needed.iter().copied().collect::<Vec<_>>();
    ids.sort_unstable();
    let read = |id: NodeId| {
        let node = region.node(id);
        let (_, place) = node.op.places().iter().find(|(axis, _)| *axis == shared.chunk)?;
        if shared.is_last(region, place) {
            return None;
        }
        let along = place.as_axis().filter(|axis| *axis != shared.chunk);
        Some(Read { id, source: node.operands[0], along })
    };
    ids.into_iter().filter_map(read).collect()
}

struct Cut<'c> {
    shared: &'c Shared,
    region: &'c Region,
    needed: &'c HashSet<NodeId>,
    reads: &'c [Read],
}

/// The two sides of a value in the network: to be made, and made.
type Sides = (NodeIndex, NodeIndex);

impl Cut<'_> {
    fn remade(&self) -> HashSet<Value> {
        let mut network = DiGraph::<(), u64>::new();
        let (source, sink) = (network.add_node(()), network.add_node(()));
        let mut sides: HashMap<Value, Sides> = HashMap::new();
        let mut open = self.reads.iter().map(|read| read.source).collect::<Vec<_>>();
        while let Some(value) = open.pop() {
            if sides.contains_key(&value) {
                continue;
            }
            sides.insert(value, (network.add_node(()), network.add_node(())));
            if self.can_be_remade(value) {
                open.extend(self.moving_reads(value));
            }
        }
        for (&value, &(make, made)) in &sides {
            network.add_edge(make, made, self.price_of_keeping(value));
            if !self.can_be_remade(value) {
                network.add_edge(source, make, NEVER);
                continue;
            }
            network.add_edge(source, make, self.price_of_making(value, &sides));
            self.moving_reads(value).into_iter().for_each(|read| {
                network.add_edge(sides[&read].1, make, NEVER);
            });
        }
        for value in self.reads.iter().map(|read| read.source).collect::<HashSet<_>>() {
            network.add_edge(sides[&value].1, sink, NEVER);
        }
        let behind = behind_the_cut(&network, source, sink);
        sides.iter().filter(|(_, (make, _))| behind.contains(make)).map(|(value, _)| *value).collect()
    }

    /// Values at the same position that a value is made of.
    fn moving_reads(&self, value: Value) -> Vec<Value> {
        let mut reads = self.region.node(value.node).reads();
        reads.retain(|read| self.moves(*read));
        reads.sort_unstable();
        reads.dedup();
        reads
    }

    fn moves(&self, value: Value) -> bool {
        self.region.typed(value).ty.has(self.shared.chunk)
    }

    /// Whether a value is computed at each position from values at that position.
    fn can_be_remade(&self, value: Value) -> bool {
        let node = self.region.node(value.node);
        let by_position = |axes: &[AxisId]| axes.iter().all(|axis| !self.shared.is_position(*axis));
        let plain = match &node.op {
            Op::Map(_) | Op::Else | Op::Stop | Op::Peek | Op::Coordinate(_) => true,
            Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) => by_position(axes),
            Op::Index(places) => places.iter().all(|(axis, _)| !self.shared.is_position(*axis)),
            _ => false,
        };
        let single =
            |value: &Value| self.region.typed(*value).ty.axes.iter().all(|axis| !self.shared.is_context(*axis));
        let shifted = self.reads.iter().any(|read| read.source == value && read.along.is_none());
        plain && !shifted && single(&value) && node.reads().iter().all(single)
    }

    fn size(&self, axes: &[AxisId]) -> f64 {
        let inner = axes.iter().filter(|axis| !self.shared.is_position(**axis));
        inner.map(|axis| nominal(&self.shared.axes, *axis)).product()
    }

    fn price_of_keeping(&self, value: Value) -> u64 {
        whole(self.size(&self.region.typed(value).ty.axes) * WORK_OF_A_NUMBER)
    }

    /// For each position: what the operation takes, or what the sums that read it take more when they take it in.
    fn price_of_making(&self, value: Value, sides: &HashMap<Value, Sides>) -> u64 {
        let alone = whole(self.work(self.region.node(value.node), value));
        let inside = sides.keys().any(|other| self.moving_reads(*other).contains(&value) && self.can_be_remade(*other));
        if inside { alone } else { self.work_inside(value).map_or(alone, |work| whole(work).min(alone)) }
    }

    fn work(&self, node: &Node, value: Value) -> f64 {
        let elements = self.size(&self.region.typed(value).ty.axes);
        match &node.op {
            Op::Map(scalar) => elements * calls(scalar),
            Op::Contract(axes) | Op::Reduce(_, axes) => elements * self.size(axes),
            Op::Rank(_) => elements * elements,
            _ => elements,
        }
    }

    /// The further work of the contractions that read a contraction elsewhere, if all of them can take it in.
    fn work_inside(&self, value: Value) -> Option<f64> {
        let reads = self.reads.iter().filter(|read| read.source == value);
        reads.map(|read| self.work_of_readers(read)).sum()
    }

    fn work_of_readers(&self, read: &Read) -> Option<f64> {
        let users = self.region.users(read.id).into_iter().filter(|user| self.needed.contains(user));
        let alone = self.region.node(read.id).op.places().len() == 1;
        users.map(|user| alone.then(|| self.work_of_reader(read, user))?).sum()
    }

    /// What a contraction of `q` and the value takes more for each position when the value is one of its products.
    fn work_of_reader(&self, read: &Read, user: NodeId) -> Option<f64> {
        let (node, made) = (self.region.node(user), self.region.node(read.source.node));
        let (Op::Contract(_), Op::Contract(_)) = (&node.op, &made.op) else { return None };
        let along = read.along?;
        let moved = |axis: &AxisId| if *axis == self.shared.chunk { along } else { *axis };
        let plain = |axes: Vec<AxisId>| Factor { axes, absent: Vec::new() };
        let inner = made.operands.iter().map(|operand| {
            let axes = &self.region.typed(*operand).ty.axes;
            plain(axes.iter().map(moved).collect())
        });
        let others = node.operands.iter().filter(|operand| operand.node != read.id);
        let others = others.map(|operand| plain(self.region.typed(*operand).ty.axes.clone())).collect::<Vec<_>>();
        let whole = plain(self.region.typed(Value::of(read.id)).ty.axes.clone());
        let result = &node.results[0].ty.axes;
        let cost = |factors: &[Factor]| {
            let few = factors.len() <= MOST_FACTORS && others.len() + 1 == node.operands.len();
            few.then(|| Chain { factors, result, axes: &self.shared.axes }.cheapest())?.map(|(cost, _)| cost)
        };
        let apart = cost(&others.iter().cloned().chain([whole]).collect::<Vec<_>>())?;
        let inside = cost(&others.iter().cloned().chain(inner).collect::<Vec<_>>())?;
        Some((inside - apart).max(0.0) / POSITIONS)
    }
}

/// How many functions an element takes.
fn calls(scalar: &Scalar) -> f64 {
    scalar.steps.iter().filter(|step| matches!(step, ScalarStep::Call(..))).count() as f64
}

/// A price: at least one, so that of equal choices the one nearest to the reads is taken.
fn whole(price: f64) -> u64 {
    (price.ceil() as u64).clamp(1, NEVER - 1)
}

/// The nodes from which the sink can still be reached when the flow is at its largest.
fn behind_the_cut(network: &DiGraph<(), u64>, source: NodeIndex, sink: NodeIndex) -> HashSet<NodeIndex> {
    let (_, flows) = ford_fulkerson(network, source, sink);
    let mut behind = HashSet::from([sink]);
    let mut open = vec![sink];
    while let Some(node) = open.pop() {
        let into = network.edges_directed(node, petgraph::Direction::Incoming);
        let into = into.filter(|edge| flows[edge.id().index()] < *edge.weight()).map(|edge| edge.source());
        let back = network.edges(node).filter(|edge| flows[edge.id().index()] > 0).map(|edge| edge.target());
        for next in into.chain(back).collect::<Vec<_>>() {
            if behind.insert(next) {
                open.push(next);
            }
        }
    }
    behind
}
