//! `ldmatrix`, `stmatrix`, `movmatrix`, `mma`, `wgmma`.

use super::Decoded;
use super::moves::space_of;
use super::operands::Operands;
use crate::instruction::{Operation, Place, Source, Space};
use crate::matrix::{LoadMatrix, Multiply, StoreMatrix};
use crate::opcode::Opcode;
use crate::syntax::Operand;
use crate::types::{Kind, Type};
use crate::warp::{WarpKind, WarpOperation};
use crate::warpgroup::{GroupMultiply, GroupOperation, Left};

/// All lanes take part.
const EVERYBODY: Source = Source::Constant(0xffff_ffff);

pub(super) fn decode(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    if opcode.name() == "wgmma" {
        return Ok(Operation::Group(Box::new(group(opcode, operands)?)));
    }
    let kind = match opcode.name() {
        "mma" => multiply(opcode, operands)?,
        "movmatrix" => WarpKind::Transpose { to: operands.register(0)?.0, from: operands.source(1, 32)? },
        _ => copy(opcode, operands)?,
    };
    Ok(Operation::Warp(Box::new(WarpOperation { mask: EVERYBODY, kind })))
}

fn copy(opcode: &Opcode, operands: &mut Operands) -> Result<WarpKind, String> {
    let count = match opcode.one_of(&["x1", "x2", "x4"]) {
        Some("x1") => 1,
        Some("x2") => 2,
        Some(_) => 4,
        None => return Err("no number of matrices".into()),
    };
    if !opcode.has("m8n8") || !opcode.has("b16") {
        return Err("only 8 by 8 matrices of 16 bits are supported".into());
    }
    let transposed = opcode.has("trans");
    let shared = |place: Place| Place { space: Space::Shared, ..place };
    let space = if space_of(opcode) == Space::Generic { Space::Generic } else { Space::Shared };
    if opcode.name() == "ldmatrix" {
        let (to, _) = operands.registers(0)?;
        let from = operands.place(1, space)?;
        return match to.len() == count {
            true => Ok(WarpKind::LoadMatrix(LoadMatrix { from, to, transposed })),
            false => Err(format!("{count} registers expected")),
        };
    }
    let from = operands.sources(1, 32)?;
    let to = operands.place(0, space)?;
    match from.len() == count {
        true => Ok(WarpKind::StoreMatrix(StoreMatrix { to: shared(to), from, transposed })),
        false => Err(format!("{count} registers expected")),
    }
}

/// `m16n8k32` as its numbers.
fn shape(opcode: &Opcode) -> Result<[usize; 3], String> {
    let parse = |part: &str| {
        let (rows, rest) = part.strip_prefix('m')?.split_once('n')?;
        let (columns, depth) = rest.split_once('k')?;
        Some([rows.parse().ok()?, columns.parse().ok()?, depth.parse().ok()?])
    };
    opcode.parts.iter().find_map(|part| parse(part)).ok_or_else(|| "no shape".into())
}

fn multiply(opcode: &Opcode, operands: &mut Operands) -> Result<WarpKind, String> {
    let [rows, columns, depth] = shape(opcode)?;
    let types = opcode.types();
    let [sum, a, b, addend] = types.as_slice() else { return Err("four types expected".into()) };
    let is_double = a.bits == 64;
    let is_known = if is_double { rows == 8 && depth == 4 } else { rows == 16 && a.bits <= 32 };
    if !is_known || columns != 8 || sum != addend || !opcode.has("row") || !opcode.has("col") || a.bits != b.bits {
        return Err("this shape is not supported".into());
    }
    let multiply = Multiply {
        rows,
        depth,
        a: *a,
        b: *b,
        sum: *sum,
        finite: opcode.has("satfinite"),
        to: operands.registers(0)?.0,
        left: operands.sources(1, a.bits.max(32))?,
        right: operands.sources(2, a.bits.max(32))?,
        addend: operands.sources(3, sum.bits.max(32))?,
    };
    let register_bits = a.bits.max(32) as usize;
    let expect = |found: usize, bits: usize, what: &str| match found * register_bits * 32 == bits {
        true => Ok(()),
        false => Err(format!("the number of registers of {what} does not fit the shape")),
    };
    expect(multiply.left.len(), rows * depth * a.bits as usize, "the left factor")?;
    expect(multiply.right.len(), columns * depth * b.bits as usize, "the right factor")?;
    let sums = if sum.bits == 16 { 2 } else { rows * columns / 32 };
    match multiply.to.len() == sums && multiply.addend.len() == sums {
        true => Ok(WarpKind::Multiply(multiply)),
        false => Err("the number of registers of the sum does not fit the shape".into()),
    }
}

fn group(opcode: &Opcode, operands: &mut Operands) -> Result<GroupOperation, String> {
    match opcode.one_of(&["fence", "commit_group", "wait_group", "mma_async"]) {
        Some("fence") => Ok(GroupOperation::Fence),
        Some("commit_group") => Ok(GroupOperation::Commit),
        Some("wait_group") => match operands.source(0, 32)? {
            Source::Constant(left) => Ok(GroupOperation::Wait { left: left as usize }),
            _ => Err("the number of groups is no constant".into()),
        },
        Some(_) if opcode.has("sp") => Err("sparse factors are not supported".into()),
        Some(_) => Ok(GroupOperation::Multiply(group_multiply(opcode, operands)?)),
        None => Err("no operation".into()),
    }
}

fn group_multiply(opcode: &Opcode, operands: &mut Operands) -> Result<GroupMultiply, String> {
    let [_, columns, depth] = shape(opcode)?;
    let types = opcode.types();
    let [sum, a, b] = types.as_slice() else { return Err("three types expected".into()) };
    let (to, _) = operands.registers(0)?;
    let is_vector = matches!(operands.at(1)?, Operand::Vector(_));
    let left = match is_vector {
        true => Left::Registers(operands.sources(1, 32)?),
        false => Left::Tile(operands.source(1, 64)?),
    };
    let immediate = |operands: &mut Operands, at: usize| match operands.source(at, 32) {
        Ok(Source::Constant(value)) => Some(value as u32 as i32),
        _ => None,
    };
    let is_half = a.bits == 16;
    let signs = if a.is_float() || a.kind == Kind::E4M3 || a.kind == Kind::E5M2 { 2 } else { 0 };
    let sign = |operands: &mut Operands, at: usize| if signs == 2 { immediate(operands, at) } else { Some(1) };
    let (sign_a, sign_b) = (sign(operands, 4), sign(operands, 5));
    let last = if is_vector { 6 } else { 7 };
    let transposed_a = if is_half && !is_vector { immediate(operands, 6) } else { Some(0) };
    let transposed_b = if is_half { immediate(operands, last) } else { Some(0) };
    let (Some(sign_a), Some(sign_b), Some(ta), Some(tb)) = (sign_a, sign_b, transposed_a, transposed_b) else {
        return Err("signs and transpositions are constants".into());
    };
    let registers = columns / if sum.bits == 16 { 4 } else { 2 };
    if to.len() != registers || depth * a.bits as usize != 256 || *a == Type::new(Kind::Float, 64) {
        return Err("this shape is not supported".into());
    }
    Ok(GroupMultiply {
        columns,
        depth,
        a: *a,
        b: *b,
        sum: *sum,
        to,
        left,
        right: operands.source(2, 64)?,
        accumulates: operands.predicate(3)?,
        signs: [f64::from(sign_a), f64::from(sign_b)],
        transposed: [ta == 1, tb == 1],
    })
}
