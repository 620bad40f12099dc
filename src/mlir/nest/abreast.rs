//! Several turns of a loop together, where the loop is inside of lanes and computes elementary functions.
//!
//! In: a loop in lanes whose turns touch elements of their own and only compute. Out: the statements of some turns side by
//! side, as in [`super::pairs`], for the same reason: chains of instructions that do not wait for each other.

use super::Emitter;
use super::pairs::{Turn, calls_elementary, is_elementary, is_plain};
use crate::kernel::{Loop, Register, Statement, is_apart};
use crate::mlir::text::Value;
use crate::tensor::Function;

impl Emitter<'_> {
    /// Writes some turns at a time; false if the loop is not of this kind.
    pub(super) fn abreast(&mut self, inner: &Loop, from: Value, to: Value) -> bool {
        let in_lanes = self.varying.is_some() && self.lanes.count > 0;
        // As many as registers hold.
        let ways: &[i64] = if self.writer.wide { &[8, 4] } else { &[2] };
        let fitting = ways.iter().copied().find(|together| in_lanes && self.are_abreast(inner, *together));
        let Some(together) = fitting else { return false };
        let condition = self.one_for_all(&inner.body);
        self.for_both_answers(condition, |emitter| emitter.some_turns(inner, from, to, together));
        true
    }

    /// Whether so many turns of a loop can run together, and should.
    fn are_abreast(&self, inner: &Loop, together: i64) -> bool {
        let simple = inner.carried.is_empty() && !inner.reverse && inner.body.iter().all(is_plain);
        let fits = self.numbers.turns(inner).is_some_and(|turns| turns > 0 && turns % together == 0);
        simple
            && fits
            && inner.body.iter().any(calls_elementary)
            && is_apart(inner.index, &[&inner.body], &self.numbers)
    }

    /// A condition of choices among statements that was known before them, the same in all lanes.
    pub(super) fn one_for_all(&self, body: &[Statement]) -> Option<Register> {
        let known = |register: &Register| self.registers.get(register).is_some_and(|value| value.ty.lanes == 0);
        body.iter().find_map(|statement| match statement {
            Statement::Call(_, Function::Select, arguments) => {
                arguments.first().copied().filter(known).filter(|own| !self.settled.contains_key(own))
            }
            _ => None,
        })
    }

    fn some_turns(&mut self, inner: &Loop, from: Value, to: Value, together: i64) {
        let step = self.writer.int(together);
        let (open, counter, _) = self.writer.begin_for(from, to, step, &[]);
        let mut turns = Vec::new();
        for turn in 0..together {
            let turn = self.writer.int(turn);
            let counter = self.writer.add(counter, turn);
            turns.push(Turn { counter, registers: self.registers.clone() });
        }
        for statement in &inner.body {
            match statement {
                Statement::Call(register, function, arguments) if is_elementary(*function) => {
                    self.of_all(*register, *function, arguments[0], &mut turns);
                }
                _ => self.statement_of_all(inner.index, statement, &mut turns),
            }
        }
        self.writer.end(open, &[]);
    }
}
