//! Writes a family's file for one configuration: sizes filled in, and the arms that they rule out left out.
//!
//! In: the family's text and what the configuration says. Out: a text that compiles alone to the same model. Only the
//! text is edited, so that comments, names and layout stay as their author wrote them.

mod edits;
mod matches;

use crate::diagnostics::Diagnostics;
use crate::model::{Overrides, Setting};
use crate::source::FileId;
use crate::syntax::{self, ast};
use edits::Edits;
use std::collections::BTreeMap;

/// The text for a configuration. `settings` are all settings of the checked model; `overrides` are those that the
/// configuration gave, sizes of axes too.
pub fn specialise(text: &str, overrides: &Overrides, settings: &[(String, Setting)]) -> String {
    let tree = syntax::parse(FileId(0), text, &mut Diagnostics::default());
    let mut edits = Edits::default();
    for model in &tree.models {
        fill_in(&model.body, overrides, &mut edits);
        let known: BTreeMap<&str, &Setting> = settings.iter().map(|(name, value)| (name.as_str(), value)).collect();
        matches::decide(&model.body, &known, text, &mut edits);
    }
    tree.weights.iter().for_each(|map| leave_out(map, text, &mut edits));
    edits.apply(text)
}

/// Takes away the lines of a weight map that speak of parameters which are not made any more.
fn leave_out(map: &ast::Weights, text: &str, edits: &mut Edits) {
    for line in &map.lines {
        let ast::WeightLine::Map { path, span, .. } = line else { continue };
        if let Some(ast::WeightStep::Name(name, _)) = path.steps.first()
            && edits.gone.contains(&name.text)
        {
            let start = text[..span.start as usize].rfind('\n').map_or(0, |newline| newline + 1);
            let end = text[span.end as usize..].find('\n').map_or(text.len(), |at| span.end as usize + at + 1);
            edits.remove(start as u32, end as u32);
        }
    }
}

/// Replaces the defaults of sizes and settings, in the body and wherever a `match` holds such lines.
fn fill_in(body: &ast::Body, overrides: &Overrides, edits: &mut Edits) {
    for line in &body.lines {
        match &line.kind {
            ast::LineKind::Set(items) => {
                for (name, value) in items {
                    replace(name, value, overrides, edits);
                }
            }
            ast::LineKind::Dim(dims) => {
                for dim in dims {
                    if let ast::DimSize::Value(value) = &dim.size {
                        replace(&dim.name, value, overrides, edits);
                    }
                }
            }
            _ => {}
        }
    }
}

fn replace(name: &ast::Name, value: &ast::Expr, overrides: &Overrides, edits: &mut Edits) {
    if let Some(setting) = overrides.get(&name.text) {
        edits.replace(value.span.start, value.span.end, setting.text());
    }
}
