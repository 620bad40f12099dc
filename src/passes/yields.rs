//! What a `for` yields and nobody reads is not yielded.

use crate::graph::{NodeId, Op, Region, Value};

/// Drops the unread yields of a `for`.
pub fn trim(region: &mut Region, id: NodeId) {
    let Op::For(inner) = &region.node(id).op else { return };
    let first = inner.carried;
    let count = region.node(id).results.len();
    let dead = (first..count).filter(|&place| !region.is_read(Value { node: id, result: place as u32 }));
    for place in dead.collect::<Vec<_>>().into_iter().rev() {
        region.edit(id, |node| {
            node.results.remove(place);
            if let Op::For(inner) = &mut node.op {
                inner.bodies.iter_mut().for_each(|body| drop(body.results.remove(place)));
            }
        });
        let last = region.node(id).results.len();
        for later in place..last {
            let [old, new] = [later + 1, later].map(|result| Value { node: id, result: result as u32 });
            region.replace(old, new);
        }
    }
}
