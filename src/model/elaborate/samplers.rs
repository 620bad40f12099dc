//! The program of a `generate` line: its block, expanded; data are inputs, numbers settings that are read at run time.

use super::calls::Request;
use super::signature::takes_words;
use super::{Answer, Elaborator};
use crate::diagnostics::codes::*;
use crate::model::construct::Draft;
use crate::model::declarations::{Generate, Input, Setting};
use crate::model::scope::{Given, Meaning, Operand, Target};
use crate::model::settings::Known;
use crate::model::values::ValueKind;
use crate::source::Span;
use crate::syntax::ast::{self, Call};
use crate::tensor::{DType, Extent};
use std::collections::HashMap;

/// What a `generate` line gives.
struct Generated {
    settings: Vec<(String, Setting)>,
    inputs: Vec<Input>,
    operand: Operand,
}

impl Elaborator<'_> {
    /// The block of a `generate` line, expanded: its data are inputs, its numbers settings that are read at run time.
    pub(super) fn generate_program(&mut self, call: &Call, span: Span) -> Option<Generate> {
        self.own_lines();
        self.values().program.named.clear();
        self.values().program.outputs.clear();
        self.values().program.requirements.clear();
        self.values().program.updates.clear();
        self.values().program.blind.clear();
        self.values().span = span;
        let call = &Call { name: self.sampler_name(&call.name), ..call.clone() };
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

    /// The block that a `generate` line names: itself, or as a word by one of the model's settings.
    fn sampler_name(&mut self, name: &ast::Name) -> ast::Name {
        let meaning = self.look_up(&name.text).map(|binding| binding.meaning);
        let text = match meaning {
            Some(Meaning::Is(Operand::Known(Known::One(Setting::Word(word))))) => word,
            Some(Meaning::Is(Operand::Net(net))) => match &net.target {
                Target::Block(block) => block.name.text.clone(),
                _ => name.text.clone(),
            },
            _ => name.text.clone(),
        };
        ast::Name { text, ..name.clone() }
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
            let default = place.and_then(|place| given[place].what.clone());
            let what = match &entry.target.axes {
                Some(_) => self.generated_input(entry, default, &mut scope, &mut inputs)?,
                None => self.run_time_setting(entry, default, &mut settings)?,
            };
            given.retain(|one| one.name.as_ref().is_none_or(|own| own.text != name.text));
            given.push(Given { name: Some(name.clone()), what: Some(what), span });
        }
        let operand = self.call_target(&target, Request::of(call, scope, given))?;
        Ok(Generated { settings, inputs, operand })
    }

    /// Data that the block takes beside the model: `prompt[p] : v`, and what it begins with: `prompt = 0`.
    fn generated_input(
        &mut self,
        entry: &ast::Entry,
        begins: Option<Operand>,
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
            let meaning = Meaning::Axis(axis);
            self.define(name, meaning, crate::model::scope::Origin::Argument);
        }
        let input = self.declare_input(entry);
        self.frame().names = before;
        let mut input = input?;
        input.default = match begins {
            None => input.default,
            Some(Operand::Known(Known::One(Setting::Integer(number)))) => Some(number as f64),
            Some(_) => {
                let message = format!("what `{}` begins with is a whole number", input.name);
                return Err(self.fault(E0405, message, entry.target.span, "this has positions"));
            }
        };
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
