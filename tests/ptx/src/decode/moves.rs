//! `mov`, `cvt`, `cvta`: values from one register to another.

use super::Decoded;
use super::operands::Operands;
use crate::arithmetic::convert::Conversion;
use crate::instruction::{Operation, Space};
use crate::opcode::Opcode;
use crate::syntax::Operand;
use crate::types::Kind;

pub(super) fn decode(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    match opcode.name() {
        "mov" => moved(opcode, operands),
        "cvt" => convert(opcode, operands),
        // The only block of a cluster is its first.
        "mapa" => Ok(Operation::Move { to: operands.register(0)?.0, from: operands.source(1, 64)? }),
        _ => address(opcode, operands),
    }
}

/// The space that an opcode names.
pub(super) fn space_of(opcode: &Opcode) -> Space {
    let names = ["global", "const", "shared", "shared::cta", "shared::cluster", "local", "param"];
    let more = ["param::entry", "param::func"];
    match opcode.one_of(&names).or_else(|| opcode.one_of(&more)) {
        Some("global" | "const") => Space::Global,
        Some("shared" | "shared::cta" | "shared::cluster") => Space::Shared,
        Some("local") => Space::Local,
        Some(_) => Space::Parameter,
        None => Space::Generic,
    }
}

fn address(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let space = space_of(opcode);
    let to = operands.register(0)?.0;
    let from = operands.source(1, 64)?;
    Ok(match opcode.name() {
        "isspacep" => Operation::IsSpace { to, from, space },
        _ if opcode.has("to") => Operation::FromGeneric { to, from, space },
        _ => Operation::ToGeneric { to, from, space },
    })
}

fn moved(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let of = opcode.of().ok_or("no type")?;
    let parts = |operand: &Operand| matches!(operand, Operand::Vector(_));
    if parts(operands.at(0)?) {
        return unpack(of.width(), operands);
    }
    let (to, _) = operands.register(0)?;
    if parts(operands.at(1)?) {
        return pack(of.width(), operands);
    }
    if of.width() == 128 {
        let from = operands.sources(1, 64)?;
        return Ok(Operation::Pack { to, from, bits: 64 });
    }
    Ok(Operation::Move { to, from: operands.source(1, of.width())? })
}

fn pack(width: u32, operands: &mut Operands) -> Decoded {
    let (to, _) = operands.register(0)?;
    let Operand::Vector(parts) = operands.at(1)? else { return Err("no vector".into()) };
    let bits = width / parts.len() as u32;
    let from = operands.sources(1, bits)?;
    Ok(Operation::Pack { to, from, bits })
}

fn unpack(width: u32, operands: &mut Operands) -> Decoded {
    let Operand::Vector(parts) = operands.at(0)?.clone() else { return Err("no vector".into()) };
    let count = parts.len() as u32;
    let (to, _) = operands.registers(0)?;
    let from = operands.source(1, width.min(64))?;
    Ok(Operation::Unpack { to, from, bits: width / count })
}

fn convert(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let types = opcode.types();
    let [to_type, from_type] = types.as_slice() else { return Err("two types expected".into()) };
    let conversion = Conversion::new(opcode, *to_type, *from_type).ok_or("this conversion is not known")?;
    let (to, register) = operands.register(0)?;
    match (to_type.lanes, from_type.lanes) {
        (1, 1) => {
            let from = operands.source(1, from_type.bits)?;
            let is_small = matches!(to_type.kind, Kind::E4M3 | Kind::E5M2);
            let to_bits = if is_small { to_type.bits } else { register.width() };
            Ok(Operation::Convert(Box::new((conversion, to, from, to_bits))))
        }
        (2, 1) => {
            let pair = [operands.source(1, from_type.bits)?, operands.source(2, from_type.bits)?];
            Ok(Operation::ConvertPair(Box::new((conversion, to, pair))))
        }
        _ => {
            let from = operands.source(1, from_type.width())?;
            Ok(Operation::ConvertHalves(Box::new((conversion, to, from))))
        }
    }
}
