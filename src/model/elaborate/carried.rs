//! What a `for` carries: its type, whether it is present, and its value in the end.
//!
//! What can be absent is carried as a value that is always there and a flag; inside, and after, the name stands for the
//! value where the flag holds.

use super::{Answer, Elaborator};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::construct::Draft;
use crate::model::scope::{Meaning, Operand};
use crate::model::values::{BodyId, RegionId, ValueId, ValueKind};
use crate::source::Span;
use crate::syntax::ast;
use crate::tensor::{AxisId, BATCH, DType, Presence, Relation};
use std::collections::{BTreeSet, HashMap};

/// What is known before an attempt.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The turns of each body.
    pub groups: Vec<Vec<usize>>,
    /// Carried names that need more axes or another type.
    pub wide: HashMap<String, (Vec<AxisId>, DType)>,
    /// Names that no body changes.
    pub constant: BTreeSet<String>,
    /// Names that stop being an index.
    pub plain: BTreeSet<String>,
    /// Names whose presence differs along more axes than at first.
    pub flags: HashMap<String, Vec<AxisId>>,
}

/// How an attempt ended.
pub enum Outcome {
    /// The region stands.
    Done,
    /// Something to change, and then another attempt.
    Again(Box<dyn FnOnce(&mut Plan)>),
}

/// A carried name: its value, and whether it is present, where that can change.
pub struct Slot {
    /// The name.
    pub name: ast::Name,
    /// Before the first turn.
    pub initial: ValueId,
    /// Its place among what is carried.
    pub place: u32,
    /// The axes of what the next place holds, where it is present; none if it always is.
    pub flag: Option<Vec<AxisId>>,
}

