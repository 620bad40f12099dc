//! The order in which a file holds the axes of data, where a weight map says that it is another than the model's own.
//!
//! In: the axes that a line writes after `as`, and those of the value, rows first. Out: for each axis of the value, its
//! place in the file.

use crate::diagnostics::codes::*;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::syntax::ast::Name;

/// A tensor of data, and the place there of every axis that the model's value has, rows first.
pub type Order = (String, Vec<usize>);

/// The places of a tensor's `own` axes among the written ones; absent, and said, if those are not its axes.
pub fn order(tensor: &str, own: &[String], written: &[Name], sink: &mut Diagnostics) -> Option<Order> {
    let place = |axis: &String| written.iter().position(|name| name.text == *axis);
    let found = own.iter().map(place).collect::<Option<Vec<usize>>>();
    let places = found.filter(|places| places.len() == written.len());
    if places.is_none() {
        let span = written.iter().map(|name| name.span).reduce(|first, last| first.to(last));
        let said = Diagnostic::new(E0701, format!("the axes are {}", own.join(", ")));
        sink.push(span.into_iter().fold(said, |said, span| said.label(span, "must name each of these once")));
    }
    Some((tensor.to_string(), places?))
}
