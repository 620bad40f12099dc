//! The gradients by keys and values: rows are keys, over tiles of the queries of all batches that share them.

use super::fragments::Left;
use super::queries::Known;
use super::staging::{Staged, columns};
use super::{Grid, Made, Stream};
use crate::gpu::{STREAM_ROWS, STREAM_WARPS, WARP};
use crate::kernel::{AttendGradient, Kernel};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::model::Combine;

/// Writes the body of the entry.
pub fn write(writer: &mut Writer, kernel: &Kernel, gradient: &AttendGradient, made: Made<'_>) {
    let form = &gradient.forward;
    let grid = Grid { batch: &form.batch_extents(false), rows: form.keys, last_first: false };
    let (mut stream, outer) = Stream::begin(writer, kernel, form, made, &grid);
    // Along shared batches K, V, dK and dV have a stride of 0.
    let zero = stream.writer().int(0);
    let own = form.all_indices(&outer, &vec![zero; form.batch_extents(true).len()]);
    stream.pairs.indices.clone_from(&own);
    let sums = stream.key_gradients(gradient, &outer);
    stream.pairs.indices = own;
    let (keys, values) = sums.split_at(stream.own_sums(form.width));
    stream.store(&gradient.key_gradient, form.width, keys);
    stream.store(&gradient.value_gradient, form.value_width, values);
}

/// What is known of the queries of a tile, in shared memory: a number for each.
struct Queries {
    low: Value,
    high: Value,
    logsum: Value,
    given: Value,
}

