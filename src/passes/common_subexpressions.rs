//! Computes equal things once.
//! `a = exp x; b = exp x; c = a + b`  →  `a = exp x; c = a + a`
//!
//! Equal are nodes of one operation, equal operands, types and presence. Draws too: their numbers depend on their path.

use super::Pass;
use super::regions::each_region;
use crate::graph::{Graph, Node, Op, Region, Value};
use std::collections::HashMap;

pub(super) struct CommonSubexpressions;

impl Pass for CommonSubexpressions {
    fn name(&self) -> &'static str {
        "common-subexpressions"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |_, region| merge(region))
    }
}

fn merge(region: &mut Region) -> bool {
    let mut known: HashMap<String, Value> = HashMap::new();
    let mut changed = false;
    for id in region.order() {
        let Some(key) = key_of(region.node(id)) else { continue };
        let value = Value::of(id);
        match known.get(&key) {
            Some(first) => {
                region.replace(value, *first);
                changed |= region.remove(id);
            }
            None => {
                known.insert(key, value);
            }
        }
    }
    changed
}

/// Everything about a node but its path.
fn key_of(node: &Node) -> Option<String> {
    let key = || format!("{:?} {:?} {:?}", node.op, node.operands, node.results);
    (!matches!(node.op, Op::For(_))).then(key)
}
