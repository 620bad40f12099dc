//! Keys of a configuration that no `config` or `require` line of a map reads.
//!
//! In: a weight map and the configuration's JSON. Out: every key, nested ones with dots, whose value might mean something
//! to the model and is read by no line. Left out by rule, and counted: keys that are switched off (null, false, 0, empty),
//! and those that speak to loaders and trainers alone, as their names show.

use crate::syntax::ast::{ArgumentValue, Expr, ExprKind, WeightLine, Weights};
use serde_json::Value;

/// What nobody reads.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unread {
    /// Keys and values.
    pub keys: Vec<(String, Value)>,
    /// How many keys more were left out by the rule.
    pub passed_over: usize,
}

/// The keys of a configuration that a map does not read.
pub fn unread(weights: &Weights, config: &Value) -> Unread {
    let mut read = Vec::new();
    for line in &weights.lines {
        match line {
            WeightLine::Config(entries) => entries.iter().for_each(|(_, expr)| collect(expr, &mut read)),
            WeightLine::Require(condition, _) => collect(condition, &mut read),
            _ => {}
        }
    }
    let mut unread = Unread::default();
    visit("", config, &read, &mut unread);
    unread
}

fn visit(prefix: &str, config: &Value, read: &[String], unread: &mut Unread) {
    for (key, value) in config.as_object().into_iter().flatten() {
        let path = format!("{prefix}{key}");
        if read.contains(&path) {
            continue;
        }
        match value {
            Value::Object(inner) if !inner.is_empty() && !is_bookkeeping(key) => {
                visit(&format!("{path}."), value, read, unread);
            }
            _ if is_bookkeeping(key) || is_off(value) => unread.passed_over += 1,
            _ => unread.keys.push((path, value.clone())),
        }
    }
}

/// Whether a value switches nothing on.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        Value::Bool(true) => false,
    }
}

/// Whether a key names the file itself, what to return, numbers of tokens, or how weights are stored and drawn.
fn is_bookkeeping(key: &str) -> bool {
    let whole = ["architectures", "model_type", "use_cache", "id2label", "label2id", "tokenizer_class", "auto_map"];
    let starts = ["_", "output_", "return_", "task_specific"];
    let ends = ["_token_id", "_version", "dtype", "initializer_range", "initializer_factor", "init_std"];
    whole.contains(&key) || starts.iter().any(|it| key.starts_with(it)) || ends.iter().any(|it| key.ends_with(it))
}

/// The keys that an expression reads.
fn collect(expr: &Expr, read: &mut Vec<String>) {
    if let Some(path) = path(expr) {
        return read.push(path);
    }
    match &expr.kind {
        ExprKind::Text(text) => read.push(text.clone()),
        ExprKind::Unary(_, inner) => collect(inner, read),
        ExprKind::Else(left, right) | ExprKind::Binary(_, left, right) | ExprKind::Element(left, right) => {
            collect(left, read);
            collect(right, read);
        }
        ExprKind::List(items) => items.iter().for_each(|item| collect(item, read)),
        ExprKind::Match(on, arms) => {
            collect(on, read);
            arms.iter().for_each(|(_, arm)| collect(arm, read));
        }
        ExprKind::Call(call) => call.arguments.iter().for_each(|argument| {
            if let ArgumentValue::Value(value) = &argument.value {
                collect(value, read);
            }
        }),
        _ => {}
    }
}

/// `a.b.c`.
fn path(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name.clone()),
        ExprKind::Field(base, field) => Some(format!("{}.{}", path(base)?, field.text)),
        _ => None,
    }
}
