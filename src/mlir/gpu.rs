//! Kernels as code of a GPU: one function for each [`Entry`] of the schedule in [`crate::gpu`].
//!
//! In: the entries of some programs. Out: a module of kernels that lowers to the `llvm` and `nvvm` dialects. Scalars are
//! written by what writes them for a CPU ([`super::scalar`], [`super::functions`], [`super::mathematics`], statements of
//! [`super::nest`]), so that both targets have one definition of each function; no library is called.
//!
//! A function's parameters are the addresses of its buffers, then its sizes as whole numbers of 64 bits.

mod asynchronous;
mod attention;
mod backward;
mod factors;
mod few;
mod fragments;
mod pairs;
mod panels;
mod probe;
mod streamed;
mod team;
mod tensor;
mod threads;
mod tiles;
mod updates;
mod warpgroups;

pub use team::Team;

use super::body::Body;
use super::memory::{Lanes, Place};
use super::text::{Kind, Type, Value, Writer};
use crate::gpu::{Entries, Entry, PANEL, Part, WARP};
use crate::kernel::{Amount, Kernel};

/// The text of the module of some entries.
pub fn write(entries: &Entries) -> String {
    let mut writer = Writer::new(true);
    writer.without_library();
    for written in &entries.kernels {
        for (symbol, entry) in &written.entries {
            write_entry(&mut writer, symbol, &written.kernel, entry);
        }
    }
    entries.updates.iter().for_each(|&update| updates::write(&mut writer, update));
    entries.probe.into_iter().for_each(|precision| probe::write(&mut writer, precision));
    writer.finish()
}

fn write_entry(writer: &mut Writer, symbol: &str, kernel: &Kernel, entry: &Entry) {
    let frame = Frame::begin(writer, symbol, kernel, entry);
    match &entry.part {
        Part::Turns(turns) => {
            let extents = turns.nest.parallel.iter().map(|parallel| parallel.extent).collect::<Vec<_>>();
            frame.each_turn(writer, &extents, |writer, turn, team| {
                let team = (entry.threads.team > 1).then_some(team);
                super::nest::write_turn(writer, kernel, &turns.nest, frame.body.clone(), turn, team);
            });
        }
        Part::Tiles(form) => tiles::write(writer, kernel, form, &frame),
        Part::Few(form, _, rows) => few::write(writer, kernel, form, *rows, &frame),
        Part::Fragments(part) => fragments::write(writer, kernel, part, &frame),
        Part::Warpgroups(part) => warpgroups::write(writer, kernel, part, &frame),
        Part::Panels(form) => panels::write(writer, kernel, form, &frame),
        Part::Queries(form) => attention::write(writer, kernel, form, &frame),
        Part::QueryTiles(form, tiles) => streamed::write_forward(writer, kernel, form, (tiles, &frame)),
        Part::QueryGradient(form) => backward::write_queries(writer, kernel, form, &frame),
        Part::QueryGradientTiles(form, tiles) => streamed::write_queries(writer, kernel, form, (tiles, &frame)),
        Part::KeyGradient(form) => backward::write_keys(writer, kernel, form, &frame),
        Part::KeyGradientTiles(form, tiles) => streamed::write_keys(writer, kernel, form, (tiles, &frame)),
    }
    writer.end_function();
}

/// What every entry begins with: its parameters and its place in the grid.
struct Frame<'e> {
    symbol: &'e str,
    entry: &'e Entry,
    body: Body,
    /// The thread's number in its block.
    thread: Value,
    /// The block's number.
    block: Value,
}

impl<'e> Frame<'e> {
    fn begin(writer: &mut Writer, symbol: &'e str, kernel: &Kernel, entry: &'e Entry) -> Frame<'e> {
        let (pointer, int) = (Type::scalar(Kind::Pointer), Type::scalar(Kind::I64));
        let buffers = kernel.buffers.iter().map(|_| pointer);
        let parameters = buffers.chain((0..kernel.sizes).map(|_| int)).collect::<Vec<_>>();
        let threads = entry.threads.block;
        let registers =
            entry.registers().map_or(String::new(), |registers| format!(", nvvm.maxnreg = {registers} : i32"));
        let attributes = format!("attributes {{nvvm.kernel, nvvm.maxntid = array<i32: {threads}>{registers}}} ");
        let parameters = writer.begin_function("", symbol, &parameters, &attributes);
        let (thread, block) = (writer.thread(threads), writer.block());
        let (buffers, sizes) = parameters.split_at(kernel.buffers.len());
        let body = Body { buffers: buffers.to_vec(), sizes: sizes.to_vec(), begin: block, end: block };
        Frame { symbol, entry, body, thread, block }
    }

    /// Reads an element of a buffer.
    fn read(&self, writer: &mut Writer, kernel: &Kernel, buffer: usize, at: Value) -> Value {
        let element = kernel.buffers[buffer].element;
        writer.read(self.body.buffers[buffer], element, Place::One(at), Lanes::default())
    }

    /// Writes one.
    fn write(&self, writer: &mut Writer, kernel: &Kernel, buffer: usize, at: Value, value: Value) {
        let element = kernel.buffers[buffer].element;
        writer.write(self.body.buffers[buffer], element, Place::One(at), value, Lanes::default());
    }

    /// Where an element of a packed matrix is that starts at a place: in the panel whose first column is given.
    fn in_panel(
        &self,
        writer: &mut Writer,
        start: Value,
        [first, depth]: [Value; 2],
        [k, within]: [Value; 2],
    ) -> Value {
        let width = writer.int(PANEL as i64);
        let before = writer.multiply(first, depth);
        let down = writer.multiply(k, width);
        let at = writer.add(start, before);
        let at = writer.add(at, down);
        writer.add(at, within)
    }

    /// Shared memory of the block: so many elements.
    fn shared(&self, writer: &mut Writer, name: &str, count: usize, kind: Kind) -> Value {
        let global = format!("{}_{name}", self.symbol);
        writer.beside(&format!(
            "llvm.mlir.global internal @{global}() {{addr_space = 3 : i32, alignment = 16 : i64}} : \
             !llvm.array<{count} x {kind}>"
        ));
        writer.shared_address(&global)
    }

    /// Writes what a team does with its turn, if it has one.
    fn each_turn(&self, writer: &mut Writer, extents: &[Amount], turn: impl FnOnce(&mut Writer, Value, Team)) {
        let amount = |writer: &mut Writer, amount| self.body.amount(writer, amount);
        let count = super::kernels::product(writer, extents.iter().copied(), &amount);
        let (own, team) = self.team(writer);
        let some = writer.compare(super::arithmetic::Order::Less, own, count);
        let open = writer.begin_if(some, &[]);
        turn(writer, own, team);
        writer.end(open, &[]);
    }

    /// The number of the team's turn, and the team.
    fn team(&self, writer: &mut Writer) -> (Value, Team) {
        let threads = self.entry.threads;
        let teams = writer.int(self.entry.turns_of_block() as i64);
        let first = writer.multiply(self.block, teams);
        let size = writer.int(threads.team as i64);
        let place = writer.binary("arith.divui", self.thread, size);
        let member = writer.binary("arith.remui", self.thread, size);
        let several = threads.team > WARP;
        let scratch = several.then(|| self.shared(writer, "scratch", threads.team / WARP, Kind::F64));
        (writer.add(first, place), Team { threads: threads.team, member, scratch })
    }
}
