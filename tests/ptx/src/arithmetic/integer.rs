//! Integer instructions (PTX ISA, "Integer Arithmetic Instructions").

use super::{Binary, Ternary, Unary};
use crate::opcode::Opcode;
use crate::types::{Kind, Type, extend, truncate};

/// Names the function for an integer type: unsigned and untyped values alike, then signed ones.
macro_rules! by_integer {
    ($of:expr, |$a:ident, $b:ident| $body:expr) => {
        match ($of.kind, $of.bits) {
            (Kind::Bits | Kind::Unsigned, 16) => Some(by_integer!(@ u16, u16, $a, $b, $body)),
            (Kind::Bits | Kind::Unsigned, 32) => Some(by_integer!(@ u32, u32, $a, $b, $body)),
            (Kind::Bits | Kind::Unsigned, 64) => Some(by_integer!(@ u64, u64, $a, $b, $body)),
            (Kind::Signed, 16) => Some(by_integer!(@ i16, u16, $a, $b, $body)),
            (Kind::Signed, 32) => Some(by_integer!(@ i32, u32, $a, $b, $body)),
            (Kind::Signed, 64) => Some(by_integer!(@ i64, u64, $a, $b, $body)),
            _ => None,
        }
    };
    (@ $type:ty, $bits:ty, $a:ident, $b:ident, $body:expr) => {
        (|a, b| {
            let ($a, $b) = (a as $type, b as $type);
            ($body) as $bits as u64
        }) as Binary
    };
}

pub(crate) fn unary(opcode: &Opcode, of: Type) -> Option<Unary> {
    match (opcode.name(), of.bits) {
        ("neg", 16) => Some(|a| u64::from((a as u16).wrapping_neg())),
        ("neg", 32) => Some(|a| u64::from((a as u32).wrapping_neg())),
        ("neg", 64) => Some(u64::wrapping_neg),
        ("abs", 16) => Some(|a| (a as i16).wrapping_abs() as u16 as u64),
        ("abs", 32) => Some(|a| (a as i32).wrapping_abs() as u32 as u64),
        ("abs", 64) => Some(|a| (a as i64).wrapping_abs() as u64),
        _ => None,
    }
}

/// Division by zero gives all ones, as the machine does; the remainder is then the dividend.
pub(crate) fn binary(opcode: &Opcode, of: Type) -> Option<Binary> {
    match opcode.name() {
        "add" if opcode.has("sat") => by_integer!(of, |a, b| a.saturating_add(b)),
        "sub" if opcode.has("sat") => by_integer!(of, |a, b| a.saturating_sub(b)),
        "add" => by_integer!(of, |a, b| a.wrapping_add(b)),
        "sub" => by_integer!(of, |a, b| a.wrapping_sub(b)),
        "mul" if opcode.has("wide") => wide_product(of),
        "mul" if opcode.has("hi") => high_product(of),
        "mul" => by_integer!(of, |a, b| a.wrapping_mul(b)),
        "mul24" => by_integer!(of, |a, b| (a << 8 >> 8).wrapping_mul(b << 8 >> 8)),
        "div" => by_integer!(of, |a, b| if b == 0 { !0 } else { a.wrapping_div(b) }),
        "rem" => by_integer!(of, |a, b| if b == 0 { a } else { a.wrapping_rem(b) }),
        "min" => by_integer!(of, |a, b| a.min(b)),
        "max" => by_integer!(of, |a, b| a.max(b)),
        _ => None,
    }
}

fn wide_product(of: Type) -> Option<Binary> {
    match (of.is_signed(), of.bits) {
        (false, 16) => Some(|a, b| truncate(a, 16) * truncate(b, 16)),
        (false, 32) => Some(|a, b| truncate(a, 32) * truncate(b, 32)),
        (true, 16) => Some(|a, b| truncate((extend(a, 16) * extend(b, 16)) as u64, 32)),
        (true, 32) => Some(|a, b| (extend(a, 32) * extend(b, 32)) as u64),
        _ => None,
    }
}

