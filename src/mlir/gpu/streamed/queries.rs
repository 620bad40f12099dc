//! The gradient by queries: weights are computed again from L, over tiles of keys.

use super::fragments::Left;
use super::staging::{Staged, columns};
use super::{FRAGMENT_COLUMNS, Grid, Made, Stream};
use crate::kernel::{AttendGradient, Kernel};
use crate::mlir::text::{Value, Writer};

/// Writes the body of the entry.
pub fn write(writer: &mut Writer, kernel: &Kernel, gradient: &AttendGradient, made: Made<'_>) {
    let form = &gradient.forward;
    let grid = Grid { batch: &form.batch, rows: form.queries, last_first: true };
    let (mut stream, indices) = Stream::begin(writer, kernel, form, made, &grid);
    stream.pairs.indices = indices;
    let sums = stream.query_gradient(gradient);
    stream.store(&gradient.query_gradient, form.width, &sums);
}

/// What a pair's gradient is made of, beside the products of the pair.
pub struct Known {
    /// Whether the pair exists, as far as its place tells.
    pub in_range: Value,
    /// L of the query.
    pub logsum: Value,
    /// D of the query.
    pub given: Value,
}

impl Stream<'_> {
    fn query_gradient(&mut self, gradient: &AttendGradient) -> Vec<Value> {
        let form = self.pairs.form;
        let matrices = [(&form.key, form.width), (&form.value, form.value_width)];
        let staged = self.staged(&matrices, false);
        let count = self.own_sums(form.width);
        let from = self.first_column(form.width);
        let held = self.holds(&matrices, count, 2);
        let left = [
            self.left(&form.query, columns(form.width), held),
            self.left(&gradient.output_gradient, columns(form.value_width), held),
        ];
        let ranges = self.rows.map(|row| self.pairs.sees(row));
        let range = self.range(ranges);
        let given = self.inner_products(&gradient.output_gradient, &form.output, form.value_width);
        let zero = self.writer().int(0);
        let logsum = self.rows.map(|row| self.logsum(row, zero));
        let (begin, step) = self.first_tile(range.0);
        let none = self.none();
        let initial = vec![none; count];
        let (open, first, mut sums) = self.writer().begin_for(begin, range.1, step, &initial);
        self.writer().wait_for_block();
        for partners in &staged {
            self.copy(partners, first, range, |_, key| key);
        }
        self.arrive();
        let [mut slopes, moved] = self.both_products(&left, &staged);
        for (place, slope) in slopes.iter_mut().enumerate() {
            let (row, key) = self.partner(first, place);
            let in_range = self.in_range(key, ranges[row]);
            let known = Known { in_range, logsum: logsum[row], given: given[row] };
            *slope = self.pair(gradient, (self.rows[row], key), [*slope, moved[place]], &known)[1];
        }
        self.add_partners(&slopes, &staged[0], from, &mut sums);
        self.writer().end(open, &sums)
    }

    /// The products of rows with partners of two matrices: for each fragment four numbers.
    pub fn both_products(&mut self, left: &[Left; 2], staged: &[Staged]) -> [Vec<Value>; 2] {
        let none = self.none();
        [0, 1].map(|side| {
            let mut products = vec![none; self.tiles.partners / FRAGMENT_COLUMNS * 4];
            self.products(&left[side], &staged[side], &mut products);
            products
        })
    }

    /// L of a query.
    pub fn logsum(&mut self, query: Value, zero: Value) -> Value {
        let Some(logsum) = &self.pairs.form.logsum else { return self.none() };
        let start = self.pairs.start(logsum, query);
        self.pairs.read(logsum, start, zero)
    }

    /// p and s of a pair, of its product and of that of G and V; 0 where it does not exist.
    pub fn pair(
        &mut self,
        gradient: &AttendGradient,
        (query, key): (Value, Value),
        [product, moved]: [Value; 2],
        known: &Known,
    ) -> [Value; 2] {
        let none = self.none();
        let operands = self.operands(product, query, key);
        let exists = self.pairs.holds(known.in_range, &operands);
        let score = self.pairs.number(&gradient.forward.score, &operands);
        let above = self.writer().subtract(score, known.logsum);
        let weight = self.writer().exp(above);
        let weight = self.writer().select(exists, weight, none);
        let difference = self.writer().subtract(moved, known.given);
        let slope = self.pairs.number(&gradient.slope, &operands);
        let slope = self.writer().multiply(difference, slope);
        let slope = self.writer().multiply(weight, slope);
        [weight, self.writer().select(exists, slope, none)]
    }
}
