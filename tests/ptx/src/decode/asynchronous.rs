//! `cp.async`, `cp.async.bulk`, `mbarrier`, `setmaxnreg`.

use super::Decoded;
use super::operands::Operands;
use crate::arithmetic::{self, Adjust};
use crate::instruction::{Operation, Place, Source, Space};
use crate::opcode::Opcode;
use crate::syntax::Operand;
use crate::transfer::Transfer;
use crate::types::Kind;

pub(super) fn decode(opcode: &Opcode, operands: &mut Operands) -> Decoded {
    let transfer = match opcode.name() {
        "setmaxnreg" => return registers(operands),
        "mbarrier" => mbarrier(opcode, operands)?,
        _ if opcode.has("prefetch") => return Ok(Operation::Nothing),
        _ if opcode.has("bulk") => bulk(opcode, operands)?,
        _ => copy(opcode, operands)?,
    };
    Ok(Operation::Transfer(Box::new(transfer)))
}

/// PTX ISA, "setmaxnreg": 24 to 256 registers in steps of 8.
fn registers(operands: &mut Operands) -> Decoded {
    match operands.source(0, 32)? {
        Source::Constant(count) if (24..=256).contains(&count) && count % 8 == 0 => Ok(Operation::Nothing),
        _ => Err("24 to 256 registers in steps of 8".into()),
    }
}

fn constant(operands: &mut Operands, at: usize) -> Result<usize, String> {
    match operands.source(at, 32)? {
        Source::Constant(value) => Ok(value as usize),
        _ => Err(format!("operand {} is no constant", at + 1)),
    }
}

fn shared(operands: &mut Operands, at: usize) -> Result<Place, String> {
    operands.place(at, Space::Shared)
}

fn copy(opcode: &Opcode, operands: &mut Operands) -> Result<Transfer, String> {
    if opcode.has("mbarrier") {
        return Ok(Transfer::ArriveAfterCopies { at: shared(operands, 0)?, counts: !opcode.has("noinc") });
    }
    match opcode.one_of(&["commit_group", "wait_group", "wait_all"]) {
        Some("commit_group") => return Ok(Transfer::CommitCopies),
        Some("wait_group") => return Ok(Transfer::WaitCopies { left: constant(operands, 0)?, all: false }),
        Some(_) => return Ok(Transfer::WaitCopies { left: 0, all: true }),
        None => {}
    }
    let bytes = constant(operands, 2)?;
    let is_allowed = if opcode.has("cg") { bytes == 16 } else { matches!(bytes, 4 | 8 | 16) };
    if !is_allowed {
        return Err(format!("{bytes} bytes cannot be copied at once"));
    }
    let (mut given, mut ignored) = (None, None);
    let extra = operands.count() - usize::from(opcode.has("L2::cache_hint"));
    if extra > 3 {
        match operands.at(3)? {
            Operand::Register(_, of) if of.kind == Kind::Predicate => ignored = Some(operands.predicate(3)?),
            Operand::Not(_) => ignored = Some(operands.predicate(3)?),
            _ => given = Some(operands.source(3, 32)?),
        }
    }
    let (to, from) = (shared(operands, 0)?, operands.place(1, Space::Global)?);
    Ok(Transfer::Copy { to, from, bytes, given, ignored })
}

fn mbarrier(opcode: &Opcode, operands: &mut Operands) -> Result<Transfer, String> {
    let what = *opcode.parts.get(1).ok_or("no operation")?;
    Ok(match what {
        "init" => Transfer::Initialise { at: shared(operands, 0)?, count: operands.source(1, 32)? },
        "inval" => Transfer::Invalidate { at: shared(operands, 0)? },
        "expect_tx" | "complete_tx" => {
            let sign = if what == "expect_tx" { 1 } else { -1 };
            Transfer::Expect { at: shared(operands, 0)?, bytes: operands.source(1, 32)?, sign }
        }
        "arrive" | "arrive_drop" => arrive(opcode, operands, what == "arrive_drop")?,
        "test_wait" | "try_wait" => Transfer::Wait {
            to: operands.register(0)?.0,
            at: shared(operands, 1)?,
            phase: operands.source(2, 64)?,
            is_parity: opcode.has("parity"),
            blocks: what == "try_wait",
        },
        other => return Err(format!("`mbarrier.{other}` is not supported")),
    })
}

