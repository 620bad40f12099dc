//! The random words of draws: `tensor::Stream`, step by step, on whole numbers of 64 bits; and normal numbers of them.
//!
//! Of a word inside of Philox the lower 32 bits count: it is cut where it is multiplied, so that every product is one of
//! two words.

use super::text::{Kind, Value, Writer};

const TURN: i64 = 0x9e37_79b1;
const COORDINATE: i64 = 0x9e37_79b9_7f4a_7c15_u64.cast_signed();
const FIRST: i64 = 0xd251_1f53;
const SECOND: i64 = 0xcd9e_8d57;
const KEY_STEPS: [i64; 2] = [0x9e37_79b9, 0xbb67_ae85];
/// The spacing of numbers of [0, 1) with 24 bits.
const UNIT: f64 = 1.0 / 16_777_216.0;

/// What the words of one draw depend on.
#[derive(Debug, Clone)]
pub struct Draw {
    /// The halves of the seed.
    pub seed: [Value; 2],
    /// The hash of the path.
    pub path: u64,
    /// Turns of enclosing regions.
    pub turns: Vec<Value>,
    /// The row.
    pub row: Value,
    /// Coordinates along the other axes.
    pub coordinates: Vec<Value>,
}

impl Writer {
    /// Four words, each a whole number below 2^32.
    pub fn random_words(&mut self, draw: &Draw) -> [Value; 4] {
        let path = [draw.path & 0xffff_ffff, draw.path >> 32];
        let key = [0, 1].map(|half| {
            let path = self.int(path[half].cast_signed());
            self.binary("arith.xori", draw.seed[half], path)
        });
        let turn = self.mixed(&draw.turns, TURN);
        let element = self.mixed(&draw.coordinates, COORDINATE);
        let counter = [draw.row, turn, element, self.high_half(element)];
        self.philox(counter, key).map(|word| self.low_half(word))
    }

    fn mixed(&mut self, parts: &[Value], factor: i64) -> Value {
        let (factor, one) = (self.int(factor), self.int(1));
        let mut sum = self.int(0);
        for &part in parts {
            let product = self.multiply(sum, factor);
            let next = self.add(product, part);
            sum = self.add(next, one);
        }
        sum
    }

    fn low_half(&mut self, value: Value) -> Value {
        let mask = self.int(0xffff_ffff);
        self.both(value, mask)
    }

    fn high_half(&mut self, value: Value) -> Value {
        let shift = self.int(32);
        self.binary("arith.shrui", value, shift)
    }

    fn philox(&mut self, counter: [Value; 4], key: [Value; 2]) -> [Value; 4] {
        let (mut words, mut key) = (counter, key);
        let (first, second) = (self.int(FIRST), self.int(SECOND));
        for _ in 0..10 {
            let [left, right] = [words[0], words[2]].map(|word| self.low_half(word));
            let (first, second) = (self.multiply(left, first), self.multiply(right, second));
            let (first_high, second_high) = (self.high_half(first), self.high_half(second));
            let head = self.binary("arith.xori", second_high, words[1]);
            let tail = self.binary("arith.xori", first_high, words[3]);
            let head = self.binary("arith.xori", head, key[0]);
            let tail = self.binary("arith.xori", tail, key[1]);
            words = [head, second, tail, first];
            key = [0, 1].map(|half| {
                let step = self.int(KEY_STEPS[half]);
                self.add(key[half], step)
            });
        }
        words
    }

    /// Two standard normal numbers of two words (Box and Muller, 1958), in 32 bits: `tensor::random::normals`. What a
    /// word can be says which cases of the functions there are.
    pub fn normals(&mut self, words: [Value; 2]) -> [Value; 2] {
        let [first, second] = words.map(|word| self.unit(word));
        let one = self.number(1.0, first.ty);
        // From 2^-24 to 1, without rounding.
        let rest = self.subtract(one, first);
        let log = self.log_of_normal(rest);
        let factor = self.number(-2.0, log.ty);
        let square = self.multiply(factor, log);
        let radius = self.unary("math.sqrt", square);
        let parts = self.on_circle(second);
        parts.map(|part| self.multiply(radius, part))
    }

    /// A number of [0, 1) with 24 bits.
    fn unit(&mut self, word: Value) -> Value {
        let place = self.whole(8, word.ty);
        let bits = self.binary("arith.shrui", word, place);
        let bits = self.cast("arith.trunci", bits, Kind::I32);
        let number = self.cast("arith.sitofp", bits, Kind::F32);
        let unit = self.number(UNIT, number.ty);
        self.multiply(number, unit)
    }
}
