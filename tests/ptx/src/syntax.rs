//! A module as it stands in the text, names of a function resolved: what the parser hands to the decoder.
//!
//! Registers, frame variables and parameters are numbers here; labels, functions and module variables are
//! still names, since they may be declared later.

use crate::special::Special;
use crate::types::Type;

/// Number of a register within its function. Register 0 takes what goes to `_`.
pub(crate) type Register = u32;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Register(Register, Type),
    Constant(u64),
    Special(Special),
    /// A variable or parameter in the function's frame, as an offset.
    Frame(u32),
    /// A kernel parameter, as an offset.
    Parameter(u32),
    /// A label, a function or a variable of the module, and a byte offset.
    Name(String, i64),
    /// `[base + offset, more…]`
    Address(Box<Operand>, i64, Vec<Operand>),
    /// `{a, b}`
    Vector(Vec<Operand>),
    /// `a|b`
    Pair(Box<Operand>, Box<Operand>),
    /// `!a`
    Not(Box<Operand>),
    /// `(a, b)` of a call
    List(Vec<Operand>),
    /// `_`
    Sink,
}

/// One instruction with its guard.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub line: usize,
    /// `@p` or, with `true`, `@!p`.
    pub guard: Option<(Register, bool)>,
    /// The opcode with all its modifiers.
    pub opcode: String,
    pub operands: Vec<Operand>,
    /// The block scopes around it, innermost last: where its labels are looked up.
    pub scopes: Vec<usize>,
}

/// A parameter, a return value or a variable in a frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    pub name: String,
    pub offset: u32,
    pub bytes: u32,
    pub align: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Global,
    Constant,
    Shared,
    /// `.extern .shared`: begins where the kernel's own shared variables end.
    DynamicShared,
}

/// A variable of the module, or a shared or global variable of a function.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub name: String,
    pub home: Home,
    pub align: u32,
    pub bytes: usize,
    /// Initial bytes; the rest is zero, as the ISA says, if there is an initialiser at all.
    pub initial: Option<Vec<u8>>,
}

/// A label: its scope, its name and the statement that follows.
pub(crate) type Label = (usize, String, usize);

/// A function before decoding.
#[derive(Clone, Debug, Default)]
pub(crate) struct FunctionText {
    pub name: String,
    pub line: usize,
    pub is_kernel: bool,
    pub parameters: Vec<Slot>,
    pub returns: Vec<Slot>,
    /// `.maxntid` or `.reqntid`, and whether the latter.
    pub threads: Option<([u32; 3], bool)>,
    pub registers: u32,
    pub frame: u32,
    pub statements: Vec<Statement>,
    pub labels: Vec<Label>,
    /// `.branchtargets` lists by scope and name.
    pub tables: Vec<(usize, String, Vec<String>)>,
    pub has_body: bool,
}

/// Rounds up to a multiple of `align`, a power of two.
pub(crate) fn align_up(value: u32, align: u32) -> u32 {
    value.next_multiple_of(align.max(1))
}
