//! Elaboration: from syntax trees to the values of a program.
//!
//! In: a model, the blocks that it can call, overrides of its settings. Out: values, parameters and axes. Every call is
//! expanded on its own frame. A `for` is elaborated once for each group of turns that decide all `match`es alike: a
//! decision that differs within a group ends the attempt with [`Fail::Split`], the state goes back to where the `for`
//! began, and the smaller groups are tried. Lines that fail leave their names [`Meaning::Broken`], so that one fault is
//! one message and the rest is still checked.

mod arguments;
mod arms;
mod axes;
mod axis_arguments;
mod bind;
mod draws;
mod builtins;
mod calls;
mod carried;
mod expressions;
mod formula;
mod gradients;
mod lines;
mod making;
mod nets;
mod places;
mod programs;
mod regions;
mod requirements;
mod samplers;
mod signature;
mod tabulate;
mod turns;
mod updates;
mod yields;

pub use programs::{Compiled, Overrides, elaborate};

use super::construct::Values;
use super::declarations::{Input, Parameter, Setting};
use super::library::Library;
use super::scope::{Binding, Frame, Meaning, Operand, Origin};
use super::settings::Known;
use super::values::ValueId;
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast;
use crate::tensor::AxisId;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// Why an expression has no value.
#[derive(Debug, Clone)]
pub enum Fail {
    /// The reason is reported.
    Reported,
    /// The turns of the `for` along this axis must be looked at apart.
    Split(AxisId, Vec<Vec<usize>>),
}

/// A result, or why there is none.
pub type Answer<T> = Result<T, Fail>;

/// A parameter and how `for`s stack it.
#[derive(Debug, Clone)]
pub struct MadeParameter {
    /// Its declaration, `axes` without turns until the program ends.
    pub declared: Parameter,
    /// The `for`s that it is made in, outermost first.
    pub levels: Vec<Level>,
}

/// One `for` around a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// The axis of the turns.
    pub axis: AxisId,
    /// Which turns make it; attempts share it.
    pub turns: Rc<BTreeSet<usize>>,
    /// The axis that counts just these turns, once it is known that some are missing.
    pub compact: Option<AxisId>,
}

/// A `for` whose body is being elaborated.
#[derive(Debug, Clone)]
pub struct Active {
    /// Its axis.
    pub axis: AxisId,
    /// The number of the turn.
    pub turn: ValueId,
    /// The turns of this body; empty when they cannot be counted out.
    pub group: Vec<usize>,
    /// How many turns there are, if known.
    pub count: Option<usize>,
    /// The number of frames when it began.
    pub frames: usize,
    /// What this body yields.
    pub yields: Vec<yields::Yield>,
}

/// Everything that an attempt may change and a retry takes back.
#[derive(Debug, Clone)]
pub struct State {
    /// Values, regions and axes.
    pub values: Values,
    /// What was said.
    pub sink: Vec<Diagnostic>,
    /// Axes by frame and name, so that all programs of a model share them.
    pub axis_keys: HashMap<String, AxisId>,
    /// How often each key was used in this program.
    pub occurrences: HashMap<String, usize>,
    /// How many `param` lines were elaborated.
    pub made: usize,
    /// Parameters so far.
    pub parameters: Vec<MadeParameter>,
    /// Inputs so far.
    pub inputs: Vec<Input>,
    /// Settings of the model.
    pub settings: Vec<(String, Setting)>,
    /// Frames, innermost last.
    pub frames: Vec<Frame>,
    /// Active `for`s, innermost last.
    pub regions: Vec<Active>,
    /// Active `for`s before this one do not stack parameters (a `shared` call, the model called from inside).
    pub floor: usize,
    /// The weight of losses that are added now.
    pub weight: f64,
    /// The last index without `else` that may fall outside, and the frame that it stands in.
    pub outside: Option<(usize, Span)>,
    /// Overrides that a line took.
    pub overridden: BTreeSet<String>,
    /// The lines that say what the model can be asked to do, of those arms that hold.
    pub asked: Vec<ast::Line>,
}

/// Elaborates one model.
pub struct Elaborator<'a> {
    /// Blocks, by name.
    pub library: &'a Library,
    /// The model.
    pub model: &'a ast::Model,
    /// Values of settings and sizes that replace those of the source.
    pub overrides: &'a Overrides,
    /// The constant of that name.
    pub training: bool,
    /// Whether losses count: in the programs that compute them.
    pub adding: bool,
    /// Whether what the lines of a called block bind gets a name in the program.
    pub naming: bool,
    /// What the model's own lines gave in this program.
    pub own: Option<programs::Own>,
    /// What attempts change.
    pub state: State,
}

