//! Which threads run the turns of a nest.
//!
//! The same estimate that chooses vector lanes on a CPU chooses here: where neighbours along the innermost parallel loop
//! read side by side, each thread has a turn of its own; else a warp, or a block where rows are long, shares a turn and
//! spreads the marked loops inside over its threads.

use super::entry::{BLOCK, WARP};
use crate::kernel::numbers::Numbers;
use crate::kernel::varying::Varying;
use crate::kernel::{Amount, Bound, Nest, ParallelLoop, Statement, choice, written};

/// Rows from this length on are worth a block.
const LONG: i64 = 2048;

/// A nest as a GPU runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Turns {
    /// The loops; a loop that only stores may have become one of the parallel ones.
    pub nest: Nest,
    /// How many threads share a turn of all parallel loops.
    pub team: usize,
}

impl Turns {
    /// Chooses.
    pub fn of(nest: &Nest) -> Turns {
        let across = choice::choose(nest, WARP).is_some();
        if !across && let Some(flat) = flattened(nest) {
            return Turns { nest: flat, team: 1 };
        }
        let longest = longest(&nest.body);
        let team = match longest {
            Some(_) if across => 1,
            None => 1,
            Some(Some(length)) if length < LONG => WARP,
            // Without parallel loops one block is all there is.
            Some(None) if !nest.parallel.is_empty() => WARP,
            Some(_) => BLOCK,
        };
        Turns { nest: nest.clone(), team }
    }
}

/// A nest whose last statement is a loop over independent turns, as one more parallel loop: what stands before it is
/// computed again in every turn, and must only compute.
fn flattened(nest: &Nest) -> Option<Nest> {
    let (Statement::Loop(last), before) = nest.body.split_last()? else { return None };
    let written = written(&last.body);
    let is_cheap = |statement: &Statement| match statement {
        Statement::Number(..) | Statement::Count(..) | Statement::Call(..) | Statement::Convert(..) => true,
        Statement::Load(_, address) => !written.contains(&address.buffer),
        _ => false,
    };
    let from_start = last.from == Bound::Amount(Amount::Constant(0));
    let Bound::Amount(extent) = last.to else { return None };
    if !from_start || !last.carried.is_empty() || Varying::of_loop(last).is_none() || !before.iter().all(is_cheap) {
        return None;
    }
    let mut flat = nest.clone();
    flat.parallel.push(ParallelLoop { index: last.index, extent });
    flat.body = before.to_vec();
    flat.body.extend(last.body.iter().cloned());
    Some(flat)
}

/// The longest loop that a team can share: none if there is no such loop, no length where it is not known.
fn longest(body: &[Statement]) -> Option<Option<i64>> {
    let numbers = Numbers::of(body);
    let loops = body.iter().filter_map(|statement| match statement {
        Statement::Loop(inner) if Varying::of_loop(inner).is_some() => Some(numbers.turns(inner)),
        Statement::Loop(inner) => longest(&inner.body),
        Statement::If(_, body) => longest(body),
        _ => None,
    });
    loops.reduce(|left, right| left.zip(right).map(|(left, right)| left.max(right)))
}
