//! What a read finds of what was added in the same chunk, where channels that it sums over fade by themselves.
//! `Σ_k q(t) k(s) exp(c(t) - c(s))`  →  with b between s and t: `Σ_k (q(t) exp(c(t) - c(b))) · (k(s) exp(c(b) - c(s)))`
//!
//! A chunk is halved again and again; b is the border of the halves that s and t lie in. Both exponents are at most
//! zero, so nothing overflows whatever the gates are, and there is no table of pairs and channels: all are products of
//! matrices.

use super::chunk::{Chunk, Decays, F32};
use super::pieces::{Level, inside};
use crate::graph::{Op, Typed, Value};
use crate::tensor::{Affine, AxisId, Function, Presence, Relation, TensorType, Term};

/// One way to halve: blocks of two halves, the later of which reads the earlier.
struct Halves {
    small: Level,
    large: Level,
    early: i64,
    late: i64,
}

impl Chunk<'_, '_, '_> {
    /// The sums along channels for every pair of positions, zero where what is read does not come before.
    pub(super) fn half_by_half(
        &mut self,
        decays: &Decays,
        left: Option<Value>,
        right: Option<Value>,
        summed: &[AxisId],
    ) -> Option<Value> {
        let levels = self.turn.pieces.levels.clone();
        let (early, late) = if self.turn.pieces.reverse { (1, 0) } else { (0, 1) };
        let axes = vec![self.turn.pieces.at, self.turn.pieces.from];
        let mut sum = self.turn.tape.filled(0.0, &TensorType { axes, dtype: F32 });
        for pair in levels.windows(2) {
            let halves = Halves { small: pair[0], large: pair[1], early, late };
            let score = self.between_halves(&halves, decays, left, right, summed)?;
            sum = self.put(&halves, score, sum);
        }
        Some(sum)
    }

    /// The sums for pairs of an early and a late half: block, row, column.
    fn between_halves(
        &mut self,
        halves: &Halves,
        decays: &Decays,
        left: Option<Value>,
        right: Option<Value>,
        summed: &[AxisId],
    ) -> Option<Value> {
        let (row, column) = (halves.small.row, halves.small.column);
        let border = halves.border();
        let (start, upto) = (decays.start?, decays.upto?);
        let (at, from) = (self.turn.pieces.at, self.turn.pieces.from);
        let at_border = self.taken(start, at, &border, &[halves.large.block], &border);
        let own = self.taken(start, at, &halves.place(halves.late, row), &[halves.large.block, row], &border);
        let fade = self.turn.tape.call(Function::Subtract, &[own, at_border]);
        let mut late = vec![self.exponential(fade)];
        if let Some(left) = left {
            late.push(self.taken(left, at, &halves.place(halves.late, row), &[halves.large.block, row], &border));
        }
        let own = self.taken(upto, from, &halves.place(halves.early, column), &[halves.large.block, column], &border);
        let fade = self.turn.tape.call(Function::Subtract, &[at_border, own]);
        let mut early = vec![self.exponential(fade)];
        if let Some(right) = right {
            let place = halves.place(halves.early, column);
            early.push(self.taken(right, from, &place, &[halves.large.block, column], &border));
        }
        // Filled in only now: the exponential of what a place past the end would fade by need not be a number.
        let [late, early] =
            [self.turn.product(&late)?, self.turn.product(&early)?].map(|side| self.turn.tape.total(side));
        Some(self.turn.contract(&[late, early], summed, &self.order))
    }

    /// A value at the places of a half, by block; absent where they or the border lie past the end of the chunk.
    fn taken(
        &mut self,
        value: Value,
        along: AxisId,
        place: &Affine<Value>,
        by: &[AxisId],
        border: &Affine<Value>,
    ) -> Value {
        let ty = self.turn.tape.ty(value);
        if !ty.has(along) {
            return value;
        }
        let mut axes = Vec::with_capacity(ty.axes.len() + 1);
        for axis in &ty.axes {
            match *axis == along {
                true => axes.extend_from_slice(by),
                false => axes.push(*axis),
            }
        }
        let size = self.turn.pieces.size;
        let inside = [place, border].map(|place| Relation::AtLeastZero(Affine::number(size - 1).plus(place, -1)));
        let relations = if self.turn.pieces.is_padded() { inside.to_vec() } else { Vec::new() };
        let typed = Typed { ty: TensorType { axes, dtype: ty.dtype }, presence: Presence { relations } };
        self.turn.tape.add(Op::Index(vec![(along, place.clone())]), vec![value], typed)
    }

    /// The sums of these halves where their pairs are, what is known elsewhere.
    fn put(&mut self, halves: &Halves, score: Value, known: Value) -> Value {
        let (at, from) = (self.turn.pieces.at, self.turn.pieces.from);
        let size = halves.small.size;
        let block = Affine::term(Term::Quotient(at, halves.large.size));
        let row = Affine::axis(at).plus(&block, -halves.large.size).plus(&Affine::number(halves.late * size), -1);
        let column = Affine::axis(from).plus(&block, -halves.large.size).plus(&Affine::number(halves.early * size), -1);
        let presence = Presence { relations: [inside(&row, size), inside(&column, size)].concat() };
        let own = [halves.large.block, halves.small.row, halves.small.column];
        let axes = [self.turn.tape.ty(score).without(&own).axes, vec![at, from]].concat();
        let ty = TensorType { axes: self.order.of(self.turn.pieces, axes), dtype: F32 };
        let places = vec![(halves.large.block, block), (halves.small.row, row), (halves.small.column, column)];
        let put = self.turn.tape.add(Op::Index(places), vec![score], Typed { ty: ty.clone(), presence });
        self.turn.tape.add(Op::Else, vec![put, known], Typed::always(ty))
    }
}

impl Halves {
    /// A position of a half of each block.
    fn place(&self, half: i64, within: AxisId) -> Affine<Value> {
        let terms = vec![(Term::Axis(self.large.block), self.large.size), (Term::Axis(within), 1)];
        Affine { terms, constant: half * self.small.size }
    }

    /// The first position of the late half, in the order of the turns.
    fn border(&self) -> Affine<Value> {
        let constant = if self.late == 1 { self.small.size } else { self.small.size - 1 };
        Affine { terms: vec![(Term::Axis(self.large.block), self.large.size)], constant }
    }
}
