//! Calls: which block, with which axes, on which arguments; and what comes back.

use super::axis_arguments::Merged;
use super::{Answer, Elaborator};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::scope::{Frame, Given, Meaning, Net, Operand, Origin, Target};
use crate::source::Span;
use crate::syntax::ast::{self, ArgumentValue, Block, Label, Parameter};
use crate::tensor::{AxisId, BATCH};
use std::collections::HashMap;
use std::rc::Rc;

/// How deep calls may nest.
const DEPTH: usize = 48;

/// A call with its arguments evaluated.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// Its label.
    pub label: Option<Label>,
    /// The label that it has without one of its own.
    pub default_label: String,
    /// Axes written at it.
    pub axes: &'r [ast::AxisArgument],
    /// Axes by the names of the called block's signature, already settled.
    pub bound: HashMap<String, AxisId>,
    /// Axes that can be named where the call is written.
    pub scope: HashMap<String, AxisId>,
    /// Arguments.
    pub given: Vec<Given>,
    /// The output that is wanted.
    pub field: Option<String>,
    /// The call.
    pub span: Span,
}

impl<'r> Request<'r> {
    /// What a call asks for as it is written.
    pub fn of(call: &'r ast::Call, scope: HashMap<String, AxisId>, given: Vec<Given>) -> Request<'r> {
        Request {
            label: call.label.clone(),
            default_label: call.name.text.clone(),
            axes: &call.axes,
            bound: HashMap::new(),
            scope,
            given,
            field: None,
            span: call.span,
        }
    }
}

impl Elaborator<'_> {
    /// A call as an expression: its result, or a block that waits for its data where an argument is `_`.
    pub fn call(&mut self, call: &ast::Call) -> Answer<Operand> {
        let target = self.target(&call.name)?;
        let given = self.evaluate_arguments(&target, &call.arguments)?;
        let scope = self.frame().axes();
        if given.iter().any(|argument| argument.what.is_none()) {
            let (label, axes) = (call.label.clone(), call.axes.clone());
            return Ok(Operand::Net(Rc::new(Net { target, label, axes, given, field: None, scope })));
        }
        self.call_target(&target, Request::of(call, scope, given))
    }

    /// What a name calls.
    fn target(&mut self, name: &ast::Name) -> Answer<Target> {
        match self.read_name(&name.text, name.span, false, true)? {
            Operand::Net(net) if net.given.is_empty() && net.axes.is_empty() => Ok(net.target.clone()),
            Operand::Net(net) => {
                let signature = crate::model::scope::Signature { name: name.text.clone(), parameters: Vec::new() };
                Ok(Target::Argument(net, Rc::new(signature)))
            }
            _ => {
                let help = format!("`{}[axis: …]` reads a value, `name(…)` calls a block", name.text);
                let label = "a value, not a block";
                Err(self.fault_with(
                    E0403,
                    format!("`{}` cannot be called", name.text),
                    (name.span, label.into()),
                    help,
                ))
            }
        }
    }

    fn evaluate_arguments(&mut self, target: &Target, arguments: &[ast::Argument]) -> Answer<Vec<Given>> {
        let parameters = match target {
            Target::Block(block) => block.parameters.clone(),
            _ => Vec::new(),
        };
        let body = match target {
            Target::Block(block) => Some(&block.body),
            _ => None,
        };
        let mut given = Vec::with_capacity(arguments.len());
        for (place, argument) in arguments.iter().enumerate() {
            let parameter = match &argument.name {
                Some(name) => parameters.iter().find(|one| one.name().text == name.text),
                None => parameters.get(place),
            };
            let (what, span) = match &argument.value {
                ArgumentValue::Hole(span) => (None, *span),
                ArgumentValue::Value(expr) => {
                    let words = parameter.is_some_and(|one| super::signature::takes_words(one, &parameters, body));
                    (Some(self.evaluate_argument(expr, words)?), expr.span)
                }
            };
            given.push(Given { name: argument.name.clone(), what, span });
        }
        Ok(given)
    }

    fn evaluate_argument(&mut self, expr: &ast::Expr, words: bool) -> Answer<Operand> {
        if words { self.evaluate_word(expr) } else { self.evaluate(expr) }
    }

    /// Calls whatever a target is.
    pub fn call_target(&mut self, target: &Target, request: Request) -> Answer<Operand> {
        if self.state.frames.len() > DEPTH {
            let label = "calls itself, directly or through others";
            return Err(self.fault(E0203, "blocks cannot be recursive", request.span, label));
        }
        match target {
            Target::Block(block) => self.call_block(block, request),
            Target::Function(name) => self.call_builtin(name, request.axes, &request.given, request.span),
            Target::Itself => self.call_self(request),
            Target::Argument(net, signature) => self.call_argument(net, signature, request),
        }
    }

    fn call_block(&mut self, block: &Rc<Block>, request: Request) -> Answer<Operand> {
        let (axes, merged) = self.bind_axes(block, &request)?;
        let label = request.label.as_ref().map_or(request.default_label.clone(), |label| label.name.text.clone());
        let shared = request.label.as_ref().is_some_and(|label| label.shared);
        let (mut path, key) = (self.frame().path.clone(), self.frame_key(&label));
        path.push(label.clone());
        let mut frame = Frame::new(&block.name.text, path, key);
        frame.call = Some(request.span);
        let given = self.place_arguments(block, &request)?;
        let given = self.merge_arguments(given, &merged, request.span)?;
        frame.riding = self.riding(&given, &axes);
        // What a `generate` line gives is read from outside, by place.
        if !(self.naming && self.state.frames.len() == 1) {
            frame.sized = super::axis_arguments::sized_for_caller(block, &request, &axes);
        }
        let floor = self.state.floor;
        if shared {
            self.state.floor = self.state.regions.len();
        }
        let made = self.state.made;
        self.state.frames.push(frame);
        let results = self.run_block(block, &axes, given, request.span);
        if self.naming && self.state.frames.len() == 2 {
            self.name_bound(&label);
        }
        self.state.frames.pop();
        self.state.floor = floor;
        let results = results?;
        if self.state.made > made && !shared {
            self.check_label(&label, request.span)?;
        }
        self.hand_out(block, results, &merged, request.field.as_deref(), request.span)
    }

