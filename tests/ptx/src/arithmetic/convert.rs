//! `cvt` between any two types (PTX ISA, "Data Movement and Conversion Instructions: cvt").

use half::bf16;

use super::format::{Exact, Format};
use crate::opcode::{Opcode, Rounding};
use crate::types::{Kind, Type, extend, truncate};

/// A conversion of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Conversion {
    pub to: Type,
    pub from: Type,
    rounding: Rounding,
    /// A float keeps its format and becomes integral.
    integral: bool,
    saturate: bool,
    /// Beyond the largest number is the largest number.
    finite: bool,
    relu: bool,
    flush: bool,
}

impl Conversion {
    pub fn new(opcode: &Opcode, to: Type, from: Type) -> Option<Conversion> {
        let (rounding, integral) = opcode.rounding().unwrap_or((Rounding::NearestEven, false));
        let known = |of: Type| !of.is_small_float() || Format::of(of).is_some();
        let conversion = Conversion {
            to: to.single(),
            from: from.single(),
            rounding,
            integral: integral && to.is_float(),
            saturate: opcode.has("sat"),
            finite: opcode.has("satfinite"),
            relu: opcode.has("relu"),
            flush: opcode.has("ftz"),
        };
        (known(to) && known(from)).then_some(conversion)
    }

    /// Converts; the result has the width of `to`.
    pub fn apply(&self, bits: u64) -> u64 {
        match (self.from.kind, self.from.bits, self.to.kind, self.to.bits) {
            (Kind::Brain, 16, Kind::Float, 32) if !self.relu && !self.integral => (bits & 0xffff) << 16,
            (Kind::Float, 32, Kind::Brain, 16) if self.is_nearest() => {
                bf16::from_f32(f32::from_bits(bits as u32)).to_bits().into()
            }
            _ => self.general(bits),
        }
    }

    fn is_nearest(&self) -> bool {
        self.rounding == Rounding::NearestEven && !self.relu && !self.finite && !self.integral && !self.saturate
    }

    fn general(&self, bits: u64) -> u64 {
        match (Format::of(self.from), Format::of(self.to)) {
            (None, None) => self.between_integers(bits),
            (Some(from), None) => self.clamped(from.decode(self.flushed(bits, self.from))),
            (None, Some(to)) => to.encode(Exact::integer(self.integer(bits)), self.rounding, self.finite),
            (Some(from), Some(to)) => {
                let value = self.shaped(from.decode(self.flushed(bits, self.from)));
                self.flushed(to.encode(value, self.rounding, self.finite), self.to)
            }
        }
    }

    fn integer(&self, bits: u64) -> i128 {
        match self.from.is_signed() {
            true => extend(bits, self.from.bits).into(),
            false => truncate(bits, self.from.bits).into(),
        }
    }

    /// The least and the greatest value of the integer type.
    fn limits(&self) -> (i128, i128) {
        match self.to.is_signed() {
            true => (-(1 << (self.to.bits - 1)), (1 << (self.to.bits - 1)) - 1),
            false => (0, (1 << self.to.bits) - 1),
        }
    }

    fn between_integers(&self, bits: u64) -> u64 {
        let value = self.integer(bits);
        let (least, greatest) = self.limits();
        let value = if self.saturate { value.clamp(least, greatest) } else { value };
        truncate(value as u64, self.to.bits)
    }

    /// Floats beyond an integer type's range give its limit; NaN gives 0.
    fn clamped(&self, value: Exact) -> u64 {
        let (least, greatest) = self.limits();
        let value = value.to_integer(self.rounding).unwrap_or(0).clamp(least, greatest);
        truncate(value as u64, self.to.bits)
    }

