//! States of a region: values at all positions that are still read, written at the new ones.
//!
//! Where every position may be read, a state lies along `context`. Where another index goes back a known number of
//! positions, it is a ring: position p lies at `p % size`, and the ring has room for what is read and for the new
//! positions of one call, so that a call may write before it reads. What is read at known distances alone is
//! [`super::tail`]'s.

use super::Shared;
use super::reach::Reach;
use super::rewrite::{Rewrite, Slot};
use super::rows::by_row;
use crate::graph::{Op, Typed, Value};
use crate::tensor::{Affine, AxisId, BATCH, DType, Extent, Function, Scalar, ScalarStep, TensorType, Term};
use archc_runtime::abi::names;

/// New positions that every ring has room for.
const LEAST_ROOM: i64 = 128;
/// Rings have a multiple of so many places: streamed attention walks keys in blocks, none of which shall wrap.
const BLOCK: i64 = 64;

impl Shared {
    /// The axis of rings for values that are read up to `reach` positions back.
    fn ring(&mut self, reach: i64) -> AxisId {
        let size = (reach + LEAST_ROOM + BLOCK - 1) / BLOCK * BLOCK;
        self.axes.limit(self.chunk, size - reach);
        self.recent(size)
    }

    /// The axis of states that hold so many of the latest positions.
    pub(super) fn recent(&mut self, size: i64) -> AxisId {
        let known = self.rings.iter().copied().find(|axis| self.axes.fixed(*axis) == Some(size));
        known.unwrap_or_else(|| {
            let axis = self.axes.add(names::RECENT, Extent::Fixed(size));
            self.rings.push(axis);
            axis
        })
    }
}

impl Rewrite<'_> {
    /// The state that holds an old value at other positions, and the axis of positions in it.
    pub(super) fn whole(&mut self, value: Value) -> (Value, AxisId) {
        if let Some(&known) = self.whole.get(&value) {
            return known;
        }
        let home = match self.reaches.get(&value) {
            Some(Reach::Shifts(reach) | Reach::Window(reach)) => self.shared.ring(*reach),
            Some(Reach::All) | None => self.shared.context,
        };
        let place = self.place_in(home, &Affine::axis(self.shared.chunk));
        let slot = self.keep_along(value, home, place);
        self.whole.insert(value, (slot.written, home));
        (slot.written, home)
    }

    /// A state along `home` that the new positions of an old value are written to, each to its place.
    pub(super) fn keep_along(&mut self, value: Value, home: AxisId, place: Affine<Value>) -> Slot {
        let old = &self.old.typed(value).ty;
        let moved = |axis: &AxisId| if *axis == self.shared.chunk { home } else { *axis };
        let axes = old.axes.iter().map(moved).collect::<Vec<_>>();
        let typed = Typed::always(by_row(TensorType::new(axes, old.dtype)));
        let (name, held) = self.state(&self.old.node(value.node).path.clone(), typed.clone());
        let write = Op::Write(vec![(home, place)]);
        let written = self.new.add_one(write, [held, self.own[&value]], typed, name.clone());
        let slot = Slot { name, held, written };
        self.slots.push(slot.clone());
        slot
    }

    /// Where a position of the old graph lies in a state along `home`.
    pub(super) fn place_in(&mut self, home: AxisId, place: &Affine<Value>) -> Affine<Value> {
        let Some(size) = self.shared.axes.fixed(home) else { return self.place(place) };
        match place.as_axis() {
            Some(axis) if axis != self.shared.chunk => Affine::term(Term::Remainder(axis, size)),
            _ => Affine::value(self.slot(place, size)),
        }
    }

    /// `(start + place) % size`, for every new position and whatever else the place reads.
    pub(super) fn slot(&mut self, place: &Affine<Value>, size: i64) -> Value {
        let (position, chunk) = (self.position(), self.shared.chunk);
        let mut scalar = Scalar::default();
        let mut sum = scalar.push(ScalarStep::Operand(0));
        let mut axes = vec![BATCH, chunk];
        let offset = place.plus(&Affine::axis(chunk), -1);
        for (axis, factor) in offset.terms.iter().filter_map(|(term, factor)| Some((term_axis(term)?, factor))) {
            let coordinate = scalar.push(ScalarStep::Coordinate(axis));
            let factor = scalar.push(ScalarStep::Number(*factor as f64, DType::Int));
            let part = scalar.push(ScalarStep::Call(Function::Multiply, vec![coordinate, factor]));
            sum = scalar.push(ScalarStep::Call(Function::Add, vec![sum, part]));
            axes.push(axis);
        }
        let constant = scalar.push(ScalarStep::Number(offset.constant as f64, DType::Int));
        let sum = scalar.push(ScalarStep::Call(Function::Add, vec![sum, constant]));
        let size = scalar.push(ScalarStep::Number(size as f64, DType::Int));
        scalar.push(ScalarStep::Call(Function::Remainder, vec![sum, size]));
        let typed = Typed::always(TensorType::new(axes, DType::Int));
        self.new.add_one(Op::Map(scalar), [position], typed, "slot")
    }
}

/// The axis whose bare coordinate a term is: causality has seen to it that a shift has no other terms.
fn term_axis(term: &Term<Value>) -> Option<AxisId> {
    if let Term::Axis(axis) = term { Some(*axis) } else { None }
}
