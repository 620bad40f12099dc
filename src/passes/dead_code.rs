//! Removes what no output needs: nodes, and what a `for` carries, yields, slices or captures in vain.
//! `a = exp x; b = relu x; return b`  →  `b = relu x; return b`

use super::Pass;
use crate::graph::{For, Graph, NodeId, Op, Region, Value};
use std::collections::HashSet;

pub(super) struct DeadCode;

impl Pass for DeadCode {
    fn name(&self) -> &'static str {
        "dead-code"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        clean(&mut graph.root)
    }
}

fn clean(region: &mut Region) -> bool {
    let mut changed = remove_unread(region);
    // Users come before producers: what a `for` no longer reads is unread by the time its producer is looked at.
    for id in region.order().into_iter().rev() {
        if region.contains(id) && matches!(region.node(id).op, Op::For(_)) {
            changed |= prune(region, id);
            remove_unread(region);
        }
    }
    changed
}

pub(super) fn remove_unread(region: &mut Region) -> bool {
    let order = region.order();
    order.into_iter().rev().fold(false, |changed, id| (!is_handed_in(region, id) && region.remove(id)) | changed)
}

/// Inputs stay: callers bring them whether they are read or not.
fn is_handed_in(region: &Region, id: NodeId) -> bool {
    matches!(region.node(id).op, Op::Input(_))
}

/// What of a `for` is needed.
struct Needed {
    results: Vec<bool>,
    operands: Vec<bool>,
}

fn prune(region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id).clone();
    let Op::For(repeat) = &node.op else { return false };
    let read = (0..node.results.len()).map(|result| region.is_read(Value { node: id, result: result as u32 }));
    let needed = needed(repeat, read.collect(), node.operands.len());
    let mut smaller = node.clone();
    let mut changed = false;
    if needed.results.contains(&false) || needed.operands.contains(&false) {
        shrink(&mut smaller.op, &needed);
        smaller.operands = kept(&node.operands, &needed.operands);
        smaller.results = kept(&node.results, &needed.results);
        changed = true;
    }
    if let Op::For(own) = &mut smaller.op {
        for body in &mut own.bodies {
            changed |= clean(body);
        }
    }
    if changed {
        replace_for(region, id, smaller, &needed.results);
    }
    changed
}

/// A carried value is needed if its end is read, or if a needed result of a body reads it on the way.
fn needed(repeat: &For, read: Vec<bool>, operands: usize) -> Needed {
    let mut needed = Needed { results: read, operands: vec![false; operands] };
    loop {
        let before = needed.results.iter().filter(|needed| **needed).count();
        for body in &repeat.bodies {
            for place in arguments_of(body, &needed.results, repeat.until) {
                needed.operands[place] = true;
                if place < repeat.carried {
                    needed.results[place] = true;
                }
            }
        }
        for place in 0..repeat.carried {
            needed.operands[place] |= needed.results[place];
        }
        if needed.results.iter().filter(|needed| **needed).count() == before {
            return needed;
        }
    }
}

/// The arguments that some results of a body depend on.
fn arguments_of(body: &Region, results: &[bool], until: bool) -> HashSet<usize> {
    let is_needed = |place: usize| results.get(place).copied().unwrap_or(until);
    let roots = body.results.iter().enumerate().filter(|(place, _)| is_needed(*place));
    let mut waiting = roots.filter_map(|(_, value)| value.map(|value| value.node)).collect::<Vec<_>>();
    let mut seen = HashSet::new();
    let mut places = HashSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            let node = body.node(id);
            if let Op::Argument(place) = node.op {
                places.insert(place);
            }
            waiting.extend(node.reads().iter().map(|value| value.node));
        }
    }
    places
}

fn kept<T: Clone>(all: &[T], needed: &[bool]) -> Vec<T> {
    all.iter().zip(needed).filter(|(_, needed)| **needed).map(|(one, _)| one.clone()).collect()
}

/// Leaves out what is not needed and numbers the arguments anew.
fn shrink(op: &mut Op, needed: &Needed) {
    let Op::For(repeat) = op else { return };
    let place_of = |place: usize| needed.operands[..place].iter().filter(|needed| **needed).count();
    for body in &mut repeat.bodies {
        let mut results = needed.results.clone();
        results.resize(body.results.len(), true);
        body.results = kept(&body.results, &results);
        while remove_unread(body) {}
        for id in body.ids() {
            if let Op::Argument(place) = body.node(id).op {
                body.edit(id, |node| node.op = Op::Argument(place_of(place)));
            }
        }
    }
    let (carried, sliced) = (repeat.carried, repeat.carried + repeat.sliced);
    repeat.stacks = kept(&repeat.stacks, &needed.results[carried..]);
    repeat.carried = place_of(carried);
    repeat.sliced = place_of(sliced) - repeat.carried;
}

/// Puts the smaller `for` in the place of the old one.
fn replace_for(region: &mut Region, id: NodeId, smaller: crate::graph::Node, results: &[bool]) {
    let new = region.insert(smaller);
    let mut place = 0;
    for (result, needed) in results.iter().enumerate() {
        if *needed {
            region.replace(Value { node: id, result: result as u32 }, Value { node: new, result: place });
            place += 1;
        }
    }
    region.remove(id);
}
