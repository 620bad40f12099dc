//! The programs of a model: forward, train, generate. Each runs the model's lines, then its own.

use super::calls::Request;
use super::signature::takes_words;
use super::{Answer, Elaborator, State};
use crate::diagnostics::codes::*;
use crate::diagnostics::{Diagnostic, Severity};
use crate::model::compact;
use crate::model::construct::{Draft, Values};
use crate::model::declarations::{Generate, Input, Model, Parameter, Setting};
use crate::model::library::Library;
use crate::model::scope::{Frame, Given, Operand, Target};
use crate::model::settings::Known;
use crate::model::values::{Program, ValueKind};
use crate::source::Span;
use crate::syntax::ast::{self, Call, LineKind};
use crate::tensor::{Axes, DType, Extent};
use std::collections::{BTreeSet, HashMap};

/// Values for settings and sizes of a model, in place of those in the source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides(pub indexmap::IndexMap<String, Setting>);

impl Overrides {
    /// The value for a name.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.0.get(name)
    }
}

/// What a `generate` line gives.
struct Generated {
    settings: Vec<(String, Setting)>,
    inputs: Vec<Input>,
    operand: Operand,
}

/// What the model's own lines gave.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// Its inputs.
    pub inputs: HashMap<String, Operand>,
    /// Its outputs.
    pub outputs: Vec<(String, Operand)>,
    /// Whether anything called the model on its own inputs.
    pub used: bool,
}

/// All programs of a model, before weight maps.
#[derive(Debug)]
pub struct Compiled {
    /// The model; without weight maps.
    pub model: Model,
    /// The forward values under construction, for values that weight maps name.
    pub forward: Values,
    /// The objective with all that its lines bind, for the same.
    pub judged: Option<Program>,
    /// The sampler likewise.
    pub sampled: Option<Program>,
}

/// Elaborates all programs of a model. What it says goes to `said`; absent if that holds an error.
pub fn elaborate(
    library: &Library,
    model: &ast::Model,
    overrides: &Overrides,
    said: &mut Vec<Diagnostic>,
) -> Option<Compiled> {
    let state = State::new(Axes::default(), model.name.span);
    let mut elaborator =
        Elaborator { library, model, overrides, training: false, adding: false, naming: false, own: None, state };
    elaborator.own_lines();
    elaborator.check_overrides();
    let forward = elaborator.state.values.clone();
    if failed(&elaborator) {
        said.append(&mut elaborator.state.sink);
        return None;
    }
    let asks = |wanted: fn(&LineKind) -> bool| model.body.lines.iter().any(|line| wanted(&line.kind));
    let learns = asks(|kind| matches!(kind, LineKind::Train(_) | LineKind::Loss(_)));
    let train = learns.then(|| elaborator.loss_program(true));
    let judged = learns.then(|| elaborator.loss_program(false));
    let generate = model.body.lines.iter().find_map(|line| match &line.kind {
        LineKind::Generate(call) => Some(elaborator.generate_program(call, line.span)),
        _ => None,
    });
    let generate = generate.flatten();
    let sampled = generate.as_ref().map(|generate| generate.program.clone());
    let bad = failed(&elaborator);
    said.append(&mut elaborator.state.sink);
    if bad {
        return None;
    }
    let compiled = Model {
        name: model.name.text.clone(),
        axes: elaborator.state.values.axes.clone(),
        settings: elaborator.state.settings.clone(),
        inputs: elaborator.state.inputs.clone(),
        parameters: elaborator.state.parameters.iter().map(declared).collect(),
        forward: compact::compact(&forward.program),
        train: train.as_ref().map(unnamed),
        evaluate: judged.as_ref().map(unnamed),
        generate: generate.map(|generate| Generate { program: unnamed(&generate.program), ..generate }),
        weights: Vec::new(),
    };
    Some(Compiled { model: compiled, forward, judged, sampled })
}

/// What a program needs beside the values that its lines bind.
fn unnamed(program: &Program) -> Program {
    compact::compact(&Program { named: Vec::new(), ..program.clone() })
}

