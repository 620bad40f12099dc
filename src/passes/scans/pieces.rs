//! The axes of a chunkwise loop, and values cut into chunks.
//! `x[t]`  →  `x[n, j] = x[t: size * n + j] else 0`

use crate::graph::{Op, Value};
use crate::model::Combine;
use crate::ops::Tape;
use crate::tensor::{Affine, Axes, AxisId, BATCH, DType, Extent, Presence, Relation, Scalar, TensorType, Term};
use std::collections::HashMap;

/// The axes of one level of the inverse: blocks, rows and columns of a block, and what is summed over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub size: i64,
    pub block: AxisId,
    pub row: AxisId,
    pub column: AxisId,
    pub sum: AxisId,
}

/// The axes of a sequence that is cut into chunks.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    /// The sequence.
    pub along: AxisId,
    /// The chunk.
    pub chunk: AxisId,
    /// The position in it that is computed.
    pub at: AxisId,
    /// The position in it that is read.
    pub from: AxisId,
    /// Positions in a chunk.
    pub size: i64,
    pub reverse: bool,
    pub levels: Vec<Level>,
}

/// The axes of all chunkwise loops of a graph.
#[derive(Debug, Default)]
pub(super) struct Cuts(HashMap<(AxisId, i64), Pieces>);

impl Cuts {
    /// The axes for a sequence and a chunk length; they are made once.
    pub fn of(&mut self, axes: &mut Axes, along: AxisId, size: i64, reverse: bool) -> Pieces {
        let made = self.0.entry((along, size)).or_insert_with(|| make(axes, along, size));
        Pieces { reverse, ..made.clone() }
    }
}

fn make(axes: &mut Axes, along: AxisId, size: i64) -> Pieces {
    let chunk = axes.add("piece", Extent::Pieces { of: along, size });
    let at = axes.add("within", Extent::Fixed(size));
    let from = axes.add_like("before", at);
    let whole = (size.max(1) as u64).next_power_of_two() as i64;
    let mut levels = Vec::new();
    let mut length = 1;
    while length <= whole {
        let block = axes.add("block", Extent::Fixed(whole / length));
        let row = axes.add("row", Extent::Fixed(length));
        let [column, sum] = ["column", "between"].map(|name| axes.add_like(name, row));
        levels.push(Level { size: length, block, row, column, sum });
        length *= 2;
    }
    Pieces { along, chunk, at, from, size, reverse: false, levels }
}

impl Pieces {
    /// Whether the blocks of the levels reach past the end of a chunk.
    pub fn is_padded(&self) -> bool {
        self.levels.last().is_some_and(|level| self.size < level.size)
    }

    /// The value cut into chunks, zero past the end of a row.
    pub fn cut(&self, tape: &mut Tape, value: Value) -> Value {
        let ty = tape.ty(value);
        let place = Affine { terms: vec![(Term::Axis(self.chunk), self.size), (Term::Axis(self.at), 1)], constant: 0 };
        let length = self.length(tape, ty.has(BATCH));
        let left = Affine::number(-1).plus(&Affine::value(length), 1).plus(&place, -1);
        let mut axes = Vec::with_capacity(ty.axes.len() + 1);
        for axis in &ty.axes {
            match *axis == self.along {
                true => axes.extend([self.chunk, self.at]),
                false => axes.push(*axis),
            }
        }
        let typed = crate::graph::Typed {
            ty: TensorType { axes, dtype: ty.dtype },
            presence: Presence { relations: vec![Relation::AtLeastZero(left)] },
        };
        let cut = tape.add(Op::Index(vec![(self.along, place)]), vec![value], typed);
        tape.total(cut)
    }

    /// The number of positions: of each row, or of the longest.
    pub fn length(&self, tape: &mut Tape, by_row: bool) -> Value {
        let ty = TensorType::new([BATCH], DType::Int);
        let length = tape.add(Op::Length(self.along), vec![], crate::graph::Typed::always(ty));
        if by_row {
            return length;
        }
        let typed = crate::graph::Typed::always(TensorType::scalar(DType::Int));
        tape.add(Op::Reduce(Combine::Maximum, vec![BATCH]), vec![length], typed)
    }

    /// The chunks of a value put together again.
    pub fn join(&self, tape: &mut Tape, value: Value) -> Value {
        let ty = tape.ty(value);
        let quotient = Affine::term(Term::Quotient(self.along, self.size));
        let remainder = Affine::term(Term::Remainder(self.along, self.size));
        let mut axes = ty.axes.clone();
        axes.retain(|axis| *axis != self.chunk && *axis != self.at);
        axes.insert(usize::from(axes.first() == Some(&BATCH)), self.along);
        let ty = TensorType { axes, dtype: ty.dtype };
        let places = vec![(self.chunk, quotient), (self.at, remainder)];
        tape.add(Op::Index(places), vec![value], crate::graph::Typed::always(ty))
    }

    /// A value of the position that is computed, of the position that is read.
    pub fn at_from(&self, tape: &mut Tape, value: Value) -> Value {
        let ty = tape.ty(value);
        if !ty.has(self.at) {
            return value;
        }
        let name = |axis: &AxisId| if *axis == self.at { self.from } else { *axis };
        let axes = ty.axes.iter().map(name).collect::<Vec<_>>();
        let typed = crate::graph::Typed::always(TensorType { axes, dtype: ty.dtype });
        tape.add(Op::Index(vec![(self.at, Affine::axis(self.from))]), vec![value], typed)
    }

    /// Where the position that is read comes before the one that is computed, or is it.
    pub fn not_after(&self) -> Presence<Value> {
        self.gap(0)
    }

    /// Where the position that is read comes before the one that is computed.
    pub fn before(&self) -> Presence<Value> {
        self.gap(1)
    }

    fn gap(&self, least: i64) -> Presence<Value> {
        let sign = if self.reverse { -1 } else { 1 };
        let gap = Affine::number(-least).plus(&Affine::axis(self.at), sign).plus(&Affine::axis(self.from), -sign);
        Presence { relations: vec![Relation::AtLeastZero(gap)] }
    }

    /// One wherever a position exists.
    pub fn ones(&self, tape: &mut Tape, by_row: bool) -> Value {
        let axes = if by_row { vec![BATCH, self.along] } else { vec![self.along] };
        tape.filled(1.0, &TensorType { axes, dtype: DType::Real(crate::tensor::Precision::F32) })
    }
}

/// Where a place is one of so many.
pub(super) fn inside(place: &Affine<Value>, size: i64) -> [Relation<Value>; 2] {
    [place.clone(), Affine::number(size - 1).plus(place, -1)].map(Relation::AtLeastZero)
}

/// The value as it is, in this type: repeated along axes that it lacks.
pub(super) fn cast(tape: &mut Tape, value: Value, ty: &TensorType) -> Value {
    if tape.ty(value) == *ty {
        return value;
    }
    tape.add(Op::Map(Scalar::identity()), vec![value], crate::graph::Typed::always(ty.clone()))
}
