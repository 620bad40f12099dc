//! The lines of a body.

use super::*;
use crate::source::Span;

/// `{ … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// The lines that parsed.
    pub lines: Vec<Line>,
    /// With its braces.
    pub span: Span,
}

/// One line and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// The whole line.
    pub span: Span,
}

/// The kinds of line.
#[derive(Debug, Clone, PartialEq)]
pub enum LineKind {
    /// `dim t, d = 768, s like t`.
    Dim(Vec<Dim>),
    /// `set heads = 12`.
    Set(Vec<(Name, Expr)>),
    /// `param w[d] = 1 if weight`, `buffer b[e] = 0`.
    Param {
        /// `buffer` instead of `param`.
        buffer: bool,
        /// What is made.
        made: Vec<Made>,
    },
    /// `input ids[t] : v`.
    Input(Vec<Entry>),
    /// `output logits = …`.
    Output(Target, Expr),
    /// `train …`.
    Train(Expr),
    /// `generate sample(self)`.
    Generate(Call),
    /// `require relation, "text"`.
    Require(Expr, Option<String>),
    /// `update b = …`.
    Update(Name, Expr),
    /// `loss …`.
    Loss(Expr),
    /// `yield y = …`.
    Yield(Vec<Target>, Expr),
    /// `return a, b`.
    Return(Vec<Expr>),
    /// `for …`.
    For(For),
    /// `match … { pattern => { … } }`.
    Match(Box<Expr>, Vec<(Pattern, Body)>),
    /// `a, b = …`, `x += …`, `x *= …`.
    Bind(Vec<Target>, Assign, Expr),
    /// `z[t] ~ normal(0, 1)`.
    Draw(Vec<Target>, Law),
}

/// How a name is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assign {
    /// `=`
    Set,
    /// `+=`
    Add,
    /// `*=`
    Multiply,
}

/// One axis of a `dim` line.
#[derive(Debug, Clone, PartialEq)]
pub struct Dim {
    /// Its name.
    pub name: Name,
    /// How long it is.
    pub size: DimSize,
}

/// How long a declared axis is.
#[derive(Debug, Clone, PartialEq)]
pub enum DimSize {
    /// A sequence: known at run time.
    Sequence,
    /// `= 768`.
    Value(Expr),
    /// `like t`.
    Like(Name),
}

/// One parameter of a `param` or `buffer` line.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// Its name.
    pub name: Name,
    /// Its axes; empty for a scalar.
    pub axes: Vec<Name>,
    /// How it starts.
    pub start: MadeStart,
    /// `if weight`: switched off, it is its initial value.
    pub condition: Option<Expr>,
    /// The whole.
    pub span: Span,
}

/// How a parameter starts.
#[derive(Debug, Clone, PartialEq)]
pub enum MadeStart {
    /// `normal(0, 0.02)`.
    Default,
    /// `= 1`.
    Value(Expr),
    /// `~ normal(0, 0.01)`.
    Draw(Law),
}

/// What a draw is made from: `normal(0, 1)`, `uniform[v]`, `categorical[v](p)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Law {
    /// Its name.
    pub name: Name,
    /// Axis arguments.
    pub axes: Vec<AxisArgument>,
    /// Arguments.
    pub arguments: Vec<Argument>,
    /// The whole.
    pub span: Span,
}

/// `label: for i in layers, j in 2 reverse until … { … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct For {
    /// Its own label.
    pub label: Option<Label>,
    /// What it counts along, outermost first.
    pub counts: Vec<Count>,
    /// `reverse`, or `reverse if …`.
    pub reverse: Option<Reverse>,
    /// `until …`.
    pub until: Option<Expr>,
    /// Its lines.
    pub body: Body,
}

/// `t` (an axis) or `i in layers`.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// The axis.
    pub name: Name,
    /// The number of turns; absent: along an axis that exists.
    pub turns: Option<Expr>,
}

/// From the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Reverse {
    /// `if …`; absent: always.
    pub condition: Option<Expr>,
}

/// `attn:` or `shared attn:`.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The label.
    pub name: Name,
    /// Made once for all turns and calls of the label.
    pub shared: bool,
}
