//! Partners in shared memory: so many rows of a matrix as 32-bit floats, zeros where there is none.

use super::Stream;
use crate::gpu::{STREAM_WARPS, WARP, WIDE, padded, pitch};
use crate::kernel::{Amount, Matrix};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Value};

/// A matrix of partners.
#[derive(Debug, Clone)]
pub struct Staged {
    matrix: Matrix,
    pub width: usize,
    /// Columns with those that are zeros.
    pub padded: usize,
    /// Elements from row to row.
    pub pitch: usize,
    /// Where it lies.
    pub address: Value,
    /// Elements of a copy.
    run: usize,
    /// The first column, where only a part of them is here.
    from: Option<Value>,
}

/// The number of columns, which is known while compiling.
pub fn columns(width: Amount) -> usize {
    if let Amount::Constant(width) = width { usize::try_from(width).unwrap_or(0) } else { 0 }
}

impl Stream<'_> {
    /// Room for partners of these matrices, side by side; of the last one for the block's part alone, if it is cut.
    pub fn staged(&mut self, matrices: &[(&Matrix, Amount)], last_is_cut: bool) -> Vec<Staged> {
        let partners = self.tiles.partners;
        let is_cut = |place: usize| last_is_cut && place + 1 == matrices.len();
        let own = |stream: &Self, place: usize, width: Amount| match is_cut(place) {
            true => stream.own_columns(width),
            false => padded(columns(width), stream.tiles.precision),
        };
        let columns_of = matrices.iter().enumerate().map(|(place, (_, width))| own(self, place, *width));
        let columns_of = columns_of.collect::<Vec<_>>();
        let pitches = columns_of.iter().map(|width| pitch(*width, self.tiles.precision)).collect::<Vec<_>>();
        let (frame, count) = (self.pairs.frame, pitches.iter().sum::<usize>() * partners);
        let room = frame.shared(self.pairs.writer, "partners", count, Kind::F32);
        let mut before = 0;
        let mut all = Vec::with_capacity(matrices.len());
        for (place, (matrix, width)) in matrices.iter().enumerate() {
            let address = self.pairs.writer.address_at(room, before, Kind::F32);
            before += pitches[place] * partners;
            let from = is_cut(place).then(|| self.first_column(*width));
            let run = if self.tiles.wide[place] { WIDE as usize } else { 1 };
            let (matrix, width) = ((*matrix).clone(), columns(*width));
            let (padded, pitch) = (columns_of[place], pitches[place]);
            all.push(Staged { matrix, width, padded, pitch, address, run, from });
        }
        all
    }

    /// Starts to copy the partners from one on. Of these, the ones in a range exist.
    pub fn copy(
        &mut self,
        to: &Staged,
        from: Value,
        (low, high): (Value, Value),
        row_of: impl Fn(&mut Self, Value) -> Value,
    ) {
        let threads = STREAM_WARPS * WARP;
        let runs = self.tiles.partners * to.padded / to.run;
        let all = self.writer().int(runs as i64);
        for turn in 0..runs.div_ceil(threads) {
            let (skipped, thread) = (self.writer().int((turn * threads) as i64), self.pairs.frame.thread);
            let number = self.writer().add(thread, skipped);
            let open = (runs < (turn + 1) * threads).then(|| {
                let some = self.writer().compare(Order::Less, number, all);
                self.writer().begin_if(some, &[])
            });
            self.copy_run(to, number, from, (low, high), &row_of);
            if let Some(open) = open {
                self.writer().end(open, &[]);
            }
        }
    }

    fn copy_run(
        &mut self,
        to: &Staged,
        number: Value,
        from: Value,
        (low, high): (Value, Value),
        row_of: &impl Fn(&mut Self, Value) -> Value,
    ) {
        let (per_row, length) = (self.writer().int((to.padded / to.run) as i64), self.writer().int(to.run as i64));
        let (zero, width) = (self.writer().int(0), self.writer().int(to.width as i64));
        let line = self.writer().binary("arith.divui", number, per_row);
        let column = self.writer().binary("arith.remui", number, per_row);
        let within = self.writer().multiply(column, length);
        let column = to.from.map_or(within, |first| self.writer().add(first, within));
        let partner = self.writer().add(from, line);
        let after = self.writer().compare(Order::LessEqual, low, partner);
        let before = self.writer().compare(Order::Less, partner, high);
        let exists = self.writer().both(after, before);
        let left = self.writer().subtract(width, column);
        let left = self.writer().minimum(left, length);
        let left = self.writer().maximum(left, zero);
        let given = self.writer().select(exists, left, zero);
        let row = row_of(self, partner);
        let start = self.pairs.start(&to.matrix, row);
        let at = self.writer().add(start, column);
        let source = self.pairs.frame.body.buffers[to.matrix.buffer];
        let source = self.writer().element_address(source, at, Kind::F32);
        let pitch = self.writer().int(to.pitch as i64);
        let target = self.writer().multiply(line, pitch);
        let target = self.writer().add(target, within);
        let target = self.writer().element_address(to.address, target, Kind::F32);
        let bytes = self.writer().int(4);
        let given = self.writer().multiply(given, bytes);
        self.writer().copy_to_shared(target, source, to.run * 4, given);
    }

    /// Waits until all partners are there for all threads.
    pub fn arrive(&mut self) {
        self.writer().commit_copies();
        self.writer().wait_for_copies(0);
        self.writer().wait_for_block();
    }
}
