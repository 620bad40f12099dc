//! Warns of relations between positions of one sequence that no form of theirs lets the compiler skip.
//!
//! In: a checked model. Out: a warning with the cost for each condition that depends on two positions at once and is
//! neither affine in them nor a bool of one of them, an equality with an index, or a bound on a rank.

use super::declarations::Model;
use super::values::{Program, ValueId};
use crate::diagnostics::codes::W0301;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::tensor::{AxisId, BATCH, Relation};
use std::collections::BTreeSet;

/// Warns of the dense relations of the forward program.
pub fn warn(model: &Model, sink: &mut Diagnostics) {
    let program = &model.forward;
    let relations = program.values.iter().flat_map(|value| &value.presence.relations);
    let conditions = relations.filter_map(|relation| match relation {
        Relation::Holds(condition) => Some(*condition),
        _ => None,
    });
    for condition in conditions.collect::<BTreeSet<ValueId>>() {
        if let Some((one, other)) = pair(model, program, condition) {
            sink.push(dense(model, program, condition, one, other));
        }
    }
}

/// Two axes of a value that count the same positions.
fn pair(model: &Model, program: &Program, value: ValueId) -> Option<(AxisId, AxisId)> {
    let axes = program.values[value.0 as usize].ty.axes.iter().copied().filter(|axis| *axis != BATCH);
    let axes = axes.collect::<Vec<_>>();
    let pairs =
        axes.iter().enumerate().flat_map(|(place, one)| axes[place + 1..].iter().map(move |other| (*one, *other)));
    pairs.into_iter().find(|(one, other)| model.axes.alike(*one, *other) && model.axes.is_sequence(*one))
}

fn dense(model: &Model, program: &Program, condition: ValueId, one: AxisId, other: AxisId) -> Diagnostic {
    let (one, other) = (&model.axes[one].name, &model.axes[other].name);
    let message =
        format!("every pair of `{one}` and `{other}` is computed here: |{one}| * |{other}| of them in each row");
    Diagnostic::new(W0301, message)
        .label(program.values[condition.0 as usize].span, "depends on both positions, in no form that can be skipped")
        .help(format!(
            "forms that are: `{other} <= {one}`, a bool of one of them, `{other} == index`, `top[{other}](…, n)`"
        ))
}
