//! `wgmma`: products of a warpgroup that happen later, and where their factors lie in shared memory
//! (PTX ISA, "Asynchronous warpgroup level matrix instructions").

use std::collections::{HashMap, VecDeque};

use crate::fault::{Outcome, Rule, broken};
use crate::instruction::Source;
use crate::syntax::Register;
use crate::tensor_map::Swizzle;
use crate::types::Type;

#[derive(Debug)]
pub(crate) enum GroupOperation {
    Fence,
    Commit,
    Wait { left: usize },
    Multiply(GroupMultiply),
}

#[derive(Debug)]
pub(crate) enum Left {
    Registers(Box<[Source]>),
    /// A descriptor of a tile in shared memory.
    Tile(Source),
}

/// `d = a · b (+ d)` with 64 rows.
#[derive(Debug)]
pub(crate) struct GroupMultiply {
    pub columns: usize,
    pub depth: usize,
    pub a: Type,
    pub b: Type,
    pub sum: Type,
    pub to: Box<[Register]>,
    pub left: Left,
    pub right: Source,
    /// A predicate, and whether it is negated: else the sums begin at 0.
    pub accumulates: (Source, bool),
    pub signs: [f64; 2],
    /// The factor lies with its rows (columns) next to each other, not its depth.
    pub transposed: [bool; 2],
}

/// Threads of a warpgroup.
pub(crate) const THREADS: usize = 128;
/// Rows of the product.
pub(crate) const ROWS: usize = 64;

/// A tile as it was when its product was issued: addresses of its 16-byte pieces and their bytes.
#[derive(Debug)]
pub(crate) struct Tile {
    pub pieces: Vec<u64>,
    pub bytes: Vec<u8>,
}

/// A product that has been issued and has not happened.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Where its instruction is.
    pub function: usize,
    pub at: usize,
    pub line: usize,
    /// Registers of the left factor, by register and thread.
    pub registers: Vec<Vec<u64>>,
    pub tiles: Vec<Tile>,
    /// Sums before, by register and thread; nothing where an earlier pending product makes them.
    pub sums: Option<Vec<Vec<u64>>>,
    pub accumulates: bool,
}

/// What a warpgroup has on its way.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub issued: Vec<Pending>,
    pub committed: VecDeque<Vec<Pending>>,
    /// A `wgmma.fence` has come since registers could last be touched.
    pub fenced: bool,
    /// Sums of products that happened, by first register, until they may be written.
    pub sums: HashMap<Register, Vec<Vec<u64>>>,
    /// What products last left in registers.
    pub settled: HashMap<Register, Vec<Vec<u64>>>,
}

/// Addresses of the 16-byte pieces of a tile with `lines` rows (or columns) and 32 bytes of depth
/// (PTX ISA, "Matrix Descriptor Format", "Shared Memory Matrix Layout").
///
/// Plain: for each line its two pieces. Transposed: for each of 16 places in depth its pieces of 8 lines.
pub(crate) fn pieces(descriptor: u64, lines: usize, transposed: bool) -> Outcome<Vec<u64>> {
    let field = |shift: u32| ((descriptor >> shift) & 0x3fff) << 4;
    let (start, leading, stride) = (field(0), field(16), field(32));
    if (descriptor >> 49) & 7 != 0 {
        return broken(Rule::Illegal, "a descriptor with a base offset is not supported");
    }
    let swizzle = match descriptor >> 62 {
        0 => Swizzle::None,
        1 => Swizzle::Bytes128,
        2 => Swizzle::Bytes64,
        _ => Swizzle::Bytes32,
    };
    let place = |line: u64, piece: u64| match (swizzle.span(), transposed) {
        (Some(span), false) => start + line / 8 * stride + line % 8 * span + 16 * piece,
        (None, false) => start + line / 8 * stride + line % 8 * 16 + piece * leading,
        (Some(span), true) => {
            let row = span / 16;
            start + piece / row * leading + piece % row * 16 + line % 8 * span + line / 8 * stride
        }
        (None, true) => start + piece * stride + line % 8 * 16 + line / 8 * leading,
    };
    let (outer, inner) = if transposed { (16, lines as u64 / 8) } else { (lines as u64, 2) };
    let all = (0..outer).flat_map(|line| (0..inner).map(move |piece| (line, piece)));
    Ok(all.map(|(line, piece)| swizzle.apply(place(line, piece))).collect())
}
