//! Paths of parameters with their counts, and the names of file tensors counted out.

use super::Resolver;
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::declarations::Model;
use crate::syntax::ast::{self, Axes, LineKind, Template, TemplatePiece, WeightPath, WeightStep};
use crate::tensor::AxisId;

/// A parameter that a path names.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its place in the model.
    pub parameter: usize,
    /// The counts of its path, outermost first: `i` of `layers[i]`.
    pub counts: Vec<String>,
}

/// A number in a name: the axes that it runs over (one, or a group counted together).
#[derive(Debug, Clone)]
pub struct Counted {
    /// The hole as it is written: `i`, `(g j)`.
    pub hole: String,
    /// Axes of the parameter and their sizes, the last fastest.
    pub axes: Vec<(AxisId, i64)>,
    /// The numbers in the file, where turns are left out.
    pub turns: Option<Vec<i64>>,
}

impl Counted {
    /// How many numbers there are.
    pub fn size(&self) -> i64 {
        self.axes.iter().map(|(_, size)| size).product()
    }

    /// Whether this is what a hole counts.
    fn counts(&self, hole: &Axes) -> bool {
        match hole {
            Axes::One(name) => self.hole == name.text,
            Axes::Group(names, _) => names.iter().map(|name| name.text.as_str()).eq(self.hole.split(' ')),
        }
    }
}

/// All combinations of numbers, the last fastest.
pub fn odometer(counted: &[Counted]) -> Vec<Vec<i64>> {
    let mut all = vec![Vec::new()];
    for one in counted {
        all = all
            .into_iter()
            .flat_map(|before| {
                (0..one.size()).map(move |number| {
                    let mut next = before.clone();
                    next.push(number);
                    next
                })
            })
            .collect();
    }
    all
}

/// How many names a template stands for by its braces.
pub fn alternatives(template: &Template) -> usize {
    let parts = template.pieces.iter().filter_map(|piece| match piece {
        TemplatePiece::Parts(names) => Some(names.len()),
        _ => None,
    });
    parts.max().unwrap_or(1)
}

/// The holes of a template, with the axes of a parameter that they count.
pub fn counted(model: &Model, template: &Template, found: &Found) -> Result<Vec<Counted>, (String, String)> {
    let mut all: Vec<Counted> = Vec::new();
    for piece in &template.pieces {
        let TemplatePiece::Number(axes) = piece else { continue };
        let names = match axes {
            Axes::One(name) => vec![name.text.clone()],
            Axes::Group(names, _) => names.iter().map(|name| name.text.clone()).collect(),
        };
        let hole = names.join(" ");
        if all.iter().any(|known| known.hole == hole) {
            continue;
        }
        let mut sized = Vec::new();
        for name in &names {
            let axis = axis_of(model, name, found)?;
            sized.push((axis, model.axes.fixed(axis).unwrap_or(1)));
        }
        let parameter = &model.parameters[found.parameter];
        let partial = sized.len() == 1 && parameter.turns.is_some() && parameter.axes.first() == Some(&sized[0].0);
        let turns = if partial { parameter.turns.clone() } else { None };
        all.push(Counted { hole, axes: sized, turns });
    }
    Ok(all)
}

/// The axis that a hole counts: a count of the path, or an axis of the parameter by name.
fn axis_of(model: &Model, name: &str, found: &Found) -> Result<AxisId, (String, String)> {
    let parameter = &model.parameters[found.parameter];
    if let Some(place) = found.counts.iter().position(|count| count == name)
        && place < parameter.stacked
    {
        return Ok(parameter.axes[place]);
    }
    let by_name = parameter.axes.iter().find(|axis| model.axes[**axis].name == name);
    by_name.copied().ok_or_else(|| {
        let message = format!("`{{{name}}}` counts nothing of `{}`", parameter.path);
        (message, "a count of the path on the left, or an axis of the parameter".into())
    })
}

/// A name with its holes filled.
pub fn name(template: &Template, alternative: usize, counted: &[Counted], numbers: &[i64]) -> String {
    let mut text = String::with_capacity(64);
    for piece in &template.pieces {
        match piece {
            TemplatePiece::Text(plain) => text.push_str(plain),
            TemplatePiece::Parts(names) => text.push_str(names.get(alternative).map_or("", |name| &name.text)),
            TemplatePiece::Number(axes) => {
                let place = counted.iter().position(|known| known.counts(axes)).unwrap_or(0);
                let number = numbers.get(place).copied().unwrap_or(0);
                let turn = counted[place].turns.as_ref().and_then(|turns| turns.get(number as usize)).copied();
                text.push_str(&turn.unwrap_or(number).to_string());
            }
        }
    }
    text
}

