//! Neighbouring loops as one loop: a turn does what a turn of each did, while what they share is at hand.
//!
//! `for i { a[i] = … }  for j { b[j] = … a[j] … }`  →  `for i { a[i] = …; b[i] = … a[i] … }`
//!
//! Loops that the emitter runs in vector lanes stay as they are, and loops of which a turn touches what another turn
//! writes.

use super::apart::is_apart;
use super::choice::choose_inner;
use super::numbers::Numbers;
use super::{Address, AddressTerm, CountSource, Index, Loop, Nest, Statement};

/// A nest whose neighbouring loops are joined, for so many lanes.
pub fn joined(nest: &Nest, lanes: usize) -> Nest {
    let joining = Joining { numbers: Numbers::of(&nest.body), lanes };
    Nest { parallel: nest.parallel.clone(), body: joining.statements(&nest.body), fused: nest.fused, alike: nest.alike }
}

struct Joining {
    numbers: Numbers,
    lanes: usize,
}

impl Joining {
    fn statements(&self, body: &[Statement]) -> Vec<Statement> {
        let mut done: Vec<Statement> = Vec::new();
        for statement in body {
            match statement {
                Statement::Loop(inner) => {
                    let inner = Loop { body: self.statements(&inner.body), ..(**inner).clone() };
                    self.add(&mut done, inner);
                }
                Statement::If(register, body) => done.push(Statement::If(*register, self.statements(body))),
                other => done.push(other.clone()),
            }
        }
        done
    }

    /// Adds a loop, to the last one if it can be. What stands between the two then stands before both.
    fn add(&self, done: &mut Vec<Statement>, next: Loop) {
        let between = done.iter().rev().take_while(|statement| only_computes(statement)).count();
        let place = done.len() - between;
        if let Some(Statement::Loop(last)) = done[..place].last()
            && self.can_join(last, &next)
        {
            let mut one = (**last).clone();
            one.lanes = false;
            let more = next.body.into_iter().map(|statement| with_counter(statement, next.index, one.index));
            one.body.extend(more);
            done.remove(place - 1);
            done.push(Statement::Loop(Box::new(one)));
            return;
        }
        done.push(Statement::Loop(Box::new(next)));
    }

    fn can_join(&self, last: &Loop, next: &Loop) -> bool {
        let turns = |one: &Loop| {
            let simple = one.carried.is_empty() && !one.reverse && choose_inner(one, self.lanes).is_none();
            self.numbers.turns_from_zero(one).filter(|_| simple)
        };
        let alike = turns(last).is_some_and(|count| turns(next) == Some(count));
        alike && {
            let renamed = next.body.iter().map(|own| with_counter(own.clone(), next.index, last.index));
            is_apart(last.index, &[&last.body, &renamed.collect::<Vec<_>>()], &self.numbers)
        }
    }
}

fn only_computes(statement: &Statement) -> bool {
    use Statement::{Call, Convert, Count, Number};
    matches!(statement, Number(..) | Count(..) | Call(..) | Convert(..))
}

/// A statement that goes by another counter.
fn with_counter(statement: Statement, old: Index, new: Index) -> Statement {
    let all = |body: Vec<Statement>| body.into_iter().map(|own| with_counter(own, old, new)).collect();
    let moved = |address: Address| {
        let terms = address.terms.into_iter().map(|(term, stride)| match term {
            AddressTerm::Index(index) if index == old => (AddressTerm::Index(new), stride),
            _ => (term, stride),
        });
        Address { terms: terms.collect(), ..address }
    };
    match statement {
        Statement::Count(register, CountSource::Index(index)) if index == old => {
            Statement::Count(register, CountSource::Index(new))
        }
        Statement::Load(register, address) => Statement::Load(register, moved(address)),
        Statement::Store(address, register) => Statement::Store(moved(address), register),
        Statement::Add(address, register) => Statement::Add(moved(address), register),
        Statement::If(register, body) => Statement::If(register, all(body)),
        Statement::Loop(mut inner) => {
            inner.body = all(std::mem::take(&mut inner.body));
            Statement::Loop(inner)
        }
        other => other,
    }
}
