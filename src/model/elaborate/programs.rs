//! The programs of a model: forward, train, generate. Each runs the model's lines, then its own.

use super::{Elaborator, State};
use crate::diagnostics::codes::*;
use crate::diagnostics::{Diagnostic, Severity};
use crate::model::compact;
use crate::model::construct::Values;
use crate::model::declarations::{Generate, Model, Parameter, Setting};
use crate::model::library::Library;
use crate::model::scope::{Frame, Operand};
use crate::model::values::Program;
use crate::source::Span;
use crate::syntax::ast::{self, LineKind};
use crate::tensor::Axes;
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
    let asked = elaborator.state.asked.clone();
    let loses = model.body.lines.iter().any(|line| matches!(line.kind, LineKind::Loss(_)));
    let learns = loses || asked.iter().any(|line| matches!(line.kind, LineKind::Train(_)));
    let train = learns.then(|| elaborator.loss_program(true));
    let judged = learns.then(|| elaborator.loss_program(false));
    let generate = asked.iter().find_map(|line| match &line.kind {
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
            asked: Vec::new(),
        }
    }
}

impl Elaborator<'_> {
    /// Runs the model's lines in a fresh program; its frame stays open.
    pub(super) fn own_lines(&mut self) {
        let axes = self.state.values.axes.clone();
        self.state.values = Values::new(axes, self.model.name.span);
        self.state.occurrences.clear();
        self.state.regions.clear();
        self.state.floor = 0;
        self.state.asked.clear();
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
        for line in self.state.asked.clone() {
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
}
