//! Elementary functions of 64-bit floats where no library can be called: the exponential and the logarithm as in Sun's
//! fdlibm (error below one unit in the last place), others from them (Kahan's forms of `log1p` and `expm1`).

mod circular;

use super::arithmetic::Order;
use super::mathematics::ROUND64 as ROUND;
use super::text::{Kind, Value, Writer};
use crate::tensor::Function;

const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// `erf(x) / x - 1` by the square of x, up to 1.
const ERF_NEAR: [f64; 13] = [
    5.957_176_147_748_911e-11,
    -1.137_284_885_679_167_4e-9,
    1.465_977_527_404_743_6e-8,
    -1.635_031_270_105_469_5e-7,
    1.646_100_048_412_136_8e-6,
    -1.492_559_526_683_118_2e-5,
    0.000_120_553_311_116_427_1,
    -0.000_854_832_698_083_379,
    0.005_223_977_624_818_014_5,
    -0.026_866_170_645_076_792,
    0.112_837_916_709_548_79,
    -0.376_126_389_031_837_5,
    0.128_379_167_095_512_6,
];
/// `-log(1 - erf(x)) - x²` by `(x - 3.5) / 2.5`, from 1 to 6.
const ERF_FAR: [f64; 25] = [
    -2.247_276_352_107_439e-9,
    7.240_824_974_515_327e-9,
    -4.521_416_204_583_651e-9,
    -4.710_840_527_099_266e-9,
    2.158_014_273_630_358_7e-9,
    -1.884_883_008_903_383_8e-8,
    1.299_968_125_973_338_8e-7,
    -3.918_923_288_527_924e-7,
    9.165_507_592_535_276e-7,
    -1.912_697_986_077_34e-6,
    3.420_424_665_966_694_5e-6,
    -4.568_397_621_907_63e-6,
    1.478_073_711_831_184_2e-6,
    1.847_528_986_000_811e-5,
    -9.090_101_551_597_176e-5,
    0.000_307_819_401_590_724_46,
    -0.000_893_576_571_688_031_9,
    0.002_373_997_300_679_498_7,
    -0.005_953_704_477_141_584,
    0.014_384_548_328_888_422,
    -0.034_128_411_079_719_68,
    0.081_650_909_717_857_2,
    -0.207_793_407_861_061_57,
    0.665_248_970_912_976_6,
    1.862_437_402_148_173_8,
];

impl Writer {
    /// A function of a 64-bit float.
    pub(super) fn own_double(&mut self, function: Function, x: Value) -> Value {
        match function {
            Function::Exp => self.exp_double(x),
            Function::Log => self.log_double(x),
            Function::Log1p => self.log1p_double(x),
            Function::Expm1 => self.expm1_double(x),
            Function::Tanh => self.tanh_double(x),
            Function::Sin => self.circular_double(x, 0),
            Function::Cos => self.circular_double(x, 1),
            Function::Erf => self.erf_double(x),
            _ => x,
        }
    }

    /// `x^y` by way of 64-bit floats; a negative x has a power where y is whole.
    pub(super) fn own_power(&mut self, x: Value, y: Value) -> Value {
        let kind = x.ty.kind;
        let (x, y) = (self.convert(x, Kind::F64), self.convert(y, Kind::F64));
        let magnitude = self.unary("math.absf", x);
        let log = self.log_double(magnitude);
        let exponent = self.multiply(log, y);
        let value = self.exp_double(exponent);
        let (zero, one, half) = (self.number(0.0, x.ty), self.number(1.0, x.ty), self.number(0.5, x.ty));
        let whole = self.unary("math.floor", y);
        let is_whole = self.compare(Order::Equal, whole, y);
        let halved = self.multiply(y, half);
        let even = self.unary("math.floor", halved);
        let is_odd = self.compare(Order::Different, even, halved);
        let turned = self.unary("arith.negf", value);
        let signed = self.select(is_odd, turned, value);
        let nothing = self.number(f64::NAN, x.ty);
        let signed = self.select(is_whole, signed, nothing);
        let negative = self.compare(Order::Less, x, zero);
        let value = self.select(negative, signed, value);
        let trivial = self.compare(Order::Equal, y, zero);
        let value = self.select(trivial, one, value);
        self.convert(value, kind)
    }

