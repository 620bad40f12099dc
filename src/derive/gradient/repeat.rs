//! The gradient of a `for` is a `for` the other way round.
//!
//! It carries the adjoints of what is carried and the sums of the adjoints of what is captured; it slices the adjoints
//! of the yields and whatever its bodies need of the same turn (which the forward `for` yields as well); it yields
//! the adjoints of what is sliced.

use super::active::{active_values, argument_activity};
use super::{sum_of_adjoints, sweep};
use crate::fault::Bug;
use crate::graph::{For, Node, NodeId, Op, Region, Typed, Value};
use crate::ops::{Slot, Tape, stacked};
use crate::tensor::{Affine, AxisId, BATCH, DType, Presence, Relation, TensorType};

/// Hands the adjoints of a `for`'s results on to its operands.
pub(super) fn gradient(tape: &mut Tape, id: NodeId, node: &Node, region: &For) -> Result<(), Bug> {
    let results = (0..node.results.len() as u32).map(|result| Value { node: id, result });
    let upstream = results.map(|value| tape.take(value)).collect::<Vec<_>>();
    if upstream.iter().all(Option::is_none) {
        return Ok(());
    }
    if region.until {
        return Err(Bug::new("derive", "a `for` with `until` is not differentiated"));
    }
    let operands = node.operands.iter().map(|operand| tape.is_active(*operand)).collect();
    let plan = Plan {
        active: argument_activity(region, &|_| false, operands),
        types: node.operands.iter().map(|operand| tape.forward.typed(*operand).ty.clone()).collect(),
        region,
    };
    let mut bodies = Vec::new();
    for number in 0..region.bodies.len() {
        bodies.push(plan.backward_body(tape, number, &upstream)?);
    }
    let stacks = save(tape, id, region, &mut bodies);
    let built = plan.backward_for(tape, node, upstream, bodies, &stacks);
    plan.hand_on(tape, node, built);
    Ok(())
}

/// What is the same for all bodies.
struct Plan<'a> {
    region: &'a For,
    /// Which operands get an adjoint.
    active: Vec<bool>,
    /// The types of all operands.
    types: Vec<TensorType>,
}

/// One body while it is differentiated.
struct Body {
    forward: Region,
    backward: Region,
    slots: Vec<(Slot, Value)>,
    /// For each `Saved` slot the result of the forward `for` that keeps it.
    saved: Vec<(Value, u32)>,
}

