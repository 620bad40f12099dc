//! Fragments of the products of rows and partners.
//!
//! Of a fragment of the left factor, thread 4 g + t has rows g and g + 8; of one of the right factor column g; of sums
//! rows g and g + 8, columns 2 t and 2 t + 1. Along the sum a thread has t and t + 4 of 8 where a word is one number
//! (tf32), and 2 t, 2 t + 1 and the 8th after them of 16 where it is two (bf16). Which number of the sum is which is
//! free, as long as both factors agree: sums over partners take 2 t for t and 2 t + 1 for t + 4, as a thread has them.

use super::staging::{Staged, columns};
use super::{FRAGMENT_COLUMNS, Stream};
use crate::gpu::{Precision, padded};
use crate::kernel::{Amount, Matrix};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value};

/// The words of a fragment: once, or as a rounded part and what that leaves.
pub struct Words(Vec<Vec<Value>>);

/// The left factor: the thread's rows of a matrix in global memory.
pub struct Left {
    /// Where the rows' first numbers of this thread are.
    rows: [Value; 2],
    width: usize,
    /// All numbers of the thread, word by word, if they stay in registers.
    held: Option<Vec<Value>>,
}

/// Numbers that a thread can keep in registers beside what it computes with.
const KEPT: usize = 160;

impl Stream<'_> {
    /// How much of a sum is one instruction.
    fn depth(&self) -> usize {
        if self.tiles.precision == Precision::Bf16 { 16 } else { 8 }
    }

    /// Along columns: by how much t is multiplied, and what is added for the numbers of both words.
    fn along(&self) -> (usize, [&'static [usize]; 2]) {
        if self.tiles.precision == Precision::Bf16 { (2, [&[0, 1], &[8, 9]]) } else { (1, [&[0], &[4]]) }
    }

    /// The same along partners.
    fn across(&self) -> [&'static [usize]; 2] {
        if self.tiles.precision == Precision::Bf16 { [&[0, 1], &[8, 9]] } else { [&[0], &[1]] }
    }

    /// Numbers rounded to words.
    fn words(&mut self, numbers: &[Value]) -> Words {
        match self.tiles.precision {
            Precision::Bf16 => {
                Words(vec![numbers.chunks(2).map(|pair| self.writer().to_bf16([pair[0], pair[1]])).collect()])
            }
            Precision::Tf32 => Words(vec![numbers.iter().map(|&number| self.writer().to_tf32(number)).collect()]),
            Precision::F32 => {
                let (mut rounded, mut rest) = (Vec::new(), Vec::new());
                for &number in numbers {
                    let word = self.writer().to_tf32(number);
                    let value = self.writer().cast("arith.bitcast", word, Kind::F32);
                    let left = self.writer().subtract(number, value);
                    rounded.push(word);
                    rest.push(self.writer().to_tf32(left));
                }
                Words(vec![rounded, rest])
            }
        }
    }

    /// Adds a product of fragments to a fragment of sums. Of two parts each, the small ones' products come first, and that
    /// of both rests is less than the rounding of the sum.
    fn multiply(&mut self, left: &Words, right: &Words, sums: &mut [Value]) {
        let name = if self.tiles.precision == Precision::Bf16 { Precision::Bf16 } else { Precision::Tf32 };
        let parts: &[(usize, usize)] = if left.0.len() == 1 { &[(0, 0)] } else { &[(1, 0), (0, 1), (0, 0)] };
        for &(a, b) in parts {
            let next = self.writer().multiply_fragments(name, &left.0[a], &right.0[b], sums);
            sums.copy_from_slice(&next);
        }
    }

    /// How many partners are multiplied at once.
    pub fn at_once(&mut self) -> Value {
        let partners = self.tiles.partners as i64;
        self.writer().int(partners)
    }

    /// Whether a thread's numbers of rows can stay in registers, beside so many sums and so many numbers for each pair.
    /// Those that are split would stay there in both parts.
    pub fn holds(&self, rows: &[(&Matrix, Amount)], sums: usize, of_pair: usize) -> bool {
        let all = rows.iter().map(|(_, width)| padded(columns(*width), self.tiles.precision) / 2);
        let fits = all.sum::<usize>() + sums + self.tiles.partners / 2 * of_pair <= KEPT;
        fits && self.tiles.precision != Precision::F32
    }

    /// The thread's rows of a matrix.
    pub fn left(&mut self, matrix: &Matrix, width: usize, held: bool) -> Left {
        let factor = self.along().0 as i64;
        let factor = self.writer().int(factor);
        let t = self.t;
        let skipped = self.writer().multiply(t, factor);
        let base = self.pairs.frame.body.buffers[matrix.buffer];
        let rows = self.rows.map(|row| {
            let start = self.pairs.start(matrix, row);
            let start = self.writer().add(start, skipped);
            self.writer().element_address(base, start, Kind::F32)
        });
        let mut left = Left { rows, width, held: None };
        if held {
            let steps = (0..padded(width, self.tiles.precision)).step_by(self.depth());
            left.held = Some(steps.flat_map(|k| self.numbers(rows, width, k)).collect());
        }
        left
    }

    /// The thread's numbers of a fragment, word by word, so far from where the thread's rows are given.
    fn numbers(&mut self, rows: [Value; 2], width: usize, k: usize) -> Vec<Value> {
        let (_, words) = self.along();
        let places = words.into_iter().flat_map(|word| rows.into_iter().map(move |row| (row, word)));
        let places = places.flat_map(|(row, word)| word.iter().map(move |within| (row, k + within)));
        places.collect::<Vec<_>>().into_iter().map(|(row, skipped)| self.number(row, width, skipped)).collect()
    }

    /// A number of a row, 0 past its end.
    fn number(&mut self, row: Value, width: usize, skipped: usize) -> Value {
        let float = Type::scalar(Kind::F32);
        let (factor, _) = self.along();
        if skipped + 3 * factor < width {
            let address = self.writer().address_at(row, skipped, Kind::F32);
            return self.writer().load(address, float);
        }
        let none = self.none();
        if skipped >= width {
            return none;
        }
        let (t, after) = (self.t, self.writer().int((width - skipped).div_ceil(factor) as i64));
        let inside = self.writer().compare(Order::Less, t, after);
        let open = self.writer().begin_if(inside, &[float]);
        let address = self.writer().address_at(row, skipped, Kind::F32);
        let value = self.writer().load(address, float);
        self.writer().begin_else(&[value]);
        self.writer().end(open, &[none])[0]
    }

    /// Adds the products of rows with partners: for each fragment of partners four numbers.
    pub fn products(&mut self, left: &Left, right: &Staged, sums: &mut [Value]) {
        let (factor, words) = self.along();
        let (g, t) = (self.g, self.t);
        let own = self.own_element(right, (g, right.pitch), (t, factor));
        let (depth, count) = (self.depth(), 4 * words[0].len());
        if let Some(held) = &left.held {
            for (step, numbers) in held.chunks(count).enumerate() {
                let own = self.writer().address_at(own, step * depth, Kind::F32);
                self.step(numbers, own, right.pitch, sums);
            }
            return;
        }
        // A loop, so that numbers of few steps are in registers at once.
        let whole = left.width / depth * depth;
        let (zero, end, step) =
            (self.writer().int(0), self.writer().int(whole as i64), self.writer().int(depth as i64));
        let (open, k, mut next) = self.writer().begin_for(zero, end, step, sums);
        let rows = left.rows.map(|row| self.writer().element_address(row, k, Kind::F32));
        let numbers = self.numbers(rows, left.width, 0);
        let at = self.writer().element_address(own, k, Kind::F32);
        self.step(&numbers, at, right.pitch, &mut next);
        sums.copy_from_slice(&self.writer().end(open, &next));
        if whole < left.width {
            let numbers = self.numbers(left.rows, left.width, whole);
            let own = self.writer().address_at(own, whole, Kind::F32);
            self.step(&numbers, own, right.pitch, sums);
        }
    }

    /// One instruction's part of the sums, for each fragment of partners.
    fn step(&mut self, numbers: &[Value], own: Value, pitch: usize, sums: &mut [Value]) {
        let (_, words) = self.along();
        let a = self.words(numbers);
        for (run, sums) in sums.chunks_mut(4).enumerate() {
            let b = self.right(own, words, |within| run * FRAGMENT_COLUMNS * pitch + within);
            self.multiply(&a, &b, sums);
        }
    }

    /// Adds partners, each weighted, from a column on: the weights are numbers of fragments, as [`Stream::products`] leaves
    /// them.
    pub fn add_partners(&mut self, weights: &[Value], right: &Staged, from: Value, sums: &mut [Value]) {
        let words = self.across();
        let (g, t) = (self.g, self.t);
        let own = self.own_element(right, (t, 2 * right.pitch), (g, 1));
        let own = self.writer().element_address(own, from, Kind::F32);
        for (step, weights) in weights.chunks(self.depth() / 2).enumerate() {
            let a = self.weights(weights);
            for (run, sums) in sums.chunks_mut(4).enumerate() {
                let first = step * self.depth();
                let b = self.right(own, words, |within| (first + within) * right.pitch + run * FRAGMENT_COLUMNS);
                self.multiply(&a, &b, sums);
            }
        }
    }

    /// Numbers of one fragment of sums, or of two, as a left factor.
    fn weights(&mut self, weights: &[Value]) -> Words {
        let order: &[usize] = match self.tiles.precision {
            Precision::Bf16 => &[0, 1, 2, 3, 4, 5, 6, 7],
            _ => &[0, 2, 1, 3],
        };
        let numbers = order.iter().map(|place| weights[*place]).collect::<Vec<_>>();
        self.words(&numbers)
    }

    /// The words of a right factor: its numbers are so far from the thread's own place.
    fn right(&mut self, own: Value, words: [&[usize]; 2], skipped: impl Fn(usize) -> usize) -> Words {
        let mut numbers = Vec::with_capacity(4);
        for within in words.concat() {
            let address = self.writer().address_at(own, skipped(within), Kind::F32);
            numbers.push(self.writer().load(address, Type::scalar(Kind::F32)));
        }
        self.words(&numbers)
    }

    /// The thread's own place in partners.
    fn own_element(&mut self, right: &Staged, one: (Value, usize), other: (Value, usize)) -> Value {
        let [one, other] = [one, other].map(|(place, stride)| {
            let stride = self.writer().int(stride as i64);
            self.writer().multiply(place, stride)
        });
        let at = self.writer().add(one, other);
        self.writer().element_address(right.address, at, Kind::F32)
    }
}
