//! The list of all operations by name, for documentation and for tests that walk the catalogue.

use crate::graph::Op;

/// One operation of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its name in text forms.
    pub name: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
}

/// All operations, in the order of [`Op`].
pub const CATALOGUE: [Entry; 20] = [
    Entry { name: "input", summary: "data that a caller brings" },
    Entry { name: "parameter", summary: "a parameter or buffer, whole" },
    Entry { name: "length", summary: "the number of positions of a sequence, for each row" },
    Entry { name: "constant", summary: "a number, or one for each position of an axis" },
    Entry { name: "setting", summary: "a run-time setting" },
    Entry { name: "coordinate", summary: "the position along an axis" },
    Entry { name: "argument", summary: "in a body: what the `for` hands in" },
    Entry { name: "turn", summary: "in a body: the number of the turn" },
    Entry { name: "map", summary: "a scalar expression at every position" },
    Entry { name: "else", summary: "another value where the first is absent" },
    Entry { name: "contract", summary: "a sum of products along axes" },
    Entry { name: "reduce", summary: "combines elements along axes" },
    Entry { name: "rank", summary: "the place in falling order along axes" },
    Entry { name: "index", summary: "the operand at other places" },
    Entry { name: "scatter", summary: "adds elements to the places of an index" },
    Entry { name: "write", summary: "a state with new elements at the places of an index" },
    Entry { name: "draw", summary: "a random number by seed, path and coordinates" },
    Entry { name: "stop", summary: "the operand without gradient" },
    Entry { name: "peek", summary: "the operand, hidden from blindness proofs" },
    Entry { name: "for", summary: "a body turn by turn along an axis" },
];

/// The name of an operation in text forms.
pub fn name_of(op: &Op) -> &'static str {
    let place = match op {
        Op::Input(_) => 0,
        Op::Parameter(_) => 1,
        Op::Length(_) => 2,
        Op::Constant(_) => 3,
        Op::Setting(_) => 4,
        Op::Coordinate(_) => 5,
        Op::Argument(_) => 6,
        Op::Turn => 7,
        Op::Map(_) => 8,
        Op::Else => 9,
        Op::Contract(_) => 10,
        Op::Reduce(..) => 11,
        Op::Rank(_) => 12,
        Op::Index(_) => 13,
        Op::Scatter(_) => 14,
        Op::Write(_) => 15,
        Op::Draw(..) => 16,
        Op::Stop => 17,
        Op::Peek => 18,
        Op::For(_) => 19,
    };
    CATALOGUE[place].name
}
