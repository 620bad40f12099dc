//! Elementary functions of 32-bit floats as polynomials: the same for one number and for a vector of them, so that a
//! result does not depend on the lane that computed it. Errors are below 2 units in the last place where not said
//! otherwise. After S. L. Moshier's Cephes library; erf after N. Juffa.

mod circular;

use super::arithmetic::Order;
use super::text::{Kind, Type, Value, Writer};

/// Rounds to the nearest whole number when added and subtracted again: 1.5 · 2^23, and twice the bias of an exponent, so
/// that both halves of the number in the low bits are exponents.
const ROUND: f64 = 12_582_912.0 + 2.0 * 127.0;
/// Rounds to the nearest whole number likewise, and leaves it in the low bits: 1.5 · 2^23.
const ROUND32: f64 = 12_582_912.0;
/// The same for 64-bit floats: 1.5 · 2^52.
pub(super) const ROUND64: f64 = 6_755_399_441_055_744.0;

/// Lanes of the vectors that one instruction multiplies by powers of two.
const SCALED: usize = 16;

/// `exp x` in parts: `2^n · (1 + q)`.
struct Exponential {
    q: Value,
    /// 2^(n/2), rounded down, and the rest: two factors reach over the whole range, zero and infinity included.
    low: Value,
    high: Value,
    scale: Value,
}

impl Writer {
    /// c0 + x (c1 + x (c2 + …)), given from the highest coefficient.
    pub fn polynomial(&mut self, x: Value, coefficients: &[f64]) -> Value {
        let mut sum = self.number(coefficients[0], x.ty);
        for &coefficient in &coefficients[1..] {
            let next = self.number(coefficient, x.ty);
            sum = self.multiply_add(sum, x, next);
        }
        sum
    }

    fn scaled(&mut self, x: Value, factor: f64) -> Value {
        let factor = self.number(factor, x.ty);
        self.multiply(x, factor)
    }

    /// The float whose exponent is in the low bits of a whole number.
    fn power_of_two(&mut self, exponent: Value) -> Value {
        let place = self.whole(23, exponent.ty);
        let bits = self.binary("arith.shli", exponent, place);
        self.cast("arith.bitcast", bits, Kind::F32)
    }

    /// `x = n · ln 2 + r`: n, also with what rounded it added, and q of `exp r = 1 + q`.
    fn exponential_of_rest(&mut self, x: Value, round: f64) -> (Value, Value, Value) {
        let (lowest, highest) = (self.number(-104.0, x.ty), self.number(89.0, x.ty));
        // The order of arguments keeps a not-a-number.
        let x = self.maximum(lowest, x);
        let x = self.minimum(highest, x);
        let round = self.number(round, x.ty);
        let log2e = self.number(std::f64::consts::LOG2_E, x.ty);
        let shifted = self.multiply_add(x, log2e, round);
        let n = self.subtract(shifted, round);
        let (ln2_high, ln2_low) = (self.number(-0.693_359_375, x.ty), self.number(2.121_944_4e-4, x.ty));
        let r = self.multiply_add(n, ln2_high, x);
        let r = self.multiply_add(n, ln2_low, r);
        let tail = self.polynomial(
            r,
            &[1.987_569_15e-4, 1.398_199_95e-3, 8.333_451_9e-3, 4.166_579_6e-2, 0.166_666_65, 0.500_000_01],
        );
        let square = self.multiply(r, r);
        let q = self.multiply_add(tail, square, r);
        (n, shifted, q)
    }

    /// e to the x where one instruction multiplies by a power of two: the same numbers.
    fn scaled_exp(&mut self, x: Value) -> Value {
        let (n, _, q) = self.exponential_of_rest(x, ROUND32);
        let one = self.number(1.0, x.ty);
        let value = self.add(q, one);
        let vectors = (0..x.ty.lanes).step_by(SCALED).map(|from| {
            let [value, n] = [value, n].map(|vector| self.slice(vector, from, SCALED));
            self.times_power_of_two(value, n)
        });
        let vectors = vectors.collect();
        self.together(vectors)
    }

