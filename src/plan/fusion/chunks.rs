//! Values that are wider than what they are made of, and live for a chunk of rows at a time.
//!
//! `L = contract[d](x, w)` has rows (the batch, sequences) and more columns than were summed. If its rows are reduced
//! and then read again (a softmax and its gradient), and all that is made of it is made row by row or summed over the
//! rows, then no more than a chunk of rows of it ever needs to exist. Linear layers under a cross-entropy are the
//! famous case: neither logits nor their gradient are stored, and nothing is computed twice.

use crate::graph::{NodeId, Op, Value};
use crate::model::Combine;
use crate::plan::lowering::Scope;
use crate::plan::sizes::Sizes;
use crate::tensor::AxisId;
use std::collections::{HashMap, HashSet};

/// A group of values that is computed chunk by chunk.
#[derive(Debug, Clone, Default)]
pub struct Chunks {
    /// The axes that rows are counted along, outermost first.
    pub rows: Vec<AxisId>,
    /// How many elements a row of the widest value that started it has: what is as wide exists for a chunk alone.
    pub columns: i64,
    /// What is computed for each chunk, in order.
    pub members: Vec<NodeId>,
    /// Values that take the place of another, which nothing reads any more.
    pub instead: HashMap<Value, Value>,
    axes: Vec<AxisId>,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turn {
    /// One node.
    Node(NodeId),
    /// The chunks of this place in the list.
    Chunks(usize),
}

/// The live nodes of a region and who reads their values.
pub struct Live<'l, 'g> {
    /// The region and its sizes.
    pub scope: &'l Scope<'g>,
    /// The nodes.
    pub nodes: &'l HashSet<NodeId>,
    /// The readers.
    pub users: &'l HashMap<Value, Vec<NodeId>>,
}

impl Live<'_, '_> {
    /// The chunks that start at any of the products, none of which waits for another.
    pub fn chunks(&self, products: &HashSet<Value>) -> Vec<Chunks> {
        let order = self.scope.region.order();
        let mut all = Vec::<Chunks>::new();
        for &id in order.iter().filter(|id| products.contains(&Value::of(**id))) {
            if all.iter().any(|known| known.members.contains(&id)) {
                continue;
            }
            let Some(found) = self.started_by(id, &order) else { continue };
            all.push(found);
            if turns(self.scope, &all).is_none() {
                all.pop();
            }
        }
        all
    }

    /// The chunks that a product starts.
    fn started_by(&self, root: NodeId, order: &[NodeId]) -> Option<Chunks> {
        let node = self.scope.region.node(root);
        let Op::Contract(summed) = &node.op else { return None };
        let all = node.results[0].ty.axes.clone();
        let (axes, rows) = all.into_iter().partition::<Vec<_>, _>(|axis| self.fixed(*axis).is_some());
        let mut found = Chunks { rows, columns: self.elements(&axes)?, axes, ..Chunks::default() };
        if found.rows.is_empty() || found.columns <= self.elements(summed)? {
            return None;
        }
        let members = self.members(&found, root, order);
        found.members = order.iter().copied().filter(|id| members.contains(id)).collect();
        let fits = found.members.iter().all(|&id| self.is_row_by_row(&found, id) || self.is_sum(&found, &members, id));
        let again = found.members.iter().any(|&id| self.is_statistic(&found, &members, id));
        (fits && again && self.is_closed(&found, &members)).then_some(found)
    }

    fn fixed(&self, axis: AxisId) -> Option<i64> {
        self.scope.sizes.axes().fixed(axis)
    }

    fn elements(&self, axes: &[AxisId]) -> Option<i64> {
        axes.iter().try_fold(1_i64, |product, axis| Some(product.saturating_mul(self.fixed(*axis)?)))
    }

    fn is_wide(&self, found: &Chunks, value: Value) -> bool {
        found.is_wide(self.scope.sizes, &self.scope.typed(value).ty.axes)
    }