impl Elaborator<'_> {
    /// The carried value as a body reads it.
    pub fn carried(&mut self, slot: &Slot, body: BodyId) -> ValueId {
        let initial = self.values().value(slot.initial).clone();
        let mut presence = Presence::always();
        if let Some(axes) = &slot.flag {
            let flag = Draft::new(ValueKind::Carried(slot.place + 1), axes.clone(), DType::Bool).inside(Some(body));
            presence.require(Relation::Holds(self.values().emit(flag)));
        }
        let draft = Draft::new(ValueKind::Carried(slot.place), initial.ty.axes, initial.ty.dtype);
        let value = self.values().emit(draft.index_of(initial.index_of).inside(Some(body)));
        self.values().restrict(value, &presence)
    }

    /// What is carried in a slot: the value, and where it is present if that can change.
    pub fn carried_parts(&mut self, slot: &Slot, value: ValueId) -> Vec<ValueId> {
        let axes = self.values().axes_of(slot.initial).to_vec();
        let laid_out = self.values().laid_out(value, &axes);
        let Some(flag_axes) = &slot.flag else { return vec![laid_out] };
        let own = self.values().presence(value);
        let flag = self.values().truth_of(&own);
        vec![self.values().filled(laid_out), self.values().laid_out(flag, flag_axes)]
    }

    /// Whether the new values fit what is carried, and what to change if they do not.
    pub fn compare(&mut self, slots: &[Slot], news: &[Vec<ValueId>], span: Span) -> Answer<Option<Outcome>> {
        for (place, slot) in slots.iter().enumerate() {
            let name = slot.name.text.clone();
            let unchanged = news.iter().all(|new| self.is_carried(new[place], slot));
            if unchanged {
                return Ok(Some(Outcome::Again(Box::new(move |plan| {
                    plan.constant.insert(name);
                }))));
            }
            for new in news {
                if let Some(again) = self.compare_one(slot, new[place], span)? {
                    return Ok(Some(again));
                }
            }
        }
        Ok(None)
    }

    /// Whether a value is what the slot held at the start of the turn.
    fn is_carried(&self, value: ValueId, slot: &Slot) -> bool {
        let kind = |value: ValueId| &self.state.values.value(value).kind;
        let own = |value: ValueId| matches!(kind(value), ValueKind::Carried(own) if *own == slot.place);
        let flag = |flag: ValueId| matches!(kind(flag), ValueKind::Carried(own) if *own == slot.place + 1);
        match (kind(value), self.state.values.value(value).presence.relations.as_slice()) {
            (ValueKind::Where(inner), [Relation::Holds(holds)]) if slot.flag.is_some() => own(*inner) && flag(*holds),
            _ => own(value),
        }
    }

    fn compare_one(&mut self, slot: &Slot, new: ValueId, span: Span) -> Answer<Option<Outcome>> {
        let (old, new) = (self.values().value(slot.initial).clone(), self.values().value(new).clone());
        let name = slot.name.text.clone();
        let frame = self.state.frames.last();
        let extra = new.ty.axes.iter().copied().filter(|axis| !old.ty.has(*axis)).collect::<Vec<_>>();
        let own = extra
            .iter()
            .copied()
            .find(|axis| *axis != BATCH && frame.is_some_and(|frame| frame.name_of(*axis).is_some()));
        if let Some(own) = own {
            let (axis, shown) = (self.axis_name(own), self.axis_names(&old.ty.axes));
            let written = self.frame().names.get(&name).map_or(span, |binding| binding.span);
            return Err(self.report(
                Diagnostic::new(E0408, format!("`{name}` is carried with the axes {shown}, and gains `{axis}`"))
                    .label(new.span, format!("has the axis `{axis}`"))
                    .label(written, "its axes are settled here")
                    .help(format!("give it the axis from the start: `{name}[{axis}, …] = …`")),
            ));
        }
        let dtype = old.ty.dtype.join(new.ty.dtype);
        if !extra.is_empty() || dtype != old.ty.dtype {
            // The order of the new value: what a turn computes needs no rearranging then.
            let axes = self.values().order([new.ty.axes.clone(), old.ty.axes.clone()].concat());
            return Ok(Some(Outcome::Again(Box::new(move |plan| {
                plan.wide.insert(name, (axes, dtype));
            }))));
        }
        let same_index = match (old.index_of, new.index_of) {
            (Some(old), Some(new)) => self.state.values.axes.alike(old, new),
            (None, _) => true,
            (Some(_), None) => false,
        };
        if !same_index {
            return Ok(Some(Outcome::Again(Box::new(move |plan| {
                plan.plain.insert(name);
            }))));
        }
        Ok(self.wider_flag(slot, &new.presence))
    }

    /// Whether a value can be absent along other axes than the slot says; then its flag needs them.
    fn wider_flag(&mut self, slot: &Slot, presence: &Presence<ValueId>) -> Option<Outcome> {
        let (known, name) = (slot.flag.as_ref()?, slot.name.text.clone());
        let own = self.values().axes_of_presence(presence);
        if own.iter().all(|axis| known.contains(axis)) {
            return None;
        }
        let axes = self.values().order([own, known.clone()].concat());
        Some(Outcome::Again(Box::new(move |plan| {
            plan.flags.insert(name, axes);
        })))
    }

    /// The new values in the carried types, with their flags.
    pub fn carried_results(&mut self, slots: &[Slot], news: &[ValueId]) -> Vec<ValueId> {
        let mut results = Vec::new();
        for (slot, new) in slots.iter().zip(news) {
            let initial = self.values().value(slot.initial).clone();
            let same = |dtype: DType| dtype == initial.ty.dtype;
            let new =
                if same(self.values().dtype(*new)) { *new } else { self.values().convert(*new, initial.ty.dtype) };
            results.extend(self.carried_parts(slot, new));
        }
        results
    }

    /// After the `for`, carried names stand for the values in the end.
    pub fn finals(&mut self, region: RegionId, slots: &[Slot]) {
        for slot in slots {
            let initial = self.values().value(slot.initial).clone();
            let mut presence = Presence::always();
            if let Some(axes) = &slot.flag {
                let flag = Draft::new(ValueKind::Final(region, slot.place + 1), axes.clone(), DType::Bool);
                presence.require(Relation::Holds(self.values().emit(flag)));
            }
            let draft = Draft::new(ValueKind::Final(region, slot.place), initial.ty.axes, initial.ty.dtype);
            let value = self.values().emit(draft.index_of(initial.index_of));
            let value = self.values().restrict(value, &presence);
            if let Some(binding) = self.frame().names.get_mut(&slot.name.text) {
                binding.meaning = Meaning::Is(Operand::Value(value));
            }
        }
    }
}
