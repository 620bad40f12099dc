//! A `for` in the step program: a region over layers hands each turn its slice of the states; a recurrence over the
//! growing sequence goes on from what it carried at the end of the last call.

use super::homes::Homes;
use super::rewrite::{Rewrite, Slot};
use super::{NotIncremental, Shared, rows, turns};
use crate::graph::{For, NodeId, Op, Region, Typed, Value};
use crate::ops::{stacked, yields_of};
use crate::tensor::{BATCH, DType, Function, Scalar, ScalarStep, TensorType};
use rows::by_row;
use std::collections::HashMap;

impl Rewrite<'_> {
    /// Rewrites a `for`.
    pub(super) fn region(&mut self, id: NodeId, region: &For) -> Result<(), NotIncremental> {
        if region.axis == self.shared.chunk { self.recurrence(id, region) } else { self.layers(id, region) }
    }

    /// Bodies with states of their own: each becomes one more sliced operand and one more yield.
    fn layers(&mut self, id: NodeId, region: &For) -> Result<(), NotIncremental> {
        let mut operands = self.operands(id);
        let known = self.shared.states.len();
        let sights = self.sights_of(id, region);
        let bodies = loop {
            let arguments = self.arguments_of(region, &operands);
            let mut bodies = Vec::new();
            for body in &region.bodies {
                bodies.push(rewrite_body(self.shared, body, region, (arguments.clone(), &sights))?);
            }
            if !self.widen(region, &mut operands, &mut bodies) {
                break bodies;
            }
            self.shared.states.truncate(known);
        };
        let counts = operands.len();
        let counted = bodies.iter().any(|(body, _)| reads_argument(body, counts));
        let homes = Homes::of(&bodies);
        let mut rewritten = region.clone();
        rewritten.sliced += homes.slots.len();
        let axes = homes.axes(&mut rewritten, &mut self.shared.axes);
        rewritten.stack_along(yields_of(region), axes.iter().copied());
        rewritten.bodies = homes.settle(bodies, &rewritten);
        let mut held = Vec::new();
        for ((slot, ty), axis) in homes.slots.iter().zip(&homes.types).zip(axes) {
            held.push(self.receive(&slot.name, Typed::always(stacked(ty, axis)), self.slots.len() + held.len()));
        }
        let border = region.carried + region.sliced;
        operands.splice(border..border, held.iter().copied());
        if counted {
            operands.push(self.start);
        } else {
            rewritten.bodies.iter_mut().for_each(|body| forget_argument(body, counts + homes.slots.len()));
        }
        self.finish(id, rewritten, operands, homes.slots, held);
        Ok(())
    }

    /// The places of what a `for` hands to its bodies that looks ahead, and what it is outside of all bodies.
    fn sights_of(&self, id: NodeId, region: &For) -> HashMap<usize, Value> {
        let operands = self.old.node(id).operands.iter().enumerate().skip(region.carried + region.sliced);
        let looking = operands.filter(|(_, value)| self.looks_ahead(**value));
        looking.map(|(place, value)| (place, self.sights.get(value).copied().unwrap_or(*value))).collect()
    }

    /// Brings what is carried and what bodies make of it to one type: where one belongs to a row, both do. Whether an
    /// initial value has changed, so that the bodies have to be made again.
    fn widen(&mut self, region: &For, operands: &mut [Value], bodies: &mut [(Region, Vec<Slot>)]) -> bool {
        let mut changed = false;
        for (place, initial) in operands.iter_mut().enumerate().take(region.carried) {
            for (body, _) in bodies.iter_mut() {
                let Some(made) = body.results[place] else { continue };
                let (own, other) = (body.typed(made).ty.has(BATCH), self.new.typed(*initial).ty.has(BATCH));
                if other && !own {
                    body.results[place] = Some(for_each_row(body, made));
                } else if own && !other {
                    *initial = for_each_row(&mut self.new, *initial);
                    changed = true;
                }
            }
        }
        changed
    }

    /// What the bodies of a `for` are handed.
    fn arguments_of(&self, region: &For, operands: &[Value]) -> Vec<Typed> {
        let sliced = region.carried..region.carried + region.sliced;
        let typed = operands.iter().enumerate().map(|(place, value)| {
            let ty = &self.new.typed(*value).ty;
            Typed::always(if sliced.contains(&place) { region.slice_of(ty) } else { ty.clone() })
        });
        typed.collect()
    }

    /// Adds the node and records the states that it has written.
    fn finish(&mut self, id: NodeId, region: For, operands: Vec<Value>, slots: Vec<Slot>, held: Vec<Value>) {
        let first = self.old.node(id).results.len();
        let new = self.emit(id, Op::For(region), operands);
        let types = held.iter().map(|value| self.new.typed(*value).clone()).collect::<Vec<_>>();
        self.new.edit(new, |node| node.results.extend(types));
        for (place, (slot, held)) in slots.into_iter().zip(held).enumerate() {
            let written = Value { node: new, result: (first + place) as u32 };
            self.slots.push(Slot { name: slot.name, held, written });
        }
    }

    /// A recurrence: what it carries is a state; a row without earlier positions starts from the initial value.
    fn recurrence(&mut self, id: NodeId, region: &For) -> Result<(), NotIncremental> {
        let path = self.old.node(id).path.clone();
        if region.reverse {
            return Err(NotIncremental { path, reason: "a recurrence runs from the end of the sequence".into() });
        }
        let chunk = self.shared.chunk;
        region.bodies.iter().try_for_each(|body| turns::check(body, chunk))?;
        let mut operands = self.operands(id);
        let first = self.slots.len();
        for initial in operands.iter_mut().take(region.carried) {
            let mut typed = self.new.typed(*initial).clone();
            typed.ty = by_row(typed.ty);
            let (name, held) = self.state(&path, typed);
            *initial = self.resumed(held, *initial, &path);
            self.slots.push(Slot { name, held, written: held });
        }
        let mut region = region.clone();
        region.bodies.iter_mut().for_each(|body| turns::measure_all(body, chunk, self.shared.context));
        if region.bodies.iter().any(|body| turns::counts(body, chunk)) {
            let start = operands.len();
            operands.push(self.start);
            region.bodies.iter_mut().for_each(|body| turns::count_from_start(body, start, chunk));
        }
        let arguments = self.arguments_of(&region, &operands);
        region.bodies.iter_mut().for_each(|body| rows::widen(body, &arguments));
        let new = self.emit(id, Op::For(region), operands);
        for (place, slot) in self.slots[first..].iter_mut().enumerate() {
            slot.written = Value { node: new, result: place as u32 };
        }
        Ok(())
    }

    /// `held` for rows that have earlier positions, `initial` for others.
    fn resumed(&mut self, held: Value, initial: Value, path: &str) -> Value {
        let mut scalar = Scalar::default();
        let [start, before, first] = [0, 1, 2].map(|place| scalar.push(ScalarStep::Operand(place)));
        let zero = scalar.push(ScalarStep::Number(0.0, DType::Int));
        let resumes = scalar.push(ScalarStep::Call(Function::Less, vec![zero, start]));
        scalar.push(ScalarStep::Call(Function::Select, vec![resumes, before, first]));
        let typed = self.new.typed(held).clone();
        self.new.add_one(Op::Map(scalar), [self.start, held, initial], typed, path)
    }
}

