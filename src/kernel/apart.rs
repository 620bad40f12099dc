//! Whether each turn of a loop keeps to memory of its own, as far as memory is written.
//!
//! In: what a turn does. Out: true if a buffer that is written is touched, turn by turn, within stretches that do not
//! overlap: `base + stride · turn`, and from there less than a stride, whatever the loops inside count. The turns may then
//! run in any order, side by side, or piece by piece.

use super::numbers::Numbers;
use super::{Address, AddressTerm, Amount, Index, Statement};
use std::collections::HashMap;

/// What a turn does to memory.
#[derive(Default)]
struct Accesses<'n> {
    all: Vec<(&'n Address, bool)>,
    /// How far the loops inside count; nothing where that is not known.
    inside: HashMap<Index, Option<i64>>,
}

/// The elements that an access can reach in one turn.
#[derive(PartialEq)]
struct Stretch {
    /// What is the same in all turns.
    base: Vec<(AddressTerm, Amount)>,
    stride: i64,
    first: i64,
    last: i64,
}

/// Whether the turns of the loop with this counter, which do all of this, keep apart.
pub fn is_apart(index: Index, bodies: &[&[Statement]], numbers: &Numbers) -> bool {
    let mut accesses = Accesses::default();
    bodies.iter().for_each(|body| accesses.add(body, numbers));
    let mut written = accesses.all.iter().filter(|(_, writes)| *writes).map(|(address, _)| address.buffer);
    written.all(|buffer| accesses.keep_apart(index, buffer))
}

impl<'n> Accesses<'n> {
    fn add(&mut self, body: &'n [Statement], numbers: &Numbers) {
        for statement in body {
            match statement {
                Statement::Load(_, address) => self.all.push((address, false)),
                Statement::Store(address, _) | Statement::Add(address, _) => self.all.push((address, true)),
                Statement::If(_, body) => self.add(body, numbers),
                Statement::Loop(inner) => {
                    self.inside.insert(inner.index, numbers.turns_from_zero(inner));
                    self.add(&inner.body, numbers);
                }
                _ => {}
            }
        }
    }

    fn keep_apart(&self, index: Index, buffer: usize) -> bool {
        let own = self.all.iter().filter(|(address, _)| address.buffer == buffer);
        let Some(stretches) = own.map(|(address, _)| self.stretch(index, address)).collect::<Option<Vec<_>>>() else {
            return false;
        };
        let Some(one) = stretches.first() else { return true };
        let alike = stretches.iter().all(|other| other.base == one.base && other.stride == one.stride);
        let first = stretches.iter().map(|stretch| stretch.first).min().unwrap_or(0);
        let last = stretches.iter().map(|stretch| stretch.last).max().unwrap_or(0);
        alike && last - first < one.stride
    }

    /// `None` where an address goes by a register, or by a loop inside of unknown length.
    fn stretch(&self, index: Index, address: &Address) -> Option<Stretch> {
        let mut stretch = Stretch { base: Vec::new(), stride: 0, first: address.offset, last: address.offset };
        for &(term, stride) in &address.terms {
            let AddressTerm::Index(own) = term else { return None };
            match (self.inside.get(&own), stride) {
                (Some(turns), Amount::Constant(stride)) => {
                    let way = stride * ((*turns)? - 1).max(0);
                    stretch.first += way.min(0);
                    stretch.last += way.max(0);
                }
                (None, Amount::Constant(stride)) if own == index => stretch.stride += stride,
                (None, _) if own != index => stretch.base.push((term, stride)),
                _ => return None,
            }
        }
        stretch.base.sort_by_key(|(term, _)| *term);
        Some(stretch)
    }
}