    /// What is made of the root and is wide, reads what is wide, or is needed for that.
    fn members(&self, found: &Chunks, root: NodeId, order: &[NodeId]) -> HashSet<NodeId> {
        let mut made = HashSet::from([root]);
        for &id in order.iter().filter(|id| self.nodes.contains(*id)) {
            if self.scope.region.node(id).reads().iter().any(|read| made.contains(&read.node)) {
                made.insert(id);
            }
        }
        let mut members = HashSet::from([root]);
        for &id in order.iter().rev().filter(|id| made.contains(*id)) {
            let reads = self.scope.region.node(id).reads();
            let reads_wide = reads.iter().any(|&read| made.contains(&read.node) && self.is_wide(found, read));
            let is_read = self.users_of(id).iter().any(|user| members.contains(user));
            if reads_wide || is_read || self.is_wide(found, Value::of(id)) {
                members.insert(id);
            }
        }
        members
    }

    /// Whether nothing else reads what is wide: neither by itself, nor to know whether a number made of it is present,
    /// which is asked wherever the number is read.
    fn is_closed(&self, found: &Chunks, members: &HashSet<NodeId>) -> bool {
        let stays = |id: NodeId| self.users_of(id).iter().all(|user| members.contains(user));
        let given = |value: Value| self.scope.region.results.contains(&Some(value));
        members.iter().all(|&id| match self.is_wide(found, Value::of(id)) {
            true => stays(id),
            false => stays(id) && !given(Value::of(id)) || !self.asks_wide(found, members, Value::of(id)),
        })
    }

    /// Whether something wide is read to know whether a value is present.
    fn asks_wide(&self, found: &Chunks, members: &HashSet<NodeId>, value: Value) -> bool {
        let (mut open, mut asked) = (vec![value], HashSet::new());
        while let Some(value) = open.pop() {
            if self.scope.is_always(value) || !asked.insert(value) {
                continue;
            }
            let relations = &self.scope.typed(value).presence.relations;
            let read = relations.iter().flat_map(|relation| relation.values().into_iter().copied()).collect::<Vec<_>>();
            if read.iter().any(|read| members.contains(&read.node) && self.is_wide(found, *read)) {
                return true;
            }
            open.extend(read);
            let node = self.scope.region.node(value.node);
            let always = matches!(node.op, Op::Contract(_) | Op::Reduce(Combine::Sum | Combine::Any | Combine::All, _));
            open.extend(node.operands.iter().copied().filter(|_| !always));
        }
        false
    }

    fn users_of(&self, id: NodeId) -> &[NodeId] {
        self.users.get(&Value::of(id)).map_or(&[][..], Vec::as_slice)
    }

    /// Whether a node's rows are made of the same rows of what it reads.
    fn is_row_by_row(&self, found: &Chunks, id: NodeId) -> bool {
        let node = self.scope.region.node(id);
        let [result] = node.results.as_slice() else { return false };
        let kept = found.has_rows(&result.ty.axes);
        let given = self.scope.region.results.contains(&Some(Value::of(id)));
        let apart = |axes: &[AxisId]| axes.iter().all(|axis| !found.rows.contains(axis));
        let fits = match &node.op {
            Op::Map(_) | Op::Else | Op::Stop | Op::Peek => true,
            Op::Index(places) => apart(&places.iter().map(|(axis, _)| *axis).collect::<Vec<_>>()),
            Op::Reduce(_, axes) | Op::Contract(axes) => apart(axes),
            _ => false,
        };
        kept && fits && !(given && self.is_wide(found, Value::of(id)))
    }

    /// Whether a node is a sum over the rows that no chunk waits for.
    fn is_sum(&self, found: &Chunks, members: &HashSet<NodeId>, id: NodeId) -> bool {
        let typed = &self.scope.region.node(id).results[0].ty;
        let last = !self.users_of(id).iter().any(|user| members.contains(user));
        found.is_sum(&self.scope.region.node(id).op) && typed.dtype.is_real() && last
    }

