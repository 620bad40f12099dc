//! Registers of a nest that are numbers, and the loops that take as many turns.

use super::{Amount, Bound, Loop, Register, Statement};
use std::collections::HashMap;

/// Whole numbers that are known before anything runs.
#[derive(Debug, Default)]
pub struct Numbers(HashMap<Register, i64>);

impl Numbers {
    /// Those that statements name, also those inside of them.
    pub fn of(body: &[Statement]) -> Numbers {
        let mut numbers = Numbers::default();
        numbers.add(body);
        numbers
    }

    fn add(&mut self, body: &[Statement]) {
        for statement in body {
            match statement {
                Statement::Number(register, value, _) => {
                    self.0.insert(*register, *value as i64);
                }
                Statement::Loop(inner) => self.add(&inner.body),
                Statement::If(_, body) => self.add(body),
                _ => {}
            }
        }
    }

    fn bound(&self, bound: Bound) -> Option<i64> {
        match bound {
            Bound::Amount(Amount::Constant(value)) => Some(value),
            Bound::Amount(Amount::Size(_)) => None,
            Bound::Register(register) => self.0.get(&register).copied(),
        }
    }

    /// The turns of a loop, where its ends are numbers.
    pub fn turns(&self, one: &Loop) -> Option<i64> {
        Some(self.bound(one.to)? - self.bound(one.from)?)
    }

    /// The same for a loop that counts from 0.
    pub fn turns_from_zero(&self, one: &Loop) -> Option<i64> {
        self.turns(one).filter(|_| self.bound(one.from) == Some(0))
    }
}
