//! What a block's signature and body say before it is called.

use crate::syntax::ast::{self, Block, Body, Expr, ExprKind, LineKind, Parameter};

/// The axes of a signature: demands, then those of parameters, then those of results, each once.
pub fn signature_axes(block: &Block) -> Vec<ast::Name> {
    let mut names: Vec<ast::Name> = Vec::new();
    let mut add = |name: &ast::Name| {
        if !names.iter().any(|known| known.text == name.text) {
            names.push(name.clone());
        }
    };
    block.demands.iter().for_each(|demand| add(&demand.axis));
    for parameter in &block.parameters {
        if let Parameter::Value(entry) = parameter {
            entry.target.axes.iter().flatten().for_each(&mut add);
            entry.target.kind.iter().filter(|kind| !is_plain(&kind.name.text)).for_each(|kind| add(&kind.name));
        }
    }
    for result in &block.results {
        result.axes.iter().for_each(&mut add);
    }
    names
}

/// Axes of the signature that the body sizes itself.
pub fn axes_sized_inside(block: &Block) -> Vec<String> {
    let mut sized = Vec::new();
    for line in &block.body.lines {
        if let LineKind::Dim(dims) = &line.kind {
            sized.extend(dims.iter().map(|dim| dim.name.text.clone()));
        }
    }
    sized
}

/// Whether a type is not an axis.
pub fn is_plain(word: &str) -> bool {
    matches!(word, "real" | "int" | "bool" | "f32" | "f64")
}

/// Whether an argument for a parameter may be a word: its default is one, or the body matches on it.
pub fn takes_words(parameter: &Parameter, all: &[Parameter], body: Option<&Body>) -> bool {
    let Parameter::Value(entry) = parameter else { return true };
    if entry.target.axes.is_some() || entry.target.kind.is_some() {
        return false;
    }
    if let Some(default) = &entry.default {
        let other = |name: &str| all.iter().any(|one| one.name().text == name);
        return matches!(&default.kind, ExprKind::Name(name) if !other(name) && name.len() > 1)
            || matches!(&default.kind, ExprKind::List(_));
    }
    body.is_some_and(|body| matches_on(body, &entry.target.name.text))
}

/// Whether any line matches on a name.
fn matches_on(body: &Body, name: &str) -> bool {
    let is = |expr: &Expr| matches!(&expr.kind, ExprKind::Name(text) if text == name);
    body.lines.iter().any(|line| match &line.kind {
        LineKind::Match(scrutinee, arms) => is(scrutinee) || arms.iter().any(|(_, body)| matches_on(body, name)),
        LineKind::For(region) => matches_on(&region.body, name),
        LineKind::Bind(_, _, expr) | LineKind::Output(_, expr) | LineKind::Yield(_, expr) => expr_matches(expr, name),
        LineKind::Return(exprs) => exprs.iter().any(|expr| expr_matches(expr, name)),
        LineKind::Set(settings) => settings.iter().any(|(_, expr)| expr_matches(expr, name)),
        _ => false,
    })
}

fn expr_matches(expr: &Expr, name: &str) -> bool {
    match &expr.kind {
        ExprKind::Match(scrutinee, arms) => {
            matches!(&scrutinee.kind, ExprKind::Name(text) if text == name)
                || arms.iter().any(|(_, arm)| expr_matches(arm, name))
        }
        ExprKind::Unary(_, inner) => expr_matches(inner, name),
        ExprKind::Binary(_, left, right) | ExprKind::Where(left, right) | ExprKind::Else(left, right) => {
            expr_matches(left, name) || expr_matches(right, name)
        }
        ExprKind::Index(base, _, _) => expr_matches(base, name),
        ExprKind::Call(call) => call.arguments.iter().any(|argument| match &argument.value {
            ast::ArgumentValue::Value(expr) => expr_matches(expr, name),
            ast::ArgumentValue::Hole(_) => false,
        }),
        _ => false,
    }
}