    /// `value · 2^n` of one register of 512 bits, rounded as by the present mode.
    fn times_power_of_two(&mut self, value: Value, n: Value) -> Value {
        let all = self.constant(Type::scalar(Kind::I16), "-1");
        let mode = self.constant(Type::scalar(Kind::I32), "4");
        let ty = value.ty;
        let name = "llvm.x86.avx512.mask.scalef.ps.512";
        let types = format!("({ty}, {ty}, {ty}, i16, i32) -> {ty}");
        self.define(ty, format!("llvm.call_intrinsic \"{name}\"({value}, {n}, {value}, {all}, {mode}) : {types}"))
    }

    fn exponential_parts(&mut self, x: Value) -> Exponential {
        let (_, shifted, q) = self.exponential_of_rest(x, ROUND);
        let bits = self.cast("arith.bitcast", shifted, Kind::I32);
        let one = self.whole(1, bits.ty);
        let low = self.binary("arith.shrsi", bits, one);
        let high = self.subtract(bits, low);
        let (low, high) = (self.power_of_two(low), self.power_of_two(high));
        let scale = self.multiply(low, high);
        Exponential { q, low, high, scale }
    }

    fn exponential_of(&mut self, parts: &Exponential) -> Value {
        let one = self.number(1.0, parts.q.ty);
        let value = self.add(parts.q, one);
        let value = self.multiply(value, parts.low);
        self.multiply(value, parts.high)
    }

    /// e to the x.
    pub fn exp(&mut self, x: Value) -> Value {
        if self.wide && x.ty.lanes.is_multiple_of(SCALED) && x.ty.lanes > 0 {
            return self.scaled_exp(x);
        }
        let parts = self.exponential_parts(x);
        self.exponential_of(&parts)
    }

    /// e to the x, minus one, without cancellation around 0.
    pub fn expm1(&mut self, x: Value) -> Value {
        let parts = self.exponential_parts(x);
        let one = self.number(1.0, x.ty);
        let rest = self.subtract(parts.scale, one);
        let near = self.multiply_add(parts.q, parts.scale, rest);
        let far = self.exponential_of(&parts);
        let bound = self.number(20.0, x.ty);
        let large = self.compare(Order::Greater, x, bound);
        self.select(large, far, near)
    }

    /// The natural logarithm: -infinity at 0, not a number below.
    pub fn log(&mut self, x: Value) -> Value {
        let tiny = self.number(f64::from(f32::MIN_POSITIVE), x.ty);
        let subnormal = self.compare(Order::Less, x, tiny);
        let grown = self.scaled(x, 8_388_608.0);
        let normal = self.select(subnormal, grown, x);
        let (mantissa, exponent) = self.split(normal);
        let (shift, zero) = (self.number(-23.0, x.ty), self.number(0.0, x.ty));
        let shift = self.select(subnormal, shift, zero);
        let exponent = self.add(exponent, shift);
        let value = self.log_of(mantissa, exponent);
        self.log_ends(x, value)
    }

    /// The natural logarithm of what is positive, finite and not below the smallest normal number.
    pub fn log_of_normal(&mut self, x: Value) -> Value {
        let (mantissa, exponent) = self.split(x);
        self.log_of(mantissa, exponent)
    }

    /// Splits a normal number into `2^e · m` with m between √½ and √2.
    fn split(&mut self, x: Value) -> (Value, Value) {
        let bits = self.cast("arith.bitcast", x, Kind::I32);
        let origin = self.whole(0x3f35_04f3, bits.ty);
        let above = self.subtract(bits, origin);
        let place = self.whole(23, bits.ty);
        let exponent = self.binary("arith.shrsi", above, place);
        let back = self.binary("arith.shli", exponent, place);
        let mantissa = self.subtract(bits, back);
        let mantissa = self.cast("arith.bitcast", mantissa, Kind::F32);
        (mantissa, self.cast("arith.sitofp", exponent, Kind::F32))
    }

