//! Graph to graph, with the same meaning: what `optimize` runs, in order.
//!
//! In: a checked graph. Out: a [`Verified`] one. Every pass is one file whose doc opens with what it rewrites. After
//! each the graph is verified, and a watcher is shown what came out, so that a broken guarantee is blamed on the pass
//! that broke it. Passes read facts (types, presence, who reads what), never names.

mod associate;
mod best;
mod common_subexpressions;
mod constants;
mod contract;
mod coordinates;
mod dead_code;
mod diagonal;
mod formulas;
mod hoist;
mod last_turn;
mod narrow;
mod order;
mod own_axes;
mod recompute;
mod regions;
mod repetitions;
pub mod scans;
mod simplify;
mod slices;
mod slots;
mod stops;

use crate::fault::Bug;
use crate::graph::Graph;
use crate::ops::Verified;
use std::time::{Duration, Instant};

/// One rewrite.
trait Pass {
    /// As `--timings` and dumps call it.
    fn name(&self) -> &'static str;
    /// Rewrites; says whether it changed anything.
    fn run(&self, graph: &mut Graph) -> bool;
}

/// What makes a graph ready to be differentiated: sums of products are contractions, whose gradients are contractions.
const PREPARE: &[&dyn Pass] = &[
    &dead_code::DeadCode,
    &constants::Constants,
    &simplify::Simplify,
    &common_subexpressions::CommonSubexpressions,
    &diagonal::Diagonal,
    &slots::Slots,
    &slices::Slices,
    &own_axes::OwnAxes,
    &contract::Contractions,
    &simplify::Simplify,
    &order::Order,
    &dead_code::DeadCode,
];

/// All passes, in order.
const OPTIMIZE: &[&dyn Pass] = &[
    &stops::Stops,
    &dead_code::DeadCode,
    &constants::Constants,
    &simplify::Simplify,
    &common_subexpressions::CommonSubexpressions,
    &diagonal::Diagonal,
    &formulas::Formulas,
    &hoist::Hoist,
    &common_subexpressions::CommonSubexpressions,
    &slots::Slots,
    &slices::Slices,
    &own_axes::OwnAxes,
    &best::Best,
    &contract::Contractions,
    &narrow::Narrow,
    &associate::Associate,
    &recompute::Recompute,
    &repetitions::Repetitions,
    &simplify::Simplify,
    &order::Order,
    &common_subexpressions::CommonSubexpressions,
    &dead_code::DeadCode,
    &last_turn::LastTurn,
];

/// Prepares a graph for gradients; what they ask about (`stop`) stays.
///
/// # Errors
/// A pass that broke the graph, by name.
pub fn prepare(graph: Graph) -> Result<Graph, Bug> {
    run(graph, PREPARE, &mut |_, _, _| {}).map(Verified::into_inner)
}

/// Optimizes a graph.
///
/// # Errors
/// A pass that broke the graph, by name.
pub fn optimize(graph: Graph) -> Result<Verified<Graph>, Bug> {
    optimize_watched(graph, &mut |_, _, _| {})
}

/// The same, showing each pass's name, its time and the graph after it to a watcher.
///
/// # Errors
/// As [`optimize`].
pub fn optimize_watched(graph: Graph, watch: Watch) -> Result<Verified<Graph>, Bug> {
    run(graph, OPTIMIZE, watch)
}

/// Is shown the name of each pass, its time and what it left.
pub type Watch<'a> = &'a mut dyn FnMut(&str, Duration, &Graph);

fn run(mut graph: Graph, passes: &[&dyn Pass], watch: Watch) -> Result<Verified<Graph>, Bug> {
    graph.verify()?;
    for pass in passes {
        let start = Instant::now();
        if pass.run(&mut graph) {
            let blame = |bug: Bug| {
                Bug::new("passes", format!("`{}` leaves: {}", pass.name(), bug.guarantee)).detail(bug.detail)
            };
            graph.verify().map_err(blame)?;
        }
        watch(pass.name(), start.elapsed(), &graph);
    }
    graph.verified()
}
