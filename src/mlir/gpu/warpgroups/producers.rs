//! A warpgroup brings parts of A and B: 32-bit floats are read, rounded, and stored in lines of bf16; bf16 is copied
//! ([`super::copies`]) while those are on their way.
//!
//! A thread has the same place in every 16th line, and there a piece of 8 elements. Of a part that lies wholly in the sum
//! all pieces are read at once, by 16 bytes; places beside a matrix are those of its last row or column, which nobody
//! stores. In the last part elements are read one by one, and those past the sum are zeros.

use super::{Barrier, LINES, PIECE, Product, Side};
use crate::gpu::{GROUP_DEPTH, GROUP_ROWS, PANEL_BYTES, WIDE};
use crate::mlir::arithmetic::Order;
use crate::mlir::gpu::factors::Factor;
use crate::mlir::text::{Kind, Type, Value};

/// So many pieces are on their way to a thread's registers at once.
const AHEAD: usize = 8;
/// Runs of a piece that are read at once.
pub(super) const RUNS: usize = PIECE / WIDE as usize;
/// Turns of the producers from 64 rows of a stage to the next.
const TURNS_OF_PANEL: usize = GROUP_ROWS / LINES;

/// What is the same for a thread in all parts.
pub(super) struct Own {
    /// Its line, and its first element in it.
    pub(super) line: Value,
    pub(super) within: Value,
    /// Bytes from the start of a side to its piece.
    bytes: Value,
}

/// A part of the sum: where it starts, the stage that it goes to, and the parity of that stage's phases.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) from: Value,
    pub(super) stage: Value,
    pub(super) parity: Value,
}

/// A side while it is brought.
pub(super) struct Source<'s> {
    pub(super) side: &'s Side,
    /// The tile's first place, and one past the last of the matrix.
    pub(super) first: Value,
    pub(super) limit: Value,
    /// Where the matrix starts.
    start: Value,
}