    fn log_of(&mut self, mantissa: Value, exponent: Value) -> Value {
        let one = self.number(1.0, mantissa.ty);
        let f = self.subtract(mantissa, one);
        let series = self.polynomial(
            f,
            &[
                7.037_683_6e-2,
                -0.115_146_1,
                0.116_769_99,
                -0.124_201_41,
                0.142_493_23,
                -0.166_680_58,
                0.200_007_15,
                -0.249_999_94,
                0.333_333_31,
            ],
        );
        let square = self.multiply(f, f);
        let cube = self.multiply(square, f);
        let low = self.scaled(exponent, -2.121_944_4e-4);
        let tail = self.multiply_add(series, cube, low);
        let half = self.number(-0.5, f.ty);
        let tail = self.multiply_add(half, square, tail);
        let high = self.number(0.693_359_375, f.ty);
        let sum = self.add(f, tail);
        self.multiply_add(exponent, high, sum)
    }

    fn log_ends(&mut self, x: Value, value: Value) -> Value {
        let zero = self.number(0.0, x.ty);
        let infinity = self.number(f64::INFINITY, x.ty);
        let lowest = self.number(f64::NEG_INFINITY, x.ty);
        let none = self.number(f64::NAN, x.ty);
        let endless = self.compare(Order::Equal, x, infinity);
        let value = self.select(endless, x, value);
        let at_zero = self.compare(Order::Equal, x, zero);
        let value = self.select(at_zero, lowest, value);
        let inside = self.compare(Order::LessEqual, zero, x);
        self.select(inside, value, none)
    }

    /// The logarithm of 1 + x, without cancellation around 0.
    pub fn log1p(&mut self, x: Value) -> Value {
        let one = self.number(1.0, x.ty);
        let sum = self.add(x, one);
        let logarithm = self.log(sum);
        let taken = self.subtract(sum, one);
        let lost = self.subtract(x, taken);
        let correction = self.binary("arith.divf", lost, sum);
        let usable = self.compare(Order::Equal, correction, correction);
        let zero = self.number(0.0, x.ty);
        let correction = self.select(usable, correction, zero);
        self.add(logarithm, correction)
    }

    /// The hyperbolic tangent.
    pub fn tanh(&mut self, x: Value) -> Value {
        let square = self.multiply(x, x);
        let series =
            self.polynomial(square, &[-5.704_988_7e-3, 2.063_908_9e-2, -5.373_971_6e-2, 0.133_314_42, -0.333_332_82]);
        let product = self.multiply(series, square);
        let near = self.multiply_add(product, x, x);
        let magnitude = self.unary("math.absf", x);
        let doubled = self.add(magnitude, magnitude);
        let power = self.exp(doubled);
        let (one, two) = (self.number(1.0, x.ty), self.number(2.0, x.ty));
        let under = self.add(power, one);
        let quotient = self.binary("arith.divf", two, under);
        let far = self.subtract(one, quotient);
        let far = self.binary("math.copysign", far, x);
        let border = self.number(0.625, x.ty);
        let small = self.compare(Order::Less, magnitude, border);
        self.select(small, near, far)
    }

    /// The error function.
    pub fn erf(&mut self, x: Value) -> Value {
        let magnitude = self.unary("math.absf", x);
        let square = self.multiply(x, x);
        let near = self.polynomial(
            square,
            &[-5.967_617e-4, 4.991_194e-3, -2.676_813_5e-2, 0.112_819_925, -0.376_125_34, 0.128_379_17],
        );
        let near = self.multiply_add(near, x, x);
        let exponent = self.polynomial(
            magnitude,
            &[
                -1.728_534_7e-5,
                3.831_971_3e-4,
                -3.883_964_4e-3,
                2.425_462_2e-2,
                -0.106_777_88,
                -0.634_846_69,
                -0.128_717_51,
            ],
        );
        let minus = self.unary("arith.negf", magnitude);
        let exponent = self.multiply_add(exponent, magnitude, minus);
        let power = self.exp(exponent);
        let one = self.number(1.0, x.ty);
        let far = self.subtract(one, power);
        let far = self.binary("math.copysign", far, x);
        let border = self.number(0.927_734_375, x.ty);
        let large = self.compare(Order::Greater, magnitude, border);
        self.select(large, far, near)
    }
}
