//! Instructions on bits (PTX ISA, "Logic and Shift Instructions", "Bit field", `prmt`).

use super::{Binary, Ternary, Unary};
use crate::opcode::Opcode;
use crate::types::{Type, extend, truncate};

pub(crate) fn unary(opcode: &Opcode, of: Type) -> Option<Unary> {
    match (opcode.name(), of.bits) {
        ("not", 1) => Some(|a| !a & 1),
        ("not", 16) => Some(|a| truncate(!a, 16)),
        ("not", 32) => Some(|a| truncate(!a, 32)),
        ("not", 64) => Some(|a| !a),
        ("cnot", 16 | 32 | 64) => Some(|a| u64::from(a == 0)),
        ("popc", _) => Some(|a| a.count_ones().into()),
        ("clz", 32) => Some(|a| (a as u32).leading_zeros().into()),
        ("clz", 64) => Some(|a| a.leading_zeros().into()),
        ("brev", 32) => Some(|a| (a as u32).reverse_bits().into()),
        ("brev", 64) => Some(u64::reverse_bits),
        ("bfind", _) => find_highest(opcode, of),
        _ => None,
    }
}

/// The place of the highest bit that differs from the sign; all ones if there is none.
fn find_highest(opcode: &Opcode, of: Type) -> Option<Unary> {
    fn highest<const BITS: u32, const SIGNED: bool, const AMOUNT: bool>(a: u64) -> u64 {
        let value = if SIGNED && extend(a, BITS) < 0 { truncate(!a, BITS) } else { truncate(a, BITS) };
        match value.checked_ilog2() {
            None => 0xffff_ffff,
            Some(place) if AMOUNT => (BITS - 1 - place).into(),
            Some(place) => place.into(),
        }
    }
    Some(match (of.bits, of.is_signed(), opcode.has("shiftamt")) {
        (32, false, false) => highest::<32, false, false>,
        (32, false, true) => highest::<32, false, true>,
        (32, true, false) => highest::<32, true, false>,
        (32, true, true) => highest::<32, true, true>,
        (64, false, false) => highest::<64, false, false>,
        (64, false, true) => highest::<64, false, true>,
        (64, true, false) => highest::<64, true, false>,
        (64, true, true) => highest::<64, true, true>,
        _ => return None,
    })
}

/// Shifts clamp their amount: everything is shifted out, or only copies of the sign remain.
pub(crate) fn binary(opcode: &Opcode, of: Type) -> Option<Binary> {
    match (opcode.name(), of.bits, of.is_signed()) {
        ("and", _, _) => Some(|a, b| a & b),
        ("or", _, _) => Some(|a, b| a | b),
        ("xor", _, _) => Some(|a, b| a ^ b),
        ("shl", 16, _) => Some(|a, b| truncate(shift_left(a, b), 16)),
        ("shl", 32, _) => Some(|a, b| truncate(shift_left(a, b), 32)),
        ("shl", 64, _) => Some(shift_left),
        ("shr", 16, true) => Some(|a, b| truncate((extend(a, 16) >> amount(b).min(63)) as u64, 16)),
        ("shr", 32, true) => Some(|a, b| truncate((extend(a, 32) >> amount(b).min(63)) as u64, 32)),
        ("shr", 64, true) => Some(|a, b| ((a as i64) >> amount(b).min(63)) as u64),
        ("shr", 16 | 32 | 64, false) => Some(|a, b| a.checked_shr(amount(b)).unwrap_or(0)),
        ("bmsk", 32, _) if opcode.has("clamp") => Some(mask_clamped),
        _ => None,
    }
}

fn amount(b: u64) -> u32 {
    b as u32
}

fn shift_left(a: u64, b: u64) -> u64 {
    a.checked_shl(amount(b)).unwrap_or(0)
}

fn mask_clamped(a: u64, b: u64) -> u64 {
    let ones = 1_u64.checked_shl(amount(b).min(32)).map_or(0, |bit| bit - 1);
    truncate(shift_left(ones, amount(a).min(32).into()), 32)
}

pub(crate) fn ternary(opcode: &Opcode, of: Type) -> Option<Ternary> {
    match opcode.name() {
        "bfe" => extract(of),
        "prmt" => permute(opcode),
        "shf" => funnel(opcode),
        _ => None,
    }
}