fn high_product(of: Type) -> Option<Binary> {
    match (of.is_signed(), of.bits) {
        (false, 16) => Some(|a, b| (truncate(a, 16) * truncate(b, 16)) >> 16),
        (false, 32) => Some(|a, b| (truncate(a, 32) * truncate(b, 32)) >> 32),
        (false, 64) => Some(|a, b| ((u128::from(a) * u128::from(b)) >> 64) as u64),
        (true, 16) => Some(|a, b| truncate(((extend(a, 16) * extend(b, 16)) >> 16) as u64, 16)),
        (true, 32) => Some(|a, b| truncate(((extend(a, 32) * extend(b, 32)) >> 32) as u64, 32)),
        (true, 64) => Some(|a, b| ((i128::from(a as i64) * i128::from(b as i64)) >> 64) as u64),
        _ => None,
    }
}

pub(crate) fn ternary(opcode: &Opcode, of: Type) -> Option<Ternary> {
    match (opcode.name(), opcode.one_of(&["lo", "hi", "wide"])) {
        ("mad", Some("wide")) => multiply_add_wide(of),
        ("mad", Some("hi")) => multiply_add_high(of),
        ("mad", _) => multiply_add(of),
        ("sad", _) => sum_of_difference(of),
        ("dp4a", _) => dot_four(opcode),
        _ => None,
    }
}

fn multiply_add(of: Type) -> Option<Ternary> {
    match of.bits {
        16 => Some(|a, b, c| truncate(a.wrapping_mul(b).wrapping_add(c), 16)),
        32 => Some(|a, b, c| truncate(a.wrapping_mul(b).wrapping_add(c), 32)),
        64 => Some(|a, b, c| a.wrapping_mul(b).wrapping_add(c)),
        _ => None,
    }
}

fn multiply_add_wide(of: Type) -> Option<Ternary> {
    match (of.is_signed(), of.bits) {
        (false, 16) => Some(|a, b, c| truncate((truncate(a, 16) * truncate(b, 16)).wrapping_add(c), 32)),
        (false, 32) => Some(|a, b, c| (truncate(a, 32) * truncate(b, 32)).wrapping_add(c)),
        (true, 16) => Some(|a, b, c| truncate(((extend(a, 16) * extend(b, 16)) as u64).wrapping_add(c), 32)),
        (true, 32) => Some(|a, b, c| ((extend(a, 32) * extend(b, 32)) as u64).wrapping_add(c)),
        _ => None,
    }
}

fn multiply_add_high(of: Type) -> Option<Ternary> {
    match (of.is_signed(), of.bits) {
        (false, 32) => Some(|a, b, c| truncate(((truncate(a, 32) * truncate(b, 32)) >> 32).wrapping_add(c), 32)),
        (true, 32) => Some(|a, b, c| truncate((((extend(a, 32) * extend(b, 32)) >> 32) as u64).wrapping_add(c), 32)),
        (false, 64) => Some(|a, b, c| (((u128::from(a) * u128::from(b)) >> 64) as u64).wrapping_add(c)),
        (true, 64) => Some(|a, b, c| (((i128::from(a as i64) * i128::from(b as i64)) >> 64) as u64).wrapping_add(c)),
        _ => None,
    }
}

fn sum_of_difference(of: Type) -> Option<Ternary> {
    match (of.is_signed(), of.bits) {
        (false, 32) => Some(|a, b, c| truncate(truncate(a, 32).abs_diff(truncate(b, 32)).wrapping_add(c), 32)),
        (true, 32) => Some(|a, b, c| truncate(extend(a, 32).abs_diff(extend(b, 32)).wrapping_add(c), 32)),
        _ => None,
    }
}

/// Four products of bytes and a sum; the two factors may differ in sign.
fn dot_four(opcode: &Opcode) -> Option<Ternary> {
    fn dot<const A: bool, const B: bool>(a: u64, b: u64, c: u64) -> u64 {
        let byte = |value: u64, at: u32, signed: bool| match signed {
            true => extend(value >> (8 * at), 8),
            false => truncate(value >> (8 * at), 8) as i64,
        };
        let sum: i64 = (0..4).map(|at| byte(a, at, A) * byte(b, at, B)).sum();
        truncate((sum as u64).wrapping_add(c), 32)
    }
    match opcode.types().as_slice() {
        [a, b] => Some(match (a.is_signed(), b.is_signed()) {
            (false, false) => dot::<false, false>,
            (false, true) => dot::<false, true>,
            (true, false) => dot::<true, false>,
            (true, true) => dot::<true, true>,
        }),
        _ => None,
    }
}
