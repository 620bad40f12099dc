//! Floating-point instructions (PTX ISA, "Floating Point Instructions", "Half Precision").
//!
//! f16 and bf16 compute in f32 and round once, which is exact for one operation; `fma` goes through f64.
//! Approximate instructions give the nearest f32: tests compare their results with a tolerance.

use half::{bf16, f16};

use super::{Binary, Ternary, Unary};
use crate::opcode::{Opcode, Rounding};
use crate::types::{Kind, Type};

/// A floating-point number in a register.
pub(crate) trait Real: Copy {
    fn read(bits: u64) -> Self;
    fn write(self) -> u64;
    fn wide(self) -> f64;
    fn sum(self, other: Self) -> Self;
    fn difference(self, other: Self) -> Self;
    fn product(self, other: Self) -> Self;
    fn quotient(self, other: Self) -> Self;
    fn fused(self, factor: Self, addend: Self) -> Self;
    fn root(self) -> Self;
    const SIGN: u64;
    const NAN: u64;
}

macro_rules! native_real {
    ($type:ident, $bits:ident, $sign:expr, $nan:expr) => {
        impl Real for $type {
            fn read(bits: u64) -> Self {
                $type::from_bits(bits as $bits)
            }
            fn write(self) -> u64 {
                self.to_bits() as u64
            }
            fn wide(self) -> f64 {
                self as f64
            }
            fn sum(self, other: Self) -> Self {
                self + other
            }
            fn difference(self, other: Self) -> Self {
                self - other
            }
            fn product(self, other: Self) -> Self {
                self * other
            }
            fn quotient(self, other: Self) -> Self {
                self / other
            }
            fn fused(self, factor: Self, addend: Self) -> Self {
                self.mul_add(factor, addend)
            }
            fn root(self) -> Self {
                self.sqrt()
            }
            const SIGN: u64 = $sign;
            const NAN: u64 = $nan;
        }
    };
}

macro_rules! half_real {
    ($type:ident, $nan:expr) => {
        impl Real for $type {
            fn read(bits: u64) -> Self {
                $type::from_bits(bits as u16)
            }
            fn write(self) -> u64 {
                self.to_bits().into()
            }
            fn wide(self) -> f64 {
                self.to_f64()
            }
            fn sum(self, other: Self) -> Self {
                $type::from_f32(self.to_f32() + other.to_f32())
            }
            fn difference(self, other: Self) -> Self {
                $type::from_f32(self.to_f32() - other.to_f32())
            }
            fn product(self, other: Self) -> Self {
                $type::from_f32(self.to_f32() * other.to_f32())
            }
            fn quotient(self, other: Self) -> Self {
                $type::from_f32(self.to_f32() / other.to_f32())
            }
            fn fused(self, factor: Self, addend: Self) -> Self {
                $type::from_f64(self.to_f64().mul_add(factor.to_f64(), addend.to_f64()))
            }
            fn root(self) -> Self {
                $type::from_f32(self.to_f32().sqrt())
            }
            const SIGN: u64 = 0x8000;
            const NAN: u64 = $nan;
        }
    };
}

native_real!(f32, u32, 0x8000_0000, 0x7fff_ffff);
native_real!(f64, u64, 1 << 63, 0x7fff_ffff_ffff_ffff);
half_real!(f16, 0x7fff);
half_real!(bf16, 0x7fff);

/// Names the function for the type's own number format.
macro_rules! by_format {
    ($of:expr, $function:ident) => {
        match ($of.kind, $of.bits) {
            (Kind::Float, 64) => Some($function::<f64> as _),
            (Kind::Float, 32) => Some($function::<f32> as _),
            (Kind::Float, 16) => Some($function::<f16> as _),
            (Kind::Brain, 16) => Some($function::<bf16> as _),
            _ => None,
        }
    };
}

fn add<T: Real>(a: u64, b: u64) -> u64 {
    T::read(a).sum(T::read(b)).write()
}

fn subtract<T: Real>(a: u64, b: u64) -> u64 {
    T::read(a).difference(T::read(b)).write()
}

fn multiply<T: Real>(a: u64, b: u64) -> u64 {
    T::read(a).product(T::read(b)).write()
}

fn divide<T: Real>(a: u64, b: u64) -> u64 {
    T::read(a).quotient(T::read(b)).write()
}

fn fuse<T: Real>(a: u64, b: u64, c: u64) -> u64 {
    T::read(a).fused(T::read(b), T::read(c)).write()
}

