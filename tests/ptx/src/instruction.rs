//! Instructions ready to run: operands are register numbers, what they compute is a function.

use crate::arithmetic::compare::Comparison;
use crate::arithmetic::convert::Conversion;
use crate::arithmetic::{Adjust, Binary, Ternary, Unary};
use crate::special::Special;
use crate::syntax::Register;
use crate::transfer::Transfer;
use crate::types::Type;
use crate::warp::WarpOperation;
use crate::warpgroup::GroupOperation;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    Register(Register),
    Constant(u64),
    Special(Special),
    /// The address of a variable in the frame, in local space.
    Frame(u32),
    /// The address of a variable of the module, and a distance.
    Symbol(u32, i64),
}

/// A state space (PTX ISA, "State Spaces"); `.const` variables lie among the global buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    Generic,
    Global,
    Shared,
    Local,
    Parameter,
}

/// An address: a base and a constant distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub space: Space,
    pub base: Source,
    pub distance: i64,
}

/// `ld`, also of vectors.
#[derive(Debug)]
pub(crate) struct Load {
    pub from: Place,
    pub to: Box<[Register]>,
    pub of: Type,
    /// Bits of the registers, at least those of the type.
    pub to_bits: u32,
    /// Takes part in an order between warps: `.acquire`, `.relaxed`, `.volatile`.
    pub is_strong: bool,
}

/// `st`, also of vectors.
#[derive(Debug)]
pub(crate) struct Store {
    pub to: Place,
    pub from: Box<[Source]>,
    pub of: Type,
    pub is_strong: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Exchange,
    CompareAndSwap,
    Apply(Binary, Adjust),
    /// `.inc`: up to the operand, then 0.
    Increment,
    /// `.dec`: down to 0, then the operand.
    Decrement,
}

/// `atom` and `red`.
#[derive(Debug)]
pub(crate) struct Atomic {
    pub at: Place,
    pub change: Change,
    pub to: Box<[Register]>,
    pub values: Box<[Source]>,
    pub swap: Option<Source>,
    pub of: Type,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    And,
    Or,
    Xor,
}

/// `setp`, and `set` where the result is a number.
#[derive(Debug)]
pub(crate) struct Compare {
    pub compare: Comparison,
    pub of: Adjust,
    pub a: Source,
    pub b: Source,
    pub to: Register,
    /// The complement, of `p|q`.
    pub other: Option<Register>,
    pub joined: Option<(Join, Source, bool)>,
    /// What stands for true.
    pub truth: u64,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub function: Callee,
    /// Offsets in the caller's frame of arguments and of results.
    pub arguments: Box<[u32]>,
    pub results: Box<[u32]>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Callee {
    Direct(usize),
    Indirect(Source),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BarrierKind {
    Wait,
    Arrive,
    Count,
    All,
    Any,
}

/// `bar` and `barrier`, and those of a cluster, which is one block here.
#[derive(Debug)]
pub(crate) struct BarrierOperation {
    pub kind: BarrierKind,
    pub barrier: Source,
    pub threads: Option<Source>,
    /// Of a reduction: the predicate, whether it is negated, and the result.
    pub reduce: Option<(Source, bool, Register)>,
    pub is_aligned: bool,
}

#[derive(Debug)]
pub(crate) enum Operation {
    Nothing,
    Move {
        to: Register,
        from: Source,
    },
    /// Registers of `bits` joined to one, the first lowest.
    Pack {
        to: Register,
        from: Box<[Source]>,
        bits: u32,
    },
    Unpack {
        to: Box<[Register]>,
        from: Source,
        bits: u32,
    },
    Unary {
        compute: Unary,
        adjust: Adjust,
        to: Register,
        a: Source,
    },
    Binary {
        compute: Binary,
        to: Register,
        a: Source,
        b: Source,
    },
    AdjustedBinary(Box<(Binary, Adjust, Register, Source, Source)>),
    Ternary {
        compute: Ternary,
        to: Register,
        a: Source,
        b: Source,
        c: Source,
    },
    AdjustedTernary(Box<(Ternary, Adjust, Register, Source, Source, Source)>),
    Insert(Box<([Source; 4], Register, u32)>),
    Logic(Box<([Source; 3], Register, u8)>),
    /// `add.cc`, `addc`, `sub.cc`, `subc`.
    Carry {
        to: Register,
        a: Source,
        b: Source,
        bits: u8,
        subtract: bool,
        takes: bool,
        gives: bool,
    },
    Compare(Box<Compare>),
    Select {
        to: Register,
        a: Source,
        b: Source,
        predicate: Source,
    },
    Convert(Box<(Conversion, Register, Source, u32)>),
    /// Two values to one register, the first to its upper half.
    ConvertPair(Box<(Conversion, Register, [Source; 2])>),
    /// Both halves of a register.
    ConvertHalves(Box<(Conversion, Register, Source)>),
    ToGeneric {
        to: Register,
        from: Source,
        space: Space,
    },
    FromGeneric {
        to: Register,
        from: Source,
        space: Space,
    },
    IsSpace {
        to: Register,
        from: Source,
        space: Space,
    },
    Load(Box<Load>),
    Store(Box<Store>),
    Atomic(Box<Atomic>),
    Branch {
        target: usize,
    },
    BranchIndexed(Box<(Source, Vec<usize>)>),
    Call(Box<Call>),
    Return,
    Exit,
    Trap,
    Barrier(Box<BarrierOperation>),
    /// `fence`, `membar`; with `true`, one that orders the generic proxy before the asynchronous one.
    Fence {
        is_proxy: bool,
    },
    /// Lets others go first.
    Yield,
    ActiveMask {
        to: Register,
    },
    Warp(Box<WarpOperation>),
    Transfer(Box<Transfer>),
    Group(Box<GroupOperation>),
}

#[derive(Debug)]
pub(crate) struct Instruction {
    pub guard: Option<(Register, bool)>,
    pub operation: Operation,
    pub line: u32,
}
