//! What distances to a position that is read are counted from, and what a relation between positions says of them.
//!
//! A mark is a place along a sequence that a value knows: its own coordinate, where the block of that coordinate begins, or
//! a whole number of the row. The coordinate lies 0 to `by - 1` behind the beginning of its block of `by`, so a distance
//! from one gives a distance from the other.

use super::interval::Interval;
use crate::model::ValueId;
use crate::tensor::{Affine, AxisId, Term};
use std::collections::BTreeMap;

/// What the distance to a position is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A coordinate of the value that reads.
    Axis(AxisId),
    /// Where the block begins that the coordinate lies in, of blocks of so many positions.
    Block(AxisId, i64),
    /// A whole number of the row.
    Number(ValueId),
}

/// The distances from marks to the position that is read.
pub type Distances = BTreeMap<Mark, Interval>;

/// `first - second + by >= 0`.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub first: Mark,
    pub second: Mark,
    pub by: i64,
}

/// Adds what is known of the distance from a mark.
pub fn meet(distances: &mut Distances, mark: Mark, distance: Interval) {
    let known = distances.get(&mark).copied();
    distances.insert(mark, known.map_or(distance, |known| known.and(distance)));
}

/// How far a coordinate lies behind the beginning of its block.
pub fn within(by: i64) -> Interval {
    Interval { low: Some(0), high: Some(by - 1) }
}

/// Distances from coordinates give those from their blocks of these sizes, and the reverse.
pub fn complete(distances: &mut Distances, sizes: &[i64]) {
    for (mark, distance) in distances.clone() {
        match mark {
            Mark::Axis(axis) => {
                sizes.iter().for_each(|by| meet(distances, Mark::Block(axis, *by), distance.plus(within(*by))));
            }
            Mark::Block(axis, by) => {
                let before = Interval { low: Some(1 - by), high: Some(0) };
                meet(distances, Mark::Axis(axis), distance.plus(before));
            }
            Mark::Number(_) => {}
        }
    }
}

/// What a form that is not negative says of marks: it has to be a difference of two. Blocks of one size begin at its
/// multiples, so what lies before the beginning of one lies in a block before.
pub fn orders(form: &Affine<ValueId>, coordinate: impl Fn(&Term<ValueId>) -> Option<Mark>) -> Vec<Order> {
    let ((first, more), (second, less)) = match form.terms.as_slice() {
        [(a, more), (b, less)] | [(b, less), (a, more)] if *more > 0 && *less < 0 => ((a, *more), (b, -less)),
        _ => return Vec::new(),
    };
    let by = form.constant;
    let order = |first, second, by| Order { first, second, by };
    match (first, second) {
        (Term::Quotient(a, size), Term::Quotient(b, other)) if size == other && more == less => {
            vec![order(Mark::Block(*a, *size), Mark::Block(*b, *size), by.div_euclid(more) * size)]
        }
        (Term::Quotient(a, size), _) if (more, less) == (*size, 1) => {
            let (block, down) = (Mark::Block(*a, *size), by.div_euclid(*size) * size);
            let own = |other| of_block(other, *size).map(|own| order(block, own, down));
            coordinate(second)
                .into_iter()
                .flat_map(|other| own(other).into_iter().chain([order(block, other, by)]))
                .collect()
        }
        (_, Term::Quotient(b, size)) if (more, less) == (1, *size) => {
            let (block, up) = (Mark::Block(*b, *size), -(-by).div_euclid(*size) * size);
            let own = |other| of_block(other, *size).map(|own| order(own, block, up));
            coordinate(first)
                .into_iter()
                .flat_map(|other| own(other).into_iter().chain([order(other, block, by)]))
                .collect()
        }
        _ if (more, less) == (1, 1) => match (coordinate(first), coordinate(second)) {
            (Some(first), Some(second)) => vec![order(first, second, by)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Where the block of a coordinate begins.
fn of_block(mark: Mark, size: i64) -> Option<Mark> {
    match mark {
        Mark::Axis(axis) => Some(Mark::Block(axis, size)),
        _ => None,
    }
}
