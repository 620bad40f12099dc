//! The inverse of a triangular matrix with ones on its diagonal, block by block.
//! `(1 - [[A, 0], [M, B]])⁻¹ = [[A', 0], [B' · M · A', B']]`
//!
//! Starts from blocks of two rows, where the inverse is `1 + m`, and doubles them. Forms no power of the matrix, so that
//! it is as exact as forward substitution where a sum of powers would cancel.

use super::pieces::{Level, Pieces, inside};
use crate::graph::{Op, Typed, Value};
use crate::ops::Tape;
use crate::tensor::{Affine, AxisId, Presence, Relation, TensorType, Term};

/// `(1 - m)⁻¹` along the positions of a chunk; m is zero but where what is read comes before what is computed.
pub(super) fn inverse(tape: &mut Tape, pieces: &Pieces, m: Value) -> Value {
    let ty = tape.ty(m);
    let heads = ty.without(&[pieces.at, pieces.from]);
    let levels = &pieces.levels[usize::from(pieces.levels.len() > 1)..];
    let level = &levels[0];
    let mut known = first(tape, pieces, &heads, m, level);
    for pair in levels.windows(2) {
        known = doubled(tape, pieces, &heads, m, known, [&pair[0], &pair[1]]);
    }
    let last = levels.last().unwrap_or(level);
    let places = vec![
        (last.block, Affine::number(0)),
        (last.row, Affine::axis(pieces.at)),
        (last.column, Affine::axis(pieces.from)),
    ];
    let axes = [heads.axes, vec![pieces.at, pieces.from]].concat();
    tape.add(Op::Index(places), vec![known], Typed::always(TensorType { axes, dtype: ty.dtype }))
}

/// The inverses of blocks of one or two rows: ones on the diagonal, and m beside it.
fn first(tape: &mut Tape, pieces: &Pieces, heads: &TensorType, m: Value, level: &Level) -> Value {
    let place = |within: AxisId| {
        Affine { terms: vec![(Term::Axis(level.block), level.size)], constant: 0 }.plus(&Affine::axis(within), 1)
    };
    let places = vec![(pieces.at, place(level.row)), (pieces.from, place(level.column))];
    let inside = places.iter().map(|(_, place)| Affine::number(pieces.size - 1).plus(place, -1));
    let relations = if pieces.is_padded() { inside.map(Relation::AtLeastZero).collect() } else { Vec::new() };
    let axes = [heads.axes.clone(), vec![level.block, level.row, level.column]].concat();
    let ty = TensorType { axes, dtype: heads.dtype };
    let typed = Typed { ty: ty.clone(), presence: Presence { relations } };
    let beside = tape.add(Op::Index(places), vec![m], typed);
    let beside = tape.total(beside);
    let distance = Affine::axis(level.row).plus(&Affine::axis(level.column), -1);
    let back = Affine::number(0).plus(&distance, -1);
    let same = Presence { relations: vec![Relation::AtLeastZero(distance), Relation::AtLeastZero(back)] };
    let ones = tape.filled(1.0, &ty);
    let ones = tape.narrow(ones, &same);
    tape.add(Op::Else, vec![ones, beside], Typed::always(ty))
}

/// Inverses of blocks twice as large.
fn doubled(
    tape: &mut Tape,
    pieces: &Pieces,
    heads: &TensorType,
    m: Value,
    known: Value,
    [small, large]: [&Level; 2],
) -> Value {
    let (early, late) = if pieces.reverse { (1, 0) } else { (0, 1) };
    let block = |half: i64| Affine { terms: vec![(Term::Axis(large.block), 2)], constant: half };
    let first = |half: i64| Affine { terms: vec![(Term::Axis(large.block), large.size)], constant: half * small.size };
    let with =
        |axes: [AxisId; 3]| TensorType { axes: [heads.axes.clone(), axes.to_vec()].concat(), dtype: heads.dtype };
    let between = [
        (pieces.at, first(late).plus(&Affine::axis(small.row), 1)),
        (pieces.from, first(early).plus(&Affine::axis(small.sum), 1)),
    ];
    let inside = between.iter().map(|(_, place)| Affine::number(pieces.size - 1).plus(place, -1));
    let relations = if pieces.is_padded() { inside.map(Relation::AtLeastZero).collect() } else { Vec::new() };
    let typed = Typed { ty: with([large.block, small.row, small.sum]), presence: Presence { relations } };
    let between = tape.add(Op::Index(between.to_vec()), vec![m], typed);
    let between = tape.total(between);
    let early_block = vec![(small.block, block(early)), (small.row, Affine::axis(small.sum))];
    let early_block =
        tape.add(Op::Index(early_block), vec![known], Typed::always(with([large.block, small.sum, small.column])));
    let half = tape.contract(&[between, early_block], &with([large.block, small.row, small.column]));
    let late_block = vec![(small.block, block(late)), (small.column, Affine::axis(small.sum))];
    let late_block =
        tape.add(Op::Index(late_block), vec![known], Typed::always(with([large.block, small.row, small.sum])));
    let half = tape.add(
        Op::Index(vec![(small.row, Affine::axis(small.sum))]),
        vec![half],
        Typed::always(with([large.block, small.sum, small.column])),
    );
    let corner = tape.contract(&[late_block, half], &with([large.block, small.row, small.column]));
    together(tape, known, corner, [small, large], [early, late], with([large.block, large.row, large.column]))
}

/// The two inverses on the diagonal, the corner, and zeros.
fn together(
    tape: &mut Tape,
    known: Value,
    corner: Value,
    [small, large]: [&Level; 2],
    [early, late]: [i64; 2],
    ty: TensorType,
) -> Value {
    let size = small.size;
    let half = Affine::term(Term::Quotient(large.row, size));
    let column = Affine::axis(large.column).plus(&half, -size);
    let places = vec![
        (small.block, Affine { terms: vec![(Term::Axis(large.block), 2)], constant: 0 }.plus(&half, 1)),
        (small.row, Affine::term(Term::Remainder(large.row, size))),
        (small.column, column.clone()),
    ];
    let presence = Presence { relations: inside(&column, size).to_vec() };
    let diagonal = tape.add(Op::Index(places), vec![known], Typed { ty: ty.clone(), presence });
    let row = Affine::axis(large.row).plus(&Affine::number(late * size), -1);
    let column = Affine::axis(large.column).plus(&Affine::number(early * size), -1);
    let presence = Presence { relations: [inside(&row, size), inside(&column, size)].concat() };
    let places = vec![(small.row, row), (small.column, column)];
    let corner = tape.add(Op::Index(places), vec![corner], Typed { ty: ty.clone(), presence });
    let zero = tape.number(0.0, ty.dtype);
    let corner = tape.add(Op::Else, vec![corner, zero], Typed::always(ty.clone()));
    tape.add(Op::Else, vec![diagonal, corner], Typed::always(ty))
}
