//! The syntax tree: what was written, with a span on every node, and nothing resolved.

mod expressions;
mod lines;
mod weights;

pub use expressions::*;
pub use lines::*;
pub use weights::*;

use crate::source::Span;

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// The text.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// One source file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct File {
    /// `use a.b.{x, y}`, `use "./mine.arch"`.
    pub uses: Vec<Use>,
    /// Blocks in order.
    pub blocks: Vec<Block>,
    /// Models in order.
    pub models: Vec<Model>,
    /// Weight maps in order.
    pub weights: Vec<Weights>,
}

/// A `use` line.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// `a.b` as written, or the string.
    pub target: UseTarget,
    /// The names in braces; empty: everything.
    pub names: Vec<Name>,
    /// The whole line.
    pub span: Span,
}

/// What a `use` line names.
#[derive(Debug, Clone, PartialEq)]
pub enum UseTarget {
    /// `stdlib.attention`: parts joined by dots.
    Path(Vec<Name>),
    /// A file beside this one.
    File(String, Span),
}

/// `model Name { … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Its name.
    pub name: Name,
    /// Its lines.
    pub body: Body,
}

/// `block name[axes](parameters) -> results { … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its name.
    pub name: Name,
    /// The axes demanded in front of the parameters.
    pub demands: Vec<Demand>,
    /// Parameters in order.
    pub parameters: Vec<Parameter>,
    /// Results in order; empty for a block that only adds losses.
    pub results: Vec<ResultItem>,
    /// Its lines.
    pub body: Body,
    /// From `block` to the end of the results.
    pub head: Span,
}

/// `t` or `s like t` in front of a block's parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// The axis.
    pub axis: Name,
    /// What it is like.
    pub like: Option<Name>,
}

/// One parameter of a block.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// A value (with axes, or a scalar) or a setting: `x[t, d]`, `heads`, `eps = 1e-6`. Which one a bare name is, is
    /// settled by how it is used.
    Value(Entry),
    /// A block as argument: `net(ids[t] : v) -> [t, v]`.
    Net {
        /// Its name in the body.
        name: Name,
        /// Its own parameters.
        parameters: Vec<Parameter>,
        /// Its results.
        results: Vec<ResultItem>,
        /// The whole entry.
        span: Span,
    },
}

/// `name[axes] : type = default`, of a block's parameters and of `input`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Name, axes and type.
    pub target: Target,
    /// The default.
    pub default: Option<Expr>,
}

/// A name with the axes and the type that are written at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The name.
    pub name: Name,
    /// `[t, d]`, if written.
    pub axes: Option<Vec<Name>>,
    /// `: v`, if written.
    pub kind: Option<Kind>,
    /// The whole.
    pub span: Span,
}

/// A type as written: `real int bool f32 f64` or an axis, perhaps absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// The word.
    pub name: Name,
    /// `?`: may be absent.
    pub optional: bool,
}

/// One result of a block: `[t, d]`, `y[t, d]`, `load[e] : int`.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultItem {
    /// Its name, if written.
    pub name: Option<Name>,
    /// Its axes (none: a scalar).
    pub axes: Vec<Name>,
    /// Its type, if written.
    pub kind: Option<Kind>,
    /// The whole.
    pub span: Span,
}
