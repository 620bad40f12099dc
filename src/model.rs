//! Checks syntax trees and resolves them into a [`Model`].
//!
//! This is the last stage that can find fault with the user's program: names, axes, sizes, types, index ranges and
//! presence are settled, blocks are expanded, and every `match` is decided. What is left is a list of typed values.

//!
//! Order: [`library`] finds what can be named, `elaborate` turns trees into values with the help of `construct`, and
//! `compact` leaves out what nothing asks for.

mod compact;
mod construct;
mod declarations;
mod elaborate;
pub mod library;
mod scope;
mod settings;
mod spelling;
mod text;
mod unused;
mod values;

pub use declarations::*;
pub use elaborate::Overrides;
pub use library::{Library, load};
pub use text::text;
pub use values::*;

use crate::diagnostics::Diagnostics;

/// Checks the model of a library (the first of its main file). Absent if an error is in the sink.
pub fn check(library: &Library, overrides: &Overrides, sink: &mut Diagnostics) -> Option<Model> {
    let model = library.models.first()?;
    let mut said = Vec::new();
    let compiled = elaborate::elaborate(library, model, overrides, &mut said);
    said.into_iter().for_each(|diagnostic| sink.push(diagnostic));
    if !sink.has_errors() {
        library.main.iter().for_each(|file| unused::warn(file, sink));
    }
    Some(compiled?.model)
}