fn arrive(opcode: &Opcode, operands: &mut Operands, drops: bool) -> Result<Transfer, String> {
    // Without a destination the address comes first.
    let first = usize::from(!matches!(operands.at(0)?, Operand::Address(..)));
    let to = if first == 1 { operands.register(0)?.0 } else { 0 };
    let at = shared(operands, first)?;
    let extra = if operands.count() > first + 1 { Some(operands.source(first + 1, 32)?) } else { None };
    let expects = opcode.has("expect_tx");
    let (count, bytes) = if expects { (None, extra) } else { (extra, None) };
    Ok(Transfer::Arrive { at, to, count, bytes, drops })
}

fn bulk(opcode: &Opcode, operands: &mut Operands) -> Result<Transfer, String> {
    match opcode.one_of(&["commit_group", "wait_group"]) {
        Some("commit_group") => return Ok(Transfer::CommitBulk),
        Some(_) => {
            return Ok(Transfer::WaitBulk { left: constant(operands, 0)?, only_read: opcode.has("read") });
        }
        None => {}
    }
    let refused = ["multicast::cluster", "im2col", "im2col::w", "tile::gather4", "tile::scatter4", "cp_mask"];
    if let Some(part) = opcode.one_of(&refused) {
        return Err(format!("`.{part}` is not supported"));
    }
    let place = |name: &str| opcode.parts.iter().position(|part| part.starts_with(name));
    let is_store = place("global") < place("shared");
    match (opcode.has("tensor"), is_store) {
        (true, true) => tensor_store(opcode, operands),
        (true, false) => tensor_load(opcode, operands),
        (false, true) => store(opcode, operands),
        (false, false) => Ok(Transfer::BulkLoad {
            to: shared(operands, 0)?,
            from: operands.place(1, Space::Global)?,
            bytes: operands.source(2, 32)?,
            barrier: shared(operands, 3)?,
        }),
    }
}

fn store(opcode: &Opcode, operands: &mut Operands) -> Result<Transfer, String> {
    let reduce = match opcode.parts[1] {
        "reduce" => {
            let of = opcode.of().ok_or("no type")?;
            let name = opcode.one_of(&["add", "min", "max", "and", "or", "xor"]).ok_or("no operation")?;
            let plain = Opcode::new(name);
            let compute = arithmetic::binary(&plain, of.single()).ok_or("not for this type")?;
            Some((compute, Adjust::new(&plain, of)))
        }
        _ => None,
    };
    let (to, from) = (operands.place(0, Space::Global)?, shared(operands, 1)?);
    Ok(Transfer::BulkStore { to, from, bytes: operands.source(2, 32)?, reduce })
}

/// The coordinates in `[map, {x, y}]`, as many as the opcode has dimensions.
fn coordinates(opcode: &Opcode, operands: &mut Operands, at: usize) -> Result<Box<[Source]>, String> {
    let rest = operands.address_rest(at)?;
    let parts = match rest.as_slice() {
        [Operand::Vector(parts)] => parts.clone(),
        parts => parts.to_vec(),
    };
    if !opcode.has(&format!("{}d", parts.len())) {
        return Err(format!("{} coordinates do not fit the dimensions", parts.len()));
    }
    parts.iter().map(|part| operands.value(part, 32)).collect()
}

fn tensor_load(opcode: &Opcode, operands: &mut Operands) -> Result<Transfer, String> {
    let at = coordinates(opcode, operands, 1)?;
    let (to, map) = (shared(operands, 0)?, operands.place(1, Space::Generic)?);
    Ok(Transfer::TensorLoad { to, map, at, barrier: shared(operands, 2)? })
}

fn tensor_store(opcode: &Opcode, operands: &mut Operands) -> Result<Transfer, String> {
    if opcode.parts[1] == "reduce" {
        return Err("reductions into a tensor are not supported".into());
    }
    let at = coordinates(opcode, operands, 0)?;
    let (map, from) = (operands.place(0, Space::Generic)?, shared(operands, 1)?);
    Ok(Transfer::TensorStore { map, at, from })
}
