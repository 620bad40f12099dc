//! The body of a chunkwise loop: one turn is a chunk, and what it needs of the outer region is handed in.

use super::pieces::Pieces;
use crate::graph::{Op, Region, Typed, Value};
use crate::ops::Tape;
use crate::tensor::{Axes, AxisId, BATCH, Function, TensorType};
use std::collections::{HashMap, HashSet};

/// The body of the loop over chunks while it is made.
pub(super) struct Turn<'a> {
    pub tape: Tape<'a>,
    pub pieces: &'a Pieces,
    carried: usize,
    /// What is cut, and its argument.
    pub sliced: Vec<(Value, Value)>,
    /// What is the same in all chunks, and its argument.
    pub captured: Vec<(Value, Value)>,
    ones: HashMap<bool, Value>,
}

/// Which position of the chunk a value is taken at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that is computed.
    At,
    /// The one that is read.
    From,
}

impl<'a> Turn<'a> {
    pub fn new(axes: &'a Axes, pieces: &'a Pieces, carried: usize, path: &str) -> Turn<'a> {
        let mut tape = Tape::beside(axes, Region::default(), HashSet::new());
        tape.path = path.to_string();
        Turn { tape, pieces, carried, sliced: Vec::new(), captured: Vec::new(), ones: HashMap::new() }
    }

    /// A carried value at the start of the chunk.
    pub fn state(&mut self, place: usize, ty: TensorType) -> Value {
        self.tape.add(Op::Argument(place), vec![], Typed::always(ty))
    }

    /// An outer value, of which the turn sees its chunk.
    pub fn value(&mut self, outer: &Tape, value: Value, side: Side) -> Value {
        let ty = outer.ty(value);
        let cut = ty.has(self.pieces.along);
        let known = if cut { &self.sliced } else { &self.captured };
        let argument = match known.iter().find(|(own, _)| *own == value) {
            Some((_, argument)) => *argument,
            None => {
                let name = |axis: &AxisId| if *axis == self.pieces.along { self.pieces.at } else { *axis };
                let axes = ty.axes.iter().map(name).collect::<Vec<_>>();
                let ty = TensorType { axes, dtype: ty.dtype };
                let argument = self.tape.add(Op::Argument(usize::MAX), vec![], Typed::always(ty));
                let list = if cut { &mut self.sliced } else { &mut self.captured };
                list.push((value, argument));
                argument
            }
        };
        self.on(argument, side)
    }

    /// A value of the position that is computed, taken on a side.
    pub fn on(&mut self, value: Value, side: Side) -> Value {
        match side {
            Side::At => value,
            Side::From => self.pieces.at_from(&mut self.tape, value),
        }
    }

    /// One where a position of the chunk exists, zero past the end of the row.
    pub fn existence(&mut self, outer: &mut Tape, by_row: bool, side: Side) -> Value {
        let ones = *self.ones.entry(by_row).or_insert_with(|| self.pieces.ones(outer, by_row));
        self.value(outer, ones, side)
    }

    /// The product of values; nothing of none.
    pub fn product(&mut self, values: &[Value]) -> Option<Value> {
        let mut sorted = values.to_vec();
        sorted.sort_by_key(|value| self.tape.ty(*value).axes.len());
        sorted.into_iter().reduce(|left, right| self.tape.call(Function::Multiply, &[left, right]))
    }

    /// The product of two values, summed along axes.
    pub fn contract(&mut self, operands: &[Value], summed: &[AxisId], order: &Order) -> Value {
        let types = operands.iter().map(|operand| self.tape.ty(*operand)).collect::<Vec<_>>();
        let mut axes = crate::ops::union_of(&types.iter().collect::<Vec<_>>());
        axes.retain(|axis| !summed.contains(axis));
        let kept = TensorType { axes: order.of(self.pieces, axes), dtype: types[0].dtype };
        self.tape.contract(operands, &kept)
    }

    /// The body with its arguments numbered, and the values that its `for` cuts and captures.
    pub fn finish(self) -> (Region, Vec<Value>, Vec<Value>) {
        let (mut region, _) = self.tape.into_regions();
        let handed = self.sliced.iter().chain(&self.captured);
        for (place, (_, argument)) in handed.enumerate() {
            *region.op_mut(argument.node) = Op::Argument(self.carried + place);
        }
        let outer = |list: Vec<(Value, Value)>| list.into_iter().map(|(value, _)| value).collect();
        (region, outer(self.sliced), outer(self.captured))
    }
}

/// In which order the values of one carried value have their axes: rows, heads, positions of the chunk, the rest.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// The axes of a state that are not heads.
    pub own: Vec<AxisId>,
}

impl Order {
    pub fn of(&self, pieces: &Pieces, mut axes: Vec<AxisId>) -> Vec<AxisId> {
        let rank = |axis: &AxisId| match *axis {
            BATCH => (0, 0),
            axis if axis == pieces.at => (2, 0),
            axis if axis == pieces.from => (3, 0),
            axis => match self.own.iter().position(|own| *own == axis) {
                Some(place) => (4, place),
                None => (1, axis.0 as usize),
            },
        };
        axes.sort_by_key(rank);
        axes
    }
}
