//! The syntax tree: what was written, with a span on every node, and nothing resolved.

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

/// `weights huggingface "LlamaForCausalLM" { … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// `huggingface`.
    pub format: Name,
    /// The architecture.
    pub architecture: (String, Span),
    /// Its lines.
    pub lines: Vec<WeightLine>,
    /// The whole.
    pub span: Span,
}

/// One line of a weight map.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightLine {
    /// `config d = hidden_size, …`: the right sides are names of the configuration, dots for nesting, `else` for a
    /// second choice, lists and arithmetic as usual.
    Config(Vec<(Name, Expr)>),
    /// `ignore "…"`.
    Ignore(Template),
    /// `value hidden[i] = "hidden_states.{i}"`: a value of the model that a reference case names.
    Value(WeightPath, Template),
    /// `path = "name" as layout also "copy"`.
    Map {
        /// The parameters.
        path: WeightPath,
        /// The name in the file.
        template: Template,
        /// The layout in the file; absent: the parameter's own.
        layout: Option<Vec<Slot>>,
        /// Copies.
        also: Vec<Template>,
        /// The whole line.
        span: Span,
    },
}

/// `layers[i].attn.{wq, wk}`.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightPath {
    /// The steps.
    pub steps: Vec<WeightStep>,
    /// The whole.
    pub span: Span,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightStep {
    /// `layers[i]` or `attn`.
    Name(Name, Option<Name>),
    /// `{wq, wk}` or `{a.w, b.w}`: alternatives, in order.
    Parts(Vec<WeightPath>),
}

/// A name in a file with holes.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Text and holes in order.
    pub pieces: Vec<TemplatePiece>,
    /// The whole.
    pub span: Span,
}

/// A piece of a file name.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplatePiece {
    /// Text.
    Text(String),
    /// `{i}` or `{(g j)}`: a number.
    Number(Axes),
    /// `{a, b}`: pairs with the alternatives on the left.
    Parts(Vec<Name>),
}

/// One axis of a layout in a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Slot {
    /// A parameter's axis.
    Axis(Name),
    /// An axis of size one (or a fixed size).
    Number(i64, Span),
    /// `(h (k + k))`, `(a + b)`: a sum of products; each term belongs to one part, or to all where there is one term.
    Joined(Vec<Vec<Slot>>, Span),
}
