//! `config` lines: settings of a model from a published configuration; `require` lines: what it has to say.
//!
//! In: a weight map and the configuration's JSON. Out: overrides of the model's settings and sizes. A null or a missing
//! key is absent; a second choice stands after `else`.

use crate::diagnostics::codes::*;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::model::Overrides;
use crate::model::declarations::Setting;
use crate::model::settings;
use crate::syntax::ast::{ArgumentValue, Binary, Expr, ExprKind, Name, Pattern, Unary, WeightLine, Weights};
use crate::tensor::Function;
use serde_json::Value;

/// Settings that a configuration gives. What it lacks is reported, and the rest is still there.
pub fn configure(weights: &Weights, config: &Value, sink: &mut Diagnostics) -> Overrides {
    let mut overrides = Overrides::default();
    for line in &weights.lines {
        match line {
            WeightLine::Config(entries) => entries.iter().for_each(|(name, expr)| {
                overrides.0.extend(configured(name, expr, config, sink).map(|setting| (name.text.clone(), setting)));
            }),
            WeightLine::Require(condition, why) => demand(condition, why.as_deref(), config, sink),
            _ => {}
        }
    }
    overrides
}

/// One setting, unless the configuration says nothing that fits.
fn configured(name: &Name, expr: &Expr, config: &Value, sink: &mut Diagnostics) -> Option<Setting> {
    let report = match evaluate(expr, config, false) {
        Ok(Some(setting)) => return Some(setting),
        Ok(None) => Diagnostic::new(E0703, format!("the configuration does not say what `{}` is", name.text))
            .label(expr.span, "no such key, or it is null")
            .help("add a second choice: `else …`"),
        Err(reason) => {
            Diagnostic::new(E0703, format!("the configuration does not fit `{}`", name.text)).label(expr.span, reason)
        }
    };
    sink.push(report);
    None
}

/// Refuses a configuration that a map says its model is not for.
fn demand(condition: &Expr, why: Option<&str>, config: &Value, sink: &mut Diagnostics) {
    let label = match evaluate(condition, config, false) {
        Ok(Some(Setting::Truth(true))) => return,
        Ok(Some(Setting::Truth(false))) => "does not hold".to_owned(),
        Ok(Some(other)) => format!("is {}, not a bool", other.describe()),
        Ok(None) => "no such key, or it is null".to_owned(),
        Err(reason) => reason,
    };
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    sink.push(
        Diagnostic::new(E0703, format!("the configuration asks for what this model is not{why}"))
            .label(condition.span, label)
            .help("change the model and its map, or take a configuration that fits"),
    );
}

/// A setting as a text in JSON gives it; nothing if that says nothing about it.
///
/// # Errors
/// What of it cannot be read.
pub fn setting_of(expr: &Expr, said: &Value) -> Result<Option<Setting>, String> {
    evaluate(expr, said, false)
}

type Found = Result<Option<Setting>, String>;

fn evaluate(expr: &Expr, config: &Value, words: bool) -> Found {
    match &expr.kind {
        ExprKind::Integer(number) => Ok(Some(Setting::Integer(*number))),
        ExprKind::Real(number) => Ok(Some(Setting::Real(*number))),
        ExprKind::Truth(holds) => Ok(Some(Setting::Truth(*holds))),
        // A key that is a word of the language stands in quotes.
        ExprKind::Text(text) => Ok(key(config, text).and_then(setting).or_else(|| Some(Setting::Word(text.clone())))),
        ExprKind::Name(name) => Ok(key(config, name).and_then(setting).or_else(|| word(name, config, words))),
        ExprKind::Field(..) => Ok(path(expr, config).and_then(setting)),
        ExprKind::Else(first, second) => match evaluate(first, config, false)? {
            Some(found) => Ok(Some(found)),
            None => evaluate(second, config, is_plain_word(second)),
        },
        ExprKind::List(items) => {
            let items = items.iter().map(|item| evaluate(item, config, true)).collect::<Result<Vec<_>, _>>()?;
            Ok(items.into_iter().collect::<Option<Vec<_>>>().map(Setting::List))
        }
        ExprKind::Unary(operator, inner) => {
            let function = if *operator == Unary::Negate { Function::Negate } else { Function::Not };
            apply(function, &[inner], config)
        }
        ExprKind::Binary(operator, left, right) => binary(*operator, left, right, config),
        ExprKind::Element(list, index) => {
            let (list, index) = (evaluate(list, config, false)?, evaluate(index, config, false)?);
            let (Some(Setting::List(items)), Some(index)) = (list, index) else { return Ok(None) };
            Ok(index.whole().and_then(|place| items.get(usize::try_from(place).ok()?).cloned()))
        }
        ExprKind::Match(scrutinee, arms) => {
            let found = evaluate(scrutinee, config, false)?;
            match arms.iter().find(|(pattern, _)| fits(pattern, found.as_ref())) {
                Some((_, arm)) => evaluate(arm, config, true),
                None => Err(format!("no arm for `{}`", found.map_or("nothing".into(), |found| found.text()))),
            }
        }
        ExprKind::Call(call) => {
            let arguments = call.arguments.iter().filter_map(|argument| match &argument.value {
                ArgumentValue::Value(expr) => Some(expr),
                ArgumentValue::Hole(_) => None,
            });
            let function = Function::ALL.into_iter().find(|function| function.name() == call.name.text);
            let function = function.ok_or_else(|| format!("`{}` cannot be used here", call.name.text))?;
            apply(function, &arguments.collect::<Vec<_>>(), config)
        }
        _ => Err("this cannot be read from a configuration".into()),
    }
}

