//! Streamed attention on tensor cores, forward and backward (Dao 2023, arXiv 2307.08691).
//!
//! A block has 64 rows, each of its warps 16 of them: queries, or keys where gradients are taken by keys. Its partners
//! come to shared memory some at a time ([`staging`]). The products of rows and partners are fragments in registers
//! ([`fragments`]); what is computed of each pair stays there, and is a factor of the next product.
//! Order: [`forward`], [`queries`] and [`keys`] for the gradients.

mod forward;
mod fragments;
mod keys;
mod queries;
mod staging;

pub use forward::write as write_forward;
pub use keys::write as write_keys;
pub use queries::write as write_queries;

use super::Frame;
use super::pairs::Pairs;
use super::team::Team;
use crate::gpu::{STREAM_ROWS, Streamed, WARP, padded};
use crate::kernel::{Amount, Attend, Kernel, Matrix};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::model::Combine;
use staging::columns;

/// What an entry is made with: the tiles, and the frame.
type Made<'a> = (&'a Streamed, &'a Frame<'a>);

/// Rows of a fragment.
const FRAGMENT_ROWS: usize = 16;
/// Columns of a fragment of sums, and partners.
const FRAGMENT_COLUMNS: usize = 8;

/// The state while one entry is written.
struct Stream<'a> {
    pairs: Pairs<'a>,
    tiles: &'a Streamed,
    /// The thread's number in its warp is 4 g + t.
    g: Value,
    t: Value,
    /// The block's part of the columns of sums.
    part: Value,
    /// The block's first row.
    first: Value,
    /// The thread's rows, g and g + 8 of its warp's; past the last one the last one stands in.
    rows: [Value; 2],
    /// Whether they exist.
    exist: [Value; 2],
}

/// Which rows the blocks have: batches outermost, then tiles of rows, parts of columns innermost.
struct Grid<'g> {
    batch: &'g [Amount],
    rows: Amount,
    /// The last rows first: they take longest where a row sees what came before it.
    last_first: bool,
}

impl<'a> Stream<'a> {
    /// The block's rows, and its batch indices.
    fn begin(
        writer: &'a mut Writer,
        kernel: &'a Kernel,
        form: &'a Attend,
        (tiles, frame): Made<'a>,
        grid: &Grid<'_>,
    ) -> (Stream<'a>, Vec<Value>) {
        let rows = frame.body.amount(writer, grid.rows);
        let keys = frame.body.amount(writer, form.keys);
        let (size, one) = (writer.int(STREAM_ROWS as i64), writer.int(1));
        let (count, parts) = (writer.ceil_divide(rows, size), writer.int(tiles.parts as i64));
        let part = writer.binary("arith.remui", frame.block, parts);
        let rest = writer.binary("arith.divui", frame.block, parts);
        let mut tile = writer.binary("arith.remui", rest, count);
        let batch = writer.binary("arith.divui", rest, count);
        let batch = frame.body.unravel(writer, batch, grid.batch);
        if grid.last_first {
            let last = writer.subtract(count, one);
            tile = writer.subtract(last, tile);
        }
        let first = writer.multiply(tile, size);
        let threads = frame.entry.threads.block;
        let scratch = frame.shared(writer, "scratch", threads / WARP, Kind::F64);
        let team = Team { threads, member: frame.thread, scratch: Some(scratch) };
        let (warp, four) = (writer.int(WARP as i64), writer.int(4));
        let lane = writer.binary("arith.remui", frame.thread, warp);
        let warp = writer.binary("arith.divui", frame.thread, warp);
        let (g, t) = (writer.binary("arith.divui", lane, four), writer.binary("arith.remui", lane, four));
        let own = writer.int(FRAGMENT_ROWS as i64);
        let own = writer.multiply(warp, own);
        let own = writer.add(own, g);
        let own = writer.add(first, own);
        let last = writer.subtract(rows, one);
        let row = [0, 8].map(|skipped| {
            let skipped = writer.int(skipped);
            writer.add(own, skipped)
        });
        let exist = row.map(|row| writer.compare(Order::Less, row, rows));
        let rows = row.map(|row| writer.minimum(row, last));
        let pairs = Pairs { writer, kernel, form, frame, team, indices: Vec::new(), keys, part: None };
        (Stream { pairs, tiles, g, t, part, first, rows, exist }, batch)
    }

