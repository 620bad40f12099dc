//! `for`: a rolled region. Its body is elaborated once for each group of turns that decide all `match`es alike.
//!
//! What is carried must keep its axes and type, and a carried value that no body changes is not carried. An attempt
//! that finds otherwise says so in an [`Outcome::Again`], and the next one starts from the state before the `for`.

use super::carried::{Outcome, Plan, Slot};
use super::yields::Yield;
use super::{Active, Answer, Elaborator, Fail};
use crate::diagnostics::codes::*;
use crate::model::construct::Draft;
use crate::model::scope::{Meaning, Operand, Origin};
use crate::model::values::{Body, BodyId, Region, RegionId, ValueId, ValueKind};
use crate::source::Span;
use crate::syntax::ast::{self, For, LineKind};
use crate::tensor::{AxisId, BATCH, DType};

/// How often the types of carried values may change before it is given up.
const ATTEMPTS: usize = 200;

/// One `for` of one axis.
struct Loop<'l> {
    axis: AxisId,
    label: String,
    reverse: bool,
    source: &'l For,
    depth: usize,
    span: Span,
}

impl Elaborator<'_> {
    /// A `for` line.
    pub fn region(&mut self, source: &For, span: Span) -> Answer<()> {
        self.region_of(source, 0, span)
    }

    /// The `for` of one of the counts; the next one is its body.
    fn region_of(&mut self, source: &For, depth: usize, span: Span) -> Answer<()> {
        let count = &source.counts[depth];
        let axis = self.count_axis(count)?;
        let own = source.label.as_ref().filter(|_| depth == 0).map(|label| label.name.text.clone());
        let step = own.or_else(|| count.turns.as_ref().map(|turns| step_of(turns, count)));
        let reverse = match &source.reverse {
            None => false,
            Some(reverse) => match &reverse.condition {
                None => true,
                Some(condition) => {
                    let operand = self.evaluate(condition)?;
                    self.whole(&operand, condition.span, "the condition of `reverse`")? != 0
                }
            },
        };
        let label = step.clone().unwrap_or_else(|| count.name.text.clone());
        let path = self.frame().path.clone();
        self.frame().path.extend(step);
        let answer = self.run(&Loop { axis, label, reverse, source, depth, span });
        self.frame().path = path;
        answer
    }

    /// The axis of a count: one that exists, or a new one.
    fn count_axis(&mut self, count: &ast::Count) -> Answer<AxisId> {
        let Some(turns) = &count.turns else { return self.axis(&count.name) };
        let operand = self.evaluate(turns)?;
        let extent = self.extent_of(&operand, &count.name.text, turns.span)?;
        let before = self.frame().names.get(&count.name.text).cloned();
        if let Some(before) = before
            && before.origin != Origin::Count
        {
            return Err(self.declared_twice(&count.name, before.span));
        }
        let axis = self.keyed_axis(&count.name.text, extent, None);
        self.define(&count.name, Meaning::Axis(axis), Origin::Count);
        Ok(axis)
    }

    fn run(&mut self, own: &Loop) -> Answer<()> {
        let count = self.values().axes.fixed(own.axis).map(|count| count as usize);
        let mut plan = Plan { groups: vec![(0..count.unwrap_or(0)).collect()], ..Plan::default() };
        let before = self.state.clone();
        for _ in 0..ATTEMPTS {
            match self.attempt(own, &plan, count) {
                Ok(Outcome::Done) => return Ok(()),
                Ok(Outcome::Again(change)) => change(&mut plan),
                Err(Fail::Split(axis, parts)) if axis == own.axis => {
                    let split =
                        |group: &Vec<usize>| parts.iter().any(|part| part.iter().any(|turn| group.contains(turn)));
                    let place = plan.groups.iter().position(split).unwrap_or(0);
                    plan.groups.splice(place..=place, parts);
                }
                Err(fail) => {
                    self.state.regions.truncate(before.regions.len());
                    return Err(fail);
                }
            }
            self.state = before.clone();
        }
        Err(self.fault(E0408, "the types of what this `for` carries do not settle", own.span, "they grow every turn"))
    }

    fn attempt(&mut self, own: &Loop, plan: &Plan, count: Option<usize>) -> Answer<Outcome> {
        let region = RegionId(self.values().program.regions.len() as u32);
        let slots = self.slots(own, plan)?;
        let carried = slots.iter().flat_map(|slot| self.carried_parts(slot, slot.initial)).collect::<Vec<_>>();
        let body = self.current_body();
        let (axis, reverse, label, span) = (own.axis, own.reverse, own.label.clone(), own.span);
        let region_value = Region { axis, reverse, label, carried, bodies: Vec::new(), turns: None, body, span };
        self.values().program.regions.push(region_value);
        let (mut bodies, mut news, mut yields) = (Vec::new(), Vec::new(), Vec::new());
        let names = (self.frame().names.clone(), self.frame().labels.clone());
        for (place, group) in plan.groups.iter().enumerate() {
            let body = BodyId { region, body: place as u32 };
            let (new, until, yielded) = self.body(own, body, group, count, &slots)?;
            (self.frame().names, self.frame().labels) = names.clone();
            bodies.push(Body { carried: Vec::new(), yields: Vec::new(), until });
            news.push(new);
            yields.push(yielded);
        }
        if let Some(again) = self.compare(&slots, &news, own.span)? {
            return Ok(again);
        }
        for (body, new) in bodies.iter_mut().zip(&news) {
            body.carried = self.carried_results(&slots, new);
        }
        let turns = (plan.groups.len() > 1).then(|| turn_table(&plan.groups, count.unwrap_or(0)));
        let slot = &mut self.values().program.regions[region.0 as usize];
        (slot.bodies, slot.turns) = (bodies, turns);
        if let Some(count) = count {
            self.settle(own.axis, count);
        }
        self.finals(region, &slots);
        self.hand_out_yields(region, own.axis, yields, own.span)?;
        Ok(Outcome::Done)
    }

    /// The names that the body binds again, with their values before the first turn.
    fn slots(&mut self, own: &Loop, plan: &Plan) -> Answer<Vec<Slot>> {
        let mut names = Vec::new();
        own.source.body.lines.iter().for_each(|line| changed_names(line, &mut names));
        let (mut slots, mut place) = (Vec::new(), 0);
        for name in names {
            let Some(binding) = self.frame().names.get(&name.text).cloned() else { continue };
            let seen = slots.iter().any(|slot: &Slot| slot.name.text == name.text);
            let Meaning::Is(operand @ (Operand::Value(_) | Operand::Known(_))) = &binding.meaning else { continue };
            if seen || plan.constant.contains(&name.text) || matches!(binding.origin, Origin::Set) {
                continue;
            }
            let seen_now = self.at_turn(operand.clone())?;
            let mut initial = self.to_value(&seen_now, name.span)?;
            if let Some((axes, dtype)) = plan.wide.get(&name.text) {
                initial = self.values().convert(initial, *dtype);
                initial = self.values().laid_out(initial, axes);
            }
            let presence = self.values().presence(initial);
            let own = plan.flags.get(&name.text).cloned();
            let own = own.unwrap_or_else(|| self.values().axes_of_presence(&presence));
            let flag = (!presence.is_always()).then(|| self.values().order(own));
            let places = 1 + u32::from(flag.is_some());
            slots.push(Slot { name, initial, place, flag });
            place += places;
        }
        for slot in &mut slots {
            if plan.plain.contains(&slot.name.text) {
                let value = self.state.values.value(slot.initial).clone();
                let draft = Draft::new(ValueKind::Where(slot.initial), value.ty.axes, value.ty.dtype);
                slot.initial = self.values().emit(draft.present(value.presence));
            }
        }
        Ok(slots)
    }

    /// Elaborates the lines of one body.
    fn body(
        &mut self,
        own: &Loop,
        body: BodyId,
        group: &[usize],
        count: Option<usize>,
        slots: &[Slot],
    ) -> Answer<(Vec<ValueId>, Option<ValueId>, Vec<Yield>)> {
        self.values().program.regions[body.region.0 as usize].bodies.resize(body.body as usize + 1, Body::default());
        let turn = Draft::new(ValueKind::Turn, Vec::new(), DType::Int).index_of(Some(own.axis)).inside(Some(body));
        let turn = self.values().emit(turn);
        for slot in slots {
            let value = self.carried(slot, body);
            if let Some(binding) = self.frame().names.get_mut(&slot.name.text) {
                binding.meaning = Meaning::Is(Operand::Value(value));
            }
        }
        let frames = self.state.frames.len();
        let (axis, group) = (own.axis, group.to_vec());
        self.state.regions.push(Active { axis, turn, group, count, frames, yields: Vec::new() });
        if own.depth + 1 < own.source.counts.len() {
            self.region_of(own.source, own.depth + 1, own.span)?;
        } else {
            self.lines(&own.source.body.lines)?;
        }
        let until = match &own.source.until {
            Some(until) if own.depth == 0 => Some(self.until(until)?),
            _ => None,
        };
        let mut news = Vec::new();
        for slot in slots {
            let Some(Meaning::Is(operand)) = self.frame().names.get(&slot.name.text).map(|b| b.meaning.clone()) else {
                return Err(Fail::Reported);
            };
            news.push(self.to_value(&operand, slot.name.span)?);
        }
        let active = self.state.regions.pop();
        Ok((news, until, active.map(|active| active.yields).unwrap_or_default()))
    }

    fn until(&mut self, until: &ast::Expr) -> Answer<ValueId> {
        let value = self.evaluate_value(until)?;
        let axes = self.values().axes_of(value).to_vec();
        if self.values().dtype(value) != DType::Bool || axes.iter().any(|axis| *axis != BATCH) {
            let names = self.axis_names(&axes);
            let help = "reduce it to one bool for each row: `all[t](…)`, `any[t](…)`";
            return Err(self.fault_with(
                E0302,
                "`until` takes a bool for each row",
                (until.span, format!("its axes are {names}")),
                help,
            ));
        }
        let presence = self.values().presence(value);
        if presence.is_always() {
            return Ok(value);
        }
        let no = self.values().number(0.0, DType::Bool);
        Ok(self.values().otherwise(value, no))
    }
}

/// The step that a count adds to paths: the name of its number of turns, else its own.
fn step_of(turns: &ast::Expr, count: &ast::Count) -> String {
    match &turns.kind {
        ast::ExprKind::Name(name) => name.clone(),
        _ => count.name.text.clone(),
    }
}

/// The body of each turn.
fn turn_table(groups: &[Vec<usize>], count: usize) -> Vec<u32> {
    let body_of = |turn| groups.iter().position(|group| group.contains(&turn)).unwrap_or(0) as u32;
    (0..count).map(body_of).collect()
}

/// The names that a line binds by `=`, `+=`, `*=` or a draw, those of inner lines included.
fn changed_names(line: &ast::Line, names: &mut Vec<ast::Name>) {
    match &line.kind {
        LineKind::Bind(targets, _, _) | LineKind::Draw(targets, _) => {
            names.extend(targets.iter().map(|target| target.name.clone()));
        }
        LineKind::For(region) => region.body.lines.iter().for_each(|line| changed_names(line, names)),
        LineKind::Match(_, arms) => {
            arms.iter().flat_map(|(_, body)| &body.lines).for_each(|line| changed_names(line, names));
        }
        _ => {}
    }
}
