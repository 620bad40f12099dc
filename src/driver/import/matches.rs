//! Decides every `match` on a setting that is known, and leaves the other arms out.

use super::edits::Edits;
use crate::model::Setting;
use crate::syntax::ast::{
    ArgumentValue, Body, Call, DimSize, Expr, ExprKind, Line, LineKind, MadeStart, Pattern, PlaceValue,
};
use std::collections::BTreeMap;

type Known<'k> = BTreeMap<&'k str, &'k Setting>;

/// Goes through the lines of a body and edits each `match` that can be decided.
pub fn decide(body: &Body, known: &Known<'_>, text: &str, edits: &mut Edits) {
    for line in &body.lines {
        match &line.kind {
            LineKind::For(region) => decide(&region.body, known, text, edits),
            LineKind::Match(on, arms) => match chosen(on, arms, known) {
                Some(arm) => {
                    let kept = made_by(arm);
                    let others = arms.iter().flat_map(|(_, other)| made_by(other));
                    edits.gone.extend(others.filter(|name| !kept.contains(name)));
                    keep_arm(line, arm, known, text, edits);
                }
                None => arms.iter().for_each(|(_, arm)| decide(arm, known, text, edits)),
            },
            other => expressions_of(other).into_iter().for_each(|expr| decide_expression(expr, known, edits)),
        }
    }
}

/// The parameters that the lines of an arm make.
fn made_by(arm: &Body) -> Vec<String> {
    let names = arm.lines.iter().flat_map(|line| match &line.kind {
        LineKind::Param { made, .. } => made.iter().map(|one| one.name.text.clone()).collect(),
        _ => Vec::new(),
    });
    names.collect()
}

/// The arm that the setting picks; nothing if the `match` is not on a known setting.
fn chosen<'a, T>(on: &Expr, arms: &'a [(Pattern, T)], known: &Known<'_>) -> Option<&'a T> {
    let ExprKind::Name(name) = &on.kind else { return None };
    let setting = known.get(name.as_str())?;
    arms.iter().find(|(pattern, _)| fits(pattern, setting)).map(|(_, arm)| arm)
}

fn fits(pattern: &Pattern, setting: &Setting) -> bool {
    match (pattern, setting) {
        (Pattern::Any(_), _) => true,
        (Pattern::Truth(pattern, _), Setting::Truth(value)) => pattern == value,
        (Pattern::Word(word), Setting::Word(value)) => word.text == *value,
        (Pattern::Number(number, _), value) => value.number() == Some(*number),
        _ => false,
    }
}

/// Takes away all of the line but the arm's own lines, which move to its indentation.
fn keep_arm(line: &Line, arm: &Body, known: &Known<'_>, text: &str, edits: &mut Edits) {
    let (Some(first), Some(last)) = (arm.lines.first(), arm.lines.last()) else {
        let end = text[line.span.end as usize..].find('\n').map_or(text.len(), |at| line.span.end as usize + at + 1);
        return edits.remove(line.span.start - indentation(text, line.span.start) as u32, end as u32);
    };
    let (outer, inner) = (indentation(text, line.span.start), indentation(text, first.span.start));
    edits.remove(line.span.start, first.span.start);
    for (at, _) in text[first.span.start as usize..last.span.end as usize].match_indices('\n') {
        let start = first.span.start as usize + at + 1;
        if inner > outer && text[start..].starts_with(&" ".repeat(inner)) {
            edits.remove(start as u32, (start + inner - outer) as u32);
        }
    }
    decide(arm, known, text, edits);
    edits.remove(last.span.end, line.span.end);
}

/// How many spaces stand before a place on its line; 0 if anything else does.
fn indentation(text: &str, at: u32) -> usize {
    let before = &text[..at as usize];
    let line = &before[before.rfind('\n').map_or(0, |newline| newline + 1)..];
    if line.chars().all(|character| character == ' ') { line.len() } else { 0 }
}

fn decide_expression(expr: &Expr, known: &Known<'_>, edits: &mut Edits) {
    if let ExprKind::Match(on, arms) = &expr.kind
        && let Some(arm) = chosen(on, arms, known)
    {
        let loose =
            matches!(arm.kind, ExprKind::Binary(..) | ExprKind::Unary(..) | ExprKind::Where(..) | ExprKind::Else(..));
        let (open, close) = if loose { ("(", ")") } else { ("", "") };
        edits.replace(expr.span.start, arm.span.start, open);
        decide_expression(arm, known, edits);
        return edits.replace(arm.span.end, expr.span.end, close);
    }
    children(expr).into_iter().for_each(|child| decide_expression(child, known, edits));
}

/// The expressions that stand on a line.
fn expressions_of(line: &LineKind) -> Vec<&Expr> {
    match line {
        LineKind::Dim(dims) => dims
            .iter()
            .filter_map(|dim| if let DimSize::Value(value) = &dim.size { Some(value) } else { None })
            .collect(),
        LineKind::Set(items) => items.iter().map(|(_, value)| value).collect(),
        LineKind::Param { made, .. } => made
            .iter()
            .flat_map(|made| {
                let start = if let MadeStart::Value(value) = &made.start { Some(value) } else { None };
                start.into_iter().chain(&made.condition)
            })
            .collect(),
        LineKind::Output(_, value) | LineKind::Train(value) | LineKind::Require(value, _) => vec![value],
        LineKind::Update(_, value) | LineKind::Loss(value) | LineKind::Yield(_, value) => vec![value],
        LineKind::Bind(_, _, value) => vec![value],
        LineKind::Return(values) => values.iter().collect(),
        LineKind::Generate(call) => arguments(call),
        LineKind::Input(_) | LineKind::Draw(..) | LineKind::For(_) | LineKind::Match(..) => Vec::new(),
    }
}

fn arguments(call: &Call) -> Vec<&Expr> {
    let given = call.arguments.iter().map(|argument| &argument.value);
    given.filter_map(|value| if let ArgumentValue::Value(value) = value { Some(value) } else { None }).collect()
}

/// The expressions directly inside one.
fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::List(items) => items.iter().collect(),
        ExprKind::Unary(_, inner) | ExprKind::Field(inner, _) => vec![inner],
        ExprKind::Binary(_, left, right)
        | ExprKind::Where(left, right)
        | ExprKind::Else(left, right)
        | ExprKind::Element(left, right) => vec![left, right],
        ExprKind::Index(inner, places, otherwise) => {
            let at = places
                .iter()
                .filter_map(|place| if let PlaceValue::Value(value) = &place.at { Some(value) } else { None });
            std::iter::once(&**inner).chain(at).chain(otherwise.as_deref()).collect()
        }
        ExprKind::Match(on, arms) => std::iter::once(&**on).chain(arms.iter().map(|(_, arm)| arm)).collect(),
        ExprKind::Call(call) => arguments(call),
        _ => Vec::new(),
    }
}
