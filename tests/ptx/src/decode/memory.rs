//! `ld`, `st`, `atom`, `red`.

use super::Decoded;
use super::moves::space_of;
use super::operands::Operands;
use crate::arithmetic::{self, Adjust};
use crate::instruction::{Atomic, Change, Load, Operation, Store};
use crate::opcode::Opcode;
use crate::types::{Kind, Type};

pub(super) fn decode(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    match opcode.name() {
        "ld" | "ldu" => load(opcode, operands),
        "st" => store(opcode, operands),
        _ => atomic(opcode, operands),
    }
}

fn is_strong(opcode: &Opcode) -> bool {
    opcode.one_of(&["volatile", "relaxed", "acquire", "release", "mmio"]).is_some()
}

/// A value of 128 bits is two of 64.
fn element(of: Type) -> Type {
    if of.bits == 128 { Type::new(Kind::Bits, 64) } else { of }
}

fn load(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let of = opcode.of().ok_or("no type")?;
    let (to, to_bits) = operands.registers(0)?;
    let expected = opcode.vector() * if of.bits == 128 { 2 } else { 1 };
    if to.len() != expected {
        return Err(format!("{expected} registers expected, found {}", to.len()));
    }
    let from = operands.place(1, space_of(opcode))?;
    Ok(Operation::Load(Box::new(Load { from, to, of: element(of), to_bits, is_strong: is_strong(opcode) })))
}

fn store(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let of = opcode.of().ok_or("no type")?;
    let to = operands.place(0, space_of(opcode))?;
    let from = operands.sources(1, of.width().min(64))?;
    let expected = opcode.vector() * if of.bits == 128 { 2 } else { 1 };
    if from.len() != expected {
        return Err(format!("{expected} values expected, found {}", from.len()));
    }
    Ok(Operation::Store(Box::new(Store { to, from, of: element(of), is_strong: is_strong(opcode) })))
}

const CHANGES: [&str; 11] = ["exch", "cas", "inc", "dec", "add", "min", "max", "and", "or", "xor", "sub"];

fn atomic(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let of = opcode.of().ok_or("no type")?;
    if of.bits == 128 {
        return Err("128-bit atomics are not supported".into());
    }
    let name = opcode.one_of(&CHANGES).ok_or("no operation")?;
    let first = usize::from(opcode.name() == "atom");
    let at = operands.place(first, space_of(opcode))?;
    let to = if first == 1 { operands.registers(0)?.0 } else { Box::default() };
    let values = operands.sources(first + 1, of.width())?;
    let change = match name {
        "exch" => Change::Exchange,
        "cas" => Change::CompareAndSwap,
        "inc" => Change::Increment,
        "dec" => Change::Decrement,
        _ => {
            // The rounding and flushing of atomics are fixed: nearest, f32 subnormals kept.
            let plain = Opcode::new(name);
            let compute = arithmetic::binary(&plain, of.single()).ok_or("not for this type")?;
            Change::Apply(compute, Adjust::new(&plain, of))
        }
    };
    let swap = if name == "cas" { Some(operands.source(first + 2, of.width())?) } else { None };
    Ok(Operation::Atomic(Box::new(Atomic { at, change, to, values, swap, of })))
}
