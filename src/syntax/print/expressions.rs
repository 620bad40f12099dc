//! Expressions by precedence: an operand is put in ( ) where it binds looser than its place asks.

use super::{list, names};
use crate::syntax::ast::*;
use crate::syntax::grammar::{Grammar, Rule};
use pest::Parser;

/// How tightly an expression holds together, in the order of the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Else,
    Where,
    Or,
    And,
    Not,
    Compare,
    Add,
    Multiply,
    Negate,
    Power,
    Atom,
}

/// Any expression.
pub(super) fn expression(expression: &Expr) -> String {
    at(expression, Level::Else)
}

/// An expression without a bare `where` or `else`: an index, a size, what follows `if`.
pub(super) fn value(expression: &Expr) -> String {
    at(expression, Level::Or)
}

fn at(expression: &Expr, least: Level) -> String {
    let (text, level) = bare(&expression.kind);
    if level < least { format!("({text})") } else { text }
}

fn bare(kind: &ExprKind) -> (String, Level) {
    match kind {
        ExprKind::Else(left, right) => {
            (format!("{} else {}", at(left, Level::Else), at(right, Level::Where)), Level::Else)
        }
        ExprKind::Where(left, right) => {
            (format!("{} where {}", at(left, Level::Where), at(right, Level::Or)), Level::Where)
        }
        ExprKind::Binary(operator, left, right) => binary(*operator, left, right),
        ExprKind::Unary(Unary::Not, operand) => (format!("not {}", at(operand, Level::Not)), Level::Not),
        ExprKind::Unary(Unary::Negate, operand) => (format!("-{}", at(operand, Level::Negate)), Level::Negate),
        other => atom(other),
    }
}

fn binary(operator: Binary, left: &Expr, right: &Expr) -> (String, Level) {
    let (sign, level, left_least, right_least) = match operator {
        Binary::Or => ("or", Level::Or, Level::Or, Level::And),
        Binary::And => ("and", Level::And, Level::And, Level::Not),
        Binary::Equal => ("==", Level::Compare, Level::Add, Level::Add),
        Binary::NotEqual => ("!=", Level::Compare, Level::Add, Level::Add),
        Binary::Less => ("<", Level::Compare, Level::Add, Level::Add),
        Binary::LessEqual => ("<=", Level::Compare, Level::Add, Level::Add),
        Binary::Greater => (">", Level::Compare, Level::Add, Level::Add),
        Binary::GreaterEqual => (">=", Level::Compare, Level::Add, Level::Add),
        Binary::In => ("in", Level::Compare, Level::Add, Level::Add),
        Binary::Add => ("+", Level::Add, Level::Add, Level::Multiply),
        Binary::Subtract => ("-", Level::Add, Level::Add, Level::Multiply),
        Binary::Multiply => ("*", Level::Multiply, Level::Multiply, Level::Negate),
        Binary::Divide => ("/", Level::Multiply, Level::Multiply, Level::Negate),
        Binary::FloorDivide => ("//", Level::Multiply, Level::Multiply, Level::Negate),
        Binary::Remainder => ("%", Level::Multiply, Level::Multiply, Level::Negate),
        Binary::Power => ("^", Level::Power, Level::Atom, Level::Negate),
    };
    (format!("{} {sign} {}", at(left, left_least), at(right, right_least)), level)
}

