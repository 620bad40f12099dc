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
pub use weights::configure;

use crate::diagnostics::Diagnostics;
use crate::syntax::ast::Weights;

/// Checks the model of a library (the first of its main file). Absent if an error is in the sink.
pub fn check(library: &Library, overrides: &Overrides, sink: &mut Diagnostics) -> Option<Model> {
    let source = library.models.first()?;
    let mut said = Vec::new();
    let compiled = elaborate::elaborate(library, source, overrides, &mut said);
    said.into_iter().for_each(|diagnostic| sink.push(diagnostic));
    let elaborate::Compiled { mut model, mut forward } = compiled?;
    let maps = library.maps_of(source);
    model.weights = weights::resolve(library, &maps, &model, sink);
    name_values(&mut model, &mut forward, &maps, sink);
    blindness::prove(&model, sink);
    if !sink.has_errors() {
        density::warn(&model, sink);
        library.main.iter().for_each(|file| unused::warn(library, file, sink));
    }
    (!sink.has_errors()).then_some(model)
}

/// Adds the values that weight maps name to the forward program.
fn name_values(model: &mut Model, forward: &mut construct::Values, maps: &[&Weights], sink: &mut Diagnostics) {
    let mut counts = Vec::new();
    for map in maps {
        let named = weights::add_values(map, forward, &model.settings, sink);
        counts.push(named.len());
        forward.program.named.extend(named);
    }
    model.forward = compact::compact(&forward.program);
    for (map, count) in model.weights.iter_mut().zip(counts).rev() {
        let from = model.forward.named.len() - count;
        map.values = model.forward.named.split_off(from);
    }
}
