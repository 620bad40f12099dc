//! Two turns of a loop together, where loops inside of it run in lanes and compute elementary functions.
//!
//! In: a loop whose turns touch elements of their own, and of which each turn only computes, and has loops that fill the
//! lanes. Out: the statements of both turns side by side. An elementary function is a long chain of instructions that wait
//! for each other; those of two turns do not, so that a CPU does them at the same time.

use super::{Emitter, Execution};
use crate::kernel::choice::choose_inner;
use crate::kernel::numbers::Numbers;
use crate::kernel::varying::Varying;
use crate::kernel::{Index, Loop, Register, Statement, is_apart};
use crate::mlir::memory::Lanes;
use crate::mlir::text::Value;
use crate::tensor::Function;
use std::collections::HashMap;

/// A turn on the way: its counter and what it has computed.
pub(super) struct Turn {
    pub(super) counter: Value,
    pub(super) registers: HashMap<Register, Value>,
}

impl Emitter<'_> {
    /// Writes two turns at a time; false if the loop is not of this kind.
    pub(super) fn in_pairs(&mut self, outer: &Loop, from: Value, to: Value) -> bool {
        let Execution::Lanes(width) = self.execution else { return false };
        if self.varying.is_some() || !are_pairs(outer, width, &self.numbers) {
            return false;
        }
        let condition = self.same_for_all(outer);
        self.for_both_answers(condition, |emitter| emitter.pairs(outer, from, to, width));
        true
    }

    /// A condition of choices in the lanes that was known before the loop.
    fn same_for_all(&self, outer: &Loop) -> Option<Register> {
        outer.body.iter().find_map(|statement| match statement {
            Statement::Loop(inside) => self.one_for_all(&inside.body),
            _ => None,
        })
    }

    fn pairs(&mut self, outer: &Loop, from: Value, to: Value, width: usize) {
        let (one, two) = (self.writer.int(1), self.writer.int(2));
        let (open, counter, _) = self.writer.begin_for(from, to, two, &[]);
        let next = self.writer.add(counter, one);
        let mut turns = [counter, next].map(|counter| Turn { counter, registers: self.registers.clone() });
        for statement in &outer.body {
            match in_lanes(statement, width) {
                Some((inside, varying)) => self.lanes_of_all(outer.index, inside, (varying, width), &mut turns),
                None => self.statement_of_all(outer.index, statement, &mut turns),
            }
        }
        self.writer.end(open, &[]);
    }

    /// Writes the same for one turn and for the other.
    fn each_turn<T>(&mut self, outer: Index, turns: &mut [Turn], mut write: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let one = |turn: &mut Turn| {
            self.indices.insert(outer, turn.counter);
            std::mem::swap(&mut self.registers, &mut turn.registers);
            let written = write(self);
            std::mem::swap(&mut self.registers, &mut turn.registers);
            written
        };
        turns.iter_mut().map(one).collect()
    }

    pub(super) fn statement_of_all(&mut self, outer: Index, statement: &Statement, turns: &mut [Turn]) {
        self.each_turn(outer, turns, |emitter| emitter.statements(std::slice::from_ref(statement)));
    }

    fn lanes_of_all(&mut self, outer: Index, inside: &Loop, (varying, width): (Varying, usize), turns: &mut [Turn]) {
        let (from, to) = (self.bound(inside.from), self.bound(inside.to));
        let initial = self.each_turn(outer, turns, |emitter| emitter.carried_values(&inside.carried));
        let starts =
            initial.iter().flat_map(|initial| self.starts(&inside.carried, initial, width)).collect::<Vec<_>>();
        self.varying = Some(varying);
        self.lanes = Lanes { count: width, mask: None };
        let results = if self.numbers.turns(inside) == Some(width as i64) {
            self.lanes_of_a_turn(outer, inside, from, &starts, turns)
        } else {
            let step = self.writer.int(width as i64);
            let (open, counter, values) = self.writer.begin_for(from, to, step, &starts);
            let nexts = self.lanes_of_a_turn(outer, inside, counter, &values, turns);
            self.writer.end(open, &nexts)
        };
        self.varying = None;
        self.lanes = Lanes::default();
        let mut results = results.chunks(inside.carried.len().max(1));
        let mut initial = initial.iter();
        self.each_turn(outer, turns, |emitter| {
            if let (Some(results), Some(initial)) = (results.next(), initial.next()) {
                emitter.fold(&inside.carried, results, initial);
            }
        });
    }

    /// The lanes of one vector of each turn; gives what they carry on, first that of the one turn.
    fn lanes_of_a_turn(
        &mut self,
        outer: Index,
        inside: &Loop,
        counter: Value,
        values: &[Value],
        turns: &mut [Turn],
    ) -> Vec<Value> {
        self.indices.insert(inside.index, counter);
        let mut values = values.iter().copied();
        for turn in &mut *turns {
            let carried = inside.carried.iter().map(|carried| carried.register);
            turn.registers.extend(carried.zip(values.by_ref()));
        }
        for statement in &inside.body {
            match statement {
                Statement::Call(register, function, arguments) if is_elementary(*function) => {
                    self.of_all(*register, *function, arguments[0], turns);
                }
                _ => self.statement_of_all(outer, statement, turns),
            }
        }
        let lanes = self.lanes.count;
        let nexts = turns.iter().flat_map(|turn| inside.carried.iter().map(|carried| turn.registers[&carried.next]));
        let nexts = nexts.collect::<Vec<_>>();
        nexts.into_iter().map(|next| self.writer.repeat(next, lanes)).collect()
    }

    /// A function of the lanes of all turns, as of one vector.
    pub(super) fn of_all(&mut self, result: Register, function: Function, argument: Register, turns: &mut [Turn]) {
        let lanes = self.lanes.count;
        let vectors = turns.iter().map(|turn| turn.registers[&argument]).collect::<Vec<_>>();
        let vectors = vectors.into_iter().map(|vector| self.writer.repeat(vector, lanes)).collect();
        let together = self.writer.together(vectors);
        let value = self.writer.apply(function, &[together]);
        for (place, turn) in turns.iter_mut().enumerate() {
            turn.registers.insert(result, self.writer.slice(value, place * lanes, lanes));
        }
    }
}

