//! Which loops of a nest run in vector lanes: the innermost parallel loop, or marked loops inside; of two marked loops
//! one inside the other, one.
//!
//! A rough count of the cost of one turn decides; accesses that are scattered over lanes cost as much as scalar ones.

use super::varying::{Spread, Varying};
use super::{Address, Amount, Bound, Loop, Nest, Statement};
use crate::tensor::Function;

/// Turns that a loop of unknown length counts for.
const TURNS: f64 = 64.0;
/// What it costs to fold the lanes of one carried value into one number.
const FOLD: f64 = 4.0;

/// Whether the innermost parallel loop should run in lanes, and if so what varies in its body.
pub fn choose(nest: &Nest, lanes: usize) -> Option<Varying> {
    let innermost = nest.parallel.last()?;
    let varying = Varying::of_body(innermost.index, &nest.body)?;
    let filled = match innermost.extent {
        Amount::Constant(extent) => filled(extent as f64, lanes),
        Amount::Size(_) => 1.0,
    };
    let across = Estimate { lanes: lanes as f64, varying: Some(&varying) }.of(&nest.body) / filled;
    let within = Estimate { lanes: lanes as f64, varying: None }.of(&nest.body);
    (across <= within).then_some(varying)
}

/// What varies between the turns of a loop, if they should run side by side: it is marked, and loops inside do not make
/// better use of the lanes.
pub fn choose_inner(inner: &Loop, lanes: usize) -> Option<Varying> {
    let estimate = Estimate { lanes: lanes as f64, varying: None };
    let varying = Varying::of_loop(inner)?;
    let better_inside =
        has_marked(&inner.body) && estimate.turn_by_turn(inner) < estimate.side_by_side(inner, &varying);
    (!better_inside).then_some(varying)
}

/// Whether there is a marked loop among statements.
fn has_marked(body: &[Statement]) -> bool {
    body.iter().any(|statement| match statement {
        Statement::Loop(inner) => inner.lanes || has_marked(&inner.body),
        Statement::If(_, body) => has_marked(body),
        _ => false,
    })
}

/// The part of the lanes that work on average.
fn filled(extent: f64, lanes: usize) -> f64 {
    let lanes = lanes as f64;
    extent / ((extent / lanes).ceil().max(1.0) * lanes)
}

struct Estimate<'a> {
    lanes: f64,
    varying: Option<&'a Varying>,
}

impl Estimate<'_> {
    /// The cost per turn of the parallel loops.
    fn of(&self, body: &[Statement]) -> f64 {
        body.iter().map(|statement| self.of_statement(statement)).sum()
    }

    fn of_statement(&self, statement: &Statement) -> f64 {
        let share = if self.varying.is_some() { 1.0 / self.lanes } else { 1.0 };
        match statement {
            Statement::Number(..) | Statement::Count(..) => 0.0,
            Statement::Convert(..) => 0.5 * share,
            Statement::Call(_, function, _) => cost(*function) * share,
            Statement::Load(_, address) => self.of_access(address),
            Statement::Store(address, _) => self.of_access(address),
            Statement::Add(address, _) => 2.0 * self.of_access(address),
            Statement::Random(..) | Statement::Normals(..) => 20.0 * share,
            Statement::If(_, body) => 0.5 * share + self.of(body),
            Statement::Loop(inner) => self.of_loop(inner),
        }
    }

    fn of_access(&self, address: &Address) -> f64 {
        match self.varying.map(|varying| varying.of_address(address)) {
            None => 1.0,
            Some(Spread::Scattered) => 1.5,
            Some(_) => 1.0 / self.lanes,
        }
    }

    fn of_loop(&self, inner: &Loop) -> f64 {
        if self.varying.is_none()
            && let Some(varying) = choose_inner(inner, self.lanes as usize)
        {
            return self.side_by_side(inner, &varying);
        }
        self.turn_by_turn(inner)
    }

    fn turn_by_turn(&self, inner: &Loop) -> f64 {
        turns(inner) * self.of(&inner.body) + 1.0
    }

    fn side_by_side(&self, inner: &Loop, varying: &Varying) -> f64 {
        let turns = turns(inner);
        let body = Estimate { lanes: self.lanes, varying: Some(varying) }.of(&inner.body);
        turns * body / filled(turns.max(1.0), self.lanes as usize) + 2.0 + FOLD * inner.carried.len() as f64
    }
}

fn turns(inner: &Loop) -> f64 {
    match (inner.from, inner.to) {
        (Bound::Amount(Amount::Constant(from)), Bound::Amount(Amount::Constant(to))) => (to - from).max(0) as f64,
        _ => TURNS,
    }
}

fn cost(function: Function) -> f64 {
    match function {
        Function::Power => 40.0,
        Function::Exp | Function::Log | Function::Sin | Function::Cos | Function::Tanh | Function::Erf => 12.0,
        Function::Log1p | Function::Expm1 | Function::FloorDivide | Function::Remainder => 16.0,
        Function::Divide | Function::Sqrt => 4.0,
        _ => 0.5,
    }
}
