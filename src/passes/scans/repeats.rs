//! Hands bodies what a value is made of, not its repetition along more axes, and constants as constants.
//! `d = map 0 : [k]; for … captured d { … argument 3 … }`  →  `for … captured 0 { d = map 0 : [k]; … d … }`
//!
//! So a body's algebra sees which axes a decay really varies along, however deep the `for` stands.

use crate::graph::{Op, Region, Typed, Value};
use crate::tensor::Scalar;

/// Does so for all `for`s of a region, outer ones first.
pub(super) fn sink(region: &mut Region) {
    for id in region.order() {
        let Op::For(repeat) = &region.node(id).op else { continue };
        let (mut repeat, mut operands) = (repeat.clone(), region.node(id).operands.clone());
        for (place, operand) in operands.iter_mut().enumerate().skip(repeat.carried + repeat.sliced) {
            let narrow = narrowed(region, *operand);
            let constant = match &region.node(narrow.node).op {
                Op::Constant(numbers) if numbers.len() == 1 => Some(Op::Constant(numbers.clone())),
                _ => None,
            };
            if narrow != *operand || constant.is_some() {
                let typed = region.typed(narrow).clone();
                repeat.bodies.iter_mut().for_each(|body| repeat_inside(body, place, &typed, constant.as_ref()));
                *operand = narrow;
            }
        }
        repeat.bodies.iter_mut().for_each(sink);
        region.edit(id, |node| (node.op, node.operands) = (Op::For(repeat), operands));
    }
}

/// What a value repeats.
fn narrowed(region: &Region, value: Value) -> Value {
    let node = region.node(value.node);
    let typed = region.typed(value);
    match (&node.op, node.operands.as_slice()) {
        (Op::Map(scalar), [only])
            if *scalar == Scalar::identity()
                && typed.presence.is_always()
                && region.typed(*only).presence.is_always()
                && region.typed(*only).ty.dtype == typed.ty.dtype =>
        {
            narrowed(region, *only)
        }
        _ => value,
    }
}

/// Makes an argument the narrow value, or the constant, and lets its readers read the repetition of that.
fn repeat_inside(body: &mut Region, place: usize, narrow: &Typed, constant: Option<&Op>) {
    for id in body.ids() {
        let node = body.node(id).clone();
        if !matches!(node.op, Op::Argument(own) if own == place) {
            continue;
        }
        let op = constant.cloned().unwrap_or(node.op);
        let mut new = body.add_one(op, [], narrow.clone(), node.path.clone());
        if node.results[0].ty != narrow.ty {
            new = body.add_one(Op::Map(Scalar::identity()), [new], node.results[0].clone(), node.path);
        }
        body.replace(Value::of(id), new);
        body.remove(id);
    }
}
