//! What is combined over all known positions, as a turn sees them: up to the newest.
//!
//! `any[t](f(t))`  →  `any[s](f[t: s] where s <= t)[t: |t| - 1]`
//!
//! So the decode step keeps what it needs of earlier positions. Only at the top, where nothing else is known of a turn
//! than its newest position; inside of the model, what reads all positions would change at each of them.

use crate::graph::{Node, NodeId, Op, Region, Typed, Value};
use crate::tensor::{Affine, Axes, AxisId, BATCH, DType, Presence, Relation, TensorType};

/// Rewrites the reductions of a region over the sequence `along`.
pub(super) fn combine(axes: &mut Axes, region: &mut Region, along: AxisId) {
    for id in region.ids() {
        let node = region.node(id).clone();
        let Op::Reduce(combine, over) = &node.op else { continue };
        let relations = &region.typed(node.operands[0]).presence.relations;
        let fixed = |relation: &Relation<Value>| match relation {
            Relation::Holds(flag) => !region.typed(*flag).ty.has(along),
            _ => false,
        };
        if over.as_slice() == [along] && relations.iter().all(fixed) {
            let other = axes.add_like("earlier", along);
            let op = Op::Reduce(*combine, vec![other]);
            up_to_each(axes, region, id, &node, op, [along, other]);
        }
    }
}

fn up_to_each(axes: &Axes, region: &mut Region, id: NodeId, node: &Node, op: Op, [along, other]: [AxisId; 2]) {
    let source = region.typed(node.operands[0]).clone();
    let moved = |axis: &AxisId| if *axis == along { other } else { *axis };
    let ty = |list: Vec<AxisId>, dtype: DType| TensorType::new(axes.ordered(list), dtype);
    let elsewhere = ty(source.ty.axes.iter().map(moved).collect(), source.ty.dtype);
    let with = |list: &[AxisId]| [list, &[along]].concat();
    let (places, path) = (vec![(along, Affine::axis(other))], node.path.clone());
    let typed = Typed { ty: elsewhere.clone(), presence: source.presence.clone() };
    let there = region.add_one(Op::Index(places), [node.operands[0]], typed, path.clone());
    let mut presence: Presence<Value> = source.presence.clone();
    presence.require(Relation::AtLeastZero(Affine::axis(along).plus(&Affine::axis(other), -1)));
    let typed = Typed { ty: ty(with(&elsewhere.axes), source.ty.dtype), presence };
    let earlier = region.add_one(Op::Map(crate::tensor::Scalar::identity()), [there], typed, path.clone());
    let result = &node.results[0];
    let typed = Typed { ty: ty(with(&result.ty.axes), result.ty.dtype), presence: result.presence.clone() };
    let each = region.add_one(op, [earlier], typed, path.clone());
    let length = Typed::always(TensorType::new([BATCH], DType::Int));
    let length = region.add_one(Op::Length(along), [], length, "known");
    let mut last = Affine::value(length);
    last.constant = -1;
    let typed = result.clone();
    let last = region.add_one(Op::Index(vec![(along, last)]), [each], typed, path);
    region.replace(Value::of(id), last);
}
