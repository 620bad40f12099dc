//! Loops with scalar statements.

use super::Amount;
use crate::model::Combine;
use crate::tensor::Function;
use archc_runtime::abi::Element;

/// A tree of loops. The parallel loops are around everything; their turns are independent of each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nest {
    /// Outermost first; they are run as one collapsed range that may be split over threads.
    pub parallel: Vec<ParallelLoop>,
    /// What one turn of all parallel loops does.
    pub body: Vec<Statement>,
    /// Whether a sum of a product and something else is rounded once, where a machine can. It then is wherever the nest
    /// says so, so that what is computed again comes out the same.
    pub fused: bool,
    /// Whether what a marked loop combines is combined in one order, whether its turns run in lanes or not.
    pub alike: bool,
}

/// One parallel loop: `index` from 0 to `extent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParallelLoop {
    /// Its counter.
    pub index: Index,
    /// How many turns.
    pub extent: Amount,
}

/// A loop counter, unique in its nest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Index(pub u32);

/// A scalar that is computed once, unique in its nest; visible in the rest of its statement list and below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Register(pub u32);

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScalarType {
    /// Computed in 32 bits, whatever it is stored as.
    F32,
    /// 64-bit float.
    F64,
    /// 64-bit whole number (stored as `I32`).
    Int,
    /// A truth value.
    Bool,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// A constant.
    Number(Register, f64, ScalarType),
    /// The counter of a loop, or a size, as a whole number.
    Count(Register, CountSource),
    /// A scalar function. Arithmetic takes arguments of one type (F32, F64 or Int) and gives that type, `Floor` too;
    /// comparisons take one such type and give a Bool; `And`, `Or` and `Not` take and give Bools; `Select` takes a Bool
    /// and two of one type. `ToReal` and `ToInt` do not occur: everything else is an explicit `Convert`.
    Call(Register, Function, Vec<Register>),
    /// To another type: rounding towards zero from float to int; a Bool is 0 or 1, and a number holds if it is not 0.
    Convert(Register, ScalarType, Register),
    /// Reads memory and widens to the register type of the element.
    Load(Register, Address),
    /// Writes memory, narrowing to the element of the buffer.
    Store(Address, Register),
    /// Adds to memory (scatter). Turns of parallel loops must not share an address.
    Add(Address, Register),
    /// Four random words of a draw.
    Random(Box<RandomWords>),
    /// Two standard normal numbers, F32, of two random words: as `tensor::random::normals` makes them.
    Normals([Register; 2], [Register; 2]),
    /// A loop.
    Loop(Box<Loop>),
    /// Runs the statements only if the register holds.
    If(Register, Vec<Statement>),
}

/// The buffers that statements write, each as often as they do.
pub fn written(body: &[Statement]) -> Vec<usize> {
    let of = |statement: &Statement| match statement {
        Statement::Store(address, _) | Statement::Add(address, _) => vec![address.buffer],
        Statement::If(_, body) => written(body),
        Statement::Loop(inner) => written(&inner.body),
        _ => Vec::new(),
    };
    body.iter().flat_map(of).collect()
}

/// The buffers that statements read, what they add to among them, each as often as they do.
pub fn read(body: &[Statement]) -> Vec<usize> {
    let of = |statement: &Statement| match statement {
        Statement::Load(_, address) | Statement::Add(address, _) => vec![address.buffer],
        Statement::If(_, body) => read(body),
        Statement::Loop(inner) => read(&inner.body),
        _ => Vec::new(),
    };
    body.iter().flat_map(of).collect()
}

/// Four 32-bit words as whole numbers: `tensor::Stream::new(seed, path, turns).words(row, coordinates)`, which is the
/// definition for every target.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomWords {
    /// The results.
    pub words: [Register; 4],
    /// The seed's low and high half, whole numbers of which the lower 32 bits count.
    pub seed: [Register; 2],
    /// `tensor::hash` of the draw's path.
    pub path: u64,
    /// Turns of the enclosing regions, outermost first.
    pub turns: Vec<Register>,
    /// The row.
    pub row: Register,
    /// Coordinates along all other axes.
    pub coordinates: Vec<Register>,
}

/// A number that is not data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountSource {
    /// A loop's counter.
    Index(Index),
    /// An amount.
    Amount(Amount),
}

/// A loop inside a nest: `index` from `from` up to `to`, not at all if `to <= from`. Bounds are already clamped.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// Its counter.
    pub index: Index,
    /// The first turn.
    pub from: Bound,
    /// One past the last turn.
    pub to: Bound,
    /// From the end.
    pub reverse: bool,
    /// Values carried from turn to turn.
    pub carried: Vec<Carried>,
    /// The statements of a turn.
    pub body: Vec<Statement>,
    /// Turns are independent but for `carried` reductions that may be combined in any fixed order: the emitter may run
    /// several turns in vector lanes.
    pub lanes: bool,
}

/// An end of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A size.
    Amount(Amount),
    /// A whole number computed before the loop.
    Register(Register),
}

/// A value carried through a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// Its name inside the loop, and after it (the final value).
    pub register: Register,
    /// The value before the first turn.
    pub initial: Register,
    /// The value at the end of a turn, a register of the body.
    pub next: Register,
    /// If the loop only combines: with what, so that lanes may be combined.
    pub combine: Option<Combine>,
}

/// `base + sum of term · stride + offset`, in elements.
#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    /// The kernel's buffer.
    pub buffer: usize,
    /// Terms and strides.
    pub terms: Vec<(AddressTerm, Amount)>,
    /// A constant number of elements.
    pub offset: i64,
}

/// What moves an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressTerm {
    /// A loop's counter.
    Index(Index),
    /// A whole number that was computed (look-ups).
    Register(Register),
}

/// The register type of an element.
pub fn register_type(element: Element) -> ScalarType {
    match element {
        Element::F64 => ScalarType::F64,
        Element::F32 | Element::Bf16 | Element::F16 => ScalarType::F32,
        Element::I32 => ScalarType::Int,
        Element::Bool => ScalarType::Bool,
    }
}
