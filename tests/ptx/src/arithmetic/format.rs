//! Floating-point formats by their widths, and the one place that rounds an exact value to any of them
//! (IEEE 754-2019, section 4; OCP 8-bit Floating Point Specification, revision 1.0).

use crate::opcode::Rounding;
use crate::types::{Kind, Type, truncate};

/// A binary format: bits of exponent, bits of significand after the point, and what its top code means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Format {
    exponent: u32,
    fraction: u32,
    /// Unused low bits below the fraction (tf32 lies in a 32-bit register).
    unused: u32,
    /// There are infinities; else only the all-ones code is NaN.
    infinite: bool,
}

/// The exact value `±magnitude · 2^exponent`, or what is no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Exact {
    Number { negative: bool, magnitude: u128, exponent: i32 },
    Infinite { negative: bool },
    NotANumber,
}

impl Format {
    pub fn of(of: Type) -> Option<Format> {
        let format = |exponent, fraction, unused, infinite| Format { exponent, fraction, unused, infinite };
        Some(match (of.kind, of.bits) {
            (Kind::Float, 64) => format(11, 52, 0, true),
            (Kind::Float, 32) => format(8, 23, 0, true),
            (Kind::Float, 16) => format(5, 10, 0, true),
            (Kind::Brain, 16) => format(8, 7, 0, true),
            (Kind::Tensor, 32) => format(8, 10, 13, true),
            (Kind::E5M2, 8) => format(5, 2, 0, true),
            (Kind::E4M3, 8) => format(4, 3, 0, false),
            _ => return None,
        })
    }

    fn bias(self) -> i32 {
        (1 << (self.exponent - 1)) - 1
    }

    fn top(self) -> u64 {
        (1 << self.exponent) - 1
    }

    /// Bits of NaN, without a sign.
    fn nan(self) -> u64 {
        truncate(u64::MAX, self.exponent + self.fraction) << self.unused
    }

    fn signed(self, negative: bool, code: u64) -> u64 {
        ((u64::from(negative) << (self.exponent + self.fraction)) | code) << self.unused
    }

    /// The code of the largest finite number.
    fn largest(self) -> u64 {
        match self.infinite {
            true => (self.top() << self.fraction) - 1,
            false => truncate(u64::MAX, self.exponent + self.fraction) - 1,
        }
    }

    fn overflow(self, negative: bool, finite: bool) -> u64 {
        let code = match (finite, self.infinite) {
            (true, _) => self.largest(),
            (false, true) => self.top() << self.fraction,
            (false, false) => return self.nan(),
        };
        self.signed(negative, code)
    }

    /// What the bits stand for.
    pub fn decode(self, bits: u64) -> Exact {
        let bits = bits >> self.unused;
        let fraction = truncate(bits, self.fraction);
        let code = (bits >> self.fraction) & self.top();
        let negative = (bits >> (self.fraction + self.exponent)) & 1 == 1;
        let is_top = code == self.top();
        if is_top && self.infinite {
            return if fraction == 0 { Exact::Infinite { negative } } else { Exact::NotANumber };
        }
        if is_top && fraction == truncate(u64::MAX, self.fraction) {
            return Exact::NotANumber;
        }
        let hidden = if code == 0 { 0 } else { 1 << self.fraction };
        let exponent = (code as i32).max(1) - self.bias() - self.fraction as i32;
        Exact::Number { negative, magnitude: u128::from(fraction | hidden), exponent }
    }

    /// The nearest code under the rounding; beyond the largest number, that number where `finite`.
    pub fn encode(self, value: Exact, rounding: Rounding, finite: bool) -> u64 {
        let (negative, magnitude, exponent) = match value {
            Exact::NotANumber => return self.nan(),
            Exact::Infinite { negative } => return self.overflow(negative, finite),
            Exact::Number { negative, magnitude, exponent } => (negative, magnitude, exponent),
        };
        let Some(place) = magnitude.checked_ilog2() else { return self.signed(negative, 0) };
        let smallest = 1 - self.bias() - self.fraction as i32;
        let quantum = (place as i32 + exponent - self.fraction as i32).max(smallest);
        let units = shifted(magnitude, quantum - exponent, rounding, negative);
        // One past the hidden bit is the next exponent with fraction 0: the code counts on by itself.
        let code = u64::try_from(quantum - smallest).unwrap_or(0) << self.fraction;
        let code = code + units as u64;
        if code <= self.largest() {
            return self.signed(negative, code);
        }
        let toward_zero = match rounding {
            Rounding::Zero => true,
            Rounding::Down => !negative,
            Rounding::Up => negative,
            Rounding::NearestEven | Rounding::NearestAway => false,
        };
        self.overflow(negative, finite || toward_zero)
    }
}

