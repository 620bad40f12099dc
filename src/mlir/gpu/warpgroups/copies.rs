//! Pieces of bf16 go from where they lie to their lines in a stage without passing a register (`cp.async`).
//!
//! Of what lies outside of a matrix or past the sum nothing is read, and zeros stand for it.

use super::producers::{Own, Part, Source};
use super::{PIECE, Product};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::Value;

/// Bytes of a piece.
const BYTES: usize = 2 * PIECE;

impl Product<'_> {
    /// Starts the copies of a side's part that lies wholly in the matrix.
    pub(super) fn copy_pieces(&mut self, source: &Source<'_>, own: &Own, part: Part) {
        let all = self.writer.int(BYTES as i64);
        for turn in 0..source.side.turns() {
            let from = self.piece(source, own, part.from, turn);
            let turn = self.writer.int(turn as i64);
            let to = self.target(source.side, own, part.stage, turn);
            self.writer.copy_to_shared(to, from, BYTES, all);
        }
    }

    /// Starts those of another one.
    pub(super) fn copy_what_exists(&mut self, source: &Source<'_>, own: &Own, part: Part) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let turns = self.writer.int(source.side.turns() as i64);
        let (open, turn, _) = self.writer.begin_for(zero, turns, one, &[]);
        let (panel, line) = self.line_of(own, turn);
        let (outer, k) = if source.side.along_sum { (line, own.within) } else { (own.within, line) };
        let outer = self.writer.add(panel, outer);
        let (outer, k) = (self.writer.add(source.first, outer), self.writer.add(part.from, k));
        let given = self.bytes_that_exist(source, outer, k);
        let from = self.address(source, outer, k);
        let to = self.target(source.side, own, part.stage, turn);
        self.writer.copy_to_shared(to, from, BYTES, given);
        self.writer.end(open, &[]);
    }

    /// How many bytes of a piece are in the matrix and in the sum.
    fn bytes_that_exist(&mut self, source: &Source<'_>, outer: Value, k: Value) -> Value {
        let ends = [(outer, source.limit), (k, self.extents[2])];
        let [(along, end), (across, across_end)] = if source.side.along_sum { [ends[1], ends[0]] } else { ends };
        let (zero, piece) = (self.writer.int(0), self.writer.int(PIECE as i64));
        let left = self.writer.subtract(end, along);
        let left = self.writer.minimum(left, piece);
        let left = self.writer.maximum(left, zero);
        let exists = self.writer.compare(Order::Less, across, across_end);
        let left = self.writer.select(exists, left, zero);
        let bytes = self.writer.int((BYTES / PIECE) as i64);
        self.writer.multiply(left, bytes)
    }
}
