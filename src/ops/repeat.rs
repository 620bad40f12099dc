//! The region `for`: runs a body turn by turn along an axis.
//!
//! Operands are carried initial values, sliced values (a body sees its turn's slice) and captured values (seen
//! whole). Results are the carried values in the end and what is yielded, which gains the axis, in front, after batch.

use super::{TypeError, Typing, fail};
use crate::graph::{For, Op, Region};
use crate::tensor::{AxisId, BATCH, TensorType};

pub(super) fn infer(typing: &Typing, region: &For, operands: &[&TensorType]) -> Result<Vec<TensorType>, TypeError> {
    if operands.len() < region.carried + region.sliced {
        return fail("a `for` has fewer operands than it carries and slices");
    }
    check_turns(typing, region)?;
    let arguments = argument_types(region, operands)?;
    for body in &region.bodies {
        check_arguments(body, &arguments)?;
        check_carried(body, region, operands)?;
    }
    let mut results = operands[..region.carried].iter().map(|ty| (*ty).clone()).collect::<Vec<_>>();
    for place in 0..yields_of(region) {
        results.push(yielded(region, region.carried + place)?);
    }
    Ok(results)
}

/// How many values each body yields.
pub fn yields_of(region: &For) -> usize {
    let results = region.bodies.first().map_or(0, |body| body.results.len());
    results.saturating_sub(region.carried + usize::from(region.until))
}

/// The type of a stack of slices: the axis in front, after batch.
pub fn stacked(slice: &TensorType, axis: AxisId) -> TensorType {
    let mut axes = slice.axes.clone();
    axes.insert(usize::from(axes.first() == Some(&BATCH)), axis);
    TensorType { axes, dtype: slice.dtype }
}

fn check_turns(typing: &Typing, region: &For) -> Result<(), TypeError> {
    let lengths = region.bodies.iter().map(|body| body.results.len()).collect::<Vec<_>>();
    let wanted = region.carried + yields_of(region) + usize::from(region.until);
    if lengths.is_empty() || lengths.iter().any(|length| *length != wanted) {
        return fail("the bodies of a `for` do not give the same number of results");
    }
    let Some(turns) = &region.turns else { return Ok(()) };
    let count = typing.axes.fixed(region.axis).and_then(|size| usize::try_from(size).ok());
    if count != Some(turns.len()) || turns.iter().any(|&body| body as usize >= region.bodies.len()) {
        return fail("the table of turns does not fit the axis or the bodies");
    }
    Ok(())
}

fn argument_types(region: &For, operands: &[&TensorType]) -> Result<Vec<TensorType>, TypeError> {
    let mut types = Vec::with_capacity(operands.len());
    for (place, ty) in operands.iter().enumerate() {
        let sliced = (region.carried..region.carried + region.sliced).contains(&place);
        if sliced && !ty.has(region.axis) {
            return fail("a sliced operand lacks the axis of the turns");
        }
        types.push(if sliced { ty.without(&[region.axis]) } else { (*ty).clone() });
    }
    Ok(types)
}

fn check_arguments(body: &Region, types: &[TensorType]) -> Result<(), TypeError> {
    for id in body.ids() {
        let node = body.node(id);
        if let Op::Argument(place) = node.op
            && types.get(place) != node.results.first().map(|typed| &typed.ty)
        {
            return fail(format!("argument {place} of a body is not of its operand's type"));
        }
    }
    Ok(())
}

fn check_carried(body: &Region, region: &For, operands: &[&TensorType]) -> Result<(), TypeError> {
    for (place, operand) in operands[..region.carried].iter().enumerate() {
        let Some(result) = body.results[place] else { return fail("a body leaves a carried value out") };
        if body.typed(result).ty != **operand {
            return fail(format!("carried value {place} changes its type"));
        }
    }
    Ok(())
}

fn yielded(region: &For, place: usize) -> Result<TensorType, TypeError> {
    let given = region.bodies.iter().find_map(|body| body.results[place].map(|value| &body.typed(value).ty));
    match given {
        Some(ty) if ty.has(region.axis) => fail("a yielded value already has the axis of the turns"),
        Some(ty) => Ok(stacked(ty, region.axis)),
        None => fail("no body yields anything at a place"),
    }
}
