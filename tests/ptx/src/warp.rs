//! Instructions that the lanes of a warp execute together, and what they do once all named lanes are there
//! (PTX ISA, "shfl.sync", "vote.sync", "match.sync", "redux.sync", "elect.sync", "bar.warp.sync").

use crate::arithmetic::Binary;
use crate::fault::{Outcome, Rule, broken};
use crate::instruction::Source;
use crate::matrix::{LoadMatrix, Multiply, StoreMatrix};
use crate::random::mix;
use crate::syntax::Register;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShuffleMode {
    Up,
    Down,
    Butterfly,
    Index,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Shuffle {
    pub mode: ShuffleMode,
    pub to: Register,
    pub valid: Option<Register>,
    pub value: Source,
    pub lane: Source,
    pub clamp: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoteMode {
    All,
    Any,
    Uniform,
    Ballot,
}

#[derive(Debug)]
pub(crate) enum WarpKind {
    Synchronise,
    Shuffle(Shuffle),
    Vote {
        mode: VoteMode,
        to: Register,
        predicate: Source,
        negated: bool,
    },
    Match {
        all: bool,
        to: Register,
        agreed: Option<Register>,
        value: Source,
    },
    Reduce {
        compute: Binary,
        to: Register,
        value: Source,
    },
    Elect {
        to: Register,
        chosen: Register,
    },
    LoadMatrix(LoadMatrix),
    StoreMatrix(StoreMatrix),
    /// `movmatrix`
    Transpose {
        to: Register,
        from: Source,
    },
    Multiply(Multiply),
}

/// An instruction with the mask of the lanes that take part.
#[derive(Debug)]
pub(crate) struct WarpOperation {
    pub mask: Source,
    pub kind: WarpKind,
}

impl WarpOperation {
    /// Lanes may come to it from different places of the program.
    pub fn is_anywhere(&self) -> bool {
        matches!(self.kind, WarpKind::Synchronise)
    }
}

/// One lane's part in a shuffle.
#[derive(Clone, Copy, Default)]
pub(crate) struct ShuffleInput {
    pub value: u64,
    pub lane: u32,
    pub clamp: u32,
}

/// The lane to read from, and whether it lies in the segment (PTX ISA, the pseudo-code of `shfl.sync`).
pub(crate) fn shuffle_source(mode: ShuffleMode, own: u32, input: ShuffleInput) -> (u32, bool) {
    let offset = input.lane & 31;
    let segment = (input.clamp >> 8) & 31;
    let clamp = input.clamp & 31;
    let last = (own & segment) | (clamp & !segment);
    let first = own & segment;
    let (from, valid) = match mode {
        ShuffleMode::Up => (own.wrapping_sub(offset), own as i32 - offset as i32 >= last as i32),
        ShuffleMode::Down => (own + offset, own + offset <= last),
        ShuffleMode::Butterfly => (own ^ offset, own ^ offset <= last),
        ShuffleMode::Index => (first | (offset & !segment), first | (offset & !segment) <= last),
    };
    if valid { (from, true) } else { (own, false) }
}

/// A vote's result from the lanes' predicates.
pub(crate) fn vote(mode: VoteMode, lanes: &[(u32, bool)]) -> u64 {
    let all = lanes.iter().all(|(_, value)| *value);
    let any = lanes.iter().any(|(_, value)| *value);
    match mode {
        VoteMode::All => all.into(),
        VoteMode::Any => any.into(),
        VoteMode::Uniform => (all || !any).into(),
        VoteMode::Ballot => lanes.iter().filter(|(_, value)| *value).fold(0, |mask, (lane, _)| mask | 1 << lane),
    }
}

/// Lanes that hold the same value; for `.all` the whole mask or nothing.
pub(crate) fn matching(all: bool, value: u64, lanes: &[(u32, u64)]) -> u64 {
    let same: u64 = lanes.iter().filter(|(_, other)| *other == value).fold(0, |mask, (lane, _)| mask | 1 << lane);
    if all && same.count_ones() as usize != lanes.len() { 0 } else { same }
}

/// The elected lane: any of the mask, but always the same one of the same mask.
pub(crate) fn elected(mask: u32, seed: u64) -> Outcome<u32> {
    if mask == 0 {
        return broken(Rule::Illegal, "an election among no lanes");
    }
    let place = mix(seed ^ u64::from(mask)) % u64::from(mask.count_ones());
    Ok((0..32).filter(|lane| mask >> lane & 1 == 1).nth(place as usize).unwrap_or(0))
}
