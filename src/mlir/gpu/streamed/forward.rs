//! The forward pass: a running maximum and a running sum for each row, over tiles of keys (Milakov and Gimelshein 2018,
//! arXiv 1805.02867).

use super::fragments::Left;
use super::staging::{Staged, columns};
use super::{FRAGMENT_COLUMNS, Grid, Made, Stream};
use crate::kernel::{Attend, Kernel};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::model::Combine;

/// Writes the body of the entry.
pub fn write(writer: &mut Writer, kernel: &Kernel, form: &Attend, made: Made<'_>) {
    let grid = Grid { batch: &form.batch, rows: form.queries, last_first: true };
    let (mut stream, indices) = Stream::begin(writer, kernel, form, made, &grid);
    stream.pairs.indices = indices;
    let seen = stream.forward();
    stream.finish(&seen);
}

/// What the thread's rows have seen: for each the maximum and the thread's part of the sum, and sums of values.
struct Seen {
    maximum: [Value; 2],
    sum: [Value; 2],
    values: Vec<Value>,
}

impl Seen {
    fn of(values: &[Value]) -> Seen {
        Seen { maximum: [values[0], values[1]], sum: [values[2], values[3]], values: values[4..].to_vec() }
    }

    fn list(&self) -> Vec<Value> {
        self.maximum.iter().chain(&self.sum).chain(&self.values).copied().collect()
    }
}