impl Plan<'_> {
    fn places(&self, from: usize, to: usize) -> impl Iterator<Item = usize> {
        (from..to).filter(|place| self.active[*place])
    }

    fn carried(&self) -> impl Iterator<Item = usize> {
        self.places(0, self.region.carried)
    }

    fn sliced(&self) -> impl Iterator<Item = usize> {
        self.places(self.region.carried, self.region.carried + self.region.sliced)
    }

    fn captured(&self) -> impl Iterator<Item = usize> {
        self.places(self.region.carried + self.region.sliced, self.types.len())
    }

    fn is_sliced(&self, place: usize) -> bool {
        (self.region.carried..self.region.carried + self.region.sliced).contains(&place)
    }

    /// The axis along which an operand is sliced.
    fn axis_of(&self, place: usize) -> AxisId {
        self.region.slice_axis(&self.types[place]).unwrap_or(self.region.axis)
    }

    fn backward_body(&self, tape: &Tape, number: usize, upstream: &[Option<Value>]) -> Result<Body, Bug> {
        let body = &self.region.bodies[number];
        let active = active_values(body, &|_| false, &self.active);
        let mut inner = Tape::apart(tape.axes, body.clone(), active, self.region.carried);
        for place in self.carried() {
            let argument = inner.hand_in(Slot::Carried(place), Typed::always(self.types[place].clone()));
            let argument = self.of_running_rows(&mut inner, argument);
            body.results[place].into_iter().for_each(|value| inner.give(value, argument));
        }
        for (place, result) in body.results.iter().enumerate().skip(self.region.carried) {
            if let (Some(value), Some(_)) = (result, upstream[place]) {
                let ty = body.typed(*value).ty.clone();
                let argument = inner.hand_in(Slot::Yield(place), Typed::always(ty));
                let argument = self.of_running_rows(&mut inner, argument);
                inner.give(*value, argument);
            }
        }
        sweep(&mut inner, None)?;
        let mut results = self.carried().map(|place| Some(self.adjoint(&mut inner, place))).collect::<Vec<_>>();
        for place in self.captured() {
            let sum = inner.hand_in(Slot::Sum(place), Typed::always(self.types[place].clone()));
            let part = self.adjoint(&mut inner, place);
            results.push(Some(inner.plus(sum, part)));
        }
        for place in self.sliced() {
            let has_slices = self.region.has_slices(self.axis_of(place), number);
            results.push(has_slices.then(|| self.adjoint(&mut inner, place)));
        }
        let slots = std::mem::take(&mut inner.slots);
        let (forward, backward) = inner.into_regions();
        let mut backward = backward.unwrap_or_default();
        backward.results = results;
        Ok(Body { forward, backward, slots, saved: Vec::new() })
    }

    /// An adjoint that is absent in rows for which the turn does not exist: nothing is summed over them.
    fn of_running_rows(&self, inner: &mut Tape, adjoint: Value) -> Value {
        if !inner.axes.is_sequence(self.region.axis) || !inner.ty(adjoint).has(BATCH) {
            return adjoint;
        }
        let by_row = Typed::always(TensorType::new([BATCH], DType::Int));
        let length = inner.add(Op::Length(self.region.axis), vec![], by_row);
        let turn = inner.add(Op::Turn, vec![], Typed::always(TensorType::scalar(DType::Int)));
        let left = Affine::number(-1).plus(&Affine::value(length), 1).plus(&Affine::value(turn), -1);
        inner.narrow(adjoint, &Presence { relations: vec![Relation::AtLeastZero(left)] })
    }

    /// The adjoint of an argument of a body, in the argument's type.
    fn adjoint(&self, inner: &mut Tape, place: usize) -> Value {
        let is_it = |node: &Node| matches!(node.op, Op::Argument(own) if own == place);
        let nodes = inner.forward.ids().into_iter().filter(|&id| is_it(inner.forward.node(id)));
        let values = nodes.map(Value::of).collect::<Vec<_>>();
        let ty = match self.is_sliced(place) {
            true => self.region.slice_of(&self.types[place]),
            false => self.types[place].clone(),
        };
        sum_of_adjoints(inner, values.into_iter(), &ty)
    }

    /// Builds the backward `for` from its bodies; returns its node.
    fn backward_for(
        &self,
        tape: &mut Tape,
        node: &Node,
        upstream: Vec<Option<Value>>,
        bodies: Vec<Body>,
        stacks: &[Value],
    ) -> NodeId {
        let mut handed = Handed::default();
        for place in self.carried() {
            let value = match upstream[place] {
                Some(value) => tape.shaped(value, &self.types[place]),
                None => tape.filled(0.0, &self.types[place]),
            };
            handed.carried.push((Key::Slot(Slot::Carried(place)), value));
        }
        for place in self.captured() {
            let zero = tape.filled(0.0, &self.types[place]);
            handed.carried.push((Key::Slot(Slot::Sum(place)), zero));
        }
        for (place, value) in upstream.iter().enumerate().skip(self.region.carried) {
            if let Some(value) = value {
                let value = tape.shaped(*value, &node.results[place].ty);
                handed.sliced.push((Key::Slot(Slot::Yield(place)), value));
            }
        }
        for stack in stacks {
            let value = tape.read(*stack);
            handed.sliced.push((Key::Stack(stack.result), value));
        }
        self.hand_operands_again(tape, node, &bodies, &mut handed);
        let regions = bodies.into_iter().map(|body| handed.place_arguments(body)).collect();
        let mut repeat = For {
            axis: self.region.axis,
            reverse: !self.region.reverse,
            carried: handed.carried.len(),
            sliced: handed.sliced.len(),
            bodies: regions,
            turns: self.region.turns.clone(),
            tracks: self.region.tracks.clone(),
            stacks: Vec::new(),
            until: false,
            label: self.region.label.clone(),
        };
        repeat.stack_along(0, self.sliced().map(|place| self.axis_of(place)));
        let path = tape.path.clone();
        tape.region().add(Op::For(repeat), handed.operands(), self.result_types(), path)
    }

    fn hand_operands_again(&self, tape: &mut Tape, node: &Node, bodies: &[Body], handed: &mut Handed) {
        for (slot, _) in bodies.iter().flat_map(|body| &body.slots) {
            let Slot::Operand(place) = *slot else { continue };
            let key = Key::Slot(*slot);
            let list = if self.is_sliced(place) { &mut handed.sliced } else { &mut handed.captured };
            if list.iter().all(|(known, _)| *known != key) {
                list.push((key, tape.read(node.operands[place])));
            }
        }
    }

    fn result_types(&self) -> Vec<Typed> {
        let whole = self.carried().chain(self.captured()).map(|place| self.types[place].clone());
        let slices = self.sliced().map(|place| {
            let axis = self.axis_of(place);
            stacked(&self.types[place].without(&[axis]), axis)
        });
        whole.chain(slices).map(Typed::always).collect()
    }

    fn hand_on(&self, tape: &mut Tape, node: &Node, built: NodeId) {
        let places = self.carried().chain(self.captured()).chain(self.sliced());
        for (result, place) in places.enumerate() {
            tape.give(node.operands[place], Value { node: built, result: result as u32 });
        }
    }
}

