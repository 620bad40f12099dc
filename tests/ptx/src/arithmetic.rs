//! What instructions compute, as plain functions of register contents.
//!
//! In: an opcode. Out: a function that the decoder puts into the instruction, so that running it
//! asks nothing about types. Order: [`real`], [`integer`], [`bits`], [`compare`]; [`format`] rounds.

pub(crate) mod bits;
pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod format;
pub(crate) mod integer;
pub(crate) mod real;

use crate::opcode::Opcode;
use crate::types::{Kind, Type};

pub(crate) type Unary = fn(u64) -> u64;
pub(crate) type Binary = fn(u64, u64) -> u64;
pub(crate) type Ternary = fn(u64, u64, u64) -> u64;

/// What happens around a computation: packed halves, `.ftz`, `.sat`, `.relu`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Adjust {
    pub of: Type,
    pub flush: bool,
    pub saturate: bool,
    pub relu: bool,
    /// None of the above: the function's result is the result.
    pub is_plain: bool,
}

impl Adjust {
    pub fn new(opcode: &Opcode, of: Type) -> Adjust {
        let flush = opcode.has("ftz");
        let saturate = of.is_float() && opcode.has("sat");
        let relu = opcode.has("relu");
        let is_plain = of.lanes == 1 && !flush && !saturate && !relu;
        Adjust { of, flush, saturate, relu, is_plain }
    }

    /// Computes each packed value between the adjustments of its operands and its result.
    pub fn apply<const N: usize>(&self, operands: [u64; N], compute: impl Fn([u64; N]) -> u64) -> u64 {
        let bits = self.of.bits;
        let mut packed = 0;
        for lane in 0..self.of.lanes {
            let inputs = operands.map(|operand| self.flushed(crate::types::truncate(operand >> (lane * bits), bits)));
            packed |= self.clamped(self.flushed(compute(inputs))) << (lane * bits);
        }
        packed
    }

    /// Subnormal f32 values are zeros of their sign under `.ftz`.
    fn flushed(&self, value: u64) -> u64 {
        let subnormal = self.of.kind == Kind::Float && self.of.bits == 32 && value & 0x7f80_0000 == 0;
        if self.flush && subnormal { value & 0x8000_0000 } else { value }
    }

    fn clamped(&self, value: u64) -> u64 {
        if !self.saturate && !self.relu {
            return value;
        }
        let (number, one) = match (self.of.kind, self.of.bits) {
            (Kind::Float, 64) => (f64::from_bits(value), 1_f64.to_bits()),
            (Kind::Float, 32) => (f64::from(f32::from_bits(value as u32)), u64::from(1_f32.to_bits())),
            (Kind::Float, _) => (half::f16::from_bits(value as u16).to_f64(), 0x3c00),
            _ => (half::bf16::from_bits(value as u16).to_f64(), 0x3f80),
        };
        match self.saturate {
            true if number >= 1.0 => one,
            // NaN becomes +0 under `.sat` and stays under `.relu`.
            true if number.is_nan() || number <= 0.0 => 0,
            false if number <= 0.0 => 0,
            _ => value,
        }
    }
}

/// The function of a one-operand instruction.
pub(crate) fn unary(opcode: &Opcode, of: Type) -> Option<Unary> {
    real::unary(opcode, of).or_else(|| integer::unary(opcode, of)).or_else(|| bits::unary(opcode, of))
}

/// The function of a two-operand instruction.
pub(crate) fn binary(opcode: &Opcode, of: Type) -> Option<Binary> {
    real::binary(opcode, of).or_else(|| integer::binary(opcode, of)).or_else(|| bits::binary(opcode, of))
}

/// The function of a three-operand instruction.
pub(crate) fn ternary(opcode: &Opcode, of: Type) -> Option<Ternary> {
    real::ternary(opcode, of).or_else(|| integer::ternary(opcode, of)).or_else(|| bits::ternary(opcode, of))
}
