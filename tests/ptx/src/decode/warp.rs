//! `shfl`, `vote`, `match`, `redux`, `elect`, `activemask`.

use super::Decoded;
use super::operands::Operands;
use crate::arithmetic;
use crate::instruction::Operation;
use crate::opcode::Opcode;
use crate::warp::{Shuffle, ShuffleMode, VoteMode, WarpKind, WarpOperation};

pub(super) fn decode(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    if opcode.name() == "activemask" {
        return Ok(Operation::ActiveMask { to: operands.register(0)?.0 });
    }
    if !opcode.has("sync") {
        return Err("only the form with `.sync` exists on this machine".into());
    }
    let mask = operands.source(operands.count() - 1, 32)?;
    let kind = match opcode.name() {
        "shfl" => shuffle(opcode, operands)?,
        "vote" => vote(opcode, operands)?,
        "match" => matching(opcode, operands)?,
        "redux" => reduce(opcode, operands)?,
        _ => {
            let (to, chosen) = operands.pair(0)?;
            WarpKind::Elect { to, chosen: chosen.ok_or("a predicate expected")? }
        }
    };
    Ok(Operation::Warp(Box::new(WarpOperation { mask, kind })))
}

fn shuffle(opcode: &Opcode, operands: &mut Operands) -> Result<WarpKind, String> {
    let (to, valid) = operands.pair(0)?;
    let mode = match opcode.one_of(&["up", "down", "bfly", "idx"]) {
        Some("up") => ShuffleMode::Up,
        Some("down") => ShuffleMode::Down,
        Some("bfly") => ShuffleMode::Butterfly,
        Some(_) => ShuffleMode::Index,
        None => return Err("no mode".into()),
    };
    let (value, lane, clamp) = (operands.source(1, 32)?, operands.source(2, 32)?, operands.source(3, 32)?);
    Ok(WarpKind::Shuffle(Shuffle { mode, to, valid, value, lane, clamp }))
}

fn vote(opcode: &Opcode, operands: &mut Operands) -> Result<WarpKind, String> {
    let mode = match opcode.one_of(&["all", "any", "uni", "ballot"]) {
        Some("all") => VoteMode::All,
        Some("any") => VoteMode::Any,
        Some("uni") => VoteMode::Uniform,
        Some(_) => VoteMode::Ballot,
        None => return Err("no mode".into()),
    };
    let (predicate, negated) = operands.predicate(1)?;
    Ok(WarpKind::Vote { mode, to: operands.register(0)?.0, predicate, negated })
}

fn matching(opcode: &Opcode, operands: &mut Operands) -> Result<WarpKind, String> {
    let of = opcode.of().ok_or("no type")?;
    let (to, agreed) = operands.pair(0)?;
    Ok(WarpKind::Match { all: opcode.has("all"), to, agreed, value: operands.source(1, of.bits)? })
}

fn reduce(opcode: &Opcode, operands: &mut Operands) -> Result<WarpKind, String> {
    let of = opcode.of().ok_or("no type")?;
    let compute = arithmetic::binary(&Opcode::new(opcode.parts[2]), of).ok_or("this reduction is not known")?;
    Ok(WarpKind::Reduce { compute, to: operands.register(0)?.0, value: operands.source(1, of.bits)? })
}