    /// Whether a node reduces rows to numbers that the chunk reads again.
    fn is_statistic(&self, found: &Chunks, members: &HashSet<NodeId>, id: NodeId) -> bool {
        let node = self.scope.region.node(id);
        matches!(node.op, Op::Reduce(..))
            && !found.is_sum(&node.op)
            && self.is_wide(found, node.operands[0])
            && self.users_of(id).iter().any(|user| members.contains(user))
    }
}

impl Chunks {
    /// Whether a value of these axes has rows, and is too wide to be stored whole.
    pub fn is_wide(&self, sizes: &Sizes, axes: &[AxisId]) -> bool {
        let mut fixed = self.apart(axes).into_iter().map(|axis| sizes.axes().fixed(axis));
        let width = fixed.try_fold(1_i64, |product, size| Some(product.saturating_mul(size?)));
        self.has_rows(axes) && width.is_none_or(|width| width >= self.columns)
    }

    /// The axes that are not those of the rows.
    pub fn apart(&self, axes: &[AxisId]) -> Vec<AxisId> {
        axes.iter().copied().filter(|axis| !self.rows.contains(axis)).collect()
    }

    fn has_rows(&self, axes: &[AxisId]) -> bool {
        self.rows.iter().all(|axis| axes.contains(axis))
    }

    /// Whether an operation sums over all rows.
    pub fn is_sum(&self, op: &Op) -> bool {
        matches!(op, Op::Reduce(Combine::Sum, axes) | Op::Contract(axes) if self.has_rows(axes))
    }

    /// Whether a value is computed where it is read, though it has the axes of the widest.
    pub fn leaves_open(&self, scope: &Scope, value: Value) -> bool {
        let axes = &scope.typed(value).ty.axes;
        let op = &scope.region.node(value.node).op;
        let simple = matches!(op, Op::Map(_) | Op::Else | Op::Index(_) | Op::Stop | Op::Peek);
        let alike = self.members.contains(&value.node) || self.axes.iter().all(|axis| axes.contains(axis));
        simple && alike && self.is_wide(scope.sizes, axes)
    }

    /// The members that are stored whatever else is: products, what rows are reduced to, what others read.
    pub fn required(&self, live: &Live) -> Vec<Value> {
        let needs = |id: &&NodeId| {
            let node = live.scope.region.node(**id);
            let wide = self.is_wide(live.scope.sizes, &node.results[0].ty.axes);
            let reads_wide =
                node.operands.iter().any(|operand| self.is_wide(live.scope.sizes, &live.scope.typed(*operand).ty.axes));
            let read_outside = || live.users_of(**id).iter().any(|user| !self.members.contains(user));
            matches!(node.op, Op::Contract(_)) || (!wide && (reads_wide || read_outside()))
        };
        self.members.iter().filter(needs).map(|id| Value::of(*id)).collect()
    }

    /// Whether a value, stored, would be a chunk that is computed element by element.
    fn fills(&self, scope: &Scope, value: Value) -> bool {
        let product = matches!(scope.region.node(value.node).op, Op::Contract(_));
        !product && self.is_wide(scope.sizes, &scope.typed(value).ty.axes)
    }

    /// The members in an order in which chunks are filled only when nothing else is left to do.
    fn last_moment(&self, scope: &Scope, stored: &HashSet<Value>) -> Vec<NodeId> {
        let mut waiting = self.members.clone();
        let mut ordered = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let ready = |id: &NodeId| scope.region.node(*id).reads().iter().all(|read| !waiting.contains(&read.node));
            let fills = |id: &NodeId| stored.contains(&Value::of(*id)) && self.fills(scope, Value::of(*id));
            let free = waiting.iter().position(|id| ready(id) && !fills(id));
            let next = free.or_else(|| waiting.iter().position(ready)).unwrap_or(0);
            ordered.push(waiting.remove(next));
        }
        ordered
    }