    fn exp_double(&mut self, x: Value) -> Value {
        let (lowest, highest) = (self.number(-746.0, x.ty), self.number(710.0, x.ty));
        // The order of arguments keeps a not-a-number.
        let bounded = self.maximum(lowest, x);
        let bounded = self.minimum(highest, bounded);
        let (log2e, round) = (self.number(std::f64::consts::LOG2_E, x.ty), self.number(ROUND, x.ty));
        let shifted = self.multiply_add(bounded, log2e, round);
        let n = self.subtract(shifted, round);
        let (high, low) = (self.number(-LN2_HIGH, x.ty), self.number(LN2_LOW, x.ty));
        let high = self.multiply_add(n, high, bounded);
        let low = self.multiply(n, low);
        let r = self.subtract(high, low);
        let square = self.multiply(r, r);
        let tail = self.polynomial(
            square,
            &[
                4.138_136_797_057_238_5e-8,
                -1.653_390_220_546_525_2e-6,
                6.613_756_321_437_934e-5,
                -2.777_777_777_701_559_3e-3,
                0.166_666_666_666_666_02,
            ],
        );
        let bent = self.multiply(square, tail);
        let c = self.subtract(r, bent);
        let (one, two) = (self.number(1.0, x.ty), self.number(2.0, x.ty));
        let product = self.multiply(r, c);
        let under = self.subtract(two, c);
        let quotient = self.binary("arith.divf", product, under);
        let rest = self.subtract(low, quotient);
        let rest = self.subtract(rest, high);
        let value = self.subtract(one, rest);
        self.scaled_double(value, shifted)
    }

    /// The value times 2^n, in two steps that reach over the whole range; n stands in the last bits of `n + ROUND`.
    fn scaled_double(&mut self, value: Value, shifted: Value) -> Value {
        let bits = self.cast("arith.bitcast", shifted, Kind::I64);
        let origin = self.whole(ROUND.to_bits().cast_signed(), bits.ty);
        let n = self.subtract(bits, origin);
        let one = self.whole(1, n.ty);
        let first = self.binary("arith.shrsi", n, one);
        let second = self.subtract(n, first);
        let (first, second) = (self.double_power_of_two(first), self.double_power_of_two(second));
        let value = self.multiply(value, first);
        self.multiply(value, second)
    }

    fn double_power_of_two(&mut self, n: Value) -> Value {
        let (bias, place) = (self.whole(1023, n.ty), self.whole(52, n.ty));
        let biased = self.add(n, bias);
        let bits = self.binary("arith.shli", biased, place);
        self.cast("arith.bitcast", bits, Kind::F64)
    }

    fn log_double(&mut self, x: Value) -> Value {
        let (f, k) = self.log_parts(x);
        let (two, half) = (self.number(2.0, x.ty), self.number(0.5, x.ty));
        let under = self.add(two, f);
        let s = self.binary("arith.divf", f, under);
        let z = self.multiply(s, s);
        let tail = self.polynomial(
            z,
            &[
                0.147_981_986_051_165_86,
                0.153_138_376_992_093_73,
                0.181_835_721_616_180_5,
                0.222_221_984_321_497_84,
                0.285_714_287_436_623_9,
                0.399_999_999_994_094_2,
                0.666_666_666_666_673_5,
            ],
        );
        let tail = self.multiply(tail, z);
        let square = self.multiply(f, f);
        let square = self.multiply(square, half);
        let sum = self.add(square, tail);
        let bent = self.multiply(s, sum);
        let (high, low) = (self.number(LN2_HIGH, x.ty), self.number(LN2_LOW, x.ty));
        let low = self.multiply(k, low);
        let bent = self.add(bent, low);
        let rest = self.subtract(square, bent);
        let rest = self.subtract(rest, f);
        let high = self.multiply(k, high);
        let value = self.subtract(high, rest);
        self.log_ends_double(x, value)
    }