/// Whether two turns of a loop can run together, and should.
fn are_pairs(outer: &Loop, width: usize, numbers: &Numbers) -> bool {
    let even = outer.carried.is_empty() && !outer.reverse && numbers.turns(outer).is_some_and(|turns| turns % 2 == 0);
    let fits = |statement: &Statement| match in_lanes(statement, width) {
        Some((inside, _)) => numbers.turns(inside).is_some_and(|turns| turns > 0 && turns % width as i64 == 0),
        None => is_plain(statement),
    };
    even && width > 0
        && outer.body.iter().all(fits)
        && outer.body.iter().any(computes_in_lanes)
        && is_apart(outer.index, &[&outer.body], numbers)
}

/// A loop that runs in lanes and only computes.
fn in_lanes(statement: &Statement, width: usize) -> Option<(&Loop, Varying)> {
    let Statement::Loop(inside) = statement else { return None };
    let varying = choose_inner(inside, width).filter(|_| !inside.reverse && inside.body.iter().all(is_plain))?;
    Some((inside, varying))
}

/// Whether a loop computes elementary functions.
fn computes_in_lanes(statement: &Statement) -> bool {
    matches!(statement, Statement::Loop(inside) if inside.body.iter().any(calls_elementary))
}

pub(super) fn is_plain(statement: &Statement) -> bool {
    use Statement::{Call, Convert, Count, Load, Number, Store};
    matches!(statement, Number(..) | Count(..) | Call(..) | Convert(..) | Load(..) | Store(..))
}

pub(super) fn calls_elementary(statement: &Statement) -> bool {
    matches!(statement, Statement::Call(_, function, _) if is_elementary(*function))
}

pub(super) fn is_elementary(function: Function) -> bool {
    use Function::{Erf, Exp, Expm1, Log, Log1p, Tanh};
    matches!(function, Exp | Expm1 | Log | Log1p | Tanh | Erf)
}