impl Exact {
    pub fn integer(value: i128) -> Exact {
        Exact::Number { negative: value < 0, magnitude: value.unsigned_abs(), exponent: 0 }
    }

    /// The integral value under the rounding; far out of every integer type's range it is only large.
    pub fn to_integer(self, rounding: Rounding) -> Option<i128> {
        let large = |negative| Some(if negative { i128::MIN / 2 } else { i128::MAX / 2 });
        match self {
            Exact::NotANumber => None,
            Exact::Infinite { negative } => large(negative),
            Exact::Number { negative, magnitude, exponent } if exponent > 60 && magnitude != 0 => large(negative),
            Exact::Number { negative, magnitude, exponent } => {
                let units = shifted(magnitude, -exponent, rounding, negative) as i128;
                Some(if negative { -units } else { units })
            }
        }
    }
}

/// `magnitude / 2^shift`, rounded; a negative shift multiplies.
fn shifted(magnitude: u128, shift: i32, rounding: Rounding, negative: bool) -> u128 {
    if shift <= 0 {
        return magnitude << shift.unsigned_abs();
    }
    let (units, rest, half) = match shift {
        1..=126 => (magnitude >> shift, magnitude & ((1 << shift) - 1), 1_u128 << (shift - 1)),
        _ => (0, magnitude, u128::MAX),
    };
    let up = match rounding {
        Rounding::NearestEven => rest > half || (rest == half && units & 1 == 1),
        Rounding::NearestAway => rest >= half,
        Rounding::Zero => false,
        Rounding::Down => negative && rest != 0,
        Rounding::Up => !negative && rest != 0,
    };
    units + u128::from(up)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(name: &str) -> Format {
        Format::of(Type::parse(name).expect("a type")).expect("a format")
    }

    #[test]
    fn rounding_to_bf16_and_f16_agrees_with_the_half_crate() {
        let mut random = crate::random::Random::new(7);
        for _ in 0..20_000 {
            let bits = random.next() as u32;
            let value = format("f32").decode(bits.into());
            let number = f32::from_bits(bits);
            if number.is_nan() {
                continue;
            }
            let brain = format("bf16").encode(value, Rounding::NearestEven, false);
            assert_eq!(brain, u64::from(half::bf16::from_f32(number).to_bits()), "{bits:#x}");
            let small = format("f16").encode(value, Rounding::NearestEven, false);
            assert_eq!(small, u64::from(half::f16::from_f32(number).to_bits()), "{bits:#x}");
        }
    }

    #[test]
    fn f64_to_f32_agrees_with_the_processor_and_directions_enclose_the_value() {
        let mut random = crate::random::Random::new(8);
        for _ in 0..20_000 {
            let number = f64::from_bits((random.next() & 0x800f_ffff_ffff_ffff) | ((895 + random.next() % 250) << 52));
            let value = format("f64").decode(number.to_bits());
            let to = |rounding| f32::from_bits(format("f32").encode(value, rounding, false) as u32);
            assert_eq!(to(Rounding::NearestEven), number as f32, "{number:e}");
            assert!(f64::from(to(Rounding::Down)) <= number && number <= f64::from(to(Rounding::Up)));
            assert!(f64::from(to(Rounding::Zero)).abs() <= number.abs());
        }
    }

    #[test]
    fn eight_bit_formats_have_the_limits_of_their_specification() {
        let exact = |number: f64| format("f64").decode(number.to_bits());
        let largest = |name, number: f64| format(name).encode(exact(number), Rounding::NearestEven, true);
        assert_eq!(largest("e4m3", 1e9), 0x7e);
        assert_eq!(largest("e5m2", -1e9), 0xfb);
        assert_eq!(largest("e4m3", 448.0), 0x7e);
        assert_eq!(largest("e4m3", 0.001_953_125), 0x01);
        assert_eq!(format("e4m3").decode(0x7f), Exact::NotANumber);
        assert_eq!(format("e5m2").decode(0x7c), Exact::Infinite { negative: false });
    }
}
