//! Proves `require blind(a, b)`: no element of a depends on what the element of b at its own position reads.
//!
//! In: a checked model. Out: nothing, or an error that shows where a begins to see it. Both sides are followed to the
//! inputs by the relations between positions (`reads`); they are blind if no element can be read by both.

mod interval;
mod marks;
mod reads;

use super::declarations::Model;
use super::values::{Program, ValueId, ValueKind};
use crate::diagnostics::codes::{E0603, N0601};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::Span;
use crate::tensor::{AxisId, Relation};
use interval::Interval;
use marks::Mark;
use reads::{Read, Walk};
use std::collections::HashSet;

/// Proves what the programs of a model require.
pub fn prove(model: &Model, sink: &mut Diagnostics) {
    for program in std::iter::once(&model.forward).chain(&model.train) {
        if program.blind.is_empty() {
            continue;
        }
        let walk = Walk::over(model, program);
        for (left, right, span) in &program.blind {
            prove_one(&walk, *left, *right, *span, sink);
        }
        report_peeks(program, sink);
    }
}

fn report_peeks(program: &Program, sink: &mut Diagnostics) {
    for value in program.values.iter().filter(|value| matches!(value.kind, ValueKind::Peek(_))) {
        let message = "this looks ahead on purpose, and proofs do not look through it";
        sink.push(Diagnostic::new(N0601, message).label(value.span, "left out of what `blind` proves"));
    }
}

fn prove_one(walk: &Walk, left: ValueId, right: ValueId, span: Span, sink: &mut Diagnostics) {
    let Some((seen, target)) = seen(walk, left, right, left) else { return };
    let culprit = culprit(walk, left, right);
    let place = walk.program.values[culprit.0 as usize].span;
    let input = &walk.model.inputs[seen.input].name;
    let (axis, near) = common(walk, &seen, &target, left, right);
    let shown = axis.map_or("everywhere".to_string(), |axis| {
        let name = &walk.model.axes[axis].name;
        format!("at {}", describe(name, near))
    });
    sink.push(
        Diagnostic::new(E0603, format!("a prediction sees what it is to predict: it reads `{input}` {shown}"))
            .label(place, "begins to see it here")
            .label(span, "required here")
            .help("attention along a row needs `where s <= t`; a look ahead on purpose is `peek(x)`"),
    );
}

/// A read of the first value that the second value may share at its own position, where a third is present.
fn seen(walk: &Walk, left: ValueId, right: ValueId, shown: ValueId) -> Option<(Read, Read)> {
    let presence = &walk.program.values[shown.0 as usize].presence;
    let axes = |value: ValueId| &walk.program.values[value.0 as usize].ty.axes;
    let inputs = walk.made_of(right);
    for theirs in walk.reads_of(right).iter().filter(|theirs| inputs.contains(&theirs.input)) {
        for ours in walk.reads_of(left).iter().filter(|ours| ours.input == theirs.input) {
            let shared = axes(left).iter().filter(|axis| axes(right).contains(axis)).copied().collect::<Vec<_>>();
            // A number of the row is the same on both sides.
            let common = |mark: &Mark| match mark {
                Mark::Axis(axis) | Mark::Block(axis, _) => shared.contains(axis),
                Mark::Number(_) => shared.contains(&crate::tensor::BATCH),
            };
            let apart = ours.places.iter().zip(&theirs.places).any(|((_, ours), (_, theirs))| {
                let both = ours.iter().filter(|(mark, _)| common(mark));
                both.into_iter().any(|(mark, a)| theirs.get(mark).is_some_and(|b| !a.meets(*b)))
            });
            let here = theirs.places.iter().any(|(_, near)| near.values().any(|near| *near == Interval::POINT));
            let excluded = here
                && presence
                    .relations
                    .iter()
                    .any(|relation| matches!(relation, Relation::Holds(holds) if ours.unless.contains(holds)));
            if !apart && !excluded {
                return Some((ours.clone(), theirs.clone()));
            }
        }
    }
    None
}

/// An axis of both along which the position that is read is bounded, and its distance.
fn common(walk: &Walk, seen: &Read, _: &Read, left: ValueId, right: ValueId) -> (Option<AxisId>, Interval) {
    let everywhere = Interval { low: None, high: None };
    let axes = &walk.program.values[left.0 as usize].ty.axes;
    let shared = axes.iter().copied().filter(|axis| walk.program.values[right.0 as usize].ty.axes.contains(axis));
    for axis in shared.filter(|axis| *axis != crate::tensor::BATCH) {
        for (source, distances) in &seen.places {
            if walk.model.axes.alike(*source, axis) {
                return (Some(axis), distances.get(&Mark::Axis(axis)).copied().unwrap_or(everywhere));
            }
        }
    }
    (None, everywhere)
}

fn describe(axis: &str, near: Interval) -> String {
    let at = |offset: i64| match offset {
        0 => axis.to_string(),
        1.. => format!("{axis} + {offset}"),
        _ => format!("{axis} - {}", -offset),
    };
    match (near.low, near.high) {
        (Some(low), Some(high)) if low == high => at(low),
        (_, Some(high)) => format!("positions up to {}", at(high)),
        (Some(low), None) => format!("positions from {} on", at(low)),
        (None, None) => format!("any position of {axis}"),
    }
}

/// Walks back from the prediction as long as something that it is made of sees the target too.
fn culprit(walk: &Walk, left: ValueId, right: ValueId) -> ValueId {
    let (mut at, mut visited) = (left, HashSet::from([left]));
    let has = |value: ValueId| {
        let axes = &walk.program.values[value.0 as usize].ty.axes;
        let target = &walk.program.values[right.0 as usize].ty.axes;
        axes.iter().any(|axis| *axis != crate::tensor::BATCH && target.contains(axis))
    };
    let is_carried = |value: ValueId| matches!(walk.program.values[value.0 as usize].kind, ValueKind::Carried(_));
    loop {
        let mut sources = walk.sources(at);
        // What a `for` carries sees what any turn saw: the turn itself shows better where that begins.
        sources.sort_by_key(|source| is_carried(*source));
        let begins = sources.iter().any(|source| !has(*source) && !walk.reads_of(*source).is_empty());
        let mut seeing = sources.into_iter().filter(|one| has(*one) && seen(walk, *one, right, left).is_some());
        match seeing.find(|source| visited.insert(*source)) {
            Some(source) if !(begins && is_carried(source)) => at = source,
            _ => return at,
        }
    }
}