    /// `x = 2^k (1 + f)` with 1 + f between the roots of 1/2 and 2.
    fn log_parts(&mut self, x: Value) -> (Value, Value) {
        let (least, lift) = (self.number(f64::MIN_POSITIVE, x.ty), self.number(18_014_398_509_481_984.0, x.ty));
        let small = self.compare(Order::Less, x, least);
        let lifted = self.multiply(x, lift);
        let x = self.select(small, lifted, x);
        let bits = self.cast("arith.bitcast", x, Kind::I64);
        // What is added brings mantissas from the root of 2 on into the next power.
        let offset = self.whole(0x0009_5f64_0000_0000, bits.ty);
        let moved = self.add(bits, offset);
        let place = self.whole(52, bits.ty);
        let exponent = self.binary("arith.shrui", moved, place);
        let taken = self.binary("arith.shli", exponent, place);
        let unit = self.whole(0x3ff0_0000_0000_0000, bits.ty);
        let mantissa = self.subtract(bits, taken);
        let mantissa = self.add(mantissa, unit);
        let mantissa = self.cast("arith.bitcast", mantissa, Kind::F64);
        let one = self.number(1.0, x.ty);
        let f = self.subtract(mantissa, one);
        let (bias, lifted_bias) = (self.whole(1023, bits.ty), self.whole(1023 + 54, bits.ty));
        let bias = self.select(small, lifted_bias, bias);
        let exponent = self.subtract(exponent, bias);
        (f, self.convert(exponent, Kind::F64))
    }

    /// Minus infinity at 0, nothing below it, itself where it is no finite number.
    fn log_ends_double(&mut self, x: Value, value: Value) -> Value {
        let (zero, infinity) = (self.number(0.0, x.ty), self.number(f64::INFINITY, x.ty));
        let (least, nothing) = (self.number(f64::NEG_INFINITY, x.ty), self.number(f64::NAN, x.ty));
        let finite = self.compare(Order::Less, x, infinity);
        let value = self.select(finite, value, x);
        let none = self.compare(Order::Equal, x, zero);
        let value = self.select(none, least, value);
        let negative = self.compare(Order::Less, x, zero);
        self.select(negative, nothing, value)
    }

    fn log1p_double(&mut self, x: Value) -> Value {
        let one = self.number(1.0, x.ty);
        let sum = self.add(x, one);
        let log = self.log_double(sum);
        let part = self.subtract(sum, one);
        let quotient = self.binary("arith.divf", x, part);
        let value = self.multiply(log, quotient);
        let tiny = self.compare(Order::Equal, sum, one);
        let value = self.select(tiny, x, value);
        let infinity = self.number(f64::INFINITY, x.ty);
        let endless = self.compare(Order::Equal, sum, infinity);
        self.select(endless, sum, value)
    }

    fn expm1_double(&mut self, x: Value) -> Value {
        let one = self.number(1.0, x.ty);
        let power = self.exp_double(x);
        let part = self.subtract(power, one);
        let log = self.log_double(power);
        let quotient = self.binary("arith.divf", x, log);
        let value = self.multiply(part, quotient);
        let tiny = self.compare(Order::Equal, power, one);
        let value = self.select(tiny, x, value);
        // Far out the quotient is 1, and its parts have no end.
        let (far, magnitude) = (self.number(30.0, x.ty), self.unary("math.absf", x));
        let plain = self.compare(Order::Less, far, magnitude);
        self.select(plain, part, value)
    }

    fn tanh_double(&mut self, x: Value) -> Value {
        let (two, far) = (self.number(2.0, x.ty), self.number(40.0, x.ty));
        let doubled = self.multiply(x, two);
        let magnitude = self.unary("math.absf", doubled);
        let bounded = self.minimum(far, magnitude);
        let part = self.expm1_double(bounded);
        let under = self.add(part, two);
        let value = self.binary("arith.divf", part, under);
        self.binary("math.copysign", value, x)
    }

    /// `x + x p(x²)` up to 1, and `1 - exp(-x² - g(x))` up to 6, from where on it is 1: p and g are Chebyshev's
    /// interpolations, with errors below 2e-16.
    fn erf_double(&mut self, x: Value) -> Value {
        let magnitude = self.unary("math.absf", x);
        let (one, last) = (self.number(1.0, x.ty), self.number(6.0, x.ty));
        let bounded = self.minimum(last, magnitude);
        let square = self.multiply(bounded, bounded);
        let near = self.polynomial(square, &ERF_NEAR);
        let near = self.multiply_add(near, x, x);
        let (scale, middle) = (self.number(0.4, x.ty), self.number(-1.4, x.ty));
        let place = self.multiply_add(bounded, scale, middle);
        let rest = self.polynomial(place, &ERF_FAR);
        let exponent = self.add(square, rest);
        let exponent = self.unary("arith.negf", exponent);
        let missing = self.exp_double(exponent);
        let far = self.subtract(one, missing);
        let far = self.binary("math.copysign", far, x);
        let large = self.compare(Order::Less, one, magnitude);
        self.select(large, far, near)
    }
}
