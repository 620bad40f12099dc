//! The region `for`: runs a body turn by turn along an axis.
//!
//! Operands are carried initial values, sliced values (a body sees its turn's slice) and captured values (seen
//! whole). Results are the carried values in the end and what is yielded, which gains the axis, in front, after batch.
//! What only some bodies have slices of has the axis of a track in its place; the others neither see nor yield it.

use super::{TypeError, Typing, fail};
use crate::graph::{For, Op, Region, Track};
use crate::tensor::{AxisId, BATCH, TensorType};

pub(super) fn infer(typing: &Typing, region: &For, operands: &[&TensorType]) -> Result<Vec<TensorType>, TypeError> {
    if operands.len() < region.carried + region.sliced {
        return fail("a `for` has fewer operands than it carries and slices");
    }
    check_turns(typing, region)?;
    region.tracks.iter().try_for_each(|track| check_track(typing, region, track))?;
    let arguments = argument_types(region, operands)?;
    for body in &region.bodies {
        check_arguments(body, &arguments)?;
        check_carried(body, region, operands)?;
    }
    check_shares(region, operands)?;
    let mut results = operands[..region.carried].iter().map(|ty| (*ty).clone()).collect::<Vec<_>>();
    for place in 0..yields_of(region) {
        results.push(yielded(region, place)?);
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
        if sliced && region.slice_axis(ty).is_none() {
            return fail("a sliced operand lacks the axis of the turns");
        }
        types.push(if sliced { region.slice_of(ty) } else { (*ty).clone() });
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
    let result = region.carried + place;
    let given = region.bodies.iter().find_map(|body| body.results[result].map(|value| &body.typed(value).ty));
    let axis = region.stack_axis(place);
    match given {
        Some(ty) if ty.has(axis) => fail("a yielded value already has the axis of the turns"),
        Some(ty) => Ok(stacked(ty, axis)),
        None => fail("no body yields anything at a place"),
    }
}

/// A track says for every turn of a table which slice it has, and has a slice for each that it names.
fn check_track(typing: &Typing, region: &For, track: &Track) -> Result<(), TypeError> {
    let Some(turns) = &region.turns else { return fail("a track belongs to a `for` of several bodies") };
    let size = typing.axes.fixed(track.axis).and_then(|size| usize::try_from(size).ok());
    if track.slices.len() != turns.len() || size.is_none() || size != track.size() {
        return fail("a track does not give each of its slices to one turn");
    }
    let alike =
        |(turn, body): (usize, &u32)| track.slices[turn].is_some() == region.has_slices(track.axis, *body as usize);
    if !turns.iter().enumerate().all(alike) {
        return fail("a track gives slices to some turns of a body and not to others");
    }
    Ok(())
}

/// Bodies without slices of something do not see it, and yield nothing of it; the others do.
fn check_shares(region: &For, operands: &[&TensorType]) -> Result<(), TypeError> {
    for (number, body) in region.bodies.iter().enumerate() {
        for (place, ty) in operands.iter().enumerate().skip(region.carried).take(region.sliced) {
            let axis = region.slice_axis(ty).unwrap_or(region.axis);
            let sees = body.ids().into_iter().any(|id| matches!(body.node(id).op, Op::Argument(own) if own == place));
            if sees && !region.has_slices(axis, number) {
                return fail("a body sees a slice that its turns do not have");
            }
        }
        for place in 0..yields_of(region) {
            let axis = region.stack_axis(place);
            let yields = body.results[region.carried + place].is_some();
            if region.track(axis).is_some() && yields != region.has_slices(axis, number) {
                return fail("a body yields another number of slices than its turns have");
            }
        }
    }
    Ok(())
}
