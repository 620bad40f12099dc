//! Weight maps, a line each.

use super::expressions::{axes, expression};
use super::lines::settings;
use super::{list, names};
use crate::syntax::ast::*;

pub(super) fn weights(weights: &Weights) -> String {
    let lines = weights.lines.iter().map(|line| format!("  {}\n", weight_line(line))).collect::<String>();
    format!("weights {} \"{}\" {{\n{lines}}}\n", weights.format.text, weights.architecture.0)
}

fn weight_line(line: &WeightLine) -> String {
    match line {
        WeightLine::Config(all) => format!("config {}", settings(all)),
        WeightLine::Require(condition, None) => format!("require {}", expression(condition)),
        WeightLine::Require(condition, Some(text)) => format!("require {}, \"{text}\"", expression(condition)),
        WeightLine::Ignore(name) => format!("ignore {}", template(name)),
        WeightLine::Input(input, name, as_stored) => format!("input {} = \"{name}\"{}", input.text, order(as_stored)),
        WeightLine::Value(on, name, as_stored) => {
            format!("value {} = {}{}", path(on), template(name), order(as_stored))
        }
        WeightLine::Draw(on, name) => format!("draw {} = {}", path(on), template(name)),
        WeightLine::Gradient(on, name) => format!("gradient {} = {}", path(on), template(name)),
        WeightLine::Loss(name) => format!("loss = {}", template(name)),
        WeightLine::Train(input, name) => format!("train {} = \"{name}\"", input.text),
        WeightLine::Generate(all) => format!("generate {}", settings(all)),
        WeightLine::Map { path: on, template: name, more, layout, also, .. } => {
            let more = more.iter().map(|piece| format!(" + {}", template(piece))).collect::<String>();
            let layout = layout.as_ref().map_or(String::new(), |layout| format!(" as {}", slots(layout)));
            let also = also.iter().map(|copy| format!(" also {}", template(copy))).collect::<String>();
            format!("{} = {}{more}{layout}{also}", path(on), template(name))
        }
    }
}

fn order(axes: &Option<Vec<Name>>) -> String {
    let written = axes.iter().flatten().map(|axis| format!(" {}", axis.text)).collect::<String>();
    if written.is_empty() { written } else { format!(" as{written}") }
}

fn path(path: &WeightPath) -> String {
    path.steps.iter().map(step).collect::<Vec<_>>().join(".")
}

fn step(step: &WeightStep) -> String {
    match step {
        WeightStep::Name(name, Some(axis)) => format!("{}[{}]", name.text, axis.text),
        WeightStep::Name(name, None) => name.text.clone(),
        WeightStep::Parts(parts) => format!("{{{}}}", list(parts, path)),
    }
}

fn slots(slots: &[Slot]) -> String {
    slots.iter().map(slot).collect::<Vec<_>>().join(" ")
}

fn slot(slot: &Slot) -> String {
    match slot {
        Slot::Axis(axis) => axis.text.clone(),
        Slot::Number(size, _) => size.to_string(),
        Slot::Joined(terms, _) => {
            format!("({})", terms.iter().map(|term| slots(term)).collect::<Vec<_>>().join(" + "))
        }
    }
}

fn template(template: &Template) -> String {
    format!("\"{}\"", template.pieces.iter().map(piece).collect::<String>())
}

fn piece(piece: &TemplatePiece) -> String {
    match piece {
        TemplatePiece::Text(text) => text.clone(),
        TemplatePiece::Number(given) => format!("{{{}}}", axes(given)),
        TemplatePiece::Parts(parts) => format!("{{{}}}", names(parts, ", ")),
    }
}
