//! Warns of names that a file declares and nothing reads.
//!
//! In: the tree of the user's file, found good. It is read as text, without regard to order or `match`: a name that any
//! line reads is used. Values that are yielded, several results bound at once and counts of a `for` are not warned of.

use crate::diagnostics::codes::{W0201, W0202, W0203};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::model::library::Library;
use crate::syntax::ast::*;
use std::collections::HashSet;

/// Warns of the unused names of a file, block by block.
pub fn warn(library: &Library, file: &File, sink: &mut Diagnostics) {
    let mut called = HashSet::new();
    for block in &file.blocks {
        let mut names = Names { library, declared: Vec::new(), used: HashSet::new() };
        names.signature(&block.parameters, true);
        names.results(&block.results);
        names.body(&block.body);
        names.report(sink);
        called.extend(names.used);
    }
    for model in &file.models {
        let mut names = Names { library, declared: Vec::new(), used: HashSet::new() };
        file.weights.iter().for_each(|map| names.weights(map));
        names.body(&model.body);
        names.report(sink);
        called.extend(names.used);
    }
    let library_alone = file.models.is_empty();
    for block in file.blocks.iter().filter(|block| !library_alone && !called.contains(block.name.text.as_str())) {
        let message = format!("the block `{}` is never called", block.name.text);
        sink.push(Diagnostic::new(W0203, message).label(block.name.span, "not expanded, and so not checked either"));
    }
}

