//! Fragments in registers: what each thread of a warp reads of a stage, rounded, and multiplied.
//!
//! Of a fragment of A, thread 4 g + t has rows g and g + 8, and of one of B column g; along the sum it has t and t + 4
//! of 8 where a word is one number (tf32), and 2 t, 2 t + 1 and the 8th after them of 16 where it is two (bf16). Those are
//! the words of matrices of 8 rows of 16 bytes, but for bf16 that is made of 32-bit floats, and tf32 across the sum.

use super::staging::Side;
use super::{FRAGMENT, Product};
use crate::gpu::Precision;
use crate::mlir::text::{Kind, Type, Value};

impl Product<'_> {
    /// Adds the products of a stage to the warp's sums.
    pub fn multiply(&mut self, sides: &[Side; 2], stage: Value, mut sums: Vec<Value>) -> Vec<Value> {
        let precision = self.part.precision;
        let [down, along] = self.fragments();
        let starts = [0, 1].map(|place| self.own_part(&sides[place], stage, place));
        let step = if precision == Precision::Bf16 { 16 } else { 8 };
        for k in (0..self.part.tile.depth).step_by(step) {
            let left = self.words(&sides[0], starts[0], k, down * 2);
            let right = self.words(&sides[1], starts[1], k, along);
            for row in 0..down {
                let [upper, lower] = [left[row * 2], left[row * 2 + 1]];
                let a = [upper[0], lower[0], upper[1], lower[1]];
                for (column, b) in right.iter().enumerate() {
                    let place = (row * along + column) * 4;
                    let next = self.writer.multiply_fragments(precision, &a, b, &sums[place..place + 4]);
                    sums[place..place + 4].copy_from_slice(&next);
                }
            }
        }
        sums
    }

    /// Where the warp's rows of A, or its columns of B, start in a stage.
    fn own_part(&mut self, side: &Side, stage: Value, place: usize) -> Value {
        let start = self.part_of_stage(side, stage);
        let own = self.writer.int((self.own()[place] * side.skipped(1, 0)) as i64);
        let skipped = self.writer.multiply(self.warp[place], own);
        self.writer.element_address(start, skipped, side.kind)
    }

    /// For each run of 8 rows of A, or columns of B: the thread's two words of it, from a k on.
    fn words(&mut self, side: &Side, start: Value, k: usize, runs: usize) -> Vec<[Value; 2]> {
        match (self.part.precision, side.kind) {
            (Precision::Bf16, Kind::I16) => self.matrices(side, start, k, runs),
            (Precision::Bf16, _) => self.pairs(side, start, k, runs),
            _ if side.along_sum => self.matrices(side, start, k, runs),
            _ => self.singles(side, start, k, runs),
        }
    }

    /// By words of four threads' rows: two runs of 8 at once.
    fn matrices(&mut self, side: &Side, start: Value, k: usize, runs: usize) -> Vec<[Value; 2]> {
        let own = self.own_row(side, start);
        let mut all = Vec::with_capacity(runs);
        for pair in 0..runs.div_ceil(2) {
            let address = self.writer.address_at(own, side.skipped(pair * FRAGMENT[0], k), side.kind);
            let words = self.writer.load_matrices(address, !side.along_sum);
            let [a, b, c, d] = words.map(|word| self.rounded(side, word));
            all.extend([[a, b], [c, d]]);
        }
        all.truncate(runs);
        all
    }

    /// A word of a side as one of a fragment.
    fn rounded(&mut self, side: &Side, word: Value) -> Value {
        if side.kind == Kind::I16 {
            return word;
        }
        let number = self.writer.cast("arith.bitcast", word, Kind::F32);
        self.writer.to_tf32(number)
    }

    /// The row of 16 bytes that a thread gives the address of. Matrix 0 has the first run and the first half of the sum,
    /// matrix 1 the second half, then the second run. Across the sum a matrix' rows are of one k each.
    fn own_row(&mut self, side: &Side, start: Value) -> Value {
        let (eight, two) = (self.writer.int(8), self.writer.int(2));
        let row = self.writer.binary("arith.remui", self.lane, eight);
        let matrix = self.writer.binary("arith.divui", self.lane, eight);
        let half = self.writer.binary("arith.remui", matrix, two);
        let run = self.writer.binary("arith.divui", matrix, two);
        let run = self.writer.multiply(run, eight);
        let of_half = self.writer.int(side.of_16_bytes() as i64);
        let half = self.writer.multiply(half, of_half);
        let (down, along) = if side.along_sum { (run, half) } else { (half, run) };
        let down = self.writer.add(row, down);
        let pitch = self.writer.int(side.pitch() as i64);
        let down = self.writer.multiply(down, pitch);
        let own = self.writer.add(down, along);
        self.writer.element_address(start, own, side.kind)
    }

    /// The thread's own g and t: the address of an element at (g, factor · t) of a part.
    fn own_element(&mut self, side: &Side, start: Value, factor: usize) -> Value {
        let four = self.writer.int(4);
        let outer = self.writer.binary("arith.divui", self.lane, four);
        let k = self.writer.binary("arith.remui", self.lane, four);
        let (by_outer, by_k) =
            (self.writer.int(side.skipped(1, 0) as i64), self.writer.int((factor * side.skipped(0, 1)) as i64));
        let (outer, k) = (self.writer.multiply(outer, by_outer), self.writer.multiply(k, by_k));
        let at = self.writer.add(outer, k);
        self.writer.element_address(start, at, Kind::F32)
    }

    fn singles(&mut self, side: &Side, start: Value, k: usize, runs: usize) -> Vec<[Value; 2]> {
        let own = self.own_element(side, start, 1);
        let word = |product: &mut Self, run: usize, half: usize| {
            let number = product.element(own, side.skipped(run * 8, k + half * 4));
            product.writer.to_tf32(number)
        };
        (0..runs).map(|run| [0, 1].map(|half| word(self, run, half))).collect()
    }

    fn pairs(&mut self, side: &Side, start: Value, k: usize, runs: usize) -> Vec<[Value; 2]> {
        let own = self.own_element(side, start, 2);
        let word = |product: &mut Self, run: usize, half: usize| {
            let numbers = [0, 1].map(|place| product.element(own, side.skipped(run * 8, k + half * 8 + place)));
            product.writer.to_bf16(numbers)
        };
        (0..runs).map(|run| [0, 1].map(|half| word(self, run, half))).collect()
    }

    fn element(&mut self, start: Value, skipped: usize) -> Value {
        let address = self.writer.address_at(start, skipped, Kind::F32);
        self.writer.load(address, Type::scalar(Kind::F32))
    }
}
