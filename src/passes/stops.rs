//! `stop` and `peek` are their operands: gradients and proofs, which ask about them, are made before.
//! `y = stop x`  →  `y = x`

use super::Pass;
use super::regions::each_region;
use crate::graph::{Graph, Op};
use crate::tensor::Scalar;

pub(super) struct Stops;

impl Pass for Stops {
    fn name(&self) -> &'static str {
        "stops"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |_, region| {
            let mut changed = false;
            for id in region.ids() {
                if matches!(region.node(id).op, Op::Stop | Op::Peek) {
                    region.edit(id, |node| node.op = Op::Map(Scalar::identity()));
                    changed = true;
                }
            }
            changed
        })
    }
}