impl Product<'_> {
    /// Fills stages with all parts of the sum.
    pub(super) fn produce(&mut self, sides: &[Side; 2]) {
        let own = self.own();
        let sources = [0, 1].map(|place| self.source(&sides[place], place));
        let whole = sources.each_ref().map(|source| self.has_whole_pieces(source));
        let whole = self.writer.both(whole[0], whole[1]);
        if self.pieces(&sources).len() <= AHEAD {
            return self.produce_ahead(&sources, &own, whole);
        }
        let (zero, one, depth) = (self.writer.int(0), self.writer.int(1), self.writer.int(GROUP_DEPTH as i64));
        let (open, from, state) = self.writer.begin_for(zero, self.extents[2], depth, &[zero, one]);
        let part = Part { from, stage: state[0], parity: state[1] };
        let inside = self.is_inside(from, whole);
        let inner = self.writer.begin_if(inside, &[]);
        self.bring_pieces(&sources, &own, part);
        self.writer.begin_else(&[]);
        self.wait_until_empty(part);
        self.bring_what_exists(&sources, &own, part);
        self.writer.end(inner, &[]);
        self.tell(&sources, part.stage);
        let (stage, parity) = self.next(part.stage, part.parity);
        self.writer.end(open, &[stage, parity]);
    }

    /// The pieces of all sides that are read, by turns.
    pub(super) fn pieces<'s, 'f>(&self, sources: &'s [Source<'f>; 2]) -> Vec<(&'s Source<'f>, usize)> {
        let read = sources.iter().filter(|source| !source.side.is_copied);
        read.flat_map(|source| (0..source.side.turns()).map(move |turn| (source, turn))).collect()
    }

    /// Whether a part can be brought by whole pieces.
    pub(super) fn is_inside(&mut self, from: Value, whole: Value) -> Value {
        let depth = self.writer.int(GROUP_DEPTH as i64);
        let end = self.writer.add(from, depth);
        let inside = self.writer.compare(Order::LessEqual, end, self.extents[2]);
        self.writer.both(inside, whole)
    }

    pub(super) fn bring_what_exists(&mut self, sources: &[Source<'_>; 2], own: &Own, part: Part) {
        for source in sources {
            match source.side.is_copied {
                true => self.copy_what_exists(source, own, part),
                false => self.bring_elements(source, own, part),
            }
        }
    }

    /// The thread's pieces of a stage are there, or will be when its copies are.
    pub(super) fn tell(&mut self, sources: &[Source<'_>; 2], stage: Value) {
        let full = self.barrier(Barrier::Full, stage);
        if sources.iter().any(|source| !source.side.is_copied) {
            self.writer.show_to_products();
            self.writer.arrive(full);
        }
        if sources.iter().any(|source| source.side.is_copied) {
            self.writer.arrive_after_copies(full);
        }
    }

    fn own(&mut self) -> Own {
        let pieces = self.writer.int(PIECE as i64);
        let line = self.writer.binary("arith.divui", self.frame.thread, pieces);
        let piece = self.writer.binary("arith.remui", self.frame.thread, pieces);
        let within = self.writer.multiply(piece, pieces);
        // In every line the pieces stand in another order, so that those of a column are in all banks.
        let order = self.writer.binary("arith.remui", line, pieces);
        let place = self.writer.binary("arith.xori", piece, order);
        let (of_line, of_piece) = (self.writer.int(128), self.writer.int(16));
        let (down, along) = (self.writer.multiply(line, of_line), self.writer.multiply(place, of_piece));
        Own { line, within, bytes: self.writer.add(down, along) }
    }

    fn source<'s>(&mut self, side: &'s Side, place: usize) -> Source<'s> {
        let limit = side.factor.limit(self.writer, self.extents[place]);
        let start = side.factor.start(self.writer, self.frame, &self.batch);
        Source { side, first: self.first[place], limit, start }
    }

    /// Whether no piece is cut by the matrix's end, but for the end of the sum.
    fn has_whole_pieces(&mut self, source: &Source<'_>) -> Value {
        let is_padded = matches!(source.side.factor, Factor::Panels(..));
        let (zero, pieces) = (self.writer.int(0), self.writer.int(PIECE as i64));
        let left = match is_padded || source.side.along_sum {
            true => zero,
            false => self.writer.binary("arith.remui", source.limit, pieces),
        };
        self.writer.compare(Order::Equal, left, zero)
    }

    pub(super) fn wait_until_empty(&mut self, part: Part) {
        let empty = self.barrier(Barrier::Empty, part.stage);
        self.writer.wait_for_phase(empty, part.parity);
    }

    /// Brings a part by whole pieces, of which some are always on their way.
    fn bring_pieces(&mut self, sources: &[Source<'_>; 2], own: &Own, part: Part) {
        let pieces = self.pieces(sources);
        // Where copies go on from has registers too.
        let is_copied = sources.iter().any(|source| source.side.is_copied);
        let ahead = if is_copied { AHEAD - 2 } else { AHEAD };
        let mut read = Vec::with_capacity(pieces.len());
        for place in 0..pieces.len() + ahead {
            if let Some((source, turn)) = pieces.get(place) {
                read.push(self.read_runs(source, own, part.from, *turn));
            }
            if place + 1 == ahead {
                self.wait_until_empty(part);
                let copied = sources.iter().filter(|source| source.side.is_copied);
                copied.for_each(|source| self.copy_pieces(source, own, part));
            }
            if let Some(before) = place.checked_sub(ahead) {
                let (source, turn) = pieces[before];
                let numbers = self.numbers(&read[before]);
                self.store_piece(source, own, part, turn, &numbers);
            }
        }
    }

    /// Eight elements, in runs that are read at once.
    pub(super) fn read_runs(&mut self, source: &Source<'_>, own: &Own, from: Value, turn: usize) -> Vec<Value> {
        let address = self.piece(source, own, from, turn);
        let run = |run: usize| {
            let address = self.writer.address_at(address, run * WIDE as usize, Kind::F32);
            self.writer.load_aligned(address, Type::vector(Kind::F32, WIDE as usize))
        };
        (0..RUNS).map(run).collect()
    }

    pub(super) fn numbers(&mut self, runs: &[Value]) -> Vec<Value> {
        let lanes = runs.iter().flat_map(|run| (0..WIDE as usize).map(move |lane| (*run, lane)));
        lanes.map(|(run, lane)| self.writer.lane(run, lane)).collect()
    }

    pub(super) fn store_piece(&mut self, source: &Source<'_>, own: &Own, part: Part, turn: usize, numbers: &[Value]) {
        let words = self.rounded(numbers);
        let turn = self.writer.int(turn as i64);
        self.store(source.side, own, part.stage, turn, &words);
    }

    /// Where the thread's piece of a turn is, of a part that is brought by whole pieces.
    pub(super) fn piece(&mut self, source: &Source<'_>, own: &Own, from: Value, turn: usize) -> Value {
        let along_sum = source.side.along_sum;
        let panel = turn / TURNS_OF_PANEL * GROUP_ROWS;
        let line = turn % TURNS_OF_PANEL * LINES;
        let (outer, k) = if along_sum { (own.line, own.within) } else { (own.within, own.line) };
        let (outer_skipped, k_skipped) = if along_sum { (panel + line, 0) } else { (panel, line) };
        let [outer_skipped, k_skipped] = [outer_skipped, k_skipped].map(|skipped| self.writer.int(skipped as i64));
        let last = self.writer.int(if along_sum { 1 } else { PIECE as i64 });
        let last = self.writer.subtract(source.limit, last);
        let outer = self.writer.add(outer, outer_skipped);
        let outer = self.writer.add(source.first, outer);
        let outer = self.writer.minimum(outer, last);
        let k = self.writer.add(k, k_skipped);
        let k = self.writer.add(from, k);
        self.address(source, outer, k)
    }

    pub(super) fn address(&mut self, source: &Source<'_>, outer: Value, k: Value) -> Value {
        let factor = &source.side.factor;
        let at = factor.at(self.writer, self.frame, (source.start, self.extents[2]), (outer, k));
        let kind = if source.side.is_copied { Kind::I16 } else { Kind::F32 };
        self.writer.element_address(self.frame.body.buffers[factor.buffer()], at, kind)
    }

    /// The rows that a turn begins at, and the thread's line of it.
    pub(super) fn line_of(&mut self, own: &Own, turn: Value) -> (Value, Value) {
        let (panel_turns, lines) = (self.writer.int(TURNS_OF_PANEL as i64), self.writer.int(LINES as i64));
        let rows = self.writer.int(GROUP_ROWS as i64);
        let panel = self.writer.binary("arith.divui", turn, panel_turns);
        let panel = self.writer.multiply(panel, rows);
        let line = self.writer.binary("arith.remui", turn, panel_turns);
        let line = self.writer.multiply(line, lines);
        (panel, self.writer.add(own.line, line))
    }

    /// Brings a side of a part one by one.
    fn bring_elements(&mut self, source: &Source<'_>, own: &Own, part: Part) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let turns = self.writer.int(source.side.turns() as i64);
        let (open, turn, _) = self.writer.begin_for(zero, turns, one, &[]);
        let (panel, line) = self.line_of(own, turn);
        let numbers = (0..PIECE).map(|place| {
            let skipped = self.writer.int(place as i64);
            let within = self.writer.add(own.within, skipped);
            let (outer, k) = if source.side.along_sum { (line, within) } else { (within, line) };
            let outer = self.writer.add(panel, outer);
            self.read_element(source, outer, k, part.from)
        });
        let numbers = numbers.collect::<Vec<_>>();
        let words = self.rounded(&numbers);
        self.store(source.side, own, part.stage, turn, &words);
        self.writer.end(open, &[]);
    }

    /// An element of the tile, or 0 past the sum.
    fn read_element(&mut self, source: &Source<'_>, outer: Value, k: Value, from: Value) -> Value {
        let one = self.writer.int(1);
        let (last, last_k) = (self.writer.subtract(source.limit, one), self.writer.subtract(self.extents[2], one));
        let outer = self.writer.add(source.first, outer);
        let outer = self.writer.minimum(outer, last);
        let k = self.writer.add(from, k);
        let some = self.writer.compare(Order::Less, k, self.extents[2]);
        let k = self.writer.minimum(k, last_k);
        let address = self.address(source, outer, k);
        let float = Type::scalar(Kind::F32);
        let value = self.writer.load(address, float);
        let none = self.writer.number(0.0, float);
        self.writer.select(some, value, none)
    }

    fn rounded(&mut self, numbers: &[Value]) -> Vec<Value> {
        numbers.chunks_exact(2).map(|pair| self.writer.to_bf16([pair[0], pair[1]])).collect()
    }

    /// Where the thread's piece of a turn goes.
    pub(super) fn target(&mut self, side: &Side, own: &Own, stage: Value, turn: Value) -> Value {
        let start = self.part_of_stage(side, stage);
        let bytes = self.writer.int((PANEL_BYTES / TURNS_OF_PANEL) as i64);
        let skipped = self.writer.multiply(turn, bytes);
        let start = self.writer.element_address(start, own.bytes, Kind::I8);
        self.writer.element_address(start, skipped, Kind::I8)
    }

    /// Stores it.
    fn store(&mut self, side: &Side, own: &Own, stage: Value, turn: Value, words: &[Value]) {
        let address = self.target(side, own, stage, turn);
        let four = Type::vector(Kind::I32, words.len());
        let list = words.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        let piece = self.writer.define(four, format!("vector.from_elements {list} : {four}"));
        self.writer.store_aligned(address, piece);
    }
}
