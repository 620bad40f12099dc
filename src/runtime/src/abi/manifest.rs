//! What a compiled model says about itself: parameters, programs, options, weight map.

use super::{Size, Start};
use serde::{Deserialize, Serialize};

/// The symbol of the manifest: its bytes are UTF-8 JSON. [`MANIFEST_LENGTH_SYMBOL`] holds their number as a u64.
pub const MANIFEST_SYMBOL: &str = "archc_manifest";
/// See [`MANIFEST_SYMBOL`].
pub const MANIFEST_LENGTH_SYMBOL: &str = "archc_manifest_length";
/// The symbol of the table of program functions, in the order of [`Manifest::programs`].
pub const PROGRAMS_SYMBOL: &str = "archc_programs";

/// Everything that the runtime knows about one compiled model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The model's name in the source.
    pub model: String,
    /// The version of archc that compiled it.
    pub compiler: String,
    /// CPU features that the machine must have, in LLVM's spelling (`avx2`, `fma`, …).
    pub features: Vec<String>,
    /// All parameters and buffers of the model, in declaration order.
    pub parameters: Vec<ParameterInfo>,
    /// The compiled programs.
    pub programs: Vec<ProgramInfo>,
    /// How the model's own `generate` line wants tokens to be chosen, if it has one.
    pub generate: Option<GenerateInfo>,
    /// Where parameters are found in published checkpoints.
    pub weights: Vec<WeightSource>,
    /// Tensors of published checkpoints that the weight map passes over, as patterns with `*` for any text.
    #[serde(default)]
    pub ignored: Vec<String>,
    /// The longest sequence that the model allows, where it states one.
    pub longest: Option<i64>,
    /// The number of distinct tokens of the model's token input.
    pub vocabulary: Option<i64>,
}

/// A parameter (trained) or a buffer (stored, not trained).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParameterInfo {
    /// Dotted path, `layers.attn.wq`. A parameter made inside a `for` is stored once, stacked along its first axis.
    pub path: String,
    /// The axes' names, for messages.
    pub axes: Vec<String>,
    /// Sizes, outermost first.
    pub shape: Vec<i64>,
    /// How it starts.
    pub start: Start,
    /// False for a `buffer`.
    pub trained: bool,
    /// For a stacked parameter: the turns that it exists in, as file names count them; empty otherwise.
    pub turns: Vec<i64>,
}

/// One compiled function and the memory that it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgramInfo {
    /// `train`, `forward`, `step`, …
    pub name: String,
    /// The names of its run-time sizes, in the order of [`super::Frame::sizes`].
    pub sizes: Vec<String>,
    /// Its buffers, in the order of [`super::Frame::buffers`].
    pub buffers: Vec<BufferInfo>,
    /// Sizes that have a largest value: beyond it a call is refused.
    #[serde(default)]
    pub limits: Vec<(String, i64)>,
    /// How many multiply-adds one call does, as a size (for `bench`).
    pub multiply_adds: Size,
    /// How many of them a sampler does outside of its turns: what they all read, made once (for `bench`).
    pub aside: Size,
    /// How many floating-point instructions it does beside them, for each lane (for `bench`).
    pub elementwise: Size,
    /// What the model says about those of its inputs that this program reads.
    #[serde(default)]
    pub inputs: Vec<InputInfo>,
}

/// An input of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputInfo {
    /// Its name in the model.
    pub name: String,
    /// What published code calls it (`token_type_ids`), as the weight map says; else its own name.
    pub published: String,
    /// What it is when nobody fills it.
    pub default: Option<f64>,
}

/// One block of memory of a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BufferInfo {
    /// Unique in its program among those of one role.
    pub name: String,
    /// Who owns it.
    pub role: Role,
    /// What an element is.
    pub element: Element,
    /// The shape, outermost first.
    pub shape: Vec<Size>,
}

/// Who owns a buffer, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A parameter of the model, by path (the buffer's name); shared by all programs.
    Parameter,
    /// Filled by the caller before the call.
    Input,
    /// Read by the caller after the call.
    Output,
    /// The gradient of the parameter of that name; an output.
    Gradient,
    /// The new value of the model's buffer of that name (`update`); an output.
    Update,
    /// Kept from call to call: a cache or a recurrent state. Shared by programs that name the same state.
    State,
    /// A parameter in another layout, written by a program of its own and kept until the parameters change.
    Packed,
    /// Lives from step `first` to step `last` of one call; such buffers share one arena.
    Temporary {
        /// The first step that writes it.
        first: usize,
        /// The last step that touches it.
        last: usize,
    },
}

/// The type of one element in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Element {
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// bfloat16.
    Bf16,
    /// IEEE half.
    F16,
    /// 32-bit signed integer: ints and indices.
    I32,
    /// One byte, 0 or 1.
    Bool,
}

impl Element {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Element::F64 => 8,
            Element::F32 | Element::I32 => 4,
            Element::Bf16 | Element::F16 => 2,
            Element::Bool => 1,
        }
    }
}

/// The settings of the model's `generate` line: options of the executable with their defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenerateInfo {
    /// The block's name, for `--help` and messages.
    pub block: String,
    /// Name and default of each setting.
    pub settings: Vec<(String, f64)>,
    /// The data that it takes: the name of its first input.
    #[serde(default)]
    pub input: String,
    /// The token that stands before all that a row is given, if there is one.
    #[serde(default)]
    pub start: Option<i64>,
    /// The result that it gives first.
    #[serde(default)]
    pub output: String,
    /// What it requires of its settings, in words.
    #[serde(default)]
    pub requirements: Vec<String>,
}

/// One tensor of a published checkpoint and the parameters that it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightSource {
    /// Its name in the file (turns already counted out).
    pub tensor: String,
    /// Its shape in the file.
    pub shape: Vec<i64>,
    /// The parts that parameters are read from.
    pub parts: Vec<WeightPart>,
    /// A stored copy of another tensor: checked for presence at most, written on saving.
    pub copy: bool,
}

/// A strided box of a file tensor that is a strided box of a parameter. Element strides on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightPart {
    /// The parameter, by its place in [`Manifest::parameters`].
    pub parameter: usize,
    /// The sizes of the box.
    pub extents: Vec<i64>,
    /// Where the box starts in the file tensor, in elements.
    pub source_offset: i64,
    /// One stride for each extent, in the file tensor.
    pub source_strides: Vec<i64>,
    /// Where the box starts in the parameter, in elements.
    pub target_offset: i64,
    /// One stride for each extent, in the parameter.
    pub target_strides: Vec<i64>,
}
