//! Finds the turns of a sampler that change one block of positions, and which block.
//!
//! In: a sampler's graph. Out: a `for` over blocks, the `for` over turns in it, and the relation `t // n == index` that
//! holds wherever a turn changes a text; the index grows by one from block to block.

use super::super::window::Window;
use super::kept::{copy, made_of};
use crate::derive::turn::written::alternatives;
use crate::graph::{For, Graph, Node, NodeId, Op, Region, Value};
use crate::tensor::{Affine, AxisId, Relation, Term};
use std::collections::{HashMap, HashSet};

/// Turns inside of blocks.
#[derive(Debug)]
pub(super) struct Nest {
    /// The `for` over blocks, in the root.
    pub outer: NodeId,
    /// The `for` over turns, in its body.
    pub inner: NodeId,
    /// The sequence of the text.
    pub along: AxisId,
    /// Positions of a block.
    pub size: i64,
    /// The block and where it is present, over values of the inner body.
    pub window: Window,
    /// The carried places of texts: in the inner `for`, and in the outer.
    pub texts: Vec<(usize, usize)>,
}

impl Nest {
    /// Both loops.
    pub fn loops<'g>(&self, graph: &'g Graph) -> (&'g For, &'g For) {
        let outer = region_of(&graph.root, self.outer);
        (outer, region_of(&outer.bodies[0], self.inner))
    }

    /// The node of the inner loop.
    pub fn inner_node<'g>(&self, graph: &'g Graph) -> &'g Node {
        region_of(&graph.root, self.outer).bodies[0].node(self.inner)
    }

    /// What an operand of the inner loop is made of in the body of the outer one, if it is the same for all blocks.
    pub fn steady(&self, graph: &Graph, place: usize) -> Option<Vec<NodeId>> {
        let (outer, _) = self.loops(graph);
        let body = &outer.bodies[0];
        let nodes = made_of(body, &[self.inner_node(graph).operands[place]], &HashSet::new());
        let same = |id: &NodeId| match &body.node(*id).op {
            Op::Argument(handed) => *handed >= outer.carried + outer.sliced,
            Op::Turn | Op::Draw(..) | Op::For(_) => false,
            _ => true,
        };
        nodes.iter().all(same).then_some(nodes)
    }

    /// Such an operand outside of both loops.
    pub fn bring_out(&self, graph: &Graph, place: usize, root: &mut Region) -> Option<Value> {
        let (outer, _) = self.loops(graph);
        let body = &outer.bodies[0];
        let nodes = self.steady(graph, place)?;
        let mut known = HashMap::new();
        for id in &nodes {
            if let Op::Argument(handed) = body.node(*id).op {
                known.insert(Value::of(*id), graph.root.node(self.outer).operands[handed]);
            }
        }
        copy(body, &nodes, root, &mut known);
        known.get(&self.inner_node(graph).operands[place]).copied()
    }

    /// Whether an operand of the inner loop is the number of the block.
    pub fn counts(&self, graph: &Graph, place: usize) -> bool {
        let (outer, _) = self.loops(graph);
        matches!(outer.bodies[0].node(self.inner_node(graph).operands[place].node).op, Op::Turn)
    }
}

fn region_of(region: &Region, id: NodeId) -> &For {
    match &region.node(id).op {
        Op::For(found) => found,
        _ => unreachable!("a loop was found here"),
    }
}

