//! Producers that read each piece of the next part as soon as they have stored that of this one: where all pieces of a part
//! can wait in registers, memory is as long on its way to them as a stage takes.

use super::Product;
use super::producers::{Own, Part, RUNS, Source};
use crate::gpu::{GROUP_DEPTH, WIDE};
use crate::mlir::text::{Kind, Type, Value};

/// What a thread reads at once.
fn run() -> Type {
    Type::vector(Kind::F32, WIDE as usize)
}

impl Product<'_> {
    /// Fills stages with all parts of the sum, of which `whole` says that no piece is cut but in the last.
    pub(super) fn produce_ahead(&mut self, sources: &[Source<'_>; 2], own: &Own, whole: Value) {
        let (zero, one, depth) = (self.writer.int(0), self.writer.int(1), self.writer.int(GROUP_DEPTH as i64));
        let mut carried = vec![zero, one];
        carried.extend(self.first_part(sources, own, whole));
        let (open, from, state) = self.writer.begin_for(zero, self.extents[2], depth, &carried);
        let part = Part { from, stage: state[0], parity: state[1] };
        self.wait_until_empty(part);
        let inside = self.is_inside(from, whole);
        let inner = self.writer.begin_if(inside, &vec![run(); state.len() - 2]);
        sources.iter().filter(|source| source.side.is_copied).for_each(|source| self.copy_pieces(source, own, part));
        let read = self.store_and_read(sources, own, part, (whole, &state[2..]));
        self.writer.begin_else(&read);
        self.bring_what_exists(sources, own, part);
        let read = self.writer.end(inner, &state[2..]);
        self.tell(sources, part.stage);
        let (stage, parity) = self.next(part.stage, part.parity);
        self.writer.end(open, &[&[stage, parity], read.as_slice()].concat());
    }

    /// All pieces of the first part, if it can be brought by whole ones.
    fn first_part(&mut self, sources: &[Source<'_>; 2], own: &Own, whole: Value) -> Vec<Value> {
        let (zero, pieces) = (self.writer.int(0), self.pieces(sources));
        let none = vec![self.writer.number(0.0, run()); pieces.len() * RUNS];
        let inside = self.is_inside(zero, whole);
        let open = self.writer.begin_if(inside, &vec![run(); none.len()]);
        let read = pieces.into_iter().flat_map(|(source, turn)| self.read_runs(source, own, zero, turn));
        let read = read.collect::<Vec<_>>();
        self.writer.begin_else(&read);
        self.writer.end(open, &none)
    }

    /// Stores the pieces of a part, and reads those of the next; after the last whole part the same ones again, which
    /// nobody stores.
    fn store_and_read(
        &mut self,
        sources: &[Source<'_>; 2],
        own: &Own,
        part: Part,
        (whole, read): (Value, &[Value]),
    ) -> Vec<Value> {
        let depth = self.writer.int(GROUP_DEPTH as i64);
        let next = self.writer.add(part.from, depth);
        let inside = self.is_inside(next, whole);
        let next = self.writer.select(inside, next, part.from);
        let mut after = Vec::with_capacity(read.len());
        for ((source, turn), runs) in self.pieces(sources).into_iter().zip(read.chunks_exact(RUNS)) {
            let numbers = self.numbers(runs);
            self.store_piece(source, own, part, turn, &numbers);
            after.extend(self.read_runs(source, own, next, turn));
        }
        after
    }
}