    /// Finds which stored values can take the place of another of the same axes: it is read element by element, and by
    /// no one later.
    pub fn reuse(&mut self, scope: &Scope, stored: &HashSet<Value>) {
        self.members = self.last_moment(scope, stored);
        let values = self.members.iter().map(|id| Value::of(*id)).filter(|value| stored.contains(value));
        let reads = values.map(|value| (value, inline_reads(scope, stored, value))).collect::<Vec<_>>();
        for (place, (value, own)) in reads.iter().enumerate() {
            let ty = &scope.typed(*value).ty;
            if !self.fills(scope, *value) {
                continue;
            }
            let free = |(old, pointwise): &&(Value, bool)| {
                let before = reads[..place].iter().any(|(earlier, _)| earlier == old);
                let later = &reads[place + 1..];
                let forgotten = later.iter().all(|(_, reads)| reads.iter().all(|(read, _)| read != old));
                let elsewhere = own.iter().any(|(read, pointwise)| read == old && !pointwise);
                let taken = self.instead.values().any(|known| known == old);
                *pointwise && before && forgotten && !elsewhere && !taken && scope.typed(*old).ty == *ty
            };
            if let Some((old, _)) = own.iter().find(free) {
                self.instead.insert(*value, *old);
            }
        }
    }
}

/// The stored values that a value is computed from, and whether only at its own place.
fn inline_reads(scope: &Scope, stored: &HashSet<Value>, value: Value) -> Vec<(Value, bool)> {
    let mut found = Vec::new();
    let mut open = vec![(value, true)];
    let mut seen = HashSet::new();
    while let Some((value, pointwise)) = open.pop() {
        let node = scope.region.node(value.node);
        let same = pointwise && matches!(node.op, Op::Map(_) | Op::Else | Op::Stop | Op::Peek);
        for read in node.reads() {
            let step = (read, same && node.operands.contains(&read) && !reads_in_presence(scope, value, read));
            if stored.contains(&read) {
                found.push(step);
            } else if seen.insert(step) {
                open.push(step);
            }
        }
    }
    found
}

fn reads_in_presence(scope: &Scope, value: Value, read: Value) -> bool {
    scope.typed(value).presence.relations.iter().any(|relation| relation.values().contains(&&read))
}

/// All nodes and chunks of a region so that each comes after what it reads; `None` if chunks wait for each other.
pub fn turns(scope: &Scope, chunks: &[Chunks]) -> Option<Vec<Turn>> {
    let mut walk = Walk { scope, chunks, turns: Vec::new(), done: HashSet::new(), open: HashSet::new() };
    for id in scope.region.order() {
        walk.visit(walk.turn_of(id))?;
    }
    Some(walk.turns)
}

struct Walk<'w, 'g> {
    scope: &'w Scope<'g>,
    chunks: &'w [Chunks],
    turns: Vec<Turn>,
    done: HashSet<Turn>,
    open: HashSet<Turn>,
}

impl Walk<'_, '_> {
    fn turn_of(&self, id: NodeId) -> Turn {
        let found = self.chunks.iter().position(|chunks| chunks.members.contains(&id));
        found.map_or(Turn::Node(id), Turn::Chunks)
    }

    fn visit(&mut self, turn: Turn) -> Option<()> {
        if self.done.contains(&turn) {
            return Some(());
        }
        if !self.open.insert(turn) {
            return None;
        }
        let nodes = match turn {
            Turn::Node(id) => vec![id],
            Turn::Chunks(place) => self.chunks[place].members.clone(),
        };
        for read in nodes.iter().flat_map(|id| self.scope.region.node(*id).reads()) {
            let before = self.turn_of(read.node);
            if before != turn {
                self.visit(before)?;
            }
        }
        self.done.insert(turn);
        self.turns.push(turn);
        Some(())
    }
}
