//! Comparisons of `setp` and `set` (PTX ISA, "Comparison and Selection Instructions").

use std::cmp::Ordering::{self, Equal, Greater, Less};

use half::{bf16, f16};

use super::real::Real;
use crate::opcode::Opcode;
use crate::types::{Kind, Type, truncate};

pub(crate) type Comparison = fn(u64, u64) -> bool;

const NAMES: [&str; 18] = [
    "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan",
];

/// The comparison that the opcode names, for operands of the given type.
pub(crate) fn comparison(opcode: &Opcode, of: Type) -> Option<Comparison> {
    let name = *opcode.parts[1..].iter().find(|part| NAMES.contains(part))?;
    match (of.kind, of.bits) {
        (Kind::Float, 64) => real::<f64>(name),
        (Kind::Float, 32) => real::<f32>(name),
        (Kind::Float, 16) => real::<f16>(name),
        (Kind::Brain, 16) => real::<bf16>(name),
        (Kind::Signed, 16) => signed::<16>(name),
        (Kind::Signed, 32) => signed::<32>(name),
        (Kind::Signed, 64) => signed::<64>(name),
        _ => unsigned(name),
    }
}

/// A comparison ending in `u` is true as well where an operand is NaN: the order is then `None`.
fn real<T: Real>(name: &str) -> Option<Comparison> {
    fn order<T: Real>(a: u64, b: u64) -> Option<Ordering> {
        T::read(a).wide().partial_cmp(&T::read(b).wide())
    }
    Some(match name {
        "eq" => |a, b| order::<T>(a, b) == Some(Equal),
        "ne" => |a, b| matches!(order::<T>(a, b), Some(Less | Greater)),
        "lt" => |a, b| order::<T>(a, b) == Some(Less),
        "le" => |a, b| matches!(order::<T>(a, b), Some(Less | Equal)),
        "gt" => |a, b| order::<T>(a, b) == Some(Greater),
        "ge" => |a, b| matches!(order::<T>(a, b), Some(Greater | Equal)),
        "equ" => |a, b| matches!(order::<T>(a, b), Some(Equal) | None),
        "neu" => |a, b| order::<T>(a, b) != Some(Equal),
        "ltu" => |a, b| matches!(order::<T>(a, b), Some(Less) | None),
        "leu" => |a, b| order::<T>(a, b) != Some(Greater),
        "gtu" => |a, b| matches!(order::<T>(a, b), Some(Greater) | None),
        "geu" => |a, b| order::<T>(a, b) != Some(Less),
        "num" => |a, b| order::<T>(a, b).is_some(),
        "nan" => |a, b| order::<T>(a, b).is_none(),
        _ => return None,
    })
}

fn signed<const BITS: u32>(name: &str) -> Option<Comparison> {
    use crate::types::extend;
    Some(match name {
        "lt" => |a, b| extend(a, BITS) < extend(b, BITS),
        "le" => |a, b| extend(a, BITS) <= extend(b, BITS),
        "gt" => |a, b| extend(a, BITS) > extend(b, BITS),
        "ge" => |a, b| extend(a, BITS) >= extend(b, BITS),
        "eq" => |a, b| truncate(a, BITS) == truncate(b, BITS),
        "ne" => |a, b| truncate(a, BITS) != truncate(b, BITS),
        _ => return None,
    })
}

/// Unsigned values; the decoder has truncated constants to the type's width.
fn unsigned(name: &str) -> Option<Comparison> {
    Some(match name {
        "eq" => |a, b| a == b,
        "ne" => |a, b| a != b,
        "lt" | "lo" => |a, b| a < b,
        "le" | "ls" => |a, b| a <= b,
        "gt" | "hi" => |a, b| a > b,
        "ge" | "hs" => |a, b| a >= b,
        _ => return None,
    })
}
