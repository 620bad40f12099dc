//! Which values depend on an asked parameter or input by real arithmetic.

use crate::graph::{For, Node, Op, Region, Value};
use std::collections::HashSet;

/// Whether a node is one of those that are asked for.
pub(super) type Asked<'a> = dyn Fn(&Node) -> bool + 'a;

/// Asks for parameters by path, for inputs by name.
pub(super) fn is_one_of(paths: &[String]) -> impl Fn(&Node) -> bool {
    let paths = paths.iter().cloned().collect::<HashSet<_>>();
    move |node| matches!(&node.op, Op::Parameter(path) | Op::Input(path) if paths.contains(path))
}

/// The values of a region that depend on some of its own, these included.
pub(super) fn active_from(region: &Region, first: HashSet<Value>) -> HashSet<Value> {
    spread(region, first, &|_| false, &[])
}

/// The active values of a region whose arguments are active as said.
pub(super) fn active_values(region: &Region, asked: &Asked, arguments: &[bool]) -> HashSet<Value> {
    spread(region, HashSet::new(), asked, arguments)
}

fn spread(region: &Region, mut active: HashSet<Value>, asked: &Asked, arguments: &[bool]) -> HashSet<Value> {
    for id in region.order() {
        let node = region.node(id);
        let operands = node.operands.iter().map(|operand| active.contains(operand)).collect::<Vec<_>>();
        let results = match &node.op {
            Op::Argument(place) => vec![arguments.get(*place).copied().unwrap_or(false)],
            Op::For(region) => results_of(region, asked, &argument_activity(region, asked, operands)),
            Op::Stop | Op::Draw(..) | Op::Rank(_) => vec![false],
            _ => vec![asked(node) || operands.contains(&true)],
        };
        for (result, is_active) in results.into_iter().enumerate() {
            if is_active && node.results[result].ty.dtype.is_real() {
                active.insert(Value { node: id, result: result as u32 });
            }
        }
    }
    active
}

/// Which arguments of the bodies are active: a carried value is as soon as any turn makes it so.
pub(super) fn argument_activity(region: &For, asked: &Asked, operands: Vec<bool>) -> Vec<bool> {
    let mut arguments = operands;
    loop {
        let before = arguments.clone();
        for body in &region.bodies {
            let active = active_values(body, asked, &arguments);
            for (place, result) in body.results.iter().take(region.carried).enumerate() {
                arguments[place] |= result.is_some_and(|value| active.contains(&value));
            }
        }
        if arguments == before {
            return arguments;
        }
    }
}

fn results_of(region: &For, asked: &Asked, arguments: &[bool]) -> Vec<bool> {
    let count = region.carried + crate::ops::yields_of(region);
    let mut results = vec![false; count];
    results[..region.carried].copy_from_slice(&arguments[..region.carried]);
    for body in &region.bodies {
        let active = active_values(body, asked, arguments);
        for (place, result) in body.results.iter().take(count).enumerate() {
            results[place] |= result.is_some_and(|value| active.contains(&value));
        }
    }
    results
}