/// The one nest of a sampler that goes block by block.
pub(super) fn find(graph: &Graph) -> Option<Nest> {
    let plain = |repeat: &For| repeat.bodies.len() == 1 && !repeat.reverse;
    let loops = |region: &Region| {
        let all =
            region.order().into_iter().filter(|id| matches!(&region.node(*id).op, Op::For(repeat) if plain(repeat)));
        all.collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for outer in loops(&graph.root) {
        for inner in loops(&region_of(&graph.root, outer).bodies[0]) {
            found.extend(nest(graph, outer, inner));
        }
    }
    found.pop().filter(|_| found.is_empty())
}

fn nest(graph: &Graph, outer: NodeId, inner: NodeId) -> Option<Nest> {
    let outer_loop = region_of(&graph.root, outer);
    let inner_loop = region_of(&outer_loop.bodies[0], inner);
    let handed_on = |repeat: &For, node: &Node| node.results.len() == repeat.carried;
    let alone =
        handed_on(outer_loop, graph.root.node(outer)) && handed_on(inner_loop, outer_loop.bodies[0].node(inner));
    if !alone {
        return None;
    }
    let body = &inner_loop.bodies[0];
    candidates(graph, body).into_iter().find_map(|(along, size, index)| {
        let within = within(body, &relation_of(along, size, &index));
        let window = Window { index, within };
        let nest = Nest { outer, inner, along, size, window, texts: Vec::new() };
        let texts = texts(graph, &nest)?;
        nest.follows(graph).then_some(Nest { texts, ..nest })
    })
}

/// `t // size == index`, as its two halves.
fn relation_of(along: AxisId, size: i64, index: &Affine<Value>) -> [Relation<Value>; 2] {
    let own = Affine::term(Term::Quotient(along, size)).plus(index, -1);
    [own.clone(), Affine::number(0).plus(&own, -1)].map(Relation::AtLeastZero)
}

/// Whether one of some relations says that a form is not negative.
fn say(relations: &[Relation<Value>], half: &Relation<Value>) -> bool {
    let Relation::AtLeastZero(wanted) = half else { return false };
    let same = |relation: &Relation<Value>| match relation {
        Relation::AtLeastZero(form) => form.plus(wanted, -1) == Affine::number(0),
        _ => false,
    };
    relations.iter().any(same)
}

/// All that a body says of this form about a position.
fn candidates(graph: &Graph, body: &Region) -> Vec<(AxisId, i64, Affine<Value>)> {
    let mut found = Vec::new();
    for typed in body.ids().iter().flat_map(|id| &body.node(*id).results) {
        for relation in &typed.presence.relations {
            let Relation::AtLeastZero(form) = relation else { continue };
            let quotient = |term: &(Term<Value>, i64)| match term {
                (Term::Quotient(axis, by), 1) if graph.axes.is_sequence(*axis) => Some((*axis, *by)),
                _ => None,
            };
            let Some((axis, by)) = form.terms.iter().find_map(quotient) else { continue };
            let index = Affine::term(Term::Quotient(axis, by)).plus(form, -1);
            let handed = |value: &Value| matches!(body.node(value.node).op, Op::Argument(_));
            let plain = index.axes().next().is_none() && index.values().all(handed);
            let whole = relation_of(axis, by, &index).iter().all(|half| say(&typed.presence.relations, half));
            if plain && whole && !found.contains(&(axis, by, index.clone())) {
                found.push((axis, by, index));
            }
        }
    }
    found
}

/// The values of a body that are absent wherever the relations do not hold.
fn within(body: &Region, relations: &[Relation<Value>]) -> HashSet<Value> {
    let mut within = HashSet::new();
    for id in body.order() {
        let node = body.node(id);
        for (result, typed) in node.results.iter().enumerate() {
            let present = &typed.presence.relations;
            let said = relations.iter().all(|half| say(present, half));
            // What is absent holds nowhere.
            let read = || present.iter().flat_map(Relation::values).any(|value| within.contains(value));
            let made = || match &node.op {
                Op::Map(_) | Op::Rank(_) | Op::Stop | Op::Peek => node.operands.iter().any(|one| within.contains(one)),
                Op::Else => node.operands.iter().all(|one| within.contains(one)),
                _ => false,
            };
            if said || read() || made() {
                within.insert(Value { node: id, result: result as u32 });
            }
        }
    }
    within
}

/// The carried texts, of which a turn changes nothing outside of the block, and a block nothing but by its turns.
fn texts(graph: &Graph, nest: &Nest) -> Option<Vec<(usize, usize)>> {
    let (outer, inner) = nest.loops(graph);
    let (body, node) = (&inner.bodies[0], nest.inner_node(graph));
    let mut texts = Vec::new();
    for place in 0..inner.carried {
        if !node.results[place].ty.has(nest.along) {
            continue;
        }
        let parts = alternatives(body, body.results[place]?, nest.along);
        let kept = |value: &Value| matches!(body.node(value.node).op, Op::Argument(own) if own == place);
        let inside = |(value, relations): &(Value, Vec<Relation<Value>>)| {
            let said = relation_of(nest.along, nest.size, &nest.window.index);
            let within = &nest.window.within;
            kept(value)
                || within.contains(value)
                || said.iter().all(|half| say(relations, half))
                || relations.iter().flat_map(|relation| relation.values()).any(|read| within.contains(read))
        };
        let Op::Argument(from) = outer.bodies[0].node(node.operands[place].node).op else { return None };
        let end = Value { node: nest.inner, result: place as u32 };
        let alone = from < outer.carried && outer.bodies[0].results[from] == Some(end);
        if parts.is_empty() || !parts.iter().all(inside) || !alone {
            return None;
        }
        texts.push((place, from));
    }
    (!texts.is_empty()).then_some(texts)
}

impl Nest {
    /// Whether each block is the one after the last.
    fn follows(&self, graph: &Graph) -> bool {
        let body = &self.loops(graph).1.bodies[0];
        let mut step = 0;
        for (term, factor) in &self.window.index.terms {
            let Term::Value(value) = term else { return false };
            let Op::Argument(place) = body.node(value.node).op else { return false };
            if self.counts(graph, place) {
                step += factor;
            } else if self.steady(graph, place).is_none() {
                return false;
            }
        }
        step == 1
    }
}