/// What the backward `for` is handed.
#[derive(Default)]
struct Handed {
    carried: Vec<(Key, Value)>,
    sliced: Vec<(Key, Value)>,
    captured: Vec<(Key, Value)>,
}

/// What an operand of the backward `for` is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Key {
    Slot(Slot),
    /// A result of the forward `for` that keeps what bodies save.
    Stack(u32),
}

impl Handed {
    fn all(&self) -> impl Iterator<Item = &(Key, Value)> {
        self.carried.iter().chain(&self.sliced).chain(&self.captured)
    }

    fn operands(&self) -> Vec<Value> {
        self.all().map(|(_, value)| *value).collect()
    }

    /// The backward body with its arguments numbered like the operands.
    fn place_arguments(&self, body: Body) -> Region {
        let mut region = body.backward;
        for (slot, argument) in &body.slots {
            let key = match slot {
                Slot::Saved(value) => {
                    body.saved.iter().find(|(own, _)| own == value).map(|(_, stack)| Key::Stack(*stack))
                }
                slot => Some(Key::Slot(*slot)),
            };
            let place = key.and_then(|key| self.all().position(|(known, _)| *known == key));
            if let Some(place) = place {
                region.edit(argument.node, |node| node.op = Op::Argument(place));
            }
        }
        region
    }
}

/// Lets the forward `for` yield what the backward bodies need; returns the new results. Bodies share a stack where the
/// types allow, as each turn runs one of them.
fn save(tape: &mut Tape, id: NodeId, region: &For, bodies: &mut [Body]) -> Vec<Value> {
    let mut stacks: Vec<(TensorType, Vec<Option<Value>>)> = Vec::new();
    let first = tape.forward.node(id).results.len();
    let count = bodies.len();
    for (number, body) in bodies.iter_mut().enumerate() {
        for (slot, _) in &body.slots {
            let Slot::Saved(value) = *slot else { continue };
            if body.saved.iter().any(|(own, _)| *own == value) {
                continue;
            }
            let ty = body.forward.typed(value).ty.clone();
            let free = stacks.iter().position(|(own, kept)| *own == ty && kept[number].is_none());
            let place = free.unwrap_or_else(|| {
                stacks.push((ty, vec![None; count]));
                stacks.len() - 1
            });
            stacks[place].1[number] = Some(value);
            body.saved.push((value, (first + place) as u32));
        }
    }
    let mut regions = Vec::new();
    for (number, body) in bodies.iter_mut().enumerate() {
        let mut forward = std::mem::take(&mut body.forward);
        for (ty, kept) in &stacks {
            let yielded = total(&mut forward, kept[number], ty);
            forward.results.push(Some(yielded));
        }
        regions.push(forward);
    }
    tape.forward.edit(id, |node| {
        if let Op::For(own) = &mut node.op {
            own.bodies = regions;
        }
        node.results.extend(stacks.iter().map(|(ty, _)| Typed::always(stacked(ty, region.axis))));
    });
    (0..stacks.len()).map(|place| Value { node: id, result: (first + place) as u32 }).collect()
}

/// The value with zeros where it is absent; zeros if there is no value.
fn total(region: &mut Region, value: Option<Value>, ty: &TensorType) -> Value {
    use crate::tensor::{Scalar, ScalarStep};
    let zero = |ty: &TensorType| Op::Map(Scalar { steps: vec![ScalarStep::Number(0.0, ty.dtype)] });
    match value {
        Some(value) if region.typed(value).presence.is_always() => value,
        Some(value) => {
            let scalar = TensorType::scalar(ty.dtype);
            let zero = region.add_one(zero(&scalar), [], Typed::always(scalar), "");
            region.add_one(Op::Else, [value, zero], Typed::always(ty.clone()), "")
        }
        None => region.add_one(zero(ty), [], Typed::always(ty.clone()), ""),
    }
}