fn atom(kind: &ExprKind) -> (String, Level) {
    let text = match kind {
        ExprKind::Integer(number) if *number < 0 => return (number.to_string(), Level::Negate),
        ExprKind::Integer(number) => number.to_string(),
        ExprKind::Real(number) if *number < 0.0 => return (real(*number), Level::Negate),
        ExprKind::Real(number) => real(*number),
        ExprKind::Truth(truth) => truth.to_string(),
        ExprKind::Text(text) => format!("\"{text}\""),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Size(axis) => format!("|{}|", axis.text),
        ExprKind::List(items) => format!("[{}]", list(items, expression)),
        ExprKind::Index(on, places, fallback) => {
            let fallback = fallback.as_ref().map_or(String::new(), |other| format!(" else {}", expression(other)));
            format!("{}[{}{fallback}]", at(on, Level::Atom), list(places, place))
        }
        ExprKind::Element(on, index) => format!("{}[{}]", at(on, Level::Atom), element(index)),
        ExprKind::Field(on, name) => format!("{}.{}", at(on, Level::Atom), name.text),
        ExprKind::Match(on, arms) => {
            let arms = list(arms, |(when, then)| format!("{} => {}", pattern(when), expression(then)));
            format!("match {} {{ {arms} }}", value(on))
        }
        ExprKind::Call(given) => call(given),
        // The operators are not atoms and are printed by `bare`.
        _ => String::new(),
    };
    (text, Level::Atom)
}

/// What begins with a label stands in ( ), or its colon would make an index of the bracket.
fn element(index: &Expr) -> String {
    let text = value(index);
    let after_word = text.trim_start_matches(|character: char| character.is_ascii_alphanumeric() || character == '_');
    if after_word.starts_with(':') { format!("({text})") } else { text }
}

/// Rust's shortest form keeps every digit that counts, and always a dot or an exponent.
fn real(number: f64) -> String {
    format!("{number:?}")
}

fn place(place: &Place) -> String {
    let to = match &place.at {
        PlaceValue::Value(at) => value(at),
        PlaceValue::Group(axes, _) => format!("({})", names(axes, " ")),
    };
    format!("{}: {to}", axes(&place.axes))
}

/// `k` or `(p i)`.
pub(super) fn axes(axes: &Axes) -> String {
    match axes {
        Axes::One(axis) => axis.text.clone(),
        Axes::Group(axes, _) => format!("({})", names(axes, " ")),
    }
}

/// A pattern of a `match`.
pub(super) fn pattern(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Number(number, _) if number.is_infinite() => real(*number),
        Pattern::Number(number, _) => number.to_string(),
        Pattern::Word(word) if is_name(&word.text) => word.text.clone(),
        Pattern::Word(word) => format!("\"{}\"", word.text),
        Pattern::Truth(truth, _) => truth.to_string(),
        Pattern::Any(_) => "_".to_string(),
    }
}

/// Whether a text can stand without quotes: words of the language cannot.
fn is_name(text: &str) -> bool {
    Grammar::parse(Rule::name, text).is_ok_and(|mut read| read.next().is_some_and(|name| name.as_str() == text))
}

/// `label: name[axes](arguments)`.
pub(super) fn call(call: &Call) -> String {
    let arguments = argument_list(&call.arguments);
    format!("{}{}{}{arguments}", label(&call.label), call.name.text, axis_arguments(&call.axes))
}

/// `attn: `, `shared attn: `, or nothing.
pub(super) fn label(label: &Option<Label>) -> String {
    match label {
        Some(Label { name, shared: true }) => format!("shared {}: ", name.text),
        Some(Label { name, shared: false }) => format!("{}: ", name.text),
        None => String::new(),
    }
}

/// `[c = (h k)]`, or nothing.
pub(super) fn axis_arguments(arguments: &[AxisArgument]) -> String {
    if arguments.is_empty() {
        return String::new();
    }
    let arguments = list(arguments, |argument| match &argument.axis {
        Some(axis) => format!("{} = {}", axis.text, axes(&argument.given)),
        None => axes(&argument.given),
    });
    format!("[{arguments}]")
}

/// `(x, _, eps = 1e-6)`.
pub(super) fn argument_list(arguments: &[Argument]) -> String {
    let arguments = list(arguments, |argument| {
        let given = match &argument.value {
            ArgumentValue::Hole(_) => "_".to_string(),
            ArgumentValue::Value(given) => expression(given),
        };
        argument.name.as_ref().map_or(given.clone(), |name| format!("{} = {given}", name.text))
    });
    format!("({arguments})")
}
