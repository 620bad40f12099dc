//! Sine and cosine of 32-bit floats: reduced to ±π/4, then polynomials after S. L. Moshier's Cephes library.

use super::{ROUND32, ROUND64};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Value, Writer};

impl Writer {
    /// The sine, for arguments up to about 10^8.
    pub fn sin(&mut self, x: Value) -> Value {
        self.circular(x, 0)
    }

    /// The cosine, for arguments up to about 10^8.
    pub fn cos(&mut self, x: Value) -> Value {
        self.circular(x, 1)
    }

    /// The sine of `x + turns · π/2`, reduced to ±π/4 in 64 bits: positions of a long text times a frequency are large.
    fn circular(&mut self, x: Value, turns: i64) -> Value {
        let wide = self.cast("arith.extf", x, Kind::F64);
        let round = self.number(ROUND64, wide.ty);
        let quarters = self.scaled(wide, std::f64::consts::FRAC_2_PI);
        let shifted = self.add(quarters, round);
        let n = self.subtract(shifted, round);
        let quarter = self.scaled(n, std::f64::consts::FRAC_PI_2);
        let rest = self.subtract(wide, quarter);
        let low = self.scaled(n, 6.123_233_995_736_766e-17);
        let rest = self.subtract(rest, low);
        let r = self.cast("arith.truncf", rest, Kind::F32);
        let bits = self.cast("arith.bitcast", shifted, Kind::I64);
        let bits = self.cast("arith.trunci", bits, Kind::I32);
        let turns = self.whole(turns, bits.ty);
        let quadrant = self.add(bits, turns);
        self.in_quadrant(r, quadrant)
    }

    /// Cosine and sine of a whole turn's part, of [0, 1) with 24 bits: quarters of a turn come off without rounding.
    pub fn on_circle(&mut self, part: Value) -> [Value; 2] {
        let round = self.number(ROUND32, part.ty);
        let quarters = self.scaled(part, 4.0);
        let shifted = self.add(quarters, round);
        let n = self.subtract(shifted, round);
        let rest = self.subtract(quarters, n);
        let r = self.scaled(rest, std::f64::consts::FRAC_PI_2);
        let quadrant = self.cast("arith.bitcast", shifted, Kind::I32);
        let one = self.whole(1, quadrant.ty);
        let next = self.add(quadrant, one);
        [self.in_quadrant(r, next), self.in_quadrant(r, quadrant)]
    }

    /// The sine of `r + quadrant · π/2`, of r within ±π/4.
    fn in_quadrant(&mut self, r: Value, quadrant: Value) -> Value {
        let square = self.multiply(r, r);
        let sine = self.polynomial(square, &[-1.951_529_6e-4, 8.332_161e-3, -0.166_666_55]);
        let cubed = self.multiply(square, r);
        let sine = self.multiply_add(sine, cubed, r);
        let cosine = self.polynomial(square, &[2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2, -0.5, 1.0]);
        let ty = quadrant.ty;
        let (one, two, zero) = (self.whole(1, ty), self.whole(2, ty), self.whole(0, ty));
        let odd = self.both(quadrant, one);
        let odd = self.compare(Order::Different, odd, zero);
        let value = self.select(odd, cosine, sine);
        let lower = self.both(quadrant, two);
        let lower = self.compare(Order::Different, lower, zero);
        let negated = self.unary("arith.negf", value);
        self.select(lower, negated, value)
    }
}