impl Elaborator<'_> {
    /// Reports a fault, with the user's own call that leads to it: first, if the fault shows in a file of the library.
    pub fn report(&mut self, mut diagnostic: Diagnostic) -> Fail {
        let place = diagnostic.labels.first().map(|(span, _)| *span);
        let own = self.model.name.span.file;
        let mut calls = self.state.frames.iter().filter_map(|frame| frame.call.map(|call| (call, frame.name.clone())));
        if let Some((call, name)) = calls.rfind(|(call, _)| call.file == own)
            && place.is_some_and(|place| place.file != call.file || place.start < call.start || place.end > call.end)
        {
            let at = if place.is_some_and(|place| place.file == own) { diagnostic.labels.len() } else { 0 };
            diagnostic.labels.insert(at, (call, format!("in this call of `{name}`")));
        }
        if !self.state.sink.iter().any(|known| known.message == diagnostic.message && same_place(known, &diagnostic)) {
            self.state.sink.push(diagnostic);
        }
        Fail::Reported
    }

    /// Reports a fault at one place.
    pub fn fault(&mut self, code: Code, message: impl Into<String>, span: Span, label: impl Into<String>) -> Fail {
        self.report(Diagnostic::new(code, message).label(span, label))
    }

    /// Reports a fault at one place, with a next step.
    pub fn fault_with(
        &mut self,
        code: Code,
        message: impl Into<String>,
        (span, label): (Span, String),
        help: impl Into<String>,
    ) -> Fail {
        self.report(Diagnostic::new(code, message).label(span, label).help(help))
    }

    /// The innermost frame.
    pub fn frame(&mut self) -> &mut Frame {
        self.state.frames.last_mut().expect("a frame is open while lines are elaborated")
    }

    /// The values under construction.
    pub fn values(&mut self) -> &mut Values {
        &mut self.state.values
    }

    /// The meaning of a name in the innermost frame.
    pub fn look_up(&mut self, name: &str) -> Option<Binding> {
        self.frame().names.get(name).cloned()
    }

    /// Declares or replaces a name of the innermost frame.
    pub fn define(&mut self, name: &ast::Name, meaning: Meaning, origin: Origin) {
        let binding = Binding { meaning, span: name.span, origin };
        self.frame().names.insert(name.text.clone(), binding);
    }

    /// The run-time value of an operand.
    #[expect(clippy::wrong_self_convention, reason = "it is the operand that becomes a value")]
    pub fn to_value(&mut self, operand: &Operand, span: Span) -> Answer<ValueId> {
        match operand {
            Operand::Value(value) => Ok(*value),
            Operand::Known(known) => self.value_of_known(known, span),
            Operand::Net(_) => Err(self.fault(
                crate::diagnostics::codes::E0403,
                "a block stands where a value is needed",
                span,
                "a block without its arguments",
            )),
            Operand::Several(results) => Err(self.fault(
                crate::diagnostics::codes::E0404,
                format!("this call has {} results, and one value is needed", results.len()),
                span,
                "bind them to names first: `a, b = …`",
            )),
            Operand::Nothing => Err(self.fault(
                crate::diagnostics::codes::E0404,
                "this block has no result",
                span,
                "it only adds to the loss",
            )),
        }
    }

    /// A name of an axis as the user knows it.
    pub fn axis_name(&self, axis: AxisId) -> String {
        let frame = self.state.frames.last();
        let known = frame.and_then(|frame| frame.name_of(axis)).map(str::to_string);
        known.unwrap_or_else(|| self.state.values.axes[axis].name.clone())
    }

    /// Axes as a list of names, batch left out.
    pub fn axis_names(&self, axes: &[AxisId]) -> String {
        let shown = axes.iter().filter(|axis| **axis != crate::tensor::BATCH);
        format!("[{}]", shown.map(|axis| self.axis_name(*axis)).collect::<Vec<_>>().join(", "))
    }

    /// A whole number that is known now.
    pub fn whole(&mut self, operand: &Operand, span: Span, what: &str) -> Answer<i64> {
        if let Operand::Known(known) = operand
            && let Some(setting) = known.uniform()
        {
            if let Some(number) = setting.whole() {
                return Ok(number);
            }
            let (text, is) = (setting.text(), setting.describe());
            let label = if setting.number().is_some() { format!("{text} is not whole") } else { is.to_string() };
            return Err(self.fault(
                crate::diagnostics::codes::E0303,
                format!("{what} must be a whole number"),
                span,
                label,
            ));
        }
        let label = "known only when the program runs";
        Err(self.fault(crate::diagnostics::codes::E0303, format!("{what} must be known while compiling"), span, label))
    }
}

/// Whether two messages have the same main place.
fn same_place(left: &Diagnostic, right: &Diagnostic) -> bool {
    left.labels.first().map(|(span, _)| *span) == right.labels.first().map(|(span, _)| *span)
}

/// The compile-time value of a setting.
pub fn known(setting: Setting) -> Operand {
    Operand::Known(Known::One(setting))
}
