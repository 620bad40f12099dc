//! Checks syntax trees and resolves them into a [`Model`].
//!
//! This is the last stage that can find fault with the user's program: names, axes, sizes, types, index ranges and
//! presence are settled, blocks are expanded, and every `match` is decided. What is left is a list of typed values.

//!
//! Order: [`library`] finds what can be named, `elaborate` turns trees into values with the help of `construct`, and
//! `compact` leaves out what nothing asks for.

mod blindness;
mod compact;
mod construct;
mod declarations;
mod density;
mod elaborate;
pub mod library;
mod neighbours;
mod scope;
mod settings;
mod spelling;
mod text;
mod unused;
mod values;
mod weights;

pub use declarations::*;
pub use elaborate::Overrides;
pub use library::{Library, load};
pub use text::text;
pub use values::*;
pub use weights::{Unread, configure, setting_of, unread};

use crate::diagnostics::Diagnostics;
use crate::syntax::ast::Weights;

/// Checks the model of a library (the first of its main file). Absent if an error is in the sink.
pub fn check(library: &Library, overrides: &Overrides, sink: &mut Diagnostics) -> Option<Model> {
    let source = library.models.first()?;
    let mut said = Vec::new();
    let compiled = elaborate::elaborate(library, source, overrides, &mut said);
    said.into_iter().for_each(|diagnostic| sink.push(diagnostic));
    let elaborate::Compiled { mut model, mut forward, judged, sampled } = compiled?;
    let maps = library.maps_of(source);
    model.weights = weights::resolve(library, &maps, &model, sink);
    name_values(&mut model, (&mut forward, judged, sampled), &maps, sink);
    blindness::prove(&model, sink);
    if !sink.has_errors() {
        density::warn(&model, sink);
        neighbours::note(&model, sink);
        library.main.iter().for_each(|file| unused::warn(library, file, sink));
    }
    (!sink.has_errors()).then_some(model)
}

/// Programs in which weight maps name values.
type Programs<'v> = (&'v mut construct::Values, Option<Program>, Option<Program>);

/// Adds the values that weight maps name to the programs that have them.
fn name_values(model: &mut Model, (forward, judged, sampled): Programs<'_>, maps: &[&Weights], sink: &mut Diagnostics) {
    let mut all = Vec::new();
    for map in maps {
        let programs = (&mut *forward, judged.as_ref(), sampled.as_ref());
        let named = weights::add_values(map, programs, &model.settings, sink);
        forward.program.named.extend(named.forward.iter().cloned());
        all.push(named);
    }
    model.forward = compact::compact(&forward.program);
    for (map, named) in model.weights.iter_mut().zip(&all).rev() {
        let from = model.forward.named.len() - named.forward.len();
        map.values = model.forward.named.split_off(from);
        map.orders.extend(named.orders.iter().cloned());
    }
    // Of these programs nothing is kept but what some map names.
    let keep = |whole: Option<Program>, named: fn(&weights::Named) -> &Vec<(String, ValueId)>| {
        let mut whole = whole.filter(|_| all.iter().any(|one| !named(one).is_empty()))?;
        whole.named = all.iter().flat_map(|one| named(one).clone()).collect();
        Some(compact::compact(&whole))
    };
    if let Some(program) = keep(judged, |named| &named.judged) {
        hand_out(&mut model.weights, &program, &all, |said| &mut said.judged, |named| named.judged.len());
        model.evaluate = Some(program);
    }
    if let Some(program) = keep(sampled, |named| &named.sampled) {
        hand_out(&mut model.weights, &program, &all, |said| &mut said.sampled, |named| named.sampled.len());
        model.generate.iter_mut().for_each(|generate| generate.program = program.clone());
    }
}

/// Gives every map the values that it names, by the numbers that they have now.
fn hand_out(
    maps: &mut [WeightMap],
    program: &Program,
    all: &[weights::Named],
    own: fn(&mut Said) -> &mut Vec<(String, ValueId)>,
    count: fn(&weights::Named) -> usize,
) {
    let mut rest = program.named.as_slice();
    for (map, named) in maps.iter_mut().zip(all) {
        let (first, others) = rest.split_at(count(named));
        *own(&mut map.said) = first.to_vec();
        rest = others;
    }
}
