//! Repeats inside of a `for` what its turns read repeated.
//! `r = repeat(c); for i { … r … }`  →  `for i { r = repeat(c); … r … }`, where r has axes that c lacks
//!
//! A value that a loop is handed is stored, a repeated one with all its equal numbers. Inside, it is read where it is used.
//! Values that a loop carries or takes slices of stay: their memory is the loop's own.

use super::Pass;
use super::regions::each_region;
use crate::graph::{For, Graph, Node, Op, Region, Value};
use crate::tensor::Scalar;

pub(super) struct Repetitions;

impl Pass for Repetitions {
    fn name(&self) -> &'static str {
        "repetitions"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |_, region| {
            region.order().into_iter().rev().fold(false, |changed, id| {
                let node = region.node(id).clone();
                let Op::For(mut repeat) = node.op else { return changed };
                let mut operands = node.operands;
                let captured = repeat.carried + repeat.sliced..operands.len();
                let moved =
                    captured.fold(false, |moved, place| move_in(region, &mut repeat, &mut operands, place) | moved);
                if moved {
                    region.edit(id, |node| {
                        node.op = Op::For(repeat);
                        node.operands = operands;
                    });
                }
                changed | moved
            })
        })
    }
}

/// Hands in what a captured operand repeats, and repeats it in every body.
fn move_in(outer: &Region, repeat: &mut For, operands: &mut [Value], place: usize) -> bool {
    let node = outer.node(operands[place].node);
    let [only] = node.operands[..] else { return false };
    let (own, wide) = (outer.typed(only), &node.results[0]);
    let repeats = matches!(&node.op, Op::Map(scalar) if *scalar == Scalar::identity())
        && own.ty.axes.len() < wide.ty.axes.len()
        && own.ty.dtype == wide.ty.dtype
        && own.presence.is_always()
        && wide.presence.is_always();
    if !repeats {
        return false;
    }
    operands[place] = only;
    for body in &mut repeat.bodies {
        let arguments =
            body.ids().into_iter().filter(|id| matches!(body.node(*id).op, Op::Argument(own) if own == place));
        for id in arguments.collect::<Vec<_>>() {
            let argument = body.node(id).clone();
            let narrow = Node { results: vec![own.clone()], ..argument.clone() };
            let narrow = Value::of(body.insert(narrow));
            let repeated = Node { op: node.op.clone(), operands: vec![narrow], ..argument };
            let repeated = Value::of(body.insert(repeated));
            body.replace(Value::of(id), repeated);
            body.remove(id);
        }
    }
    true
}