/// The dotted paths that a written path stands for, with their counts.
pub fn expand(path: &WeightPath) -> Vec<(Vec<String>, Vec<String>)> {
    let mut all = vec![(Vec::new(), Vec::new())];
    for step in &path.steps {
        match step {
            WeightStep::Name(name, count) => {
                for (steps, counts) in &mut all {
                    steps.push(name.text.clone());
                    counts.extend(count.iter().map(|count| count.text.clone()));
                }
            }
            WeightStep::Parts(parts) => {
                let tails = parts.iter().flat_map(expand).collect::<Vec<_>>();
                let longer = all.iter().flat_map(|(steps, counts)| {
                    tails.iter().map(move |(tail, more)| {
                        ([steps.clone(), tail.clone()].concat(), [counts.clone(), more.clone()].concat())
                    })
                });
                all = longer.collect();
            }
        }
    }
    all
}

impl Resolver<'_> {
    /// The parameters of a path; absent where this configuration has none of them.
    pub fn find(&mut self, path: &WeightPath) -> Option<Vec<Found>> {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for (steps, counts) in expand(path) {
            let dotted = steps.join(".");
            match self.model.parameters.iter().position(|parameter| parameter.path == dotted) {
                Some(parameter) => found.push(Found { parameter, counts }),
                None => missing.push((dotted, steps)),
            }
        }
        for (dotted, steps) in &missing {
            let strange = steps.iter().find(|step| !self.is_written(step));
            if let Some(step) = strange {
                let known = self.model.parameters.iter().map(|parameter| parameter.path.clone());
                let mut diagnostic = Diagnostic::new(E0701, format!("the model has no parameter `{dotted}`"))
                    .label(path.span, format!("nothing here is called `{step}`"));
                if let Some(near) = crate::model::spelling::nearest(dotted, known) {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                }
                self.sink.push(diagnostic);
                return None;
            }
        }
        if !missing.is_empty() && !found.is_empty() {
            let names = missing.iter().map(|(dotted, _)| format!("`{dotted}`")).collect::<Vec<_>>().join(", ");
            self.sink.push(
                Diagnostic::new(E0701, format!("the model has no {names}"))
                    .label(path.span, "only some of these parameters exist in this configuration")
                    .help("write a line for each of them"),
            );
            return None;
        }
        Some(found)
    }

    /// Whether a step of a path stands anywhere in the model or a block: a parameter, a label, a block, a count.
    fn is_written(&self, step: &str) -> bool {
        let mut bodies = self.library.models.iter().map(|model| &model.body);
        let speaks =
            |block: &ast::Block| block.name.text == step || takes_block(block, step) || mentions(&block.body, step);
        bodies.any(|body| mentions(body, step)) || self.library.blocks_with(step).any(|block| speaks(block))
    }
}

fn takes_block(block: &ast::Block, step: &str) -> bool {
    block.parameters.iter().any(|one| matches!(one, ast::Parameter::Net { name, .. } if name.text == step))
}

/// Whether a body makes a parameter of a name, or has a label or a count of it.
fn mentions(body: &ast::Body, step: &str) -> bool {
    body.lines.iter().any(|line| match &line.kind {
        LineKind::Param { made, .. } => made.iter().any(|one| one.name.text == step),
        LineKind::For(region) => {
            let labelled = region.label.as_ref().is_some_and(|label| label.name.text == step);
            let counted = region.counts.iter().any(|count| {
                let turns = count.turns.as_ref().map(|turns| &turns.kind);
                count.name.text == step || matches!(turns, Some(ast::ExprKind::Name(name)) if name == step)
            });
            labelled || counted || mentions(&region.body, step)
        }
        LineKind::Match(_, arms) => arms.iter().any(|(_, body)| mentions(body, step)),
        LineKind::Bind(_, _, expr) | LineKind::Output(_, expr) | LineKind::Yield(_, expr) => labels(expr, step),
        LineKind::Return(exprs) => exprs.iter().any(|expr| labels(expr, step)),
        _ => false,
    })
}

/// Whether an expression has a call with a label.
fn labels(expr: &ast::Expr, step: &str) -> bool {
    use ast::ExprKind::*;
    match &expr.kind {
        Unary(_, inner) | Field(inner, _) | Element(inner, _) => labels(inner, step),
        Binary(_, left, right) | Where(left, right) | Else(left, right) => labels(left, step) || labels(right, step),
        Index(base, _, other) => labels(base, step) || other.as_ref().is_some_and(|other| labels(other, step)),
        Match(scrutinee, arms) => labels(scrutinee, step) || arms.iter().any(|(_, arm)| labels(arm, step)),
        Call(call) => {
            let own = call.label.as_ref().is_some_and(|label| label.name.text == step);
            own || call.arguments.iter().any(|argument| match &argument.value {
                ast::ArgumentValue::Value(expr) => labels(expr, step),
                ast::ArgumentValue::Hole(_) => false,
            })
        }
        _ => false,
    }
}
