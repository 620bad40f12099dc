//! What costs nothing to make is made in the body that reads it, instead of being handed in.
//! `c = constant; for … captured c { … argument 3 … }`  →  `for … { c = constant; … }`

use super::Pass;
use super::regions::each_region;
use crate::graph::{Graph, Op, Region};

pub(super) struct Constants;

impl Pass for Constants {
    fn name(&self) -> &'static str {
        "constants"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |_, region| sink_all(region))
    }
}

fn sink_all(region: &mut Region) -> bool {
    let mut changed = false;
    for id in region.ids() {
        let Op::For(inner) = &region.node(id).op else { continue };
        let first = inner.carried + inner.sliced;
        let operands = &region.node(id).operands;
        let made = operands.iter().enumerate().skip(first).filter_map(|(place, operand)| {
            let op = &region.node(operand.node).op;
            matches!(op, Op::Constant(_) | Op::Coordinate(_)).then(|| (place, op.clone()))
        });
        let made = made.collect::<Vec<_>>();
        if !made.is_empty() {
            sink(region, id, &made);
            changed = true;
        }
    }
    changed
}

fn sink(region: &mut Region, id: crate::graph::NodeId, made: &[(usize, Op)]) {
    region.edit(id, |node| {
        let Op::For(inner) = &mut node.op else { return };
        for body in &mut inner.bodies {
            for argument in body.ids() {
                let Op::Argument(place) = body.node(argument).op else { continue };
                let before = made.iter().filter(|(gone, _)| *gone < place).count();
                let op = made.iter().find(|(gone, _)| *gone == place).map(|(_, op)| op.clone());
                body.edit(argument, |node| node.op = op.unwrap_or(Op::Argument(place - before)));
            }
        }
        let mut place = 0;
        node.operands.retain(|_| {
            place += 1;
            !made.iter().any(|(gone, _)| *gone == place - 1)
        });
    });
}