impl Stream<'_> {
    fn forward(&mut self) -> Seen {
        let form = self.pairs.form;
        let mut matrices = vec![(&form.key, form.width)];
        matrices.extend(form.further.iter().map(|part| (&part.key, part.width)));
        matrices.push((&form.value, form.value_width));
        let staged = self.staged(&matrices, true);
        let values = self.own_sums(form.value_width);
        let held = self.holds(&matrices[..matrices.len() - 1], values, 1);
        let queries = [(&form.query, form.width)].into_iter();
        let queries = queries.chain(form.further.iter().map(|part| (&part.query, part.width)));
        let left = queries.map(|(matrix, width)| self.left(matrix, columns(width), held)).collect::<Vec<_>>();
        let ranges = self.rows.map(|row| self.pairs.sees(row));
        let range = self.range(ranges);
        let (begin, step) = self.first_tile(range.0);
        let (least, none) = (self.writer().number(f64::NEG_INFINITY, Type::scalar(Kind::F32)), self.none());
        let initial = Seen { maximum: [least; 2], sum: [none; 2], values: vec![none; values] };
        let (open, first, state) = self.writer().begin_for(begin, range.1, step, &initial.list());
        self.writer().wait_for_block();
        for partners in &staged {
            self.copy(partners, first, range, |stream, key| stream.pairs.key_row(key));
        }
        self.arrive();
        let after = self.tile(&left, &staged, (first, ranges), &Seen::of(&state));
        Seen::of(&self.writer().end(open, &after.list()))
    }

    /// One tile of keys.
    fn tile(
        &mut self,
        left: &[Left],
        staged: &[Staged],
        (first, ranges): (Value, [(Value, Value); 2]),
        before: &Seen,
    ) -> Seen {
        let (none, least) = (self.none(), self.writer().number(f64::NEG_INFINITY, Type::scalar(Kind::F32)));
        let mut scores = vec![none; self.tiles.partners / FRAGMENT_COLUMNS * 4];
        for (left, keys) in left.iter().zip(staged) {
            self.products(left, keys, &mut scores);
        }
        let mut exist = Vec::with_capacity(scores.len());
        let mut maximum = before.maximum;
        for (place, score) in scores.iter_mut().enumerate() {
            let (row, key) = self.partner(first, place);
            let in_range = self.in_range(key, ranges[row]);
            let (exists, value) = self.score((self.rows[row], key), in_range, *score);
            *score = self.writer().select(exists, value, least);
            exist.push(exists);
            maximum[row] = self.writer().maximum(maximum[row], *score);
        }
        let maximum = maximum.map(|maximum| self.of_row(Combine::Maximum, maximum));
        // Until a key is seen there is no maximum to subtract.
        let level = maximum.map(|maximum| {
            let some = self.writer().compare(Order::Less, least, maximum);
            self.writer().select(some, maximum, none)
        });
        let scale = [0, 1].map(|row| {
            let fall = self.writer().subtract(before.maximum[row], level[row]);
            self.writer().exp(fall)
        });
        let mut sum = [0, 1].map(|row| self.writer().multiply(before.sum[row], scale[row]));
        for (place, (score, exists)) in scores.iter_mut().zip(exist).enumerate() {
            let row = place % 4 / 2;
            let above = self.writer().subtract(*score, level[row]);
            let weight = self.writer().exp(above);
            *score = self.writer().select(exists, weight, none);
            sum[row] = self.writer().add(sum[row], *score);
        }
        let scaled = before.values.iter().enumerate();
        let mut values =
            scaled.map(|(place, &value)| self.writer().multiply(value, scale[place % 4 / 2])).collect::<Vec<_>>();
        if let Some(staged) = staged.last() {
            let zero = self.writer().int(0);
            self.add_partners(&scores, staged, zero, &mut values);
        }
        Seen { maximum, sum, values }
    }

    /// Whether a query sees a key, and the score of their product.
    fn score(&mut self, (query, key): (Value, Value), in_range: Value, product: Value) -> (Value, Value) {
        let operands = self.operands(product, query, key);
        let exists = self.pairs.holds(in_range, &operands);
        (exists, self.pairs.number(&self.pairs.form.score, &operands))
    }

    /// A product and what else is read for a pair: past the last key for the last one, so that it is there.
    pub fn operands(&mut self, product: Value, query: Value, key: Value) -> Vec<Value> {
        let (one, keys) = (self.writer().int(1), self.pairs.keys);
        let last = self.writer().subtract(keys, one);
        let key = self.writer().minimum(key, last);
        self.pairs.with_extras(product, query, key)
    }

    /// Whether a key is in a query's range.
    pub fn in_range(&mut self, key: Value, (low, high): (Value, Value)) -> Value {
        let after = self.writer().compare(Order::LessEqual, low, key);
        let before = self.writer().compare(Order::Less, key, high);
        self.writer().both(after, before)
    }

    /// Stores the quotients and the logarithm; zeros where no key was seen.
    fn finish(&mut self, seen: &Seen) {
        let form = self.pairs.form;
        let (none, one) = (self.none(), self.writer().number(1.0, Type::scalar(Kind::F32)));
        let sum = seen.sum.map(|sum| self.of_row(Combine::Sum, sum));
        let some = sum.map(|sum| self.writer().compare(Order::Less, none, sum));
        let divisor = [0, 1].map(|row| self.writer().select(some[row], sum[row], one));
        let mut quotients = Vec::with_capacity(seen.values.len());
        for (place, &value) in seen.values.iter().enumerate() {
            let row = place % 4 / 2;
            let quotient = self.writer().binary("arith.divf", value, divisor[row]);
            quotients.push(self.writer().select(some[row], quotient, none));
        }
        self.store(&form.output, form.value_width, &quotients);
        if form.logsum.is_some() {
            for row in [0, 1] {
                self.store_logarithm(row, divisor[row], (seen.maximum[row], some[row]));
            }
        }
    }

    fn store_logarithm(&mut self, row: usize, divisor: Value, (maximum, some): (Value, Value)) {
        let form = self.pairs.form;
        let Some(logsum) = &form.logsum else { return };
        let log = self.writer().log(divisor);
        let log = self.writer().add(maximum, log);
        let unseen = if form.piece.is_some() { maximum } else { self.none() };
        let log = self.writer().select(some, log, unseen);
        let (zero, t, part, exists) = (self.writer().int(0), self.t, self.part, self.exist[row]);
        let of_both = self.writer().add(t, part);
        let first = self.writer().compare(Order::Equal, of_both, zero);
        let inside = self.writer().both(first, exists);
        let open = self.writer().begin_if(inside, &[]);
        let start = self.pairs.start(logsum, self.rows[row]);
        self.pairs.write(logsum, start, zero, log);
        self.writer().end(open, &[]);
    }
}