    /// Binds arguments and runs the lines in the frame that is open.
    fn run_block(
        &mut self,
        block: &Rc<Block>,
        axes: &HashMap<String, AxisId>,
        given: Vec<Option<Given>>,
        span: Span,
    ) -> Answer<Vec<Operand>> {
        for name in super::signature::signature_axes(block) {
            let sized = self.frame().sized.contains_key(&name.text);
            if let Some(axis) = axes.get(&name.text).filter(|_| !sized) {
                self.define(&name, Meaning::Axis(*axis), Origin::Argument);
            }
        }
        self.bind_arguments(block, given, span)?;
        self.lines(&block.body.lines)?;
        let returned = self.frame().returned.take();
        self.check_results(block, returned)
    }

    /// The axes of the arguments that the block does not name.
    fn riding(&self, given: &[Option<Given>], axes: &HashMap<String, AxisId>) -> Vec<AxisId> {
        let mut riding = Vec::new();
        for argument in given.iter().flatten() {
            if let Some(Operand::Value(value)) = &argument.what {
                let own = self.state.values.axes_of(*value);
                riding.extend(own.iter().filter(|axis| **axis != BATCH && !axes.values().any(|known| known == *axis)));
            }
        }
        riding.sort();
        riding.dedup();
        riding
    }

    /// Arguments with the axes of a group read along the one axis that the block has for them.
    fn merge_arguments(
        &mut self,
        given: Vec<Option<Given>>,
        merged: &[(String, Merged)],
        span: Span,
    ) -> Answer<Vec<Option<Given>>> {
        let mut all = Vec::with_capacity(given.len());
        for argument in given {
            let Some(mut argument) = argument else {
                all.push(None);
                continue;
            };
            for (_, group) in merged {
                if let Some(Operand::Value(value)) = argument.what {
                    let has = self.values().axes_of(value).iter().any(|axis| group.parts.contains(axis));
                    if has {
                        let wide = self.values().broadcast(value, &group.parts);
                        let mut reading = (Vec::new(), crate::tensor::Presence::always());
                        let at = crate::tensor::Affine::axis(group.whole);
                        let x = self.merge(wide, &group.parts, &at, span, &mut reading)?;
                        argument.what = Some(Operand::Value(self.values().index(x, reading.0, &reading.1)));
                    }
                }
            }
            all.push(Some(argument));
        }
        Ok(all)
    }

    /// Results with groups split again, by name where there are several.
    fn hand_out(
        &mut self,
        block: &Block,
        results: Vec<Operand>,
        merged: &[(String, Merged)],
        field: Option<&str>,
        span: Span,
    ) -> Answer<Operand> {
        let mut all = Vec::with_capacity(results.len());
        for (place, result) in results.into_iter().enumerate() {
            let mut result = result;
            for (_, group) in merged {
                if let Operand::Value(value) = result
                    && self.values().axes_of(value).contains(&group.whole)
                {
                    let form = self.split_form(&group.parts, span)?;
                    let places = vec![(group.whole, form)];
                    result = Operand::Value(self.values().index(value, places, &crate::tensor::Presence::always()));
                }
            }
            let name = block.results.get(place).and_then(|item| item.name.as_ref());
            all.push((name.map_or(place.to_string(), |name| name.text.clone()), result));
        }
        self.pick(all, field, span)
    }

    /// The one result, the wanted one, or all by name.
    pub fn pick(&mut self, mut all: Vec<(String, Operand)>, field: Option<&str>, span: Span) -> Answer<Operand> {
        if let Some(field) = field {
            return match all.iter().find(|(name, _)| name == field) {
                Some((_, result)) => Ok(result.clone()),
                None => {
                    let help = crate::model::spelling::hint(field, all.iter().map(|(name, _)| name.clone()));
                    Err(self.fault_with(E0201, format!("there is no result `{field}`"), (span, "here".into()), help))
                }
            };
        }
        Ok(match all.len() {
            0 => Operand::Nothing,
            1 => all.remove(0).1,
            _ => Operand::Several(all),
        })
    }

    /// Two blocks with parameters in one scope have two labels.
    fn check_label(&mut self, label: &str, span: Span) -> Answer<()> {
        let before = self.frame().labels.insert(label.into(), span);
        match before {
            Some(before) if before != span => Err(self.report(
                Diagnostic::new(E0204, format!("two blocks with parameters have the label `{label}`"))
                    .label(span, "this one")
                    .label(before, "and this one")
                    .help(format!("give one of them another label: `{label}2: …`, or share it: `shared {label}: …`")),
            )),
            _ => Ok(()),
        }
    }
}

impl Parameter {
    /// Its name.
    pub fn name(&self) -> &ast::Name {
        match self {
            Parameter::Value(entry) => &entry.target.name,
            Parameter::Net { name, .. } => name,
        }
    }
}
