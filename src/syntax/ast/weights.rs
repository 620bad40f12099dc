//! Weight maps: paths, names in a file, layouts.

use super::*;
use crate::source::Span;

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
    /// `require hidden_act == silu, "…"`: what a configuration has to say, and why.
    Require(Expr, Option<String>),
    /// `ignore "…"`.
    Ignore(Template),
    /// `input source = "input_ids" as s batch`: an input of the model, under the name that others give it, and the order of
    /// its axes there if it is another.
    Input(Name, String, Option<Vec<Name>>),
    /// `value hidden[i] = "hidden_states.{i}"`: a value of the model that a reference case names, and its order there.
    Value(WeightPath, Template, Option<Vec<Name>>),
    /// `draw objective.noise = "noise"`: a draw, by its path, and the numbers that a reference case drew.
    Draw(WeightPath, Template),
    /// `gradient wq = "grad.query"`: the gradient of a parameter or of an input, under the name that a reference case
    /// gives it.
    Gradient(WeightPath, Template),
    /// `loss = "total"`: what a reference case calls the loss.
    Loss(Template),
    /// `train ids = "clean_ids"`: what an input is while training, where a reference case says something else than else.
    Train(Name, String),
    /// `generate steps = steps, …`: settings of the sampler, from what a reference case says about a run.
    Generate(Vec<(Name, Expr)>),
    /// `path = "name" + "name" as layout also "copy"`.
    Map {
        /// The parameters.
        path: WeightPath,
        /// The name in the file.
        template: Template,
        /// More names: of equal pieces that the tensor is cut into along its first axis.
        more: Vec<Template>,
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