impl Stream<'_> {
    fn key_gradients(&mut self, gradient: &AttendGradient, outer: &[Value]) -> Vec<Value> {
        let form = self.pairs.form;
        let matrices = [(&form.query, form.width), (&gradient.output_gradient, form.value_width)];
        let staged = self.staged(&matrices, false);
        let count = self.own_sums(form.width) + self.own_sums(form.value_width);
        let held = self.holds(&matrices, count, 2);
        let queries = self.room_for_queries();
        let left =
            [self.left(&form.key, columns(form.width), held), self.left(&form.value, columns(form.value_width), held)];
        let shared = form.batch_extents(true);
        let (zero, one, none) = (self.writer().int(0), self.writer().int(1), self.none());
        let frame = self.pairs.frame;
        let amount = |writer: &mut Writer, amount| frame.body.amount(writer, amount);
        let turns = crate::mlir::kernels::product(self.pairs.writer, shared.iter().copied(), &amount);
        let initial = vec![none; count];
        let (open, number, sums) = self.writer().begin_for(zero, turns, one, &initial);
        let inner = frame.body.unravel(self.pairs.writer, number, &shared);
        self.pairs.indices = form.all_indices(outer, &inner);
        let (end, step) = (frame.body.amount(self.pairs.writer, form.queries), self.at_once());
        let (tiles, first, sums) = self.writer().begin_for(zero, end, step, &sums);
        let sums = self.tile_of_queries(gradient, (&left, &staged, &queries), (first, end), &sums);
        let sums = self.writer().end(tiles, &sums);
        self.writer().end(open, &sums)
    }

    fn room_for_queries(&mut self) -> Queries {
        let (frame, count) = (self.pairs.frame, self.tiles.partners);
        let mut room = |name: &str, kind| frame.shared(self.pairs.writer, name, count, kind);
        Queries {
            low: room("low", Kind::I64),
            high: room("high", Kind::I64),
            logsum: room("logsum", Kind::F32),
            given: room("given", Kind::F32),
        }
    }

    /// A tile of which no query sees a key of the block is passed over.
    fn tile_of_queries(
        &mut self,
        gradient: &AttendGradient,
        parts: (&[Left; 2], &[Staged], &Queries),
        (first, end): (Value, Value),
        sums: &[Value],
    ) -> Vec<Value> {
        let (_, staged, queries) = parts;
        self.writer().wait_for_block();
        let sees = self.keep_ranges(queries, (first, end));
        let team = self.pairs.team;
        let some = team.combine(self.writer(), Combine::Any, sees);
        let types = sums.iter().map(|sum| sum.ty).collect::<Vec<_>>();
        let open = self.writer().begin_if(some, &types);
        let zero = self.writer().int(0);
        for partners in staged {
            self.copy(partners, first, (zero, end), |_, query| query);
        }
        self.keep_numbers(gradient, queries, (first, end));
        self.arrive();
        let next = self.add_tile(gradient, parts, (first, end), sums);
        self.writer().begin_else(&next);
        self.writer().end(open, sums)
    }

    /// The query of the tile that some threads side by side look at: its number in the tile, the thread's number among
    /// them, the query, or the last one, and whether it exists.
    fn own_query(&mut self, (first, end): (Value, Value)) -> (Value, Value, Value, Value) {
        let each = self.each() as i64;
        let each = self.writer().int(each);
        let (thread, one) = (self.pairs.frame.thread, self.writer().int(1));
        let number = self.writer().binary("arith.divui", thread, each);
        let member = self.writer().binary("arith.remui", thread, each);
        let query = self.writer().add(first, number);
        let exists = self.writer().compare(Order::Less, query, end);
        let last = self.writer().subtract(end, one);
        (number, member, self.writer().minimum(query, last), exists)
    }

    /// Threads that look at one query of the tile.
    fn each(&self) -> usize {
        STREAM_WARPS * WARP / self.tiles.partners
    }

    /// Writes the range of each query; whether this thread's query sees a key of the block.
    fn keep_ranges(&mut self, queries: &Queries, span: (Value, Value)) -> Value {
        let (number, _, query, exists) = self.own_query(span);
        let (low, high) = self.pairs.sees(query);
        let zero = self.writer().int(0);
        let high = self.writer().select(exists, high, zero);
        for (room, value) in [(queries.low, low), (queries.high, high)] {
            let address = self.writer().element_address(room, number, Kind::I64);
            self.writer().store(address, value);
        }
        let (size, begin) = (self.writer().int(STREAM_ROWS as i64), self.first);
        let after = self.writer().add(begin, size);
        let before_end = self.writer().compare(Order::Less, low, after);
        let after_begin = self.writer().compare(Order::Less, begin, high);
        self.writer().both(before_end, after_begin)
    }

    /// Writes L and D of each query.
    fn keep_numbers(&mut self, gradient: &AttendGradient, queries: &Queries, span: (Value, Value)) {
        let form = self.pairs.form;
        let (number, member, query, _) = self.own_query(span);
        let (left, right) = (&gradient.output_gradient, &form.output);
        let starts = [left, right].map(|matrix| self.pairs.start(matrix, query));
        let each = self.each();
        let part = (member, each as i64);
        let mut given = self.part_of_inner_product((left, starts[0]), (right, starts[1]), form.value_width, part);
        for bits in [1, 2, 4].into_iter().filter(|bits| bits < &each) {
            let other = self.writer().from_partner(given, bits as i64);
            given = self.writer().add(given, other);
        }
        let zero = self.writer().int(0);
        let logsum = self.logsum(query, zero);
        for (room, value) in [(queries.logsum, logsum), (queries.given, given)] {
            let address = self.writer().element_address(room, number, Kind::F32);
            self.writer().store(address, value);
        }
    }

    /// Adds what the queries of a tile give to keys and values.
    fn add_tile(
        &mut self,
        gradient: &AttendGradient,
        (left, staged, queries): (&[Left; 2], &[Staged], &Queries),
        (first, end): (Value, Value),
        sums: &[Value],
    ) -> Vec<Value> {
        let [mut slopes, mut weights] = self.both_products(left, staged);
        let (zero, one) = (self.writer().int(0), self.writer().int(1));
        let last = self.writer().subtract(end, one);
        for (place, slope) in slopes.iter_mut().enumerate() {
            let (row, number) = self.partner(zero, place);
            let query = self.writer().add(first, number);
            let query = self.writer().minimum(query, last);
            let known = self.known(queries, number, self.rows[row]);
            let products = [*slope, weights[place]];
            [weights[place], *slope] = self.pair(gradient, (query, self.rows[row]), products, &known);
        }
        let (keys, values) = sums.split_at(self.own_sums(gradient.forward.width));
        let (mut keys, mut values) = (keys.to_vec(), values.to_vec());
        let form = &gradient.forward;
        let from = [form.width, form.value_width].map(|width| self.first_column(width));
        self.add_partners(&slopes, &staged[0], from[0], &mut keys);
        self.add_partners(&weights, &staged[1], from[1], &mut values);
        keys.extend(values);
        keys
    }

    fn known(&mut self, queries: &Queries, number: Value, key: Value) -> Known {
        let mut read = |room, kind| {
            let address = self.writer().element_address(room, number, kind);
            self.writer().load(address, Type::scalar(kind))
        };
        let range = (read(queries.low, Kind::I64), read(queries.high, Kind::I64));
        let (logsum, given) = (read(queries.logsum, Kind::F32), read(queries.given, Kind::F32));
        Known { in_range: self.in_range(key, range), logsum, given }
    }
}
