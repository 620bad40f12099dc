//! Bodies and lines, two blanks a level.

use super::expressions::{argument_list, axis_arguments, call, expression, label, pattern, value};
use super::{entry, list, names, target};
use crate::syntax::ast::*;

/// `{ … }` at a depth; what stands before the brace is the caller's.
pub(super) fn body(body: &Body, depth: usize) -> String {
    let lines = body.lines.iter().map(|line| format!("{}{}\n", "  ".repeat(depth + 1), kind(&line.kind, depth + 1)));
    format!("{{\n{}{}}}", lines.collect::<String>(), "  ".repeat(depth))
}

fn kind(kind: &LineKind, depth: usize) -> String {
    match kind {
        LineKind::Dim(axes) => format!("dim {}", list(axes, dim)),
        LineKind::Set(all) => format!("set {}", settings(all)),
        LineKind::Param { buffer, made: all } => {
            format!("{} {}", if *buffer { "buffer" } else { "param" }, list(all, made))
        }
        LineKind::Input(entries) => format!("input {}", list(entries, entry)),
        LineKind::Output(name, given) => format!("output {} = {}", target(name), expression(given)),
        LineKind::Train(given) => format!("train {}", expression(given)),
        LineKind::Generate(given) => format!("generate {}", call(given)),
        LineKind::Require(relation, None) => format!("require {}", expression(relation)),
        LineKind::Require(relation, Some(text)) => format!("require {}, \"{text}\"", expression(relation)),
        LineKind::Update(name, given) => format!("update {} = {}", name.text, expression(given)),
        LineKind::Loss(given) => format!("loss {}", expression(given)),
        LineKind::Yield(targets, given) => format!("yield {} = {}", list(targets, target), expression(given)),
        LineKind::Return(given) => format!("return {}", list(given, expression)),
        LineKind::For(region) => region_line(region, depth),
        LineKind::Match(on, arms) => choice(on, arms, depth),
        LineKind::Bind(targets, how, given) => {
            format!("{} {} {}", list(targets, target), assign(*how), expression(given))
        }
        LineKind::Draw(targets, given) => format!("{} ~ {}", list(targets, target), law(given)),
    }
}

fn assign(how: Assign) -> &'static str {
    match how {
        Assign::Set => "=",
        Assign::Add => "+=",
        Assign::Multiply => "*=",
    }
}

fn dim(dim: &Dim) -> String {
    match &dim.size {
        DimSize::Sequence => dim.name.text.clone(),
        DimSize::Value(size) => format!("{} = {}", dim.name.text, value(size)),
        DimSize::Like(other) => format!("{} like {}", dim.name.text, other.text),
    }
}

/// `name = expression, …`, of `set` and of `config`.
pub(super) fn settings(settings: &[(Name, Expr)]) -> String {
    list(settings, |(name, given)| format!("{} = {}", name.text, expression(given)))
}

fn made(made: &Made) -> String {
    let axes = if made.axes.is_empty() { String::new() } else { format!("[{}]", names(&made.axes, ", ")) };
    let start = match &made.start {
        MadeStart::Default => String::new(),
        MadeStart::Value(given) => format!(" = {}", expression(given)),
        MadeStart::Draw(given) => format!(" ~ {}", law(given)),
    };
    let condition = made.condition.as_ref().map_or(String::new(), |condition| format!(" if {}", value(condition)));
    format!("{}{axes}{start}{condition}", made.name.text)
}

/// A law without arguments has no ( ): `uniform[v]`.
fn law(law: &Law) -> String {
    let arguments = if law.arguments.is_empty() { String::new() } else { argument_list(&law.arguments) };
    format!("{}{}{arguments}", law.name.text, axis_arguments(&law.axes))
}

fn region_line(region: &For, depth: usize) -> String {
    let counts = list(&region.counts, |count| match &count.turns {
        Some(turns) => format!("{} in {}", count.name.text, value(turns)),
        None => count.name.text.clone(),
    });
    let reverse = match &region.reverse {
        None => String::new(),
        Some(Reverse { condition: None }) => " reverse".to_string(),
        Some(Reverse { condition: Some(condition) }) => format!(" reverse if {}", value(condition)),
    };
    let until = region.until.as_ref().map_or(String::new(), |until| format!(" until {}", expression(until)));
    format!("{}for {counts}{reverse}{until} {}", label(&region.label), body(&region.body, depth))
}

fn choice(on: &Expr, arms: &[(Pattern, Body)], depth: usize) -> String {
    let inner = "  ".repeat(depth + 1);
    let arms = arms.iter().map(|(when, then)| format!("{inner}{} => {}\n", pattern(when), body(then, depth + 1)));
    format!("match {} {{\n{}{}}}", value(on), arms.collect::<String>(), "  ".repeat(depth))
}
