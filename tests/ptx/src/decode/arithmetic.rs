//! Arithmetic, comparisons and selections.

use super::Decoded;
use super::operands::Operands;
use crate::arithmetic::compare::comparison;
use crate::arithmetic::{self, Adjust};
use crate::instruction::{Compare, Join, Operation};
use crate::opcode::Opcode;
use crate::types::{Kind, Type};

pub(super) fn decode(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let of = opcode.of().ok_or("this instruction is not known")?;
    match opcode.name() {
        "setp" | "set" => compare(opcode, operands),
        "selp" => select(of, operands),
        "bfi" => insert(of, operands),
        "lop3" => logic(operands),
        "addc" | "subc" => carry(opcode, of, operands),
        "add" | "sub" if opcode.has("cc") => carry(opcode, of, operands),
        _ => computed(opcode, operands),
    }
}

/// Instructions that are a function of their operands and nothing else.
fn computed(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let of = operand_type(opcode);
    let adjust = Adjust::new(opcode, of);
    let single = of.single();
    let to = operands.register(0)?.0;
    let unknown = || "this instruction is not known for this type".to_string();
    match operands.count() {
        2 => {
            let compute = arithmetic::unary(opcode, single).ok_or_else(unknown)?;
            Ok(Operation::Unary { compute, adjust, to, a: operands.source(1, of.width())? })
        }
        3 => {
            let compute = arithmetic::binary(opcode, single).ok_or_else(unknown)?;
            let (a, b) = (operands.source(1, of.width())?, operands.source(2, second_width(opcode, of))?);
            Ok(match adjust.is_plain {
                true => Operation::Binary { compute, to, a, b },
                false => Operation::AdjustedBinary(Box::new((compute, adjust, to, a, b))),
            })
        }
        4 => {
            let compute = arithmetic::ternary(opcode, single).ok_or_else(unknown)?;
            let (a, b) = (operands.source(1, of.width())?, operands.source(2, second_width(opcode, of))?);
            let c = operands.source(3, third_width(opcode, of))?;
            Ok(match adjust.is_plain {
                true => Operation::Ternary { compute, to, a, b, c },
                false => Operation::AdjustedTernary(Box::new((compute, adjust, to, a, b, c))),
            })
        }
        _ => Err(unknown()),
    }
}

/// The type that an instruction computes in: `prmt.b32.f4e` and the like end in something else.
fn operand_type(opcode: &Opcode) -> Type {
    let types = opcode.types();
    let fallback = Type::new(Kind::Bits, 32);
    match opcode.name() {
        "dp4a" => fallback,
        _ => types.last().copied().unwrap_or(fallback),
    }
}

/// Shifts and bit fields take counts of 32 bits.
fn second_width(opcode: &Opcode, of: Type) -> u32 {
    match opcode.name() {
        "shl" | "shr" | "bfe" => 32,
        _ => of.width(),
    }
}

fn third_width(opcode: &Opcode, of: Type) -> u32 {
    match opcode.name() {
        "bfe" | "shf" | "prmt" => 32,
        "mad" if opcode.has("wide") => 2 * of.width(),
        _ => of.width(),
    }
}

fn compare(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let types = opcode.types();
    let of = *types.last().ok_or("no type")?;
    if of.lanes != 1 {
        return Err("packed comparisons are not supported".into());
    }
    let compare = comparison(opcode, of).ok_or("this comparison is not known")?;
    let (to, other) = operands.pair(0)?;
    let (a, b) = (operands.source(1, of.width())?, operands.source(2, of.width())?);
    let join = match opcode.one_of(&["and", "or", "xor"]) {
        Some("and") => Some(Join::And),
        Some("or") => Some(Join::Or),
        Some(_) => Some(Join::Xor),
        None => None,
    };
    let joined = match join {
        Some(join) => operands.predicate(3).map(|(source, negated)| Some((join, source, negated)))?,
        None => None,
    };
    let truth = match (opcode.name(), types[0].kind, types[0].bits) {
        ("setp", _, _) => 1,
        (_, Kind::Float, 32) => u64::from(1_f32.to_bits()),
        (_, Kind::Float, _) => 0x3c00,
        (_, Kind::Brain, _) => 0x3f80,
        _ => 0xffff_ffff,
    };
    let of = Adjust { is_plain: !opcode.has("ftz"), ..Adjust::new(opcode, of) };
    Ok(Operation::Compare(Box::new(Compare { compare, of, a, b, to, other, joined, truth })))
}

fn select(of: Type, operands: &mut Operands) -> Decoded {
    let to = operands.register(0)?.0;
    let (a, b) = (operands.source(1, of.width())?, operands.source(2, of.width())?);
    Ok(Operation::Select { to, a, b, predicate: operands.source(3, 1)? })
}

fn insert(of: Type, operands: &mut Operands) -> Decoded {
    let width = of.width();
    let sources =
        [operands.source(1, width)?, operands.source(2, width)?, operands.source(3, 32)?, operands.source(4, 32)?];
    Ok(Operation::Insert(Box::new((sources, operands.register(0)?.0, width))))
}

fn logic(operands: &mut Operands) -> Decoded {
    let sources = [operands.source(1, 32)?, operands.source(2, 32)?, operands.source(3, 32)?];
    let crate::instruction::Source::Constant(table) = operands.source(4, 8)? else {
        return Err("the table is no constant".into());
    };
    Ok(Operation::Logic(Box::new((sources, operands.register(0)?.0, table as u8))))
}

fn carry(opcode: &Opcode, of: Type, operands: &mut Operands) -> Decoded {
    Ok(Operation::Carry {
        to: operands.register(0)?.0,
        a: operands.source(1, of.bits)?,
        b: operands.source(2, of.bits)?,
        bits: of.bits as u8,
        subtract: opcode.name().starts_with("sub"),
        takes: opcode.name().ends_with('c'),
        gives: opcode.has("cc"),
    })
}
