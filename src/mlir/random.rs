//! The random words of draws: `tensor::Stream`, step by step, on whole numbers of 64 bits.

use super::text::{Value, Writer};

const TURN: i64 = 0x9e37_79b1;
const COORDINATE: i64 = 0x9e37_79b9_7f4a_7c15_u64.cast_signed();
const FIRST: i64 = 0xd251_1f53;
const SECOND: i64 = 0xcd9e_8d57;
const KEY_STEPS: [i64; 2] = [0x9e37_79b9, 0xbb67_ae85];

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
            let mixed = self.binary("arith.xori", draw.seed[half], path);
            self.low_half(mixed)
        });
        let turn = self.mixed(&draw.turns, TURN);
        let element = self.mixed(&draw.coordinates, COORDINATE);
        let counter = [self.low_half(draw.row), self.low_half(turn), self.low_half(element), self.high_half(element)];
        self.philox(counter, key)
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
            let first = self.multiply(words[0], first);
            let second = self.multiply(words[2], second);
            let (first_high, second_high) = (self.high_half(first), self.high_half(second));
            let head = self.binary("arith.xori", second_high, words[1]);
            let tail = self.binary("arith.xori", first_high, words[3]);
            let head = self.binary("arith.xori", head, key[0]);
            let tail = self.binary("arith.xori", tail, key[1]);
            words = [head, self.low_half(second), tail, self.low_half(first)];
            key = [0, 1].map(|half| {
                let step = self.int(KEY_STEPS[half]);
                let sum = self.add(key[half], step);
                self.low_half(sum)
            });
        }
        words
    }
}
