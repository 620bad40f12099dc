//! Streamed attention: a warp for each query, a running maximum and a running sum over runs of 32 keys
//! (Milakov and Gimelshein 2018, arXiv 1805.02867).

use super::Frame;
use super::pairs::{Columns, Pairs, columns, each_query};
use crate::gpu::WARP;
use crate::kernel::{Attend, Kernel};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::model::Combine;

/// Writes the body of the entry.
pub fn write(writer: &mut Writer, kernel: &Kernel, form: &Attend, frame: &Frame<'_>) {
    each_query(writer, kernel, form, frame, |pairs, query| {
        let columns = columns([(&form.value, form.value_width)]);
        pairs.each_part(&columns, |pairs| {
            let result = stream(pairs, &columns[0], query);
            finish(pairs, &columns[0], query, &result);
        });
    });
}

/// What a query has seen: maximum, sum, and sums of values.
struct Seen {
    maximum: Value,
    sum: Value,
    values: Vec<Value>,
}

fn stream(pairs: &mut Pairs<'_>, columns: &Columns, query: Value) -> Seen {
    let float = Type::scalar(Kind::F32);
    let (low, high) = pairs.sees(query);
    let (least, none) = (pairs.writer.number(f64::NEG_INFINITY, float), pairs.writer.number(0.0, float));
    let step = pairs.writer.int(WARP as i64);
    let mut initial = vec![least, none];
    initial.extend(pairs.nothing(columns));
    let (open, first, state) = pairs.writer.begin_for(low, high, step, &initial);
    let before = Seen { maximum: state[0], sum: state[1], values: state[2..].to_vec() };
    let after = run_of_keys(pairs, columns, query, (first, high), before);
    let mut next = vec![after.maximum, after.sum];
    next.extend(after.values);
    let end = pairs.writer.end(open, &next);
    Seen { maximum: end[0], sum: end[1], values: end[2..].to_vec() }
}

fn run_of_keys(
    pairs: &mut Pairs<'_>,
    columns: &Columns,
    query: Value,
    (first, high): (Value, Value),
    before: Seen,
) -> Seen {
    let float = Type::scalar(Kind::F32);
    let (key, exists, count) = pairs.partner(first, high);
    let operands = pairs.operands(query, key);
    let exists = pairs.holds(exists, &operands);
    let score = pairs.number(&pairs.form.score, &operands);
    let (least, none) = (pairs.writer.number(f64::NEG_INFINITY, float), pairs.writer.number(0.0, float));
    let score = pairs.writer.select(exists, score, least);
    let highest = pairs.team.combine(pairs.writer, Combine::Maximum, score);
    let maximum = pairs.writer.maximum(before.maximum, highest);
    // Until a key is seen there is no maximum to subtract.
    let some = pairs.writer.compare(Order::Less, least, maximum);
    let level = pairs.writer.select(some, maximum, none);
    let above = pairs.writer.subtract(score, level);
    let weight = pairs.writer.exp(above);
    let weight = pairs.writer.select(exists, weight, none);
    let fall = pairs.writer.subtract(before.maximum, level);
    let scale = pairs.writer.exp(fall);
    let scaled = before.values.iter().map(|&value| pairs.writer.multiply(value, scale)).collect::<Vec<_>>();
    let part = pairs.team.combine(pairs.writer, Combine::Sum, weight);
    let sum = pairs.writer.multiply_add(before.sum, scale, part);
    let values = pairs.add_rows(columns, &scaled, weight, (first, count), Pairs::key_row);
    Seen { maximum, sum, values }
}

/// Stores the quotients and the logarithm; zeros where no key was seen.
fn finish(pairs: &mut Pairs<'_>, columns: &Columns, query: Value, seen: &Seen) {
    let float = Type::scalar(Kind::F32);
    let (none, one) = (pairs.writer.number(0.0, float), pairs.writer.number(1.0, float));
    let some = pairs.writer.compare(Order::Less, none, seen.sum);
    let divisor = pairs.writer.select(some, seen.sum, one);
    let quotients = seen.values.iter().map(|&value| {
        let quotient = pairs.writer.binary("arith.divf", value, divisor);
        pairs.writer.select(some, quotient, none)
    });
    let quotients = quotients.collect::<Vec<_>>();
    pairs.store_row(&pairs.form.output, query, columns.width, &quotients);
    let Some(logsum) = &pairs.form.logsum else { return };
    let log = pairs.writer.log(divisor);
    let log = pairs.writer.add(seen.maximum, log);
    let unseen = if pairs.form.piece.is_some() { seen.maximum } else { none };
    let log = pairs.writer.select(some, log, unseen);
    let zero = pairs.writer.int(0);
    let first = pairs.writer.compare(Order::Equal, pairs.team.member, zero);
    let open = pairs.writer.begin_if(first, &[]);
    let start = pairs.start(logsum, query);
    pairs.write(logsum, start, zero, log);
    pairs.writer.end(open, &[]);
}