fn negate<T: Real>(a: u64) -> u64 {
    a ^ T::SIGN
}

fn magnitude<T: Real>(a: u64) -> u64 {
    a & !T::SIGN
}

fn square_root<T: Real>(a: u64) -> u64 {
    T::read(a).root().write()
}

/// The lesser, -0 below +0; a NaN gives way to a number.
fn minimum<T: Real>(a: u64, b: u64) -> u64 {
    let (x, y) = (T::read(a).wide(), T::read(b).wide());
    match (x.is_nan(), y.is_nan()) {
        (true, true) => T::NAN,
        (true, false) => b,
        (false, true) => a,
        _ if x == y => a | (b & T::SIGN),
        _ => [a, b][usize::from(y < x)],
    }
}

fn maximum<T: Real>(a: u64, b: u64) -> u64 {
    let (x, y) = (T::read(a).wide(), T::read(b).wide());
    match (x.is_nan(), y.is_nan()) {
        (true, true) => T::NAN,
        (true, false) => b,
        (false, true) => a,
        _ if x == y => a & (b | !T::SIGN),
        _ => [a, b][usize::from(y > x)],
    }
}

fn is_nan<T: Real>(a: u64, b: u64) -> bool {
    T::read(a).wide().is_nan() || T::read(b).wide().is_nan()
}

fn minimum_nan<T: Real>(a: u64, b: u64) -> u64 {
    if is_nan::<T>(a, b) { T::NAN } else { minimum::<T>(a, b) }
}

fn maximum_nan<T: Real>(a: u64, b: u64) -> u64 {
    if is_nan::<T>(a, b) { T::NAN } else { maximum::<T>(a, b) }
}

fn copy_sign<T: Real>(a: u64, b: u64) -> u64 {
    (a & T::SIGN) | (b & !T::SIGN)
}

fn three<T: Real>(step: fn(u64, u64) -> u64, a: u64, b: u64, c: u64) -> u64 {
    step(step(a, b), c)
}

fn minimum_of_three<T: Real>(a: u64, b: u64, c: u64) -> u64 {
    three::<T>(minimum::<T>, a, b, c)
}

fn maximum_of_three<T: Real>(a: u64, b: u64, c: u64) -> u64 {
    three::<T>(maximum::<T>, a, b, c)
}

/// An f32 function computed in f64 and rounded once.
macro_rules! through_f64 {
    ($function:expr) => {
        |a| {
            let compute: fn(f64) -> f64 = $function;
            u64::from((compute(f64::from(f32::from_bits(a as u32))) as f32).to_bits())
        }
    };
}

/// The functions of 16-bit floats that the ISA only has as approximations.
fn approximate<T: Real>(name: &str) -> Option<Unary> {
    fn through<T: Real>(a: u64, compute: fn(f64) -> f64) -> u64 {
        let result = compute(T::read(a).wide());
        match T::NAN == 0x7fff && T::SIGN == 0x8000 {
            true if T::read(0x3f80).wide() == 1.0 => bf16::from_f64(result).to_bits().into(),
            _ => f16::from_f64(result).to_bits().into(),
        }
    }
    match name {
        "ex2" => Some(|a| through::<T>(a, f64::exp2)),
        "tanh" => Some(|a| through::<T>(a, f64::tanh)),
        _ => None,
    }
}

pub(crate) fn unary(opcode: &Opcode, of: Type) -> Option<Unary> {
    match opcode.name() {
        "neg" => return by_format!(of, negate),
        "abs" => return by_format!(of, magnitude),
        "sqrt" => return by_format!(of, square_root),
        _ => {}
    }
    match (opcode.name(), of.kind, of.bits) {
        ("rcp", Kind::Float, 64) => Some(|a| (1.0 / f64::from_bits(a)).to_bits()),
        ("rsqrt", Kind::Float, 64) => Some(|a| (1.0 / f64::from_bits(a).sqrt()).to_bits()),
        ("rcp", Kind::Float, 32) => Some(through_f64!(|x| 1.0 / x)),
        ("rsqrt", Kind::Float, 32) => Some(through_f64!(|x| 1.0 / x.sqrt())),
        ("ex2", Kind::Float, 32) => Some(through_f64!(f64::exp2)),
        ("lg2", Kind::Float, 32) => Some(through_f64!(f64::log2)),
        ("sin", Kind::Float, 32) => Some(through_f64!(f64::sin)),
        ("cos", Kind::Float, 32) => Some(through_f64!(f64::cos)),
        ("tanh", Kind::Float, 32) => Some(through_f64!(f64::tanh)),
        (name, Kind::Float, 16) => approximate::<f16>(name),
        (name, Kind::Brain, 16) => approximate::<bf16>(name),
        _ => None,
    }
}

