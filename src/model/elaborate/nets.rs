//! Blocks as arguments, and the model called by itself.

use super::calls::Request;
use super::{Answer, Elaborator};
use crate::diagnostics::codes::*;
use crate::model::scope::{Frame, Given, Net, Operand, Signature, Target};
use crate::source::Span;
use crate::syntax::ast::{self, LineKind, Parameter};
use crate::tensor::AxisId;
use std::collections::HashMap;
use std::rc::Rc;

impl Elaborator<'_> {
    /// Calls a block argument: its places for data are filled, and the axes of the data are those that its signature
    /// says in the frame that calls it.
    pub fn call_argument(&mut self, net: &Rc<Net>, signature: &Signature, request: Request) -> Answer<Operand> {
        let outer = if request.bound.is_empty() { self.frame().axes() } else { request.bound };
        let (given, holes) = self.fill(net, &request.given, request.span)?;
        let target_entries = self.data_entries(&net.target, &holes);
        let mut bound = HashMap::new();
        for (own, theirs) in signature.parameters.iter().zip(&target_entries) {
            let Parameter::Value(own) = own else { continue };
            let own_axes = own.target.axes.iter().flatten().map(|name| name.text.clone()).collect::<Vec<_>>();
            map_axes(&own_axes, theirs, &outer, &mut bound);
        }
        let label = request.label.clone().or_else(|| net.label.clone());
        let default_label = if label.is_none() { signature.name.clone() } else { String::new() };
        let inner = Request {
            label,
            default_label,
            axes: &net.axes,
            bound,
            scope: net.scope.clone(),
            given,
            field: request.field.or_else(|| net.field.clone()),
            span: request.span,
        };
        self.call_target(&net.target, inner)
    }

    /// The arguments with holes filled in order, and the places of the holes among the target's parameters.
    fn fill(&mut self, net: &Net, data: &[Given], span: Span) -> Answer<(Vec<Given>, Vec<Hole>)> {
        if net.given.is_empty() {
            let holes = (0..data.len()).map(Hole::Place).collect();
            return Ok((data.to_vec(), holes));
        }
        let mut data = data.iter();
        let (mut given, mut holes) = (Vec::new(), Vec::new());
        for (place, argument) in net.given.iter().enumerate() {
            if argument.what.is_some() {
                given.push(argument.clone());
                continue;
            }
            let Some(filled) = data.next() else {
                return Err(self.fault(E0401, "this block argument needs more data", span, "one `_` stays empty"));
            };
            holes.push(argument.name.as_ref().map_or(Hole::Place(place), |name| Hole::Name(name.text.clone())));
            given.push(Given { name: argument.name.clone(), what: filled.what.clone(), span: filled.span });
        }
        if data.next().is_some() {
            return Err(self.fault(E0401, "this block argument takes less data", span, "more than it has `_`"));
        }
        Ok((given, holes))
    }

    /// The axes that a target declares for each of its data parameters.
    fn data_entries(&self, target: &Target, holes: &[Hole]) -> Vec<Vec<String>> {
        let parameters = match target {
            Target::Block(block) => block.parameters.clone(),
            Target::Argument(_, signature) => signature.parameters.clone(),
            Target::Itself => self.model_inputs().into_iter().map(Parameter::Value).collect(),
            Target::Function(_) => Vec::new(),
        };
        let axes_of = |parameter: Option<&Parameter>| match parameter {
            Some(Parameter::Value(entry)) => entry.target.axes.iter().flatten().map(|name| name.text.clone()).collect(),
            _ => Vec::new(),
        };
        let entries = holes.iter().map(|hole| match hole {
            Hole::Place(place) => axes_of(parameters.get(*place)),
            Hole::Name(name) => axes_of(parameters.iter().find(|one| one.name().text == *name)),
        });
        entries.collect()
    }

    /// The `input` entries of the model.
    pub fn model_inputs(&self) -> Vec<ast::Entry> {
        let mut inputs = Vec::new();
        for line in &self.model.body.lines {
            if let LineKind::Input(entries) = &line.kind {
                inputs.extend(entries.iter().cloned());
            }
        }
        inputs
    }

    /// The model on given inputs. On its own inputs it is what its lines gave already.
    pub fn call_self(&mut self, request: Request) -> Answer<Operand> {
        let entries = self.model_inputs();
        let mut given: HashMap<String, Operand> = HashMap::new();
        let mut place = 0;
        for argument in &request.given {
            let entry = match &argument.name {
                Some(name) => entries.iter().find(|entry| entry.target.name.text == name.text),
                None => {
                    place += 1;
                    entries.get(place - 1)
                }
            };
            let (Some(entry), Some(operand)) = (entry, &argument.what) else {
                let names = entries.iter().map(|entry| entry.target.name.text.clone()).collect::<Vec<_>>().join(", ");
                let label = format!("the inputs are {names}");
                return Err(self.fault(E0401, "the model has no such input", argument.span, label));
            };
            given.insert(entry.target.name.text.clone(), operand.clone());
        }
        let Some(own) = self.own.clone() else {
            let label = "`self` can be asked for in `train` and `generate`";
            return Err(self.fault(E0203, "the model is not finished here", request.span, label));
        };
        let same = entries.iter().all(|entry| {
            let name = &entry.target.name.text;
            match (given.get(name), own.inputs.get(name)) {
                (Some(Operand::Value(given)), Some(Operand::Value(own))) => given == own,
                (None, _) => true,
                _ => false,
            }
        });
        if same {
            if let Some(own) = &mut self.own {
                own.used = true;
            }
            return self.pick(own.outputs, request.field.as_deref(), request.span);
        }
        self.run_self(given, own.inputs, request)
    }

    /// Runs the model's lines again, on other inputs.
    fn run_self(
        &mut self,
        given: HashMap<String, Operand>,
        own: HashMap<String, Operand>,
        request: Request,
    ) -> Answer<Operand> {
        let mut frame = Frame::new(&self.model.name.text, Vec::new(), self.model.name.text.clone());
        frame.model = true;
        frame.call = Some(request.span);
        let mut moved = false;
        for (name, axis) in &request.bound {
            moved |= self.state.axis_keys.get(&format!("{}/{name}#1", frame.key)) != Some(axis);
            frame.preset.insert(name.clone(), *axis);
        }
        let mut inputs = given;
        if !moved {
            for (name, operand) in own {
                inputs.entry(name).or_insert(operand);
            }
        }
        frame.inputs = Some(inputs);
        let model = self.model;
        let occurrences = std::mem::take(&mut self.state.occurrences);
        let floor = std::mem::replace(&mut self.state.floor, self.state.regions.len());
        self.state.frames.push(frame);
        let answer = self.lines(&model.body.lines);
        let frame = self.state.frames.pop();
        self.state.floor = floor;
        self.state.occurrences = occurrences;
        answer?;
        let outputs = frame.map(|frame| frame.outputs).unwrap_or_default();
        self.pick(outputs, request.field.as_deref(), request.span)
    }
}

/// Where data goes among the parameters of a target.
enum Hole {
    Place(usize),
    Name(String),
}

/// Axes of a target's parameter: by the same name, else in order.
fn map_axes(own: &[String], theirs: &[String], outer: &HashMap<String, AxisId>, bound: &mut HashMap<String, AxisId>) {
    let mut rest = own.iter().filter(|name| !theirs.contains(name));
    for name in theirs {
        let source = if own.contains(name) { Some(name) } else { rest.next() };
        if let Some(axis) = source.and_then(|source| outer.get(source)) {
            bound.insert(name.clone(), *axis);
        }
    }
}
