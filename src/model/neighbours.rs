//! Notes where rows of a batch see each other: what such a row gets depends on which rows it is computed with.
//!
//! In: a checked model. Out: a note for each output of the forward program that belongs to a row and follows from what is
//! combined over all rows (room that the tokens of a batch share). Such a row gets other numbers in training, where it
//! has neighbours, than alone or position by position.

use super::declarations::Model;
use super::values::{Program, ValueId, ValueKind};
use crate::diagnostics::codes::N0602;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::Span;
use crate::tensor::{BATCH, Relation};
use std::collections::BTreeSet;

/// Notes the outputs of the forward program that see other rows, and the places at which they do.
pub fn note(model: &Model, sink: &mut Diagnostics) {
    let program = &model.forward;
    let sources = sources(program);
    for (name, output) in program.outputs.iter().filter(|(_, output)| has_rows(program, *output)) {
        let reached = reached(program, *output);
        let places = sources.iter().filter(|source| reached.contains(source));
        let spans = places.map(|source| program.values[source.0 as usize].span);
        let mut unlike: Vec<Span> = Vec::new();
        spans.for_each(|span| {
            if !unlike.contains(&span) {
                unlike.push(span)
            }
        });
        if !unlike.is_empty() {
            let message = format!("rows of a batch see each other in `{name}`");
            let note = Diagnostic::new(N0602, message)
                .help("what a row gets depends on its batch: in training it is not what decoding the row alone gives");
            sink.push(unlike.into_iter().fold(note, |note, span| note.label(span, "combines all rows")));
        }
    }
}

fn has_rows(program: &Program, value: ValueId) -> bool {
    program.values[value.0 as usize].ty.axes.contains(&BATCH)
}

/// Values that combine rows.
fn sources(program: &Program) -> Vec<ValueId> {
    let combines = |value: &ValueId| match &program.values[value.0 as usize].kind {
        ValueKind::Reduce(_, axes, _) | ValueKind::Rank(axes, _) => axes.contains(&BATCH),
        _ => false,
    };
    (0..program.values.len() as u32).map(ValueId).filter(combines).collect()
}

/// Everything that a value follows from, in regions all that their bodies do.
fn reached(program: &Program, value: ValueId) -> BTreeSet<ValueId> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![value]);
    while let Some(value) = open.pop() {
        if !reached.insert(value) {
            continue;
        }
        let value = &program.values[value.0 as usize];
        open.extend(value.kind.operands());
        open.extend(value.presence.relations.iter().flat_map(Relation::values).copied());
        if let ValueKind::Final(region, _) | ValueKind::Yielded(region, _) = value.kind {
            let region = &program.regions[region.0 as usize];
            open.extend(&region.carried);
            let made = region.bodies.iter().flat_map(|body| body.carried.iter().chain(body.yields.iter().flatten()));
            open.extend(made);
        }
    }
    reached
}
