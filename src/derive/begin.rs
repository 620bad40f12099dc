//! Takes out of a step program what is the same at every step.
//!
//! In: a step program. Out: the program `begin`, which computes once what follows from inputs that do not grow (what an
//! encoder makes of its source, keys and values of it in every layer), and the step that reads this from states.
//! `y = f(g(source), ids)`  →  begin: `k = g(source)`; step: `y = f(k, ids)`
//!
//! Kept is every value at the border that takes a sum to make: [`known`] says which values are the same at every step,
//! [`fission`] splits a `for` of which a part is, so that the border never runs through a region.

mod fission;
mod known;

use crate::graph::{Graph, Node, NodeId, Op, Region, Typed, Value};
use crate::tensor::{AxisId, Scalar};
use archc_runtime::abi::names;
use known::Known;
use std::collections::{HashMap, HashSet};

use super::STATE;

/// Splits a step program; `position` says which axes count positions of the growing sequence. Nothing is left to begin
/// with if every value follows from that sequence or takes no work.
pub fn begin(mut step: Graph, position: &dyn Fn(AxisId) -> bool) -> (Option<Graph>, Graph) {
    fission::split(&step.axes, &mut step.root, &[], position);
    let known = known::known(&step.axes, &step.root, &[], position);
    let border = border(&step.root, &known);
    let ahead = step.outputs.iter().position(|name| name == names::AHEAD);
    if border.is_empty() && ahead.is_none() {
        return (None, step);
    }
    let names = border.iter().enumerate();
    let names = names.map(|(place, value)| format!("{STATE}{}.given.{place}", step.root.node(value.node).path));
    let mut names = names.collect::<Vec<_>>();
    let mut root = step.root.clone();
    root.results = border.iter().copied().map(Some).collect();
    if let Some(place) = ahead {
        names.push(step.outputs.remove(place));
        root.results.push(step.root.results.remove(place));
    }
    keep_read(&mut root);
    let name = match step.name.as_str() {
        names::TURN => names::TURN_BEGIN,
        names::RUN => names::RUN_BEGIN,
        _ => names::BEGIN,
    };
    let begin = Graph { name: name.into(), axes: step.axes.clone(), root, outputs: names.clone() };
    for (value, name) in border.into_iter().zip(names) {
        let ty = step.root.typed(value).ty.clone();
        let held = step.root.add_one(Op::Input(name.clone()), [], Typed::always(ty), name);
        read_instead(&mut step.root, value, held);
    }
    keep_read(&mut step.root);
    (Some(begin), step)
}

/// Values that are the same at every step and take work, where something else reads them.
fn border(region: &Region, known: &HashMap<NodeId, Known>) -> Vec<Value> {
    let handed = |value: &Value| matches!(region.node(value.node).op, Op::Argument(_));
    let worth = |value: &Value| known.get(&value.node).is_some_and(|known| known.data && known.work) && !handed(value);
    let others = region.order().into_iter().filter(|id| !known.get(id).is_some_and(|known| known.data && known.work));
    let reads = others.flat_map(|id| region.node(id).reads());
    let mut open = reads.chain(region.results.iter().flatten().copied()).filter(worth).collect::<Vec<_>>();
    let mut border: Vec<Value> = Vec::new();
    let mut seen = HashSet::new();
    open.reverse();
    while let Some(value) = open.pop() {
        if seen.insert(value) {
            let present = region.typed(value).presence.relations.iter().flat_map(|relation| relation.values());
            open.extend(present.copied().filter(worth));
            border.push(value);
        }
    }
    border
}

/// Lets everyone read what was kept of a value instead of the value: it is present where the value was.
fn read_instead(region: &mut Region, value: Value, held: Value) {
    let typed = region.typed(value).clone();
    let path = region.node(value.node).path.clone();
    let new = match typed.presence.is_always() {
        true => held,
        false => region.add_one(Op::Map(Scalar::identity()), [held], typed, path),
    };
    region.replace(value, new);
}

/// Removes what no result reads.
fn keep_read(region: &mut Region) {
    for id in region.order().into_iter().rev() {
        region.remove(id);
    }
}

/// The argument of a place, in every body.
fn argument(place: usize, ty: &Typed, path: &str) -> Node {
    Node {
        op: Op::Argument(place),
        operands: Vec::new(),
        results: vec![Typed::always(ty.ty.clone())],
        path: path.into(),
    }
}
