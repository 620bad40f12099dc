//! Runs a `for`: one body a turn, carried values handed on, yields stacked.
//!
//! A row for which a turn does not exist, because its sequence is over or because it has stopped, keeps what it
//! carries and yields nothing.

use super::region::{self, Frame};
use crate::fault::Fault;
use crate::graph::{For, Node, Region, Value};
use crate::ops::Scene;
use crate::tensor::{Array, AxisId, BATCH, Shape, walk};
use std::rc::Rc;

pub(super) fn evaluate(
    frame: Frame,
    scene: &Scene,
    node: &Node,
    region: &For,
    operands: &[Rc<Array>],
) -> Result<Vec<Rc<Array>>, Fault> {
    let mut carried = operands[..region.carried].to_vec();
    let mut stacks = node.results[region.carried..].iter().map(|typed| empty_stack(scene.shape(&typed.ty)));
    let mut stacks = stacks.by_ref().collect::<Vec<_>>();
    let mut stopped = vec![false; scene.extent(BATCH)];
    let count = scene.extent(region.axis);
    for step in 0..count {
        let turn = if region.reverse { count - 1 - step } else { step };
        let active = active_rows(scene, region.axis, turn, &stopped);
        if active.as_ref().is_some_and(|active| !active.contains(&true)) {
            continue;
        }
        let turns = [frame.turns, &[turn]].concat();
        let inner = Frame { turns: &turns, active: active.as_deref(), ..frame };
        let body = &region.bodies[region.turns.as_ref().map_or(0, |turns| turns[turn] as usize)];
        let arguments = arguments(region, &carried, operands, turn);
        let values = region::evaluate(inner, body, &arguments)?;
        let read = |value: Value| values[value.node.index()][value.result as usize].clone();
        hand_on(&mut carried, body, read, active.as_deref());
        for (place, (stack, result)) in stacks.iter_mut().zip(&body.results[region.carried..]).enumerate() {
            let axis = region.stack_axis(place);
            if let (Some(value), Some(at)) = (result, region.slice_at(axis, turn)) {
                put(stack, &read(*value), axis, at, active.as_deref());
            }
        }
        if region.until
            && let Some(Some(until)) = body.results.last()
        {
            stop(&mut stopped, &read(*until), active.as_deref());
        }
    }
    Ok(carried.into_iter().chain(stacks.into_iter().map(|stack| Rc::new(stack.tidy()))).collect())
}

fn empty_stack(shape: Shape) -> Array {
    let mut stack = Array::filled(shape, 0.0);
    stack.mask().fill(false);
    stack
}

/// Rows for which the turn exists; nothing if all.
fn active_rows(scene: &Scene, axis: AxisId, turn: usize, stopped: &[bool]) -> Option<Vec<bool>> {
    let lengths = scene.lengths(axis);
    if lengths.is_none() && scene.active.is_none() && !stopped.contains(&true) {
        return None;
    }
    let row = |row: usize| {
        !stopped[row]
            && scene.active.is_none_or(|active| active[row])
            && lengths.is_none_or(|lengths| turn < lengths[row])
    };
    Some((0..stopped.len()).map(row).collect())
}

fn arguments(region: &For, carried: &[Rc<Array>], operands: &[Rc<Array>], turn: usize) -> Vec<Rc<Array>> {
    let (sliced, captured) = operands[region.carried..].split_at(region.sliced);
    let slices = sliced.iter().map(|operand| slice_of_turn(region, operand, turn));
    carried.iter().cloned().chain(slices).chain(captured.iter().cloned()).collect()
}

/// What a turn sees of a sliced operand; nothing reads it where the turn has none.
fn slice_of_turn(region: &For, operand: &Rc<Array>, turn: usize) -> Rc<Array> {
    let axis = region.slice_axis_where(|axis| operand.shape.place(axis).is_some()).unwrap_or(region.axis);
    region.slice_at(axis, turn).map_or_else(|| operand.clone(), |at| Rc::new(slice(operand, axis, at)))
}

/// The part of an array at one position of an axis.
fn slice(array: &Array, axis: AxisId, at: usize) -> Array {
    let Some(place) = array.shape.place(axis) else { return array.clone() };
    let mut shape = array.shape.clone();
    shape.axes.remove(place);
    shape.extents.remove(place);
    let base = at * array.shape.stride(axis);
    let mut numbers = Vec::with_capacity(shape.len());
    let mut present = array.present.as_ref().map(|_| Vec::with_capacity(shape.len()));
    walk(&shape.extents, &[array.shape.strides(&shape.axes)], |_, offsets| {
        numbers.push(array.numbers[base + offsets[0]]);
        if let Some(present) = &mut present {
            present.push(array.is_present(base + offsets[0]));
        }
    });
    Array { shape, numbers, present }
}

/// Writes a slice into a stack.
fn put(stack: &mut Array, slice: &Array, axis: AxisId, at: usize, active: Option<&[bool]>) {
    let base = at * stack.shape.stride(axis);
    let row = slice.shape.place(BATCH);
    let mut from = 0;
    let strides = [stack.shape.strides(&slice.shape.axes)];
    walk(&slice.shape.extents, &strides, |coordinates, offsets| {
        let to = base + offsets[0];
        let takes_part = active.zip(row).is_none_or(|(active, place)| active[coordinates[place]]);
        stack.numbers[to] = slice.numbers[from];
        stack.mask()[to] = takes_part && slice.is_present(from);
        from += 1;
    });
}

/// Replaces carried values in the rows that take part.
fn hand_on(carried: &mut [Rc<Array>], body: &Region, read: impl Fn(Value) -> Rc<Array>, active: Option<&[bool]>) {
    for (old, result) in carried.iter_mut().zip(&body.results) {
        let Some(value) = result else { continue };
        let new = read(*value);
        *old = match (active, new.shape.place(BATCH)) {
            (Some(active), Some(place)) => Rc::new(choose(&new, old, active, place)),
            _ => new,
        };
    }
}

fn choose(new: &Array, old: &Array, active: &[bool], place: usize) -> Array {
    let mut result = new.clone();
    let mut present = (new.present.is_some() || old.present.is_some()).then(|| Vec::with_capacity(new.numbers.len()));
    let mut at = 0;
    walk(&new.shape.extents, &[old.shape.strides(&new.shape.axes)], |coordinates, offsets| {
        let takes_part = active[coordinates[place]];
        if !takes_part {
            result.numbers[at] = old.numbers[offsets[0]];
        }
        if let Some(present) = &mut present {
            present.push(if takes_part { new.is_present(at) } else { old.is_present(offsets[0]) });
        }
        at += 1;
    });
    result.present = present;
    result
}

fn stop(stopped: &mut [bool], until: &Array, active: Option<&[bool]>) {
    let stride = until.shape.stride(BATCH);
    for (row, stopped) in stopped.iter_mut().enumerate() {
        let takes_part = active.is_none_or(|active| active[row]);
        let offset = row * stride;
        *stopped |= takes_part && until.is_present(offset) && until.numbers[offset] != 0.0;
    }
}