struct Names<'a> {
    library: &'a Library,
    declared: Vec<(&'a Name, &'static str)>,
    used: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    fn report(&self, sink: &mut Diagnostics) {
        let mut seen = HashSet::new();
        for (name, what) in &self.declared {
            if self.used.contains(name.text.as_str()) || !seen.insert(&name.text) {
                continue;
            }
            let stored = matches!(*what, "parameter" | "buffer");
            let (code, label) = match stored {
                true => (W0202, "stored and saved, and no output or loss depends on it"),
                false => (W0201, "nothing reads it"),
            };
            sink.push(
                Diagnostic::new(code, format!("the {what} `{}` is never used", name.text)).label(name.span, label),
            );
        }
    }

    fn declare(&mut self, name: &'a Name, what: &'static str) {
        self.declared.push((name, what));
    }

    fn uses(&mut self, names: impl IntoIterator<Item = &'a Name>) {
        self.used.extend(names.into_iter().map(|name| name.text.as_str()));
    }

    /// The names of the parameters of a block argument's own signature are documentation.
    fn signature(&mut self, parameters: &'a [Parameter], declares: bool) {
        for parameter in parameters {
            let name = match parameter {
                Parameter::Value(entry) => {
                    self.entry(entry);
                    &entry.target.name
                }
                Parameter::Net { name, parameters, results, .. } => {
                    self.signature(parameters, false);
                    self.results(results);
                    name
                }
            };
            if declares {
                self.declare(name, "argument");
            }
        }
    }

    fn results(&mut self, results: &'a [ResultItem]) {
        for result in results {
            self.uses(&result.axes);
            self.uses(result.kind.iter().map(|kind| &kind.name));
        }
    }

    fn entry(&mut self, entry: &'a Entry) {
        self.target(&entry.target);
        entry.default.iter().for_each(|default| self.expression(default));
    }

    fn target(&mut self, target: &'a Target) {
        self.uses(target.axes.iter().flatten());
        self.uses(target.kind.iter().map(|kind| &kind.name));
    }

    fn weights(&mut self, map: &'a Weights) {
        for line in &map.lines {
            match line {
                WeightLine::Config(settings) => self.uses(settings.iter().map(|(name, _)| name)),
                WeightLine::Value(path, _, order) => {
                    self.path(path);
                    self.uses(order.iter().flatten());
                }
                WeightLine::Draw(path, _) | WeightLine::Gradient(path, _) => self.path(path),
                WeightLine::Map { path, layout, .. } => {
                    self.path(path);
                    layout.iter().flatten().for_each(|slot| self.slot(slot));
                }
                WeightLine::Input(_, _, order) => self.uses(order.iter().flatten()),
                WeightLine::Ignore(_)
                | WeightLine::Require(..)
                | WeightLine::Loss(_)
                | WeightLine::Train(..)
                | WeightLine::Generate(_) => {}
            }
        }
    }

    fn path(&mut self, path: &'a WeightPath) {
        for step in &path.steps {
            match step {
                WeightStep::Name(name, axis) => self.uses(std::iter::once(name).chain(axis)),
                WeightStep::Parts(parts) => parts.iter().for_each(|part| self.path(part)),
            }
        }
    }

    fn slot(&mut self, slot: &'a Slot) {
        match slot {
            Slot::Axis(axis) => self.uses([axis]),
            Slot::Joined(terms, _) => terms.iter().flatten().for_each(|slot| self.slot(slot)),
            Slot::Number(..) => {}
        }
    }

    /// A call binds the axes of the signature to those of the same name.
    fn bound_by_name(&mut self, block: &'a Block) {
        self.uses(block.demands.iter().map(|demand| &demand.axis));
        self.results(&block.results);
        for parameter in &block.parameters {
            if let Parameter::Value(entry) = parameter {
                self.uses(entry.target.axes.iter().flatten());
            }
        }
    }

    fn body(&mut self, body: &'a Body) {
        body.lines.iter().for_each(|line| self.line(&line.kind));
    }

    fn line(&mut self, line: &'a LineKind) {
        match line {
            LineKind::Dim(axes) => axes.iter().for_each(|axis| self.dim(axis)),
            LineKind::Set(settings) => {
                for (name, value) in settings {
                    self.declare(name, "setting");
                    self.expression(value);
                }
            }
            LineKind::Param { buffer, made } => {
                let what = if *buffer { "buffer" } else { "parameter" };
                made.iter().for_each(|made| self.made(made, what));
            }
            LineKind::Input(entries) => {
                for entry in entries {
                    self.declare(&entry.target.name, "input");
                    self.entry(entry);
                }
            }
            LineKind::Output(target, value) => self.bound(std::slice::from_ref(target), value),
            LineKind::Train(value) | LineKind::Loss(value) | LineKind::Update(_, value) => self.expression(value),
            LineKind::Require(value, _) => self.expression(value),
            LineKind::Generate(call) => self.call(call),
            LineKind::Yield(targets, value) => self.bound(targets, value),
            LineKind::Return(values) => values.iter().for_each(|value| self.expression(value)),
            LineKind::For(region) => self.region(region),
            LineKind::Match(on, arms) => {
                self.expression(on);
                arms.iter().for_each(|(_, body)| self.body(body));
            }
            LineKind::Bind(targets, assign, value) => {
                if let ([target], Assign::Set) = (targets.as_slice(), assign) {
                    self.declare(&target.name, "value");
                }
                self.bound(targets, value);
            }
            LineKind::Draw(targets, law) => {
                targets.iter().for_each(|target| self.target(target));
                self.law(law);
            }
        }
    }

    fn bound(&mut self, targets: &'a [Target], value: &'a Expr) {
        targets.iter().for_each(|target| self.target(target));
        self.expression(value);
    }

    fn dim(&mut self, dim: &'a Dim) {
        self.declare(&dim.name, "axis");
        match &dim.size {
            DimSize::Value(size) => self.expression(size),
            DimSize::Like(other) => self.uses([other]),
            DimSize::Sequence => {}
        }
    }

    fn made(&mut self, made: &'a Made, what: &'static str) {
        self.declare(&made.name, what);
        self.uses(&made.axes);
        match &made.start {
            MadeStart::Value(value) => self.expression(value),
            MadeStart::Draw(law) => self.law(law),
            MadeStart::Default => {}
        }
        made.condition.iter().for_each(|condition| self.expression(condition));
    }

    fn region(&mut self, region: &'a For) {
        for count in &region.counts {
            self.uses([&count.name]);
            count.turns.iter().for_each(|turns| self.expression(turns));
        }
        let reverse = region.reverse.as_ref().and_then(|reverse| reverse.condition.as_ref());
        reverse.into_iter().chain(&region.until).for_each(|value| self.expression(value));
        self.body(&region.body);
    }

    fn law(&mut self, law: &'a Law) {
        law.axes.iter().for_each(|argument| self.axes(&argument.given));
        self.arguments(&law.arguments);
    }

    fn call(&mut self, call: &'a Call) {
        if let Some(block) = self.library.declared(&call.name.text) {
            self.bound_by_name(block);
        }
        self.uses([&call.name]);
        call.axes.iter().for_each(|argument| self.axes(&argument.given));
        self.arguments(&call.arguments);
    }

    fn arguments(&mut self, arguments: &'a [Argument]) {
        for argument in arguments {
            if let ArgumentValue::Value(value) = &argument.value {
                self.expression(value);
            }
        }
    }

    fn axes(&mut self, axes: &'a Axes) {
        match axes {
            Axes::One(axis) => self.uses([axis]),
            Axes::Group(axes, _) => self.uses(axes),
        }
    }

    fn expression(&mut self, expression: &'a Expr) {
        match &expression.kind {
            ExprKind::Name(name) => drop(self.used.insert(name)),
            ExprKind::Size(axis) => self.uses([axis]),
            ExprKind::List(items) => items.iter().for_each(|item| self.expression(item)),
            ExprKind::Unary(_, on) | ExprKind::Field(on, _) => self.expression(on),
            ExprKind::Binary(_, a, b) | ExprKind::Where(a, b) | ExprKind::Else(a, b) | ExprKind::Element(a, b) => {
                self.expression(a);
                self.expression(b);
            }
            ExprKind::Index(on, places, other) => {
                self.expression(on);
                places.iter().for_each(|place| self.place(place));
                other.iter().for_each(|other| self.expression(other));
            }
            ExprKind::Match(on, arms) => {
                self.expression(on);
                arms.iter().for_each(|(_, value)| self.expression(value));
            }
            ExprKind::Call(call) => self.call(call),
            ExprKind::Integer(_) | ExprKind::Real(_) | ExprKind::Truth(_) | ExprKind::Text(_) => {}
        }
    }

    fn place(&mut self, place: &'a Place) {
        self.axes(&place.axes);
        match &place.at {
            PlaceValue::Value(at) => self.expression(at),
            PlaceValue::Group(axes, _) => self.uses(axes),
        }
    }
}