fn failed(elaborator: &Elaborator) -> bool {
    elaborator.state.sink.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// A parameter with the axes of its turns in front.
fn declared(made: &super::MadeParameter) -> Parameter {
    let turns = made.levels.iter().map(|level| level.compact.unwrap_or(level.axis));
    let mut parameter = made.declared.clone();
    parameter.axes = turns.chain(made.declared.axes.iter().copied()).collect();
    let partial = made.levels.iter().find(|level| level.compact.is_some());
    parameter.turns = partial.map(|level| level.turns.iter().map(|turn| *turn as i64).collect());
    parameter
}

impl State {
    /// Nothing yet.
    pub fn new(axes: Axes, span: Span) -> State {
        State {
            values: Values::new(axes, span),
            sink: Vec::new(),
            axis_keys: HashMap::new(),
            occurrences: HashMap::new(),
            made: 0,
            parameters: Vec::new(),
            inputs: Vec::new(),
            settings: Vec::new(),
            frames: Vec::new(),
            regions: Vec::new(),
            floor: 0,
            weight: 1.0,
            outside: None,
            overridden: BTreeSet::new(),
        }
    }
}

impl Elaborator<'_> {
    /// Runs the model's lines in a fresh program; its frame stays open.
    fn own_lines(&mut self) {
        let axes = self.state.values.axes.clone();
        self.state.values = Values::new(axes, self.model.name.span);
        self.state.occurrences.clear();
        self.state.regions.clear();
        self.state.floor = 0;
        let name = self.model.name.text.clone();
        let mut frame = Frame::new(&name, Vec::new(), name.clone());
        frame.model = true;
        self.state.frames = vec![frame];
        self.own = None;
        let model = self.model;
        let _ = self.lines(&model.body.lines);
        let mut own = Own::default();
        for entry in self.model_inputs() {
            if let Ok(operand) = self.read_name(&entry.target.name.text, entry.target.span, false, true) {
                own.inputs.insert(entry.target.name.text.clone(), operand);
            }
        }
        own.outputs = self.frame().outputs.clone();
        for (name, operand) in own.outputs.clone() {
            if let Operand::Value(value) = operand {
                self.values().program.outputs.push((name, value));
            }
        }
        self.name_values();
        self.own = Some(own);
    }

    /// The values that the model's own lines bind can be asked for by name.
    fn name_values(&mut self) {
        let names = self.frame().names.clone();
        for (name, binding) in names {
            if let crate::model::scope::Meaning::Is(Operand::Value(value)) = binding.meaning {
                let named = &mut self.values().program.named;
                if binding.origin == crate::model::scope::Origin::Local && !named.iter().any(|(path, _)| *path == name)
                {
                    named.push((name, value));
                }
            }
        }
    }

    /// The values that the lines of an objective or a sampler bind can be asked for by its label and their names.
    pub fn name_bound(&mut self, label: &str) {
        let names = self.frame().names.clone();
        for (name, binding) in names {
            if let crate::model::scope::Meaning::Is(Operand::Value(value)) = binding.meaning
                && self.values().value(value).body.is_none()
            {
                self.values().program.named.push((format!("{label}.{name}"), value));
            }
        }
    }

    fn check_overrides(&mut self) {
        let unknown = self.overrides.0.keys().find(|name| !self.state.overridden.contains(*name)).cloned();
        let Some(unknown) = unknown else { return };
        let names = self.frame().names.keys().cloned().collect::<Vec<_>>();
        let help = crate::model::spelling::hint(&unknown, names);
        let (span, name) = (self.model.name.span, self.model.name.text.clone());
        let label = "no `set` or `dim` line declares it".to_string();
        self.fault_with(E0207, format!("`{name}` has no setting `{unknown}`"), (span, label), help);
    }

    /// The losses of the model and of its `train` lines, as training sees them or as they are judged.
    fn loss_program(&mut self, training: bool) -> Program {
        self.training = training;
        self.adding = true;
        self.own_lines();
        let own_losses = std::mem::take(&mut self.values().program.losses);
        let mut asked = false;
        self.values().program.named.clear();
        self.naming = true;
        for line in &self.model.body.lines {
            if let LineKind::Train(expr) = &line.kind {
                asked = true;
                self.values().span = line.span;
                let _ = self.train(expr);
            }
        }
        self.naming = false;
        let used = self.own.as_ref().is_some_and(|own| own.used);
        if used || !asked {
            let rest = std::mem::replace(&mut self.values().program.losses, own_losses);
            self.values().program.losses.extend(rest);
        }
        self.training = false;
        self.adding = false;
        self.state.values.program.outputs.clear();
        self.state.values.program.clone()
    }

    /// The block of a `generate` line, expanded: its data are inputs, its numbers settings that are read at run time.
    fn generate_program(&mut self, call: &Call, span: Span) -> Option<Generate> {
        self.own_lines();
        self.values().program.named.clear();
        self.values().program.outputs.clear();
        self.values().program.requirements.clear();
        self.values().program.updates.clear();
        self.values().program.blind.clear();
        self.values().span = span;
        self.naming = true;
        let generated = self.generate_call(call, span).ok();
        self.naming = false;
        let Generated { settings, inputs, operand } = generated?;
        let results = match operand {
            Operand::Several(results) => results,
            operand => vec![("result".to_string(), operand)],
        };
        for (name, operand) in results {
            let value = self.to_value(&operand, span).ok()?;
            self.values().program.outputs.push((name, value));
        }
        let program = self.state.values.program.clone();
        Some(Generate { block: call.name.text.clone(), settings, inputs, program, span })
    }

    /// Expands the block of a `generate` line.
    fn generate_call(&mut self, call: &Call, span: Span) -> Answer<Generated> {
        let Some(block) = self.library.block(&call.name.text) else {
            let message = format!("nothing is called `{}`", call.name.text);
            return Err(self.fault(E0201, message, call.name.span, "`generate` names a block"));
        };
        let target = Target::Block(block.clone());
        let mut given = Vec::new();
        for (place, argument) in call.arguments.iter().enumerate() {
            let name = argument.name.clone().or_else(|| block.parameters.get(place).map(|one| one.name().clone()));
            let parameter =
                name.as_ref().and_then(|name| block.parameters.iter().find(|one| one.name().text == name.text));
            let words = parameter.is_some_and(|one| takes_words(one, &block.parameters, Some(&block.body)));
            let what = match &argument.value {
                ast::ArgumentValue::Hole(_) => None,
                ast::ArgumentValue::Value(expr) if words => Some(self.evaluate_word(expr)?),
                ast::ArgumentValue::Value(expr) => Some(self.evaluate(expr)?),
            };
            given.push(Given { name, what, span: argument_span(argument, span) });
        }
        let (mut settings, mut inputs) = (Vec::new(), Vec::new());
        let mut scope = self.frame().axes();
        for parameter in &block.parameters {
            let ast::Parameter::Value(entry) = parameter else { continue };
            let name = &entry.target.name;
            let place = given.iter().position(|one| one.name.as_ref().is_some_and(|own| own.text == name.text));
            if place.is_some_and(|place| !matches!(given[place].what, Some(Operand::Known(_)))) {
                continue;
            }
            let what = if entry.target.axes.is_some() {
                self.generated_input(entry, &mut scope, &mut inputs)?
            } else {
                let default = place.and_then(|place| given[place].what.clone());
                self.run_time_setting(entry, default, &mut settings)?
            };
            given.retain(|one| one.name.as_ref().is_none_or(|own| own.text != name.text));
            given.push(Given { name: Some(name.clone()), what: Some(what), span });
        }
        let request = Request {
            label: call.label.clone(),
            default_label: call.name.text.clone(),
            axes: &call.axes,
            bound: HashMap::new(),
            scope,
            given,
            field: None,
            span: call.span,
        };
        let operand = self.call_target(&target, request)?;
        Ok(Generated { settings, inputs, operand })
    }

    /// Data that the block takes beside the model: `prompt[p] : v`.
    fn generated_input(
        &mut self,
        entry: &ast::Entry,
        scope: &mut HashMap<String, crate::tensor::AxisId>,
        inputs: &mut Vec<Input>,
    ) -> Answer<Operand> {
        let before = self.frame().names.clone();
        for name in entry.target.axes.iter().flatten() {
            if !scope.contains_key(&name.text) {
                let axis = self.axis_of_key("generate", &name.text, Extent::Sequence, None);
                scope.insert(name.text.clone(), axis);
            }
            let axis = scope[&name.text];
            let meaning = crate::model::scope::Meaning::Axis(axis);
            self.define(name, meaning, crate::model::scope::Origin::Argument);
        }
        let input = self.declare_input(entry);
        self.frame().names = before;
        let input = input?;
        let place = self.state.inputs.len() + inputs.len();
        inputs.push(input.clone());
        Ok(Operand::Value(self.input_value(place, &input)))
    }

    /// A number of the block that is read when the program runs.
    fn run_time_setting(
        &mut self,
        entry: &ast::Entry,
        given: Option<Operand>,
        settings: &mut Vec<(String, Setting)>,
    ) -> Answer<Operand> {
        let name = entry.target.name.text.clone();
        let default = match (given, &entry.default) {
            (Some(given), _) => given,
            (None, Some(default)) => self.evaluate_word(default)?,
            (None, None) => Operand::Known(Known::integer(-1)),
        };
        let Operand::Known(Known::One(setting)) = &default else {
            let label = "not known while compiling";
            return Err(self.fault(E0405, format!("the default of `{name}` is a number"), entry.target.span, label));
        };
        settings.push((name.clone(), setting.clone()));
        let dtype = match setting {
            Setting::Integer(_) => DType::Int,
            Setting::Real(_) => DType::REAL,
            Setting::Truth(_) => DType::Bool,
            _ => return Ok(default),
        };
        let axis = match &entry.target.kind {
            Some(kind) if !super::signature::is_plain(&kind.name.text) => Some(self.axis(&kind.name)?),
            _ => None,
        };
        let draft = Draft::new(ValueKind::Setting(name), Vec::new(), dtype).index_of(axis);
        Ok(Operand::Value(self.values().emit(draft)))
    }
}

fn argument_span(argument: &ast::Argument, call: Span) -> Span {
    match &argument.value {
        ast::ArgumentValue::Hole(span) => *span,
        ast::ArgumentValue::Value(expr) => expr.span.to(call),
    }
}
