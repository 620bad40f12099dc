//! Splits a `for` of which a part is the same at every step: that part becomes a `for` of its own, which hands its
//! results on turn by turn.
//! `for i { x += f(g(e, w)) }`  →  `for i { yield k = g(e, w) }; for i { x += f(k) }`

use super::known::{Known, known};
use super::{argument, border, keep_read, read_instead};
use crate::graph::{For, NodeId, Op, Region, Typed, Value};
use crate::ops::stacked;
use crate::tensor::{Axes, AxisId};
use std::collections::HashSet;

type Arguments = Vec<Option<Known>>;

/// Splits every `for` of a region, inner ones first.
pub fn split(axes: &Axes, region: &mut Region, arguments: &[Option<Known>], position: &dyn Fn(AxisId) -> bool) {
    for id in region.order() {
        let node = region.node(id);
        let Op::For(repeat) = &node.op else { continue };
        let same = known(axes, region, arguments, position);
        if same.contains_key(&id) || position(repeat.axis) {
            continue;
        }
        let mut repeat = repeat.clone();
        let of = |(place, value): (usize, &Value)| same.get(&value.node).copied().filter(|_| place >= repeat.carried);
        let inner = node.operands.iter().enumerate().map(of).collect::<Arguments>();
        for body in &mut repeat.bodies {
            split(axes, body, &inner, position);
        }
        let borders = repeat.bodies.iter().map(|body| border(body, &known(axes, body, &inner, position)));
        let borders = borders.collect::<Vec<_>>();
        let operands = node.operands.clone();
        take_out(region, id, repeat, operands, &borders);
    }
}

/// Puts the part below the borders into a `for` before this one.
fn take_out(region: &mut Region, id: NodeId, mut repeat: For, mut operands: Vec<Value>, borders: &[Vec<Value>]) {
    let count = borders.iter().map(Vec::len).sum();
    if count > 0 {
        let first = before(&repeat, borders);
        let types = borders.iter().zip(&repeat.bodies).flat_map(|(border, body)| {
            border.iter().map(|value| Typed::always(stacked(&body.typed(*value).ty, repeat.axis)))
        });
        let types = types.collect::<Vec<_>>();
        let read = first.places.iter().map(|place| operands[*place]).collect::<Vec<_>>();
        let made = region.add(Op::For(first.repeat), read, types, repeat.label.clone());
        let edge = repeat.carried + repeat.sliced;
        operands.splice(edge..edge, (0..count as u32).map(|result| Value { node: made, result }));
        receive(&mut repeat, borders, count);
        operands = forget_unread(&mut repeat, operands);
    }
    region.edit(id, |node| {
        node.op = Op::For(repeat);
        node.operands = operands;
    });
}

/// A `for` and the places of the operands that it takes of another.
struct Part {
    repeat: For,
    places: Vec<usize>,
}

/// The `for` that yields the values of the borders, one place for each.
fn before(repeat: &For, borders: &[Vec<Value>]) -> Part {
    let count: usize = borders.iter().map(Vec::len).sum();
    let (mut bodies, mut places, mut first) = (Vec::new(), Vec::new(), 0);
    for (body, border) in repeat.bodies.iter().zip(borders) {
        let mut body = body.clone();
        body.results = vec![None; count];
        border.iter().enumerate().for_each(|(place, value)| body.results[first + place] = Some(*value));
        keep_read(&mut body);
        first += border.len();
        places.extend(body.ids().iter().filter_map(|id| argument_place(&body, *id)));
        bodies.push(body);
    }
    places.sort_unstable();
    places.dedup();
    for body in &mut bodies {
        renumber(body, &|place| places.iter().position(|known| *known == place).unwrap_or(place));
    }
    let sliced = repeat.carried..repeat.carried + repeat.sliced;
    let sliced = places.iter().filter(|place| sliced.contains(place)).count();
    let repeat = For { carried: 0, sliced, bodies, stacks: Vec::new(), until: false, ..repeat.clone() };
    Part { repeat, places }
}

/// Lets the bodies read slices of what was made before.
fn receive(repeat: &mut For, borders: &[Vec<Value>], count: usize) {
    let edge = repeat.carried + repeat.sliced;
    let mut first = edge;
    for (body, border) in repeat.bodies.iter_mut().zip(borders) {
        renumber(body, &|place| if place >= edge { place + count } else { place });
        for (place, value) in border.iter().enumerate() {
            let node = argument(first + place, body.typed(*value), &repeat.label);
            let held = Value::of(body.insert(node));
            read_instead(body, *value, held);
        }
        first += border.len();
        keep_read(body);
    }
    repeat.sliced += count;
}

/// Leaves out operands that no body reads any more.
fn forget_unread(repeat: &mut For, operands: Vec<Value>) -> Vec<Value> {
    let read = repeat.bodies.iter().flat_map(|body| body.ids().into_iter().filter_map(|id| argument_place(body, id)));
    let read = read.collect::<HashSet<_>>();
    let places = (0..operands.len()).filter(|place| *place < repeat.carried || read.contains(place));
    let places = places.collect::<Vec<_>>();
    for body in &mut repeat.bodies {
        renumber(body, &|place| places.iter().position(|known| *known == place).unwrap_or(place));
    }
    let sliced = repeat.carried..repeat.carried + repeat.sliced;
    repeat.sliced = places.iter().filter(|place| sliced.contains(place)).count();
    places.into_iter().map(|place| operands[place]).collect()
}

fn argument_place(body: &Region, id: NodeId) -> Option<usize> {
    if let Op::Argument(place) = body.node(id).op { Some(place) } else { None }
}

fn renumber(body: &mut Region, new: &dyn Fn(usize) -> usize) {
    for id in body.ids() {
        if let Some(place) = argument_place(body, id) {
            body.edit(id, |node| node.op = Op::Argument(new(place)));
        }
    }
}
