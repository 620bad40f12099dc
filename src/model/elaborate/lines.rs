//! Lines of a body, one after the other. A line that fails leaves the names that it would bind broken.

use super::{Answer, Elaborator, Fail};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::scope::{Meaning, Operand, Origin};
use crate::model::settings::Known;
use crate::model::values::ValueKind;
use crate::syntax::ast::{self, Binary, Expr, ExprKind, Line, LineKind, Target};
use crate::tensor::Relation;

impl Elaborator<'_> {
    /// Elaborates lines; only a split of turns ends it early.
    pub fn lines(&mut self, lines: &[Line]) -> Answer<()> {
        for line in lines {
            let before = std::mem::replace(&mut self.values().span, line.span);
            let answer = self.line(line);
            self.values().span = before;
            match answer {
                Ok(()) => {}
                Err(Fail::Reported) => {
                    self.frame().broken = true;
                    self.break_names(line);
                }
                split => return split,
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Answer<()> {
        match &line.kind {
            LineKind::Dim(dims) => self.dims(dims),
            LineKind::Set(settings) => self.sets(settings),
            LineKind::Param { buffer, made } => self.make_all(*buffer, made),
            LineKind::Input(entries) => self.inputs(entries, line),
            LineKind::Output(target, expr) => self.output(target, expr, line),
            LineKind::Train(_) | LineKind::Generate(_) => self.asked(line),
            LineKind::Require(expr, text) => self.require(expr, text.as_deref(), line.span),
            LineKind::Update(name, expr) => self.update(name, expr),
            LineKind::Loss(expr) => self.loss(expr),
            LineKind::Yield(targets, expr) => self.yield_line(targets, expr, line.span),
            LineKind::Return(exprs) => self.return_line(exprs, line),
            LineKind::For(region) => self.region(region, line.span),
            LineKind::Match(scrutinee, arms) => {
                let patterns = arms.iter().map(|(pattern, _)| pattern.clone()).collect::<Vec<_>>();
                let arm = self.decide(scrutinee, &patterns)?;
                self.lines(&arms[arm].1.lines)
            }
            LineKind::Bind(targets, assign, expr) => self.bind(targets, *assign, expr),
            LineKind::Draw(targets, law) => self.draw(targets, law, line.span),
        }
    }

    /// Notes what the model can be asked to do.
    fn asked(&mut self, line: &Line) -> Answer<()> {
        self.model_only("`train` and `generate`", line)?;
        // The model's lines run once more for every call on other inputs.
        if self.state.asked.iter().any(|known| known.span == line.span) {
            return Ok(());
        }
        let second = |known: &Line| matches!(known.kind, LineKind::Generate(_));
        if second(line) && self.state.asked.iter().any(second) {
            let label = "this is another";
            return Err(self.fault(E0206, "a model has one `generate` line".to_string(), line.span, label));
        }
        self.state.asked.push(line.clone());
        Ok(())
    }

    fn model_only(&mut self, what: &str, line: &Line) -> Answer<()> {
        let frames = self.state.frames.len();
        if self.frame().model && !self.state.regions.iter().any(|active| active.frames == frames) {
            return Ok(());
        }
        Err(self.fault(E0206, format!("{what} stand in a model"), line.span, "here it means nothing"))
    }

    fn break_names(&mut self, line: &Line) {
        let mut names = Vec::new();
        bound_names(line, &mut names);
        for name in names {
            let origin = self.frame().names.get(&name.text).map_or(Origin::Local, |binding| binding.origin);
            self.define(&name, Meaning::Broken, origin);
        }
    }

    fn sets(&mut self, settings: &[(ast::Name, Expr)]) -> Answer<()> {
        let mut answer = Ok(());
        for (name, expr) in settings {
            match self.set(name, expr) {
                Ok(()) => {}
                Err(Fail::Reported) => {
                    self.define(name, Meaning::Broken, Origin::Set);
                    answer = Err(Fail::Reported);
                }
                split => return split,
            }
        }
        answer
    }

    fn set(&mut self, name: &ast::Name, expr: &Expr) -> Answer<()> {
        self.check_new(name)?;
        let operand = match self.take_override(&name.text) {
            Some(setting) => super::known(setting),
            None => self.setting_value(expr)?,
        };
        let Operand::Known(value) = &operand else {
            let help = format!("without `set` it is a value: `{} = …`", name.text);
            let label = "known only when the program runs".to_string();
            return Err(self.fault_with(E0405, "a setting is known while compiling", (expr.span, label), help));
        };
        if let (true, Known::One(setting)) = (self.state.frames.len() == 1, value)
            && !self.state.settings.iter().any(|(known, _)| *known == name.text)
        {
            let entry = (name.text.clone(), setting.clone());
            self.state.settings.push(entry);
        }
        self.define(name, Meaning::Is(operand), Origin::Set);
        Ok(())
    }

    /// The value of a setting; a bare name that the frame does not declare is a word, also if it names a block.
    fn setting_value(&mut self, expr: &Expr) -> Answer<Operand> {
        match &expr.kind {
            ExprKind::Name(name) if name != "training" && self.look_up(name).is_none() => {
                Ok(super::known(crate::model::Setting::Word(name.clone())))
            }
            _ => self.evaluate_word(expr),
        }
    }

    fn output(&mut self, target: &Target, expr: &Expr, line: &Line) -> Answer<()> {
        if !self.frame().model || self.state.regions.iter().any(|active| active.frames == self.state.frames.len()) {
            return Err(self.fault(E0206, "`output` stands in a model, outside of any `for`", line.span, "here"));
        }
        let operand = self.evaluate(expr)?;
        let operand = self.assign(target, operand, expr.span, Origin::Local)?;
        let value = self.to_value(&operand, expr.span)?;
        self.check_output(target, value, expr)?;
        let value = self.as_written(target, value)?;
        let name = target.name.text.clone();
        self.frame().outputs.push((name, Operand::Value(value)));
        Ok(())
    }

    /// Data leaves in the order in which its axes are written, rows first.
    fn as_written(&mut self, target: &Target, value: crate::model::ValueId) -> Answer<crate::model::ValueId> {
        let Some(names) = &target.axes else { return Ok(value) };
        let written = self.distinct_axes(names)?;
        let own = self.values().axes_of(value).to_vec();
        let rows = own.iter().copied().filter(|axis| !written.contains(axis));
        let ordered = rows.chain(written.iter().copied()).collect::<Vec<_>>();
        Ok(self.values().laid_out(value, &ordered))
    }

    /// An output is present wherever its inputs are.
    fn check_output(&mut self, target: &Target, value: crate::model::ValueId, expr: &Expr) -> Answer<()> {
        let presence = self.values().presence(value);
        let Some(relation) = presence.relations.into_iter().find(|relation| !self.comes_from_inputs(relation)) else {
            return Ok(());
        };
        let mut diagnostic = Diagnostic::new(E0501, format!("the output `{}` can be absent", target.name.text))
            .help("give it a value there with `else`, or reduce what is absent");
        let condition = match &relation {
            Relation::Holds(condition) => Some(self.values().value(*condition).clone()),
            _ => None,
        };
        diagnostic = match condition {
            Some(condition) if matches!(condition.kind, ValueKind::Reduce(..)) => diagnostic
                .label(expr.span, "may be made of nothing")
                .label(condition.span, "absent where nothing is present to reduce"),
            Some(condition) if !matches!(condition.kind, ValueKind::Input(_)) => diagnostic
                .label(expr.span, "present only where a condition holds")
                .label(condition.span, "this condition"),
            _ => diagnostic.label(expr.span, format!("present only where {}", self.show_relation(&relation))),
        };
        Err(self.report(diagnostic))
    }

    fn return_line(&mut self, exprs: &[Expr], line: &Line) -> Answer<()> {
        if self.frame().model {
            return Err(self.fault_with(
                E0206,
                "a model has no `return`",
                (line.span, "here".into()),
                "it hands out values with `output name = …`",
            ));
        }
        let mut returned = Vec::with_capacity(exprs.len());
        for expr in exprs {
            returned.push(self.evaluate(expr)?);
        }
        if let [Operand::Several(results)] = returned.as_slice() {
            returned = results.iter().map(|(_, result)| result.clone()).collect();
        }
        self.frame().returned = Some(returned);
        Ok(())
    }

    /// `loss …`: added to what training minimises; absent counts as 0.
    fn loss(&mut self, expr: &Expr) -> Answer<()> {
        let value = self.evaluate_value(expr)?;
        if !self.adding {
            return Ok(());
        }
        self.add_loss(value, expr)
    }

    /// Adds a scalar to the losses with the weight of the moment.
    pub fn add_loss(&mut self, value: crate::model::ValueId, expr: &Expr) -> Answer<()> {
        let axes = self.values().axes_of(value).to_vec();
        if !axes.is_empty() {
            let names = if axes == [crate::tensor::BATCH] { "[batch]".into() } else { self.axis_names(&axes) };
            return Err(self.fault_with(
                E0302,
                "a loss is one number",
                (expr.span, format!("still has the axes {names}")),
                "reduce over all of them, `batch` included: `mean[batch, t](…)`",
            ));
        }
        let zero = self.values().number(0.0, crate::tensor::DType::REAL);
        let value = self.values().otherwise(value, zero);
        let weight = self.state.weight;
        self.values().program.losses.push((value, weight));
        Ok(())
    }

    fn update(&mut self, name: &ast::Name, expr: &Expr) -> Answer<()> {
        let value = self.evaluate_value(expr)?;
        if !self.training {
            return Ok(());
        }
        let path = self.parameter_path(&name.text);
        let place = self.state.parameters.iter().position(|made| made.declared.path == path && !made.declared.trained);
        match place {
            Some(place) => {
                self.hand_out_update(place, name, value);
                Ok(())
            }
            None => Err(self.fault_with(
                E0202,
                format!("`{}` is not a buffer", name.text),
                (name.span, "only a buffer is updated".into()),
                format!("declare it: `buffer {}[…] = 0`", name.text),
            )),
        }
    }

    /// The value of a `train` line: blocks that add losses, or scalars, weighted and added.
    pub fn train(&mut self, expr: &Expr) -> Answer<()> {
        match &expr.kind {
            ExprKind::Binary(Binary::Add, left, right) => {
                self.train(left)?;
                self.train(right)
            }
            ExprKind::Binary(Binary::Multiply, factor, term) if matches!(term.kind, ExprKind::Call(_)) => {
                let operand = self.evaluate(factor)?;
                let number = match &operand {
                    Operand::Known(Known::One(setting)) => setting.number(),
                    _ => None,
                };
                let Some(number) = number else {
                    let label = "not a number that is known while compiling";
                    return Err(self.fault(E0405, "the weight of a loss is a number", factor.span, label));
                };
                let before = self.state.weight;
                self.state.weight = before * number;
                let answer = self.train(term);
                self.state.weight = before;
                answer
            }
            _ => match self.evaluate(expr)? {
                Operand::Nothing => Ok(()),
                operand => {
                    let value = self.to_value(&operand, expr.span)?;
                    self.add_loss(value, expr)
                }
            },
        }
    }
}

/// The names that a line binds, those of inner lines included.
pub fn bound_names(line: &Line, names: &mut Vec<ast::Name>) {
    match &line.kind {
        LineKind::Bind(targets, _, _) | LineKind::Draw(targets, _) | LineKind::Yield(targets, _) => {
            names.extend(targets.iter().map(|target| target.name.clone()));
        }
        LineKind::Output(target, _) => names.push(target.name.clone()),
        LineKind::For(region) => region.body.lines.iter().for_each(|line| bound_names(line, names)),
        LineKind::Match(_, arms) => {
            arms.iter().flat_map(|(_, body)| &body.lines).for_each(|line| bound_names(line, names));
        }
        LineKind::Param { made, .. } => names.extend(made.iter().map(|made| made.name.clone())),
        LineKind::Input(entries) => names.extend(entries.iter().map(|entry| entry.target.name.clone())),
        _ => {}
    }
}