/// Whether something in a body reads the argument of a place.
fn reads_argument(body: &Region, place: usize) -> bool {
    body.ids()
        .into_iter()
        .any(|id| matches!(body.node(id).op, Op::Argument(own) if own == place) && !body.users(id).is_empty())
}

/// Removes the argument of a place, which nothing reads.
fn forget_argument(body: &mut Region, place: usize) {
    for id in body.ids() {
        if matches!(body.node(id).op, Op::Argument(own) if own == place) {
            body.remove(id);
        }
    }
}

/// The same value for each row.
fn for_each_row(region: &mut Region, value: Value) -> Value {
    let mut typed = region.typed(value).clone();
    typed.ty.axes.insert(0, BATCH);
    region.add_one(Op::Map(Scalar::identity()), [value], typed, "rows")
}

/// Rewrites one body. Arguments of states are numbered from 0 for now; `start` is the argument after all others.
fn rewrite_body(
    shared: &mut Shared,
    body: &Region,
    region: &For,
    (arguments, sights): (Vec<Typed>, &HashMap<usize, Value>),
) -> Result<(Region, Vec<Slot>), NotIncremental> {
    let mut new = Region::default();
    let per_row = Typed::always(TensorType::new([BATCH], DType::Int));
    let start = new.add_one(Op::Argument(arguments.len()), [], per_row, "start");
    let mut rewrite = Rewrite::new(shared, body, new, start, Some(region.axis));
    rewrite.arguments = arguments;
    rewrite.sights = body
        .ids()
        .into_iter()
        .filter_map(|id| match body.node(id).op {
            Op::Argument(place) => Some((Value::of(id), *sights.get(&place)?)),
            _ => None,
        })
        .collect();
    rewrite.run(&body.results.iter().flatten().copied().collect::<Vec<_>>())?;
    let results = body.results.iter().map(|result| result.map(|value| rewrite.own[&value])).collect();
    let Rewrite { mut new, slots, .. } = rewrite;
    new.results = results;
    Ok((new, slots))
}