    fn shaped(&self, value: Exact) -> Exact {
        let negative = matches!(value, Exact::Number { negative: true, .. } | Exact::Infinite { negative: true });
        let zero = Exact::Number { negative: false, magnitude: 0, exponent: 0 };
        if (self.relu || self.saturate) && negative || self.saturate && value == Exact::NotANumber {
            return zero;
        }
        let one = Exact::integer(1);
        match value {
            Exact::Infinite { .. } if self.saturate => one,
            Exact::Number { .. } if self.saturate && value.to_integer(Rounding::Zero) >= Some(1) => one,
            Exact::Number { exponent, .. } if self.integral && exponent < 0 => match value.to_integer(self.rounding) {
                Some(0) => Exact::Number { negative, magnitude: 0, exponent: 0 },
                whole => Exact::integer(whole.unwrap_or(0)),
            },
            _ => value,
        }
    }

    fn flushed(&self, bits: u64, of: Type) -> u64 {
        let subnormal = of == Type::F32 && bits & 0x7f80_0000 == 0;
        if self.flush && subnormal { bits & 0x8000_0000 } else { bits }
    }
}

impl Type {
    fn is_small_float(self) -> bool {
        self.is_float() || matches!(self.kind, Kind::E4M3 | Kind::E5M2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(opcode: &str, bits: u64) -> u64 {
        let opcode = Opcode::new(opcode);
        let types = opcode.types();
        Conversion::new(&opcode, types[0], types[1]).expect("a conversion").apply(bits)
    }

    fn single(number: f32) -> u64 {
        number.to_bits().into()
    }

    #[test]
    fn floats_become_integers_by_the_named_rounding_and_stop_at_the_limits() {
        assert_eq!(convert("cvt.rni.s32.f32", single(2.5)), 2);
        assert_eq!(convert("cvt.rzi.s32.f32", single(-2.9)), 0xffff_fffe);
        assert_eq!(convert("cvt.rmi.s32.f32", single(-2.1)), 0xffff_fffd);
        assert_eq!(convert("cvt.rpi.u8.f32", single(1e9)), 255);
        assert_eq!(convert("cvt.rzi.u32.f32", single(-1.0)), 0);
        assert_eq!(convert("cvt.rzi.s64.f32", single(f32::NAN)), 0);
    }

    #[test]
    fn integers_become_the_nearest_float() {
        assert_eq!(convert("cvt.rn.f32.s32", 0xffff_ffff), single(-1.0));
        assert_eq!(convert("cvt.rn.f32.u32", 0xffff_ffff), single(4_294_967_296.0));
        assert_eq!(convert("cvt.rz.f32.u32", 0xffff_ffff), single(4_294_967_040.0));
        assert_eq!(convert("cvt.rn.f64.u64", u64::MAX), (u64::MAX as f64).to_bits());
    }

    #[test]
    fn widening_extends_the_sign_and_saturation_clamps() {
        assert_eq!(convert("cvt.s64.s32", 0x8000_0000), 0xffff_ffff_8000_0000);
        assert_eq!(convert("cvt.u64.u32", 0x8000_0000), 0x8000_0000);
        assert_eq!(convert("cvt.sat.s8.s32", 300), 127);
        assert_eq!(convert("cvt.sat.u8.s32", 0xffff_ff00), 0);
    }

    #[test]
    fn floats_become_integral_in_their_own_format() {
        assert_eq!(convert("cvt.rmi.f32.f32", single(-0.5)), single(-1.0));
        assert_eq!(convert("cvt.rni.f32.f32", single(-0.25)), single(-0.0));
        assert_eq!(convert("cvt.rpi.f64.f64", 1e300_f64.to_bits()), 1e300_f64.to_bits());
    }

    #[test]
    fn relu_and_flushing_apply_around_the_conversion() {
        assert_eq!(convert("cvt.rn.relu.bf16.f32", single(-3.0)), 0);
        assert_eq!(convert("cvt.ftz.f64.f32", 1), 0);
        assert_eq!(convert("cvt.rna.tf32.f32", single(1.0 + 1.0 / 2048.0)), single(1.0 + 1.0 / 1024.0));
        assert_eq!(convert("cvt.sat.f32.f32", single(7.0)), single(1.0));
    }
}
