//! Which registers differ from lane to lane when the turns of one loop run side by side, and whether they can.

use super::{Address, AddressTerm, Amount, Bound, CountSource, Index, Loop, RandomWords, Register, Statement};
use crate::model::Combine;
use std::collections::HashSet;

/// How the lanes of an access lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// At one element.
    Same,
    /// Side by side.
    Row,
    /// Anywhere.
    Scattered,
}

/// The registers of a loop's body that depend on its counter.
#[derive(Debug)]
pub struct Varying {
    index: Index,
    registers: HashSet<Register>,
}

impl Varying {
    /// The turns of a parallel loop, or of a loop without carried values: `None` if they cannot run side by side.
    pub fn of_body(index: Index, body: &[Statement]) -> Option<Varying> {
        Varying::with(index, HashSet::new(), body)
    }

    /// The turns of a loop marked with `lanes`.
    pub fn of_loop(inner: &Loop) -> Option<Varying> {
        let combines = |combine| !matches!(combine, None | Some(Combine::First));
        if !inner.lanes || !inner.carried.iter().all(|carried| combines(carried.combine)) {
            return None;
        }
        let carried = inner.carried.iter().map(|carried| carried.register).collect();
        Varying::with(inner.index, carried, &inner.body)
    }

    fn with(index: Index, registers: HashSet<Register>, body: &[Statement]) -> Option<Varying> {
        let mut varying = Varying { index, registers };
        loop {
            let known = varying.registers.len();
            varying.spread(body);
            if varying.registers.len() == known {
                break;
            }
        }
        varying.allows(body).then_some(varying)
    }

    /// The counter of the loop whose turns run side by side.
    pub fn index(&self) -> Index {
        self.index
    }

    /// Whether a register differs from lane to lane.
    pub fn has(&self, register: Register) -> bool {
        self.registers.contains(&register)
    }

    /// How the lanes of an address lie.
    pub fn of_address(&self, address: &Address) -> Spread {
        let mut spread = Spread::Same;
        for (term, stride) in &address.terms {
            let moved = match (term, stride) {
                (_, Amount::Constant(0)) => Spread::Same,
                (AddressTerm::Index(index), _) if *index != self.index => Spread::Same,
                (AddressTerm::Register(register), _) if !self.has(*register) => Spread::Same,
                (AddressTerm::Index(_), Amount::Constant(1)) if spread == Spread::Same => Spread::Row,
                _ => Spread::Scattered,
            };
            if moved != Spread::Same {
                spread = moved;
            }
        }
        spread
    }

    fn mark(&mut self, register: Register, varies: bool) {
        if varies {
            self.registers.insert(register);
        }
    }

    fn spread(&mut self, body: &[Statement]) {
        for statement in body {
            match statement {
                Statement::Number(..) | Statement::Store(..) | Statement::Add(..) => {}
                Statement::Count(register, source) => {
                    let varies = matches!(source, CountSource::Index(index) if *index == self.index);
                    self.mark(*register, varies);
                }
                Statement::Call(register, _, arguments) => {
                    let varies = arguments.iter().any(|&argument| self.has(argument));
                    self.mark(*register, varies);
                }
                Statement::Convert(register, _, argument) => {
                    let varies = self.has(*argument);
                    self.mark(*register, varies);
                }
                Statement::Load(register, address) => {
                    let varies = self.of_address(address) != Spread::Same;
                    self.mark(*register, varies);
                }
                Statement::Random(random) => {
                    let RandomWords { words, seed, turns, row, coordinates, .. } = &**random;
                    let mut arguments = seed.iter().chain(turns).chain(coordinates).chain([row]);
                    let varies = arguments.any(|&argument| self.has(argument));
                    words.iter().for_each(|&word| self.mark(word, varies));
                }
                Statement::Normals(numbers, words) => {
                    let varies = words.iter().any(|&word| self.has(word));
                    numbers.iter().for_each(|&number| self.mark(number, varies));
                }
                Statement::If(_, body) => self.spread(body),
                Statement::Loop(inner) => self.spread_loop(inner),
            }
        }
    }

    fn spread_loop(&mut self, inner: &Loop) {
        self.spread(&inner.body);
        for carried in &inner.carried {
            let varies = self.has(carried.initial) || self.has(carried.next);
            self.mark(carried.register, varies);
        }
    }

    fn allows(&self, body: &[Statement]) -> bool {
        body.iter().all(|statement| match statement {
            Statement::Store(address, _) | Statement::Add(address, _) => self.of_address(address) != Spread::Same,
            Statement::If(_, body) => self.allows(body),
            Statement::Loop(inner) => self.same(inner.from) && self.same(inner.to) && self.allows(&inner.body),
            _ => true,
        })
    }

    fn same(&self, bound: Bound) -> bool {
        !matches!(bound, Bound::Register(register) if self.has(register))
    }
}
