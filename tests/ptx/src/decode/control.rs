//! Branches, calls, barriers and fences.

use super::Decoded;
use super::operands::Operands;
use crate::instruction::{BarrierKind, BarrierOperation, Call, Callee, Operation, Source};
use crate::opcode::Opcode;
use crate::syntax::Operand;
use crate::warp::{WarpKind, WarpOperation};

/// The number of the barrier that stands for a cluster's: blocks have 16 of their own.
pub(crate) const CLUSTER_BARRIER: u64 = 16;

pub(super) fn decode(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    match opcode.name() {
        "bra" => Ok(Operation::Branch { target: operands.label(operands.name(0)?)? }),
        "brx" => indexed(operands),
        "call" => call(operands),
        "ret" => Ok(Operation::Return),
        "exit" => Ok(Operation::Exit),
        "trap" => Ok(Operation::Trap),
        "nanosleep" => Ok(Operation::Yield),
        "bar" | "barrier" => barrier(opcode, operands),
        "fence" if opcode.has("proxy") => Ok(Operation::Fence { is_proxy: is_asynchronous(opcode) }),
        _ => Ok(Operation::Fence { is_proxy: false }),
    }
}

/// `fence.proxy.async` in any of its forms; `.alias` and `.tensormap` order other things.
fn is_asynchronous(opcode: &Opcode) -> bool {
    opcode.one_of(&["async", "async::generic"]).is_some() || opcode.has("async.shared::cta")
}

fn indexed(operands: &mut Operands) -> Decoded {
    let index = operands.source(0, 32)?;
    let name = operands.name(1)?;
    let tables = &operands.function.tables;
    let table = tables.iter().find(|(scope, known, _)| known == name && operands.statement.scopes.contains(scope));
    let (_, _, labels) = table.ok_or_else(|| format!("there is no table `{name}`"))?;
    let targets = labels.iter().map(|label| operands.label(label)).collect::<Result<_, _>>()?;
    Ok(Operation::BranchIndexed(Box::new((index, targets))))
}

/// `call (results), function, (arguments), prototype;` with every part but the function optional.
fn call(operands: &mut Operands) -> Decoded {
    let list = |operand: &Operand| match operand {
        Operand::List(parts) => Some(parts.clone()),
        _ => None,
    };
    let (results, at) = match list(operands.at(0)?) {
        Some(results) => (results, 1),
        None => (Vec::new(), 0),
    };
    let arguments = operands.at(at + 1).ok().and_then(list).unwrap_or_default();
    let function = match operands.at(at)?.clone() {
        Operand::Name(name, _) => match operands.symbols.functions.get(&name) {
            Some(function) => Callee::Direct(*function),
            None => return Err(format!("there is no function `{name}`")),
        },
        register => Callee::Indirect(operands.value(&register, 64)?),
    };
    let offsets = |parts: Vec<Operand>| {
        let offset = |part: Operand| match part {
            Operand::Frame(offset) => Ok(offset),
            other => Err(format!("{other:?} is no .param variable")),
        };
        parts.into_iter().map(offset).collect::<Result<Box<[u32]>, String>>()
    };
    let (arguments, results) = (offsets(arguments)?, offsets(results)?);
    Ok(Operation::Call(Box::new(Call { function, arguments, results })))
}

fn barrier(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    if opcode.has("warp") {
        let mask = operands.source(0, 32)?;
        return Ok(Operation::Warp(Box::new(WarpOperation { mask, kind: WarpKind::Synchronise })));
    }
    if opcode.has("cluster") {
        return Ok(cluster(opcode));
    }
    if opcode.has("red") {
        return reduction(opcode, operands);
    }
    let kind = if opcode.has("arrive") { BarrierKind::Arrive } else { BarrierKind::Wait };
    let is_aligned = opcode.name() == "bar" || opcode.has("aligned");
    let barrier = operands.source(0, 32)?;
    let threads = if operands.count() > 1 { Some(operands.source(1, 32)?) } else { None };
    Ok(Operation::Barrier(Box::new(BarrierOperation { kind, barrier, threads, reduce: None, is_aligned })))
}

fn cluster(opcode: &Opcode) -> Operation {
    // `arrive` then `wait` is one rendezvous; nothing is lost if it happens at the wait.
    if opcode.has("arrive") {
        return Operation::Nothing;
    }
    let barrier = Source::Constant(CLUSTER_BARRIER);
    let is_aligned = opcode.has("aligned");
    let kind = BarrierKind::Wait;
    Operation::Barrier(Box::new(BarrierOperation { kind, barrier, threads: None, reduce: None, is_aligned }))
}

fn reduction(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let kind = match opcode.one_of(&["popc", "and", "or"]) {
        Some("popc") => BarrierKind::Count,
        Some("and") => BarrierKind::All,
        Some(_) => BarrierKind::Any,
        None => return Err("no reduction".into()),
    };
    let last = operands.count() - 1;
    let (source, negated) = operands.predicate(last)?;
    let threads = if last > 2 { Some(operands.source(2, 32)?) } else { None };
    let (barrier, to) = (operands.source(1, 32)?, operands.register(0)?.0);
    let is_aligned = opcode.name() == "bar" || opcode.has("aligned");
    let reduce = Some((source, negated, to));
    Ok(Operation::Barrier(Box::new(BarrierOperation { kind, barrier, threads, reduce, is_aligned })))
}