pub(crate) fn binary(opcode: &Opcode, of: Type) -> Option<Binary> {
    if let Some(directed) = directed_binary(opcode, of) {
        return Some(directed);
    }
    match opcode.name() {
        "add" => by_format!(of, add),
        "sub" => by_format!(of, subtract),
        "mul" => by_format!(of, multiply),
        "div" => by_format!(of, divide),
        "min" if opcode.has("NaN") => by_format!(of, minimum_nan),
        "max" if opcode.has("NaN") => by_format!(of, maximum_nan),
        "min" => by_format!(of, minimum),
        "max" => by_format!(of, maximum),
        "copysign" => by_format!(of, copy_sign),
        _ => None,
    }
}

pub(crate) fn ternary(opcode: &Opcode, of: Type) -> Option<Ternary> {
    match (opcode.name(), opcode.rounding()) {
        ("fma" | "mad", Some((Rounding::Zero, _))) if of == Type::F32 => Some(directed_fuse::<{ ZERO }>),
        ("fma" | "mad", Some((Rounding::Down, _))) if of == Type::F32 => Some(directed_fuse::<{ DOWN }>),
        ("fma" | "mad", Some((Rounding::Up, _))) if of == Type::F32 => Some(directed_fuse::<{ UP }>),
        ("fma" | "mad", _) => by_format!(of, fuse),
        ("min", _) => by_format!(of, minimum_of_three),
        ("max", _) => by_format!(of, maximum_of_three),
        _ => None,
    }
}

const ZERO: u8 = 0;
const DOWN: u8 = 1;
const UP: u8 = 2;

/// Rounds the exact value `high + low`, of which `high` is the nearest f64, to f32 in the given direction.
fn narrow<const MODE: u8>(high: f64, low: f64) -> u64 {
    let nearest = high as f32;
    let above = (f64::from(nearest) - high) - low;
    let rounded = match MODE {
        _ if !nearest.is_finite() || above == 0.0 => nearest,
        DOWN if above > 0.0 => nearest.next_down(),
        UP if above < 0.0 => nearest.next_up(),
        ZERO if nearest > 0.0 && above > 0.0 => nearest.next_down(),
        ZERO if nearest < 0.0 && above < 0.0 => nearest.next_up(),
        _ => nearest,
    };
    rounded.to_bits().into()
}

/// The sum of two numbers without error, as the nearest f64 and the rest (Knuth's two-sum).
fn exact_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

fn directed_add<const MODE: u8>(a: u64, b: u64) -> u64 {
    let (high, low) = exact_sum(f32::read(a).wide(), f32::read(b).wide());
    narrow::<MODE>(high, low)
}

fn directed_subtract<const MODE: u8>(a: u64, b: u64) -> u64 {
    directed_add::<MODE>(a, b ^ f32::SIGN)
}

fn directed_multiply<const MODE: u8>(a: u64, b: u64) -> u64 {
    narrow::<MODE>(f32::read(a).wide() * f32::read(b).wide(), 0.0)
}

fn directed_fuse<const MODE: u8>(a: u64, b: u64, c: u64) -> u64 {
    let (high, low) = exact_sum(f32::read(a).wide() * f32::read(b).wide(), f32::read(c).wide());
    narrow::<MODE>(high, low)
}

fn directed_binary(opcode: &Opcode, of: Type) -> Option<Binary> {
    let (rounding, _) = opcode.rounding()?;
    let choose = |modes: [Binary; 3]| match rounding {
        Rounding::Zero => Some(modes[0]),
        Rounding::Down => Some(modes[1]),
        Rounding::Up => Some(modes[2]),
        _ => None,
    };
    match opcode.name() {
        _ if of != Type::F32 => None,
        "add" => choose([directed_add::<ZERO>, directed_add::<DOWN>, directed_add::<UP>]),
        "sub" => choose([directed_subtract::<ZERO>, directed_subtract::<DOWN>, directed_subtract::<UP>]),
        "mul" => choose([directed_multiply::<ZERO>, directed_multiply::<DOWN>, directed_multiply::<UP>]),
        _ => None,
    }
}
