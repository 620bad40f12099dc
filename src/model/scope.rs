//! What names mean while a program is elaborated: operands, axes, blocks as arguments, and the frame of each call.

use super::settings::Known;
use super::values::ValueId;
use crate::source::Span;
use crate::syntax::ast;
use crate::tensor::AxisId;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::rc::Rc;

/// What an expression stands for.
#[derive(Debug, Clone)]
pub enum Operand {
    /// Known while the program is checked.
    Known(Known),
    /// Computed at run time.
    Value(ValueId),
    /// A block that waits for data.
    Net(Rc<Net>),
    /// The results of a block that has several, by name.
    Several(Vec<(String, Operand)>),
    /// Nothing: a block that only adds losses.
    Nothing,
}

/// A block given as an argument.
#[derive(Debug, Clone)]
pub struct Net {
    /// Which block.
    pub target: Target,
    /// Its label.
    pub label: Option<ast::Label>,
    /// Axes bound where it is written.
    pub axes: Vec<ast::AxisArgument>,
    /// Its arguments; absent: a place for data.
    pub given: Vec<Given>,
    /// The one output that is wanted.
    pub field: Option<String>,
    /// The axes in scope where it is written.
    pub scope: HashMap<String, AxisId>,
}

/// What a call calls.
#[derive(Debug, Clone)]
pub enum Target {
    /// A block of the library.
    Block(Rc<ast::Block>),
    /// A built-in function.
    Function(String),
    /// The model itself.
    Itself,
    /// A block argument of the frame; its signature says which axes of the frame its data has.
    Argument(Rc<Net>, Rc<Signature>),
}

/// The signature that a block argument has in the block that takes it.
#[derive(Debug, Clone)]
pub struct Signature {
    /// Its name there.
    pub name: String,
    /// Its parameters.
    pub parameters: Vec<ast::Parameter>,
}

/// One argument that is already evaluated.
#[derive(Debug, Clone)]
pub struct Given {
    /// `name =`.
    pub name: Option<ast::Name>,
    /// What; absent: `_`.
    pub what: Option<Operand>,
    /// Where.
    pub span: Span,
}

/// What a name means.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// An axis.
    Axis(AxisId),
    /// Anything that an expression stands for.
    Is(Operand),
    /// A block argument.
    Argument(Rc<Net>, Rc<Signature>),
    /// Something whose error is already reported.
    Broken,
}

/// What introduced a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `dim`.
    Dim,
    /// `set`.
    Set,
    /// `param`, `buffer`.
    Parameter,
    /// `input`.
    Input,
    /// An argument of the block, or an axis of its signature.
    Argument,
    /// The count of a `for`.
    Count,
    /// Bound by a line.
    Local,
    /// Handed out by `yield`.
    Yielded,
}

/// One name of a frame.
#[derive(Debug, Clone)]
pub struct Binding {
    /// What it means.
    pub meaning: Meaning,
    /// Where it is declared.
    pub span: Span,
    /// What declared it.
    pub origin: Origin,
}

/// The scope of one block call, or of the model.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The block's or the model's name.
    pub name: String,
    /// All names.
    pub names: IndexMap<String, Binding>,
    /// The path of its parameters.
    pub path: Vec<String>,
    /// A name of its own among all frames, the same in every program of the model.
    pub key: String,
    /// Labels of blocks with parameters, and where they stand.
    pub labels: HashMap<String, Span>,
    /// Axes that ride on its arguments.
    pub riding: Vec<AxisId>,
    /// Axes that the caller of a model fixed.
    pub preset: HashMap<String, AxisId>,
    /// Axes of the results that the body sizes itself, and which axis of the caller each is to be; absent for a block whose
    /// results nobody in the file reads.
    pub sized: HashMap<String, Option<AxisId>>,
    /// Values that the caller of a model gave for its inputs.
    pub inputs: Option<HashMap<String, Operand>>,
    /// Outputs of a model.
    pub outputs: Vec<(String, Operand)>,
    /// What `return` gave.
    pub returned: Option<Vec<Operand>>,
    /// Whether it is the model's own.
    pub model: bool,
    /// Whether a line of it failed.
    pub broken: bool,
    /// The call.
    pub call: Option<Span>,
}

impl Frame {
    /// An empty frame.
    pub fn new(name: &str, path: Vec<String>, key: String) -> Frame {
        Frame {
            name: name.into(),
            names: IndexMap::new(),
            path,
            key,
            labels: HashMap::new(),
            riding: Vec::new(),
            preset: HashMap::new(),
            sized: HashMap::new(),
            inputs: None,
            outputs: Vec::new(),
            returned: None,
            model: false,
            broken: false,
            call: None,
        }
    }

    /// The axes that can be named in it.
    pub fn axes(&self) -> HashMap<String, AxisId> {
        let axes = self.names.iter().filter_map(|(name, binding)| match binding.meaning {
            Meaning::Axis(axis) => Some((name.clone(), axis)),
            _ => None,
        });
        axes.collect()
    }

    /// The axis of a name.
    pub fn axis(&self, name: &str) -> Option<AxisId> {
        match self.names.get(name)?.meaning {
            Meaning::Axis(axis) => Some(axis),
            _ => None,
        }
    }

    /// The name of an axis that can be named in it.
    pub fn name_of(&self, axis: AxisId) -> Option<&str> {
        let found = self.names.iter().find(|(_, binding)| matches!(binding.meaning, Meaning::Axis(own) if own == axis));
        found.map(|(name, _)| name.as_str())
    }
}