/// `bfe`: `length` bits from `start`, filled with zeros or with the sign.
fn extract(of: Type) -> Option<Ternary> {
    fn field<const BITS: u32, const SIGNED: bool>(a: u64, start: u64, length: u64) -> u64 {
        let (start, length) = (start & 255, length & 255);
        let top = (start + length).saturating_sub(1).min(u64::from(BITS) - 1);
        let fill = SIGNED && length != 0 && (a >> top) & 1 == 1;
        let kept = length.min(u64::from(BITS).saturating_sub(start));
        let value = truncate(a.checked_shr(start as u32).unwrap_or(0), kept as u32);
        let filled = if fill { value | !truncate(u64::MAX, kept as u32) } else { value };
        truncate(filled, BITS)
    }
    match (of.bits, of.is_signed()) {
        (32, false) => Some(field::<32, false>),
        (32, true) => Some(field::<32, true>),
        (64, false) => Some(field::<64, false>),
        (64, true) => Some(field::<64, true>),
        _ => None,
    }
}

/// `bfi`: puts the low `length` bits of `a` into `b` at `start`.
pub(crate) fn insert(a: u64, b: u64, start: u64, length: u64, bits: u32) -> u64 {
    let (start, length) = ((start & 255) as u32, (length & 255) as u32);
    if start >= bits {
        return b;
    }
    let mask = truncate(u64::MAX, length.min(bits - start)) << start;
    truncate((b & !mask) | ((a << start) & mask), bits)
}

/// `prmt`: each nibble of the selector picks a byte of `b:a`, or its sign.
fn permute(opcode: &Opcode) -> Option<Ternary> {
    fn byte(a: u64, b: u64, selector: u64) -> u64 {
        let value = truncate(((b << 32) | truncate(a, 32)) >> (8 * (selector & 7)), 8);
        match selector & 8 != 0 {
            true => 255 * (value >> 7),
            false => value,
        }
    }
    fn gather(a: u64, b: u64, selectors: [u64; 4]) -> u64 {
        selectors.iter().rev().fold(0, |word, selector| (word << 8) | byte(a, b, *selector))
    }
    Some(match opcode.one_of(&["f4e", "b4e", "rc8", "ecl", "ecr", "rc16"]) {
        None => |a, b, c| gather(a, b, [0, 4, 8, 12].map(|shift| (c >> shift) & 15)),
        Some("f4e") => |a, b, c| gather(a, b, [0, 1, 2, 3].map(|at| (at + (c & 3)) & 7)),
        Some("b4e") => |a, b, c| gather(a, b, [8, 7, 6, 5].map(|at| (at + (c & 3)) & 7)),
        Some("rc8") => |a, b, c| gather(a, b, [c & 3; 4]),
        Some("ecl") => |a, b, c| gather(a, b, [0, 1, 2, 3].map(|at| at.max(c & 3))),
        Some("ecr") => |a, b, c| gather(a, b, [0, 1, 2, 3].map(|at| at.min(c & 3))),
        Some(_) => |a, b, c| gather(a, b, [0, 1, 0, 1].map(|at| at + 2 * (c & 1))),
    })
}

/// `shf`: the pair `b:a` shifted, of which the upper word (`.l`) or the lower (`.r`) is kept.
fn funnel(opcode: &Opcode) -> Option<Ternary> {
    fn pair(a: u64, b: u64) -> u64 {
        (b << 32) | truncate(a, 32)
    }
    Some(match (opcode.has("l"), opcode.has("wrap")) {
        (true, true) => |a, b, c| truncate((pair(a, b) << (c & 31)) >> 32, 32),
        (true, false) => |a, b, c| truncate((u128::from(pair(a, b)) << truncate(c, 32).min(32) >> 32) as u64, 32),
        (false, true) => |a, b, c| truncate(pair(a, b) >> (c & 31), 32),
        (false, false) => |a, b, c| truncate(pair(a, b) >> truncate(c, 32).min(32), 32),
    })
}

/// `lop3`: any function of three bits, given by its table.
pub(crate) fn logic(a: u64, b: u64, c: u64, table: u8) -> u64 {
    (0..8_u8).filter(|row| table >> row & 1 == 1).fold(0, |result, row| {
        let pick = |bit: u8, value: u64| if row & bit != 0 { value } else { !value };
        result | (pick(4, a) & pick(2, b) & pick(1, c))
    }) & 0xffff_ffff
}