/// Whether a second choice may be a word: keys of configurations have an underscore, or are there.
fn is_plain_word(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Name(name) if !name.contains('_'))
}

/// A bare name that is no key, where a word may stand.
fn word(name: &str, config: &Value, words: bool) -> Option<Setting> {
    (words && key(config, name).is_none()).then(|| Setting::Word(name.into()))
}

fn key<'c>(config: &'c Value, name: &str) -> Option<&'c Value> {
    config.get(name)
}

/// `a.b.c`.
fn path<'c>(expr: &Expr, config: &'c Value) -> Option<&'c Value> {
    match &expr.kind {
        ExprKind::Name(name) => key(config, name),
        ExprKind::Field(base, field) => path(base, config)?.get(&field.text),
        _ => None,
    }
}

fn setting(value: &Value) -> Option<Setting> {
    match value {
        Value::Null | Value::Object(_) => None,
        Value::Bool(holds) => Some(Setting::Truth(*holds)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Some(Setting::Integer(whole)),
            None => number.as_f64().map(Setting::Real),
        },
        Value::String(text) => Some(Setting::Word(text.clone())),
        Value::Array(items) => items.iter().map(setting).collect::<Option<Vec<_>>>().map(Setting::List),
    }
}

fn fits(pattern: &Pattern, found: Option<&Setting>) -> bool {
    match (pattern, found) {
        (Pattern::Any(_), _) => true,
        (Pattern::Number(number, _), Some(found)) => found.number() == Some(*number),
        (Pattern::Word(word), Some(Setting::Word(text))) => word.text == *text,
        (Pattern::Truth(holds, _), Some(Setting::Truth(is))) => holds == is,
        _ => false,
    }
}

fn apply(function: Function, operands: &[&Expr], config: &Value) -> Found {
    let mut found = Vec::with_capacity(operands.len());
    for operand in operands {
        match evaluate(operand, config, false)? {
            Some(setting) => found.push(setting),
            None => return Ok(None),
        }
    }
    if found.len() != function.arity() {
        return Err(format!("`{}` takes {} numbers", function.name(), function.arity()));
    }
    settings::apply(function, &found).map(Some)
}

fn binary(operator: Binary, left: &Expr, right: &Expr, config: &Value) -> Found {
    if matches!(operator, Binary::Equal | Binary::NotEqual) {
        let (Some(a), Some(b)) = (evaluate(left, config, false)?, evaluate(right, config, true)?) else {
            return Ok(None);
        };
        return Ok(Some(Setting::Truth(settings::same(&a, &b) == (operator == Binary::Equal))));
    }
    let Some((function, flip)) = settings::function_of(operator) else {
        let (Some(item), Some(Setting::List(items))) =
            (evaluate(left, config, false)?, evaluate(right, config, false)?)
        else {
            return Ok(None);
        };
        return Ok(Some(Setting::Truth(items.iter().any(|one| settings::same(one, &item)))));
    };
    let operands = if flip { [right, left] } else { [left, right] };
    apply(function, &operands, config)
}
