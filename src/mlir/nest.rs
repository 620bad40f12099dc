//! A [`Nest`] as the body function of a kernel: `body(arguments, begin, end)` runs turns of the collapsed parallel loops.
//!
//! The innermost parallel loop is a loop of its own inside, so that counters are divided out once a row. Either it or
//! the marked loops further inside run in vector lanes ([`choice`]); the last lanes are masked, so a lane computes
//! what a single turn would.

mod choice;
mod loops;
mod statements;
mod varying;

use super::body::Body;
use super::memory::Lanes;
use super::text::{Value, Writer};
use crate::kernel::{Index, Kernel, Nest, Register};
use std::collections::HashMap;
use varying::Varying;

pub use statements::kind_of as register_kind;

/// Writes the body function of a nest.
pub fn write(writer: &mut Writer, symbol: &str, kernel: &Kernel, nest: &Nest, lanes: usize) {
    let body = Body::begin(writer, symbol, kernel);
    let mut emitter = Emitter {
        writer,
        kernel,
        body,
        width: lanes,
        lanes: Lanes::default(),
        varying: None,
        registers: HashMap::new(),
        indices: HashMap::new(),
    };
    emitter.parallel(nest);
    emitter.writer.end_function();
}

/// The state while one nest is written.
struct Emitter<'a> {
    writer: &'a mut Writer,
    kernel: &'a Kernel,
    body: Body,
    /// Lanes of a vectorised loop.
    width: usize,
    /// The lanes at this place.
    lanes: Lanes,
    /// What varies between them; none outside vectorised loops.
    varying: Option<Varying>,
    registers: HashMap<Register, Value>,
    /// Counters; of the vectorised loop, the counter of its first lane.
    indices: HashMap<Index, Value>,
}

impl Emitter<'_> {
    fn parallel(&mut self, nest: &Nest) {
        let Some((innermost, outer)) = nest.parallel.split_last() else {
            self.statements(&nest.body);
            return;
        };
        let varying = choice::choose(nest, self.width);
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
        self.place_outer(outer, row);
        let start = self.writer.multiply(row, extent);
        let from = self.writer.subtract(begin, start);
        let from = self.writer.maximum(from, zero);
        let to = self.writer.subtract(end, start);
        let to = self.writer.minimum(to, extent);
        self.row(innermost.index, from, to, varying, nest);
        self.writer.end(open, &[]);
    }

    /// Divides a row's number into the counters of the outer parallel loops.
    fn place_outer(&mut self, outer: &[crate::kernel::ParallelLoop], row: Value) {
        let mut rest = row;
        for (place, parallel) in outer.iter().enumerate().rev() {
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
