//! Runs streamed attention and its gradient by their defining formulas, one query at a time.

use super::execute::{Memory, Slot, amount};
use super::matrices::{amounts, each, element, scalar};
use archc::kernel::*;

/// One attention in one batch.
struct Problem<'p> {
    attend: &'p Attend,
    slots: &'p [Slot],
    sizes: &'p [i64],
    at: &'p [i64],
}

impl Problem<'_> {
    fn read(&self, memory: &Memory, matrix: &Matrix, row: i64, column: i64) -> f64 {
        memory.read(self.slots[matrix.buffer], element(matrix, self.at, row, column, self.sizes))
    }

    fn write(&self, memory: &mut Memory, matrix: &Matrix, row: i64, column: i64, value: f64) {
        memory.write(self.slots[matrix.buffer], element(matrix, self.at, row, column, self.sizes), value);
    }

    fn add(&self, memory: &mut Memory, matrix: &Matrix, row: i64, column: i64, value: f64) {
        let sum = self.read(memory, matrix, row, column) + value;
        self.write(memory, matrix, row, column, sum);
    }

    fn edge(&self, memory: &Memory, edge: &Edge, query: i64) -> i64 {
        let table = edge.table.as_ref().map_or(0, |table| self.read(memory, table, query, 0) as i64);
        edge.slope * query + amount(edge.offset, self.sizes) + edge.constant + table
    }

    /// The row of a key in memory.
    fn stored(&self, key: i64) -> i64 {
        self.attend.ring.map_or(key, |ring| key % ring)
    }

    /// The keys that a query sees, with the operands of their scores.
    fn seen(&self, memory: &Memory, query: i64) -> Vec<(i64, Vec<f64>)> {
        let visible = &self.attend.visible;
        let from = visible.from.iter().map(|edge| self.edge(memory, edge, query)).max().unwrap_or(0).max(0);
        let keys = amount(self.attend.keys, self.sizes);
        let to = visible.to.iter().map(|edge| self.edge(memory, edge, query)).min().unwrap_or(keys).min(keys);
        let piece = self.attend.piece.map(|size| amount(size, self.sizes));
        let piece = piece.map_or(0..keys, |size| self.at[0] * size..(self.at[0] + 1) * size);
        let (from, to) = (from.max(piece.start), to.min(piece.end));
        let mut seen = Vec::new();
        let count = visible.queries.as_ref().map(|count| self.edge(memory, count, query));
        if count.is_some_and(|count| query >= count) {
            return seen;
        }
        for key in from..to {
            let width = amount(self.attend.width, self.sizes);
            let product = (0..width).map(|column| {
                self.read(memory, &self.attend.query, query, column)
                    * self.read(memory, &self.attend.key, self.stored(key), column)
            });
            let mut sum = product.sum::<f64>();
            for part in &self.attend.further {
                for column in 0..amount(part.width, self.sizes) {
                    sum += self.read(memory, &part.query, query, column)
                        * self.read(memory, &part.key, self.stored(key), column);
                }
            }
            let mut operands = vec![sum];
            for extra in &self.attend.extras {
                operands.push(self.read(memory, extra, query, key));
            }
            if visible.present.as_ref().is_none_or(|present| scalar(present, &operands) != 0.0) {
                seen.push((key, operands));
            }
        }
        seen
    }

    fn forward(&self, memory: &mut Memory, query: i64) {
        let seen = self.seen(memory, query);
        let widths = [self.attend.width, self.attend.value_width].map(|width| amount(width, self.sizes));
        memory.multiplications += seen.len() as u64 * widths.iter().sum::<i64>().unsigned_abs();
        let scores = seen.iter().map(|(_, operands)| scalar(&self.attend.score, operands)).collect::<Vec<_>>();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = scores.iter().map(|score| (score - largest).exp()).sum::<f64>();
        for column in 0..amount(self.attend.value_width, self.sizes) {
            let parts = seen.iter().zip(&scores).map(|((key, _), score)| {
                (score - largest).exp() / sum * self.read(memory, &self.attend.value, self.stored(*key), column)
            });
            let result = parts.sum::<f64>();
            self.write(memory, &self.attend.output, query, column, result);
        }
        if let Some(logsum) = &self.attend.logsum {
            let unseen = if self.attend.piece.is_some() { f64::NEG_INFINITY } else { 0.0 };
            let value = if seen.is_empty() { unseen } else { largest + sum.ln() };
            self.write(memory, logsum, query, 0, value);
        }
    }

    fn backward(&self, memory: &mut Memory, gradient: &AttendGradient, query: i64) {
        let value_width = amount(self.attend.value_width, self.sizes);
        let upstream = (0..value_width).map(|column| self.read(memory, &gradient.output_gradient, query, column));
        let upstream = upstream.collect::<Vec<_>>();
        let along = |memory: &Memory, matrix: &Matrix, row: i64| {
            let columns = upstream.iter().enumerate();
            columns.map(|(column, factor)| factor * self.read(memory, matrix, row, column as i64)).sum::<f64>()
        };
        let delta = along(memory, &self.attend.output, query);
        let Some(logsum) = &self.attend.logsum else { panic!("a gradient has the forward's sums") };
        let logsum = self.read(memory, logsum, query, 0);
        for (key, operands) in self.seen(memory, query) {
            let share = (scalar(&self.attend.score, &operands) - logsum).exp();
            let slope = scalar(&gradient.slope, &operands);
            let score = share * (along(memory, &self.attend.value, key) - delta) * slope;
            for column in 0..amount(self.attend.width, self.sizes) {
                let to_query = score * self.read(memory, &self.attend.key, key, column);
                let to_key = score * self.read(memory, &self.attend.query, query, column);
                self.add(memory, &gradient.query_gradient, query, column, to_query);
                self.add(memory, &gradient.key_gradient, key, column, to_key);
            }
            for (column, factor) in upstream.iter().enumerate() {
                self.add(memory, &gradient.value_gradient, key, column as i64, share * factor);
            }
        }
    }
}

/// Attention.
pub fn attend(attend: &Attend, slots: &[Slot], sizes: &[i64], memory: &mut Memory) {
    each(&amounts(&attend.batch, sizes), &mut |at| {
        let problem = Problem { attend, slots, sizes, at };
        (0..amount(attend.queries, sizes)).for_each(|query| problem.forward(memory, query));
    });
}

/// Its gradient.
pub fn attend_gradient(gradient: &AttendGradient, slots: &[Slot], sizes: &[i64], memory: &mut Memory) {
    let attend = &gradient.forward;
    let [queries, keys] = [attend.queries, attend.keys].map(|extent| amount(extent, sizes));
    let [width, value_width] = [attend.width, attend.value_width].map(|extent| amount(extent, sizes));
    let targets = [
        (&gradient.query_gradient, queries, width),
        (&gradient.key_gradient, keys, width),
        (&gradient.value_gradient, keys, value_width),
    ];
    let batch = amounts(&attend.batch, sizes);
    each(&batch, &mut |at| {
        let problem = Problem { attend, slots, sizes, at };
        for (matrix, rows, columns) in targets {
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                problem.write(memory, matrix, row, column, 0.0);
            }
        }
    });
    each(&batch, &mut |at| {
        let problem = Problem { attend, slots, sizes, at };
        (0..queries).for_each(|query| problem.backward(memory, gradient, query));
    });
}
