//! A checked model: what it declares, and the programs that it can be asked for.

use super::values::{Program, ValueId};
use super::weights::Tensors;
use crate::source::Span;
use crate::syntax::ast::{Expr, Name};
use crate::tensor::{Axes, AxisId, DType};
use archc_runtime::abi::Formula;
use std::sync::Arc;

/// A checked model. Axes and parameters are shared by all its programs.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Every axis of the model and of the blocks that it uses.
    pub axes: Axes,
    /// The model's own `set` values that are numbers, bools or words, in order (for reports and `import`).
    pub settings: Vec<(String, Setting)>,
    /// Data that a caller brings, in declaration order.
    pub inputs: Vec<Input>,
    /// Parameters and buffers, in the order in which they are first made.
    pub parameters: Vec<Parameter>,
    /// Outputs only; `training` is false.
    pub forward: Program,
    /// Losses of the model and of its `train` line; `training` is true. Absent without a `train` or `loss` line.
    pub train: Option<Program>,
    /// The same losses with `training` false, and no buffer changes: what a text is judged by.
    pub evaluate: Option<Program>,
    /// The `generate` line, if there is one.
    pub generate: Option<Generate>,
    /// Weight maps that fit this model, resolved against its parameters.
    pub weights: Vec<WeightMap>,
}

impl Model {
    /// An input by the number that programs know it by: the model's own, then those of the `generate` line.
    pub fn input(&self, place: usize) -> &Input {
        let generated = self.generate.as_ref().map_or(&[][..], |generate| &generate.inputs);
        self.inputs.get(place).unwrap_or_else(|| &generated[place - self.inputs.len()])
    }
}

/// A compile-time value.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// A number written without a dot.
    Integer(i64),
    /// A number.
    Real(f64),
    /// A bool.
    Truth(bool),
    /// A word.
    Word(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Setting>),
}

/// One `input`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its axes, without batch.
    pub axes: Vec<AxisId>,
    /// Its element type.
    pub dtype: DType,
    /// The axis that it is an index of.
    pub index_of: Option<AxisId>,
    /// `: v?`: it may be absent (stored as a number outside the axis).
    pub optional: bool,
    /// What it is when the caller brings nothing; only scalars.
    pub default: Option<f64>,
    /// Where it is declared.
    pub span: Span,
}

/// A parameter or buffer.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Dotted path: `layers.attn.wq`. Turn numbers are not part of it.
    pub path: String,
    /// The axes of the `for`s that it is made in (outermost first), then its own.
    pub axes: Vec<AxisId>,
    /// How many of `axes` are turns.
    pub stacked: usize,
    /// For a parameter that not all turns of the innermost `for` have: which ones do, rising. Its first axis then
    /// counts these turns alone.
    pub turns: Option<Vec<i64>>,
    /// How it starts.
    pub start: Start,
    /// False for a `buffer`.
    pub trained: bool,
    /// Where it is made.
    pub span: Span,
}

/// How a parameter starts.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// A number everywhere.
    Constant(f64),
    /// Normal with mean and standard deviation.
    Normal(f64, f64),
    /// Uniform between two numbers.
    Uniform(f64, f64),
    /// A value for every element, row-major over the parameter's own axes (the same for every turn): `log(1 + n)`.
    Values(Arc<[f64]>),
    /// Computed from coordinates of the parameter's own axes and from draws.
    Formula(Formula),
}

/// A `generate` line: a block called with the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Generate {
    /// The block's name.
    pub block: String,
    /// Its settings with their defaults: options of the executable.
    pub settings: Vec<(String, Setting)>,
    /// Data that the block takes beside the model (`prompt`). In its program, inputs with numbers past those of
    /// [`Model::inputs`] are these, in order.
    pub inputs: Vec<Input>,
    /// The block, expanded; its model calls are inside.
    pub program: Program,
    /// The line.
    pub span: Span,
}

/// A weight map, resolved for one model.
#[derive(Debug, Clone)]
pub struct WeightMap {
    /// The architecture that it names.
    pub architecture: String,
    /// File tensors and the parameters in them.
    pub tensors: Tensors,
    /// Names that may be in a file and are not read (`*` stands for any text).
    pub ignored: Vec<String>,
    /// Inputs of the model, and the names that tensors with their data have.
    pub inputs: Vec<(String, String)>,
    /// Values of the forward program under the names that reference cases use.
    pub values: Vec<(String, ValueId)>,
    /// Tensors of data whose axes lie in another order than the model's: for each axis of its own, the place there.
    pub orders: Vec<(String, Vec<usize>)>,
    /// What a reference case says about programs.
    pub said: Said,
}

/// The lines of a weight map about what reference cases hold beside weights, inputs and values of the forward program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Said {
    /// Values of the objective, under the names that cases use.
    pub judged: Vec<(String, ValueId)>,
    /// What a case calls the loss, if not `loss`.
    pub loss: Option<String>,
    /// Values of the sampler, under the names that cases use after that of a run.
    pub sampled: Vec<(String, ValueId)>,
    /// Draws by path, and the stored numbers.
    pub draws: Vec<(String, String)>,
    /// Gradients of parameters or inputs by path, under the names that cases use.
    pub gradients: Vec<(String, String)>,
    /// Inputs that are something else in training.
    pub trained: Vec<(String, String)>,
    /// Settings of the sampler, and the key of what a case says about a run.
    pub settings: Vec<(Name, Expr)>,
}

impl WeightMap {
    /// The name that data for an input has: what a line of the map says, else its own.
    pub fn tensor_of<'m>(&'m self, input: &'m str) -> &'m str {
        self.inputs.iter().find(|(known, _)| known == input).map_or(input, |(_, tensor)| tensor.as_str())
    }
}

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedTensor {
    /// Its name, turns counted out.
    pub name: String,
    /// Its shape in the file.
    pub shape: Vec<i64>,
    /// The boxes that parameters are read from.
    pub parts: Vec<MappedPart>,
    /// A stored copy of another tensor.
    pub copy: bool,
}

/// A strided box of a file tensor that is a strided box of a parameter; strides in elements.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedPart {
    /// The parameter, by its place in [`Model::parameters`].
    pub parameter: usize,
    /// Sizes of the box.
    pub extents: Vec<i64>,
    /// Where the box starts in the file tensor.
    pub source_offset: i64,
    /// Strides in the file tensor.
    pub source_strides: Vec<i64>,
    /// Where the box starts in the parameter.
    pub target_offset: i64,
    /// Strides in the parameter.
    pub target_strides: Vec<i64>,
}
