//! Sine and cosine of 64-bit floats: reduced to ±π/4 by π/2 in three parts, then the polynomials of Sun's fdlibm (error
//! below one unit in the last place there). Arguments reach up to about 10^6 · π; beyond, digits of π are missing.

use crate::mlir::arithmetic::Order;
use crate::mlir::mathematics::ROUND64 as ROUND;
use crate::mlir::text::{Kind, Value, Writer};

/// π/2 in three parts, each with all its bits: products with them are exact in a fused operation.
const QUARTERS: [f64; 3] = [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17, -1.497_384_904_859_169_8e-33];

impl Writer {
    /// The sine of `x + turns · π/2`.
    pub(super) fn circular_double(&mut self, x: Value, turns: i64) -> Value {
        let (per_quarter, round) = (self.number(std::f64::consts::FRAC_2_PI, x.ty), self.number(ROUND, x.ty));
        let shifted = self.multiply_add(x, per_quarter, round);
        let n = self.subtract(shifted, round);
        let mut rest = x;
        for part in QUARTERS {
            let part = self.number(-part, x.ty);
            rest = self.multiply_add(n, part, rest);
        }
        let bits = self.cast("arith.bitcast", shifted, Kind::I64);
        let turns = self.whole(turns, bits.ty);
        let quadrant = self.add(bits, turns);
        let (sine, cosine) = (self.sine_near_zero(rest), self.cosine_near_zero(rest));
        let odd = self.has_bit(quadrant, 1);
        let value = self.select(odd, cosine, sine);
        let lower = self.has_bit(quadrant, 2);
        let negated = self.unary("arith.negf", value);
        self.select(lower, negated, value)
    }

    fn has_bit(&mut self, number: Value, bit: i64) -> Value {
        let (bit, zero) = (self.whole(bit, number.ty), self.whole(0, number.ty));
        let bit = self.both(number, bit);
        self.compare(Order::Different, bit, zero)
    }

    fn sine_near_zero(&mut self, r: Value) -> Value {
        let square = self.multiply(r, r);
        let series = self.polynomial(
            square,
            &[
                1.589_690_995_211_55e-10,
                -2.505_076_025_340_686_3e-8,
                2.755_731_370_707_006_8e-6,
                -1.984_126_982_985_795e-4,
                8.333_333_333_322_49e-3,
                -0.166_666_666_666_666_32,
            ],
        );
        let cube = self.multiply(square, r);
        self.multiply_add(series, cube, r)
    }

    fn cosine_near_zero(&mut self, r: Value) -> Value {
        let square = self.multiply(r, r);
        let series = self.polynomial(
            square,
            &[
                -1.135_964_755_778_819_5e-11,
                2.087_572_321_298_175e-9,
                -2.755_731_435_139_066_3e-7,
                2.480_158_728_947_673e-5,
                -1.388_888_888_887_411e-3,
                4.166_666_666_666_66e-2,
            ],
        );
        let (half, one) = (self.number(-0.5, r.ty), self.number(1.0, r.ty));
        let fourth = self.multiply(square, square);
        // What is lost by rounding 1 - r²/2 is added again: r² may be as large as 0.6.
        let near = self.multiply_add(half, square, one);
        let taken = self.subtract(one, near);
        let half_square = self.multiply(half, square);
        let lost = self.add(taken, half_square);
        let tail = self.multiply_add(series, fourth, lost);
        self.add(near, tail)
    }
}
