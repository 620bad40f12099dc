//! A [`Nest`] as the body function of a kernel: `body(arguments, begin, end)` runs turns of the collapsed parallel loops.
//!
//! Neighbouring loops are joined first. The innermost parallel loop is a loop of its own inside, so that counters are
//! divided out once a row. Either it or the marked loops further inside run in vector lanes ([`crate::kernel::choice`]);
//! the last lanes are masked, so a lane computes what a single turn would.

mod abreast;
mod ahead;
mod alike;
mod loops;
mod pairs;
mod statements;

use super::body::Body;
use super::gpu::Team;
use super::memory::Lanes;
use super::text::{Value, Writer};
use crate::kernel::numbers::Numbers;
use crate::kernel::varying::Varying;
use crate::kernel::{Index, Kernel, Nest, Register, choice, joined};
use std::collections::HashMap;

pub use statements::kind_of as register_kind;

/// Writes the body function of a nest.
pub fn write(writer: &mut Writer, symbol: &str, kernel: &Kernel, nest: &Nest, lanes: usize) {
    let body = Body::begin(writer, symbol, kernel);
    let nest = joined(nest, lanes);
    let mut emitter = Emitter::new(writer, kernel, body, Execution::Lanes(lanes));
    emitter.numbers = Numbers::of(&nest.body);
    (emitter.fused, emitter.alike) = (nest.fused, nest.alike);
    emitter.parallel(&nest);
    emitter.writer.end_function();
}

/// How many turns of the parallel loops go together: a chunk of fewer leaves lanes idle.
pub fn group(nest: &Nest, lanes: usize) -> usize {
    choice::choose(&joined(nest, lanes), lanes).map_or(1, |_| lanes)
}

/// Writes one turn of all parallel loops for a thread of a GPU, or for a team of threads that share the turn.
pub fn write_turn(writer: &mut Writer, kernel: &Kernel, nest: &Nest, body: Body, turn: Value, team: Option<Team>) {
    let execution = team.map_or(Execution::Thread, Execution::Team);
    let mut emitter = Emitter::new(writer, kernel, body, execution);
    emitter.fused = nest.fused;
    emitter.place_loops(&nest.parallel, turn);
    emitter.statements(&nest.body);
}

/// What runs the turns of loops whose turns are independent.
#[derive(Debug)]
enum Execution {
    /// Vector lanes, so many.
    Lanes(usize),
    /// One thread, one after another.
    Thread,
    /// The threads of a team, side by side; everything else they all do alike, and one of them writes.
    Team(Team),
}

/// The state while one nest is written.
struct Emitter<'a> {
    writer: &'a mut Writer,
    kernel: &'a Kernel,
    body: Body,
    execution: Execution,
    /// Inside of a loop whose turns are spread over a team.
    apart: bool,
    /// The lanes at this place.
    lanes: Lanes,
    /// What varies between them; none outside vectorised loops.
    varying: Option<Varying>,
    registers: HashMap<Register, Value>,
    /// Whether a sum of a product is rounded once, and the factors of products so far.
    fused: bool,
    products: HashMap<Register, [Register; 2]>,
    /// Whether marked loops combine in the order of lanes everywhere.
    alike: bool,
    /// Counters; of the vectorised loop, the counter of its first lane.
    indices: HashMap<Index, Value>,
    /// What is known of the ends of loops.
    numbers: Numbers,
    /// The turns of the loop right around the lanes, if they are long apart in memory.
    ahead: Option<ahead::Turns>,
    /// Conditions that hold or do not in all of what is being written.
    settled: HashMap<Register, bool>,
}

impl<'a> Emitter<'a> {
    fn new(writer: &'a mut Writer, kernel: &'a Kernel, body: Body, execution: Execution) -> Emitter<'a> {
        Emitter {
            writer,
            kernel,
            body,
            execution,
            apart: false,
            lanes: Lanes::default(),
            varying: None,
            registers: HashMap::new(),
            fused: false,
            products: HashMap::new(),
            alike: false,
            indices: HashMap::new(),
            numbers: Numbers::default(),
            ahead: None,
            settled: HashMap::new(),
        }
    }

    /// Lanes of a vectorised loop; 0 where there are none.
    fn width(&self) -> usize {
        if let Execution::Lanes(width) = self.execution { width } else { 0 }
    }

    fn parallel(&mut self, nest: &Nest) {
        let Some((innermost, outer)) = nest.parallel.split_last() else {
            self.statements(&nest.body);
            return;
        };
        let varying = choice::choose(nest, self.width());
        let (begin, end) = (self.body.begin, self.body.end);
        if outer.is_empty() {
            self.row(innermost.index, begin, end, varying, nest);
            return;
        }
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let extent = self.body.amount(self.writer, innermost.extent);
        let extent = self.writer.maximum(extent, one);
        let first = self.writer.binary("arith.divsi", begin, extent);
        let past = self.writer.ceil_divide(end, extent);
        let (open, row, _) = self.writer.begin_for(first, past, one, &[]);
        self.place_loops(outer, row);
        let start = self.writer.multiply(row, extent);
        let from = self.writer.subtract(begin, start);
        let from = self.writer.maximum(from, zero);
        let to = self.writer.subtract(end, start);
        let to = self.writer.minimum(to, extent);
        self.row(innermost.index, from, to, varying, nest);
        self.writer.end(open, &[]);
    }

    /// Divides a number into the counters of parallel loops.
    fn place_loops(&mut self, loops: &[crate::kernel::ParallelLoop], number: Value) {
        let mut rest = number;
        for (place, parallel) in loops.iter().enumerate().rev() {
            if place == 0 {
                self.indices.insert(parallel.index, rest);
                return;
            }
            let extent = self.body.amount(self.writer, parallel.extent);
            let index = self.writer.binary("arith.remsi", rest, extent);
            rest = self.writer.binary("arith.divsi", rest, extent);
            self.indices.insert(parallel.index, index);
        }
    }

    fn row(&mut self, index: Index, from: Value, to: Value, varying: Option<Varying>, nest: &Nest) {
        match varying {
            Some(varying) => {
                self.in_lanes(index, from, to, varying, &[], &[], &nest.body);
            }
            None => {
                let one = self.writer.int(1);
                let (open, counter, _) = self.writer.begin_for(from, to, one, &[]);
                self.indices.insert(index, counter);
                self.statements(&nest.body);
                self.writer.end(open, &[]);
            }
        }
    }
}
