//! The gradient of streamed attention: by queries with a warp for each query, by keys and values with a warp for each
//! key. Weights are computed again from L (Dao et al. 2022, arXiv 2205.14135); no two warps add to one number.

use super::Frame;
use super::pairs::{Columns, Pairs, columns, each_query};
use crate::gpu::WARP;
use crate::kernel::{AttendGradient, Kernel, Matrix};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::model::Combine;

/// Writes the entry that computes dQ.
pub fn write_queries(writer: &mut Writer, kernel: &Kernel, gradient: &AttendGradient, frame: &Frame<'_>) {
    let form = &gradient.forward;
    each_query(writer, kernel, form, frame, |pairs, query| {
        let columns = columns([(&form.key, form.width)]);
        pairs.each_part(&columns, |pairs| query_gradient(pairs, gradient, &columns[0], query));
    });
}

fn query_gradient(pairs: &mut Pairs<'_>, gradient: &AttendGradient, columns: &Columns, query: Value) {
    let (low, high) = pairs.sees(query);
    let step = pairs.writer.int(WARP as i64);
    let none = pairs.nothing(columns);
    let (open, first, sums) = pairs.writer.begin_for(low, high, step, &none);
    let (key, exists, count) = pairs.partner(first, high);
    let pair = pair(pairs, gradient, (query, key), exists);
    let sums = pairs.add_rows(columns, &sums, pair.slope, (first, count), |_, key| key);
    let sums = pairs.writer.end(open, &sums);
    pairs.store_row(&gradient.query_gradient, query, columns.width, &sums);
}

/// Writes the entry that computes dK and dV.
pub fn write_keys(writer: &mut Writer, kernel: &Kernel, gradient: &AttendGradient, frame: &Frame<'_>) {
    let form = &gradient.forward;
    let mut extents = form.batch_extents(false);
    extents.push(form.keys);
    frame.each_turn(writer, &extents, |writer, turn, team| {
        let mut outer = frame.body.unravel(writer, turn, &extents);
        let key = outer.pop().unwrap_or(turn);
        let keys = frame.body.amount(writer, form.keys);
        // Along shared batches dK and dV have a stride of 0.
        let none = vec![writer.int(0); form.batch_extents(true).len()];
        let indices = form.all_indices(&outer, &none);
        let mut pairs = Pairs { writer, kernel, form, frame, team, indices: indices.clone(), keys, part: None };
        let sides = columns([(&form.query, form.width), (&gradient.output_gradient, form.value_width)]);
        pairs.each_part(&sides, |pairs| {
            let sums = sum_of_batches(pairs, gradient, &sides, &outer, key);
            let (keys, values) = sums.split_at(sides[0].count);
            pairs.indices = indices;
            pairs.store_row(&gradient.key_gradient, key, sides[0].width, keys);
            pairs.store_row(&gradient.value_gradient, key, sides[1].width, values);
        });
    });
}

/// dK and dV of a key over all batches that share it.
fn sum_of_batches(
    pairs: &mut Pairs<'_>,
    gradient: &AttendGradient,
    sides: &[Columns; 2],
    outer: &[Value],
    key: Value,
) -> Vec<Value> {
    let shared = pairs.form.batch_extents(true);
    let (zero, one) = (pairs.writer.int(0), pairs.writer.int(1));
    let frame = pairs.frame;
    let amount = |writer: &mut Writer, amount| frame.body.amount(writer, amount);
    let count = crate::mlir::kernels::product(pairs.writer, shared.iter().copied(), &amount);
    let mut none = pairs.nothing(&sides[0]);
    none.extend(pairs.nothing(&sides[1]));
    let (open, number, sums) = pairs.writer.begin_for(zero, count, one, &none);
    let inner = frame.body.unravel(pairs.writer, number, &shared);
    pairs.indices = pairs.form.all_indices(outer, &inner);
    let queries = frame.body.amount(pairs.writer, pairs.form.queries);
    let step = pairs.writer.int(WARP as i64);
    let (inner, first, sums) = pairs.writer.begin_for(zero, queries, step, &sums);
    let sums = run_of_queries(pairs, gradient, sides, (first, queries), key, &sums);
    let sums = pairs.writer.end(inner, &sums);
    pairs.writer.end(open, &sums)
}

/// A run of queries that none of which sees the key is passed over.
fn run_of_queries(
    pairs: &mut Pairs<'_>,
    gradient: &AttendGradient,
    sides: &[Columns; 2],
    (first, end): (Value, Value),
    key: Value,
    sums: &[Value],
) -> Vec<Value> {
    let (query, exists, count) = pairs.partner(first, end);
    let (low, high) = pairs.sees(query);
    let after = pairs.writer.compare(Order::LessEqual, low, key);
    let before = pairs.writer.compare(Order::Less, key, high);
    let in_range = pairs.writer.both(after, before);
    let exists = pairs.writer.both(exists, in_range);
    let some = pairs.team.combine(pairs.writer, Combine::Any, exists);
    let types = sums.iter().map(|sum| sum.ty).collect::<Vec<_>>();
    let open = pairs.writer.begin_if(some, &types);
    let pair = pair(pairs, gradient, (query, key), exists);
    let (keys, values) = sums.split_at(sides[0].count);
    let mut next = pairs.add_rows(&sides[0], keys, pair.slope, (first, count), |_, query| query);
    next.extend(pairs.add_rows(&sides[1], values, pair.weight, (first, count), |_, query| query));
    pairs.writer.begin_else(&next);
    pairs.writer.end(open, sums)
}

/// What a pair gives on: p and s, 0 where it does not exist.
struct Pair {
    weight: Value,
    slope: Value,
}

fn pair(pairs: &mut Pairs<'_>, gradient: &AttendGradient, (query, key): (Value, Value), exists: Value) -> Pair {
    let form = pairs.form;
    let operands = pairs.operands(query, key);
    let exists = pairs.holds(exists, &operands);
    let score = pairs.number(&form.score, &operands);
    let zero = pairs.writer.int(0);
    let none = pairs.writer.number(0.0, Type::scalar(Kind::F32));
    let logsum = match &form.logsum {
        Some(logsum) => element(pairs, logsum, query, zero),
        None => none,
    };
    let above = pairs.writer.subtract(score, logsum);
    let weight = pairs.writer.exp(above);
    let weight = pairs.writer.select(exists, weight, none);
    let row = pairs.start(&gradient.output_gradient, query);
    let (output, value) = (pairs.start(&form.output, query), pairs.start(&form.value, key));
    let wanted = (&gradient.output_gradient, row);
    let given = pairs.inner_product(wanted, (&form.output, output), form.value_width);
    let moved = pairs.inner_product(wanted, (&form.value, value), form.value_width);
    let difference = pairs.writer.subtract(moved, given);
    let slope = pairs.number(&gradient.slope, &operands);
    let slope = pairs.writer.multiply(difference, slope);
    let slope = pairs.writer.multiply(weight, slope);
    Pair { weight, slope: pairs.writer.select(exists, slope, none) }
}

fn element(pairs: &mut Pairs<'_>, matrix: &Matrix, row: Value, column: Value) -> Value {
    let start = pairs.start(matrix, row);
    pairs.read(matrix, start, column)
}