    fn writer(&mut self) -> &mut Writer {
        self.pairs.writer
    }

    fn none(&mut self) -> Value {
        self.writer().number(0.0, Type::scalar(Kind::F32))
    }

    /// A value of the four threads that share rows, combined; all of them have it.
    fn of_row(&mut self, combine: Combine, value: Value) -> Value {
        [1, 2].into_iter().fold(value, |value, bits| {
            let other = self.writer().from_partner(value, bits);
            self.writer().combine(combine, value, other)
        })
    }

    /// The least and the greatest of all threads' ranges.
    fn range(&mut self, ranges: [(Value, Value); 2]) -> (Value, Value) {
        let [(low, high), (other_low, other_high)] = ranges;
        let (low, high) = (self.writer().minimum(low, other_low), self.writer().maximum(high, other_high));
        let team = self.pairs.team;
        let low = team.combine(self.writer(), Combine::Minimum, low);
        (low, team.combine(self.writer(), Combine::Maximum, high))
    }

    /// The place of a number of a fragment among the thread's: which of its two rows, and which partner from the first
    /// one of the tile on.
    fn partner(&mut self, from: Value, place: usize) -> (usize, Value) {
        let (two, skipped) = (self.writer().int(2), place / 4 * FRAGMENT_COLUMNS + place % 2);
        let t = self.t;
        let along = self.writer().multiply(t, two);
        let skipped = self.writer().int(skipped as i64);
        let along = self.writer().add(along, skipped);
        (place % 4 / 2, self.writer().add(from, along))
    }

    /// Columns of the block's part of sums of this width.
    fn own_columns(&self, width: Amount) -> usize {
        padded(columns(width), self.tiles.precision) / self.tiles.parts
    }

    /// How many numbers of them a thread has.
    fn own_sums(&self, width: Amount) -> usize {
        self.own_columns(width) / FRAGMENT_COLUMNS * 4
    }

    /// The first key of the first tile of a range, and how many keys a tile has: tiles start at its multiples.
    fn first_tile(&mut self, low: Value) -> (Value, Value) {
        let step = self.at_once();
        let begin = self.writer().binary("arith.divui", low, step);
        (self.writer().multiply(begin, step), step)
    }

    /// The first column of the part.
    fn first_column(&mut self, width: Amount) -> Value {
        let own = self.own_columns(width) as i64;
        let (own, part) = (self.writer().int(own), self.part);
        self.writer().multiply(part, own)
    }

    /// Stores the thread's sums as elements of its rows.
    fn store(&mut self, matrix: &Matrix, width: Amount, sums: &[Value]) {
        let from = self.first_column(width);
        let end = self.pairs.frame.body.amount(self.pairs.writer, width);
        let starts = self.rows.map(|row| self.pairs.start(matrix, row));
        for (place, &sum) in sums.iter().enumerate() {
            let (row, column) = self.partner(from, place);
            let inside = self.writer().compare(Order::Less, column, end);
            let exists = self.exist[row];
            let inside = self.writer().both(inside, exists);
            let open = self.writer().begin_if(inside, &[]);
            self.pairs.write(matrix, starts[row], column, sum);
            self.writer().end(open, &[]);
        }
    }

    /// The inner products of the thread's rows of two matrices.
    fn inner_products(&mut self, left: &Matrix, right: &Matrix, width: Amount) -> [Value; 2] {
        self.rows.map(|row| {
            let starts = [left, right].map(|matrix| self.pairs.start(matrix, row));
            let sum = self.part_of_inner_product((left, starts[0]), (right, starts[1]), width, (self.t, 4));
            self.of_row(Combine::Sum, sum)
        })
    }

    /// Every so many products of an inner product, from one on.
    fn part_of_inner_product(
        &mut self,
        left: (&Matrix, Value),
        right: (&Matrix, Value),
        width: Amount,
        (from, step): (Value, i64),
    ) -> Value {
        let none = self.none();
        let end = self.pairs.frame.body.amount(self.pairs.writer, width);
        let step = self.writer().int(step);
        let (open, column, sums) = self.writer().begin_for(from, end, step, &[none]);
        let (a, b) = (self.pairs.read(left.0, left.1, column), self.pairs.read(right.0, right.1, column));
        let sum = self.writer().multiply_add(a, b, sums[0]);
        self.writer().end(open, &[sum])[0]
    }
}
