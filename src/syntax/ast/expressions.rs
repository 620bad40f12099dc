//! Expressions, patterns, indices and calls.

use super::*;
use crate::source::Span;

/// A pattern of a `match`.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// A number, its sign taken in.
    Number(f64, Span),
    /// A word.
    Word(Name),
    /// `true` or `false`.
    Truth(bool, Span),
    /// `_`.
    Any(Span),
}

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A number without a dot or an exponent.
    Integer(i64),
    /// A number with a dot or an exponent, and `inf`.
    Real(f64),
    /// `true`, `false`.
    Truth(bool),
    /// `"text"`.
    Text(String),
    /// A bare name: value, axis, setting or word.
    Name(String),
    /// `|d|`.
    Size(Name),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `-x`, `not x`.
    Unary(Unary, Box<Expr>),
    /// `x + y`, …
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `x where relation`.
    Where(Box<Expr>, Box<Expr>),
    /// `x else y`.
    Else(Box<Expr>, Box<Expr>),
    /// `x[axis: place, … else y]`.
    Index(Box<Expr>, Vec<Place>, Option<Box<Expr>>),
    /// `kind[i]`.
    Element(Box<Expr>, Box<Expr>),
    /// `self.logits`.
    Field(Box<Expr>, Name),
    /// `match x { … }` as a value.
    Match(Box<Expr>, Vec<(Pattern, Expr)>),
    /// `label: name[axes](arguments)`.
    Call(Call),
}

/// Prefix operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unary {
    /// `-`
    Negate,
    /// `not`
    Not,
}

/// Infix operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the operators")]
pub enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

/// One `axis: place` of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The axis, or a group that is merged away: `y[(p i): k]`.
    pub axes: Axes,
    /// Where to read.
    pub at: PlaceValue,
}

/// The right side of `axis: …`.
#[derive(Debug, Clone, PartialEq)]
pub enum PlaceValue {
    /// A value (a bare axis name is a rename).
    Value(Expr),
    /// `x[k: (p i)]`: split.
    Group(Vec<Name>, Span),
}

/// One axis or a group of several.
#[derive(Debug, Clone, PartialEq)]
pub enum Axes {
    /// `k`
    One(Name),
    /// `(p i)`, outermost first.
    Group(Vec<Name>, Span),
}

/// One entry of `name[…](…)`.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisArgument {
    /// `c = …`: the block's axis; absent: by position.
    pub axis: Option<Name>,
    /// The caller's axis or axes.
    pub given: Axes,
}

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `attn:`.
    pub label: Option<Label>,
    /// The block or function.
    pub name: Name,
    /// `[…]`.
    pub axes: Vec<AxisArgument>,
    /// `(…)`.
    pub arguments: Vec<Argument>,
    /// The whole.
    pub span: Span,
}

/// One argument of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// `name =`.
    pub name: Option<Name>,
    /// What is given.
    pub value: ArgumentValue,
}

/// What is given as an argument.
#[derive(Debug, Clone, PartialEq)]
pub enum ArgumentValue {
    /// `_`: the place of the data of a block argument.
    Hole(Span),
    /// An expression.
    Value(Expr),
}
