//! Building and changing a region; edges stay in sync with everything that a node reads.

use super::{Node, NodeId, Op, Region, Typed, Value};
use petgraph::Direction;
use petgraph::visit::{EdgeRef, IntoEdgeReferences};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

impl Region {
    /// Adds a node and the edges to it.
    pub fn add(
        &mut self,
        op: Op,
        operands: impl Into<Vec<Value>>,
        results: impl Into<Vec<Typed>>,
        path: impl Into<String>,
    ) -> NodeId {
        self.insert(Node { op, operands: operands.into(), results: results.into(), path: path.into() })
    }

    /// Adds a node of one result and returns that.
    pub fn add_one(
        &mut self,
        op: Op,
        operands: impl Into<Vec<Value>>,
        result: Typed,
        path: impl Into<String>,
    ) -> Value {
        Value::of(self.add(op, operands, [result], path))
    }

    /// Adds a node as it is.
    pub fn insert(&mut self, node: Node) -> NodeId {
        let reads = node.reads();
        let id = self.nodes.add_node(node);
        for read in reads {
            self.nodes.add_edge(read.node, id, ());
        }
        id
    }

    /// The node of an id of this region.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// Whether the id still names a node.
    pub fn contains(&self, id: NodeId) -> bool {
        self.nodes.contains_node(id)
    }

    /// The node, if the id still names one.
    pub fn find(&self, id: NodeId) -> Option<&Node> {
        self.nodes.node_weight(id)
    }

    /// The type and presence of a value.
    pub fn typed(&self, value: Value) -> &Typed {
        &self.nodes[value.node].results[value.result as usize]
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All nodes, oldest first; this is not an order of evaluation.
    pub fn ids(&self) -> Vec<NodeId> {
        self.nodes.node_indices().collect()
    }

    /// All nodes in an order of evaluation: what is read comes first, older nodes before younger ones. Shorter than
    /// the region if some nodes read each other in a circle.
    pub fn order(&self) -> Vec<NodeId> {
        let mut waiting = vec![0usize; self.nodes.node_indices().map(|id| id.index() + 1).max().unwrap_or(0)];
        for edge in self.nodes.edge_references() {
            waiting[edge.target().index()] += 1;
        }
        let ready = self.nodes.node_indices().filter(|id| waiting[id.index()] == 0);
        let mut ready = ready.map(Reverse).collect::<BinaryHeap<_>>();
        let mut order = Vec::with_capacity(self.len());
        while let Some(Reverse(id)) = ready.pop() {
            order.push(id);
            for user in self.nodes.neighbors_directed(id, Direction::Outgoing) {
                waiting[user.index()] -= 1;
                if waiting[user.index()] == 0 {
                    ready.push(Reverse(user));
                }
            }
        }
        order
    }

    /// The nodes that read any result of a node, each once, oldest first.
    pub fn users(&self, id: NodeId) -> Vec<NodeId> {
        let mut users = self.nodes.neighbors_directed(id, Direction::Outgoing).collect::<Vec<_>>();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// Whether a node or the region's results read the value.
    pub fn is_read(&self, value: Value) -> bool {
        self.results.contains(&Some(value))
            || self.users(value.node).iter().any(|&user| self.nodes[user].reads().contains(&value))
    }

    /// Changes a node and puts its edges right.
    pub fn edit(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) {
        change(&mut self.nodes[id]);
        let old = self.nodes.edges_directed(id, Direction::Incoming).map(|edge| edge.id()).collect::<Vec<_>>();
        for edge in old {
            self.nodes.remove_edge(edge);
        }
        for read in self.nodes[id].reads() {
            self.nodes.add_edge(read.node, id, ());
        }
    }

    /// Lets everyone who reads `old`, the region's results included, read `new`.
    pub fn replace(&mut self, old: Value, new: Value) {
        for user in self.users(old.node) {
            if user != new.node {
                self.edit(user, |node| node.map_reads(|value| if value == old { new } else { value }));
            }
        }
        for result in self.results.iter_mut().flatten().filter(|result| **result == old) {
            *result = new;
        }
    }

    /// Removes a node that nobody reads; returns whether it did.
    pub fn remove(&mut self, id: NodeId) -> bool {
        let read = self.results.iter().flatten().any(|result| result.node == id);
        if read || self.nodes.neighbors_directed(id, Direction::Outgoing).next().is_some() {
            return false;
        }
        self.nodes.remove_node(id).is_some()
    }
}

impl Region {
    /// An operation, for changes that leave what it reads as it is.
    pub(crate) fn op_mut(&mut self, id: NodeId) -> &mut Op {
        &mut self.nodes[id].op
    }
}
