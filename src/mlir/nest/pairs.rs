//! Two turns of a loop together, where the loop inside of it runs in lanes and computes elementary functions.
//!
//! In: a loop whose turns touch elements of their own, and of which each turn ends with a loop that fills the lanes. Out:
//! the statements of both turns side by side. An elementary function is a long chain of instructions that wait for each
//! other; those of two turns do not, so that a CPU does them at the same time.

use super::{Emitter, Execution};
use crate::kernel::varying::Varying;
use crate::kernel::{Address, AddressTerm, Amount, Bound, Loop, Register, Statement};
use crate::mlir::memory::Lanes;
use crate::mlir::text::Value;
use crate::tensor::Function;
use std::collections::HashMap;

/// What a loop does in a turn: statements, and then the loop inside.
struct Turns<'l> {
    before: &'l [Statement],
    inside: &'l Loop,
    varying: Varying,
}

/// A turn on the way: its counter and what it has computed.
struct Half {
    counter: Value,
    registers: HashMap<Register, Value>,
}

impl Emitter<'_> {
    /// Writes two turns at a time; false if the loop is not of this kind.
    pub(super) fn in_pairs(&mut self, outer: &Loop, from: Value, to: Value) -> bool {
        let Execution::Lanes(width) = self.execution else { return false };
        let Some(turns) = pairs(outer, width).filter(|_| self.varying.is_none()) else { return false };
        let (one, two) = (self.writer.int(1), self.writer.int(2));
        let (open, counter, _) = self.writer.begin_for(from, to, two, &[]);
        let next = self.writer.add(counter, one);
        let mut halves = [counter, next].map(|counter| {
            self.indices.insert(outer.index, counter);
            self.statements(turns.before);
            Half { counter, registers: self.registers.clone() }
        });
        self.lanes_of_both(outer, turns, width, &mut halves);
        self.writer.end(open, &[]);
        true
    }

    fn lanes_of_both(&mut self, outer: &Loop, turns: Turns, width: usize, halves: &mut [Half; 2]) {
        let (from, to) = (self.bound(turns.inside.from), self.bound(turns.inside.to));
        self.varying = Some(turns.varying);
        self.lanes = Lanes { count: width, mask: None };
        let step = self.writer.int(width as i64);
        let (open, counter, _) = self.writer.begin_for(from, to, step, &[]);
        self.indices.insert(turns.inside.index, counter);
        for statement in &turns.inside.body {
            match statement {
                Statement::Call(register, function, arguments) if is_elementary(*function) => {
                    self.of_both(*register, *function, arguments[0], halves);
                }
                _ => halves.iter_mut().for_each(|half| {
                    self.indices.insert(outer.index, half.counter);
                    std::mem::swap(&mut self.registers, &mut half.registers);
                    self.statements(std::slice::from_ref(statement));
                    std::mem::swap(&mut self.registers, &mut half.registers);
                }),
            }
        }
        self.writer.end(open, &[]);
        self.varying = None;
        self.lanes = Lanes::default();
    }

    /// A function of the lanes of both turns, as of one vector.
    fn of_both(&mut self, result: Register, function: Function, argument: Register, halves: &mut [Half; 2]) {
        let lanes = self.lanes.count;
        let [first, second] = [0, 1].map(|half: usize| self.writer.repeat(halves[half].registers[&argument], lanes));
        let together = self.writer.shuffle(first, second, &(0..2 * lanes).collect::<Vec<_>>());
        let value = self.writer.apply(function, &[together]);
        for (place, half) in halves.iter_mut().enumerate() {
            half.registers.insert(result, self.writer.slice(value, place * lanes, lanes));
        }
    }
}

/// The parts of a loop of which two turns can run together, and should.
fn pairs(outer: &Loop, width: usize) -> Option<Turns<'_>> {
    let (last, before) = outer.body.split_last()?;
    let Statement::Loop(inside) = last else { return None };
    let (turns, lanes) = (extent(outer)?, extent(inside)?);
    let even = turns % 2 == 0 && width > 0 && lanes % width as i64 == 0;
    let statements = || before.iter().chain(&inside.body);
    let plain = statements().all(is_plain) && inside.body.iter().any(calls_elementary);
    let apart = statements().filter_map(written).all(|own| {
        moves_by(own, AddressTerm::Index(outer.index)) >= lanes
            && moves_by(own, AddressTerm::Index(inside.index)) == 1
            && statements().filter_map(address).all(|other| other.buffer != own.buffer || other == own)
    });
    let varying = Varying::of_loop(inside).filter(|_| even && plain && apart)?;
    Some(Turns { before, inside, varying })
}

/// The number of turns of a loop that combines nothing, if it is known.
fn extent(one: &Loop) -> Option<i64> {
    match (one.from, one.to) {
        (Bound::Amount(Amount::Constant(0)), Bound::Amount(Amount::Constant(to))) => {
            (one.carried.is_empty() && !one.reverse).then_some(to)
        }
        _ => None,
    }
}

fn is_plain(statement: &Statement) -> bool {
    use Statement::{Call, Convert, Count, Load, Number, Store};
    matches!(statement, Number(..) | Count(..) | Call(..) | Convert(..) | Load(..) | Store(..))
}

fn calls_elementary(statement: &Statement) -> bool {
    matches!(statement, Statement::Call(_, function, _) if is_elementary(*function))
}

fn is_elementary(function: Function) -> bool {
    use Function::{Erf, Exp, Expm1, Log, Log1p, Tanh};
    matches!(function, Exp | Expm1 | Log | Log1p | Tanh | Erf)
}

fn written(statement: &Statement) -> Option<&Address> {
    match statement {
        Statement::Store(address, _) => Some(address),
        _ => None,
    }
}

fn address(statement: &Statement) -> Option<&Address> {
    match statement {
        Statement::Load(_, address) | Statement::Store(address, _) => Some(address),
        _ => None,
    }
}

/// How far a turn moves an address, if that is known.
fn moves_by(address: &Address, term: AddressTerm) -> i64 {
    let strides = address.terms.iter().filter(|(own, _)| *own == term).map(|(_, stride)| match stride {
        Amount::Constant(stride) => *stride,
        Amount::Size(_) => 0,
    });
    strides.sum()
}
