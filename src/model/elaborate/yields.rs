//! `yield`: values that a `for` hands out, with its axis.

use super::{Answer, Elaborator};
use crate::diagnostics::codes::*;
use crate::model::construct::Draft;
use crate::model::scope::{Meaning, Operand, Origin};
use crate::model::values::{RegionId, ValueId, ValueKind};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, Target};
use crate::tensor::{Affine, AxisId, BATCH, DType, Presence, Relation, Term};

/// One value that a body hands out.
#[derive(Debug, Clone)]
pub struct Yield {
    /// Its name.
    pub name: ast::Name,
    /// Its path, for weight maps and probes.
    pub path: String,
    /// The value.
    pub value: ValueId,
    /// It has no name: it is the new value of a buffer, the place in the parameters.
    pub updates: Option<usize>,
}

impl Elaborator<'_> {
    /// A `yield` line: hands values out, and binds them in the body.
    pub fn yield_line(&mut self, targets: &[Target], expr: &Expr, span: Span) -> Answer<()> {
        let frames = self.state.frames.len();
        if self.state.regions.last().is_none_or(|active| active.frames != frames) {
            return Err(self.fault(E0206, "`yield` stands in a `for`", span, "there is none around this line"));
        }
        let operand = self.evaluate(expr)?;
        let results = match operand {
            Operand::Several(results) if targets.len() > 1 => results.into_iter().map(|(_, result)| result).collect(),
            other => vec![other],
        };
        if results.len() != targets.len() {
            let message = format!("{} names for {} results", targets.len(), results.len());
            return Err(self.fault(E0404, message, span, "here"));
        }
        for (target, result) in targets.iter().zip(results) {
            let plain = self.frame().names.shift_remove(&target.name.text);
            let operand = self.assign(target, result, expr.span, Origin::Yielded)?;
            if let (Some(before), Some(now)) = (plain, self.frame().names.get_mut(&target.name.text)) {
                now.span = before.span;
            }
            let value = self.to_value(&operand, expr.span)?;
            let path = self.parameter_path(&target.name.text);
            self.push_yield(Yield { name: target.name.clone(), path, value, updates: None });
        }
        Ok(())
    }

    /// Hands a value out of the innermost `for`.
    pub fn push_yield(&mut self, handed: Yield) {
        if let Some(active) = self.state.regions.last_mut() {
            active.yields.retain(|known| !known.is_same(&handed));
            active.yields.push(handed);
        }
    }

    /// After a `for`: what its bodies yield, with the axis, under the names. An outer `for` hands it out again.
    pub fn hand_out_yields(
        &mut self,
        region: RegionId,
        axis: AxisId,
        bodies: Vec<Vec<Yield>>,
        span: Span,
    ) -> Answer<()> {
        let mut order: Vec<Yield> = Vec::new();
        for handed in bodies.iter().flatten() {
            if !order.iter().any(|known| known.is_same(handed)) {
                order.push(handed.clone());
            }
        }
        for first in order {
            let find = |body: &Vec<Yield>| body.iter().find(|own| own.is_same(&first)).map(|own| own.value);
            let values = bodies.iter().map(find).collect::<Vec<_>>();
            let value = self.yielded(region, axis, values, &first, span)?;
            if let Some(place) = first.updates {
                self.hand_out_update(place, &first.name, value);
                continue;
            }
            let binding = self.frame().names.get(&first.name.text).cloned();
            match binding {
                Some(binding) if binding.origin != Origin::Yielded => {
                    return Err(self.declared_twice(&first.name, binding.span));
                }
                _ => self.define(&first.name, Meaning::Is(Operand::Value(value)), Origin::Yielded),
            }
            let frames = self.state.frames.len();
            let outer = self.state.regions.last().map(|active| active.frames);
            match outer {
                Some(outer) if outer == frames => self.push_yield(Yield { value, ..first }),
                Some(_) => {}
                None => self.values().program.named.push((first.path, value)),
            }
        }
        Ok(())
    }

    fn yielded(
        &mut self,
        region: RegionId,
        axis: AxisId,
        values: Vec<Option<ValueId>>,
        first: &Yield,
        span: Span,
    ) -> Answer<ValueId> {
        let present = values.iter().flatten().copied().collect::<Vec<_>>();
        let axes = present.iter().flat_map(|value| self.state.values.axes_of(*value).to_vec()).collect::<Vec<_>>();
        if axes.contains(&axis) {
            let name = self.axis_name(axis);
            let message = format!("`{}` has the axis `{name}` before the `for` adds it", first.name.text);
            return Err(self.fault(E0306, message, span, format!("a `for` along `{name}`")));
        }
        let axes = self.values().order(axes);
        let dtype = present.iter().map(|value| self.state.values.dtype(*value)).reduce(DType::join);
        let dtype = dtype.unwrap_or(DType::REAL);
        let index_of = present.iter().map(|value| self.state.values.value(*value).index_of).reduce(|left, right| {
            left.filter(|left| right.is_some_and(|right| self.state.values.axes.alike(*left, right)))
        });
        let outside = self.presence_outside(region, axis, &values);
        let mut slots = Vec::with_capacity(values.len());
        for value in &values {
            let value = value.unwrap_or_else(|| self.values().number(0.0, dtype));
            let is = self.values().dtype(value);
            let value = if is == dtype { value } else { self.values().convert(value, dtype) };
            let value = self.values().laid_out(value, &axes);
            slots.push(if outside.is_some() { value } else { self.values().filled(value) });
        }
        let place = self.add_slot(region, slots);
        let draft = Draft::new(ValueKind::Yielded(region, place), with_axis(axis, &axes), dtype);
        let draft = draft.index_of(index_of.flatten());
        let Some(presence) = outside else {
            let value = self.values().emit(draft);
            let presence = self.flag(region, axis, &values);
            return Ok(self.values().restrict(value, &presence));
        };
        Ok(self.values().emit(draft.present(presence)))
    }

    /// Adds a place to what every body yields.
    fn add_slot(&mut self, region: RegionId, slots: Vec<ValueId>) -> u32 {
        let bodies = &mut self.values().program.regions[region.0 as usize].bodies;
        let place = bodies.first().map_or(0, |body| body.yields.len());
        for (body, slot) in bodies.iter_mut().zip(slots) {
            body.yields.push(Some(slot));
        }
        place as u32
    }

    /// The presence in words of the outside, if every body yields and none needs a value of its own for it.
    fn presence_outside(
        &mut self,
        region: RegionId,
        axis: AxisId,
        values: &[Option<ValueId>],
    ) -> Option<Presence<ValueId>> {
        let all = values.iter().copied().collect::<Option<Vec<_>>>()?;
        let first = self.values().presence(*all.first()?);
        if all.iter().any(|value| self.state.values.presence(*value).relations.len() != first.relations.len()) {
            return None;
        }
        if !first.is_always() && all.len() > 1 {
            return None;
        }
        let mut outside = Presence::always();
        for relation in first.relations {
            outside.require(self.relation_outside(region, axis, &relation)?);
        }
        Some(outside)
    }

    fn relation_outside(
        &mut self,
        region: RegionId,
        axis: AxisId,
        relation: &Relation<ValueId>,
    ) -> Option<Relation<ValueId>> {
        let inner = |value: ValueId| self.state.values.value(value).body.is_some_and(|body| body.region == region);
        match relation {
            Relation::AtLeastZero(affine) => {
                let mut moved = Affine::number(affine.constant);
                for (term, factor) in &affine.terms {
                    let form = match term {
                        Term::Value(value) if inner(*value) => match self.state.values.value(*value).kind {
                            ValueKind::Turn => Affine::axis(axis),
                            _ => return None,
                        },
                        other => Affine::term(other.clone()),
                    };
                    moved = moved.plus(&form, *factor);
                }
                Some(Relation::AtLeastZero(moved))
            }
            other if other.values().into_iter().any(|value| inner(*value)) => None,
            other => Some(other.clone()),
        }
    }

    /// A second yield that says where the first is present.
    fn flag(&mut self, region: RegionId, axis: AxisId, values: &[Option<ValueId>]) -> Presence<ValueId> {
        let mut flags = Vec::with_capacity(values.len());
        for value in values {
            let flag = match value {
                Some(value) => {
                    let presence = self.values().presence(*value);
                    self.values().truth_of(&presence)
                }
                None => self.values().number(0.0, DType::Bool),
            };
            flags.push(flag);
        }
        let axes = flags.iter().flat_map(|flag| self.state.values.axes_of(*flag).to_vec()).collect::<Vec<_>>();
        let axes = self.values().order(axes);
        let slots = flags.into_iter().map(|flag| self.values().laid_out(flag, &axes)).collect();
        let place = self.add_slot(region, slots);
        let draft = Draft::new(ValueKind::Yielded(region, place), with_axis(axis, &axes), DType::Bool);
        let mut presence = Presence::always();
        presence.require(Relation::Holds(self.values().emit(draft)));
        presence
    }
}

/// The axes of what is yielded: batch, the `for`'s axis, the rest.
fn with_axis(axis: AxisId, axes: &[AxisId]) -> Vec<AxisId> {
    let batch = axes.iter().copied().filter(|own| *own == BATCH);
    let rest = axes.iter().copied().filter(|own| *own != BATCH);
    batch.chain([axis]).chain(rest).collect()
}
