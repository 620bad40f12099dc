//! Values inside a `for`: constants that differ from turn to turn, and outer values seen at the turn.

use super::{Answer, Elaborator, Fail};
use crate::diagnostics::codes::*;
use crate::model::construct::Draft;
use crate::model::declarations::Setting;
use crate::model::scope::Operand;
use crate::model::settings::Known;
use crate::model::values::{ValueId, ValueKind};
use crate::source::Span;
use crate::tensor::{Affine, AxisId, DType, Presence};

impl Elaborator<'_> {
    /// A constant as a run-time value: a number, an affine of the turn, or a table read at the turn.
    pub fn value_of_known(&mut self, known: &Known, span: Span) -> Answer<ValueId> {
        if let Some(setting) = known.uniform() {
            let setting = setting.clone();
            return self.number_of(&setting, span);
        }
        let Known::Turns(axis, values) = known else {
            return Err(self.fault(E0405, "this has no value in any turn", span, "here"));
        };
        let (axis, values) = (*axis, values.clone());
        let mut numbers = Vec::with_capacity(values.len());
        for setting in values.iter() {
            match setting.as_ref().map(Setting::number) {
                Some(Some(number)) => numbers.push(Some(number)),
                Some(None) => return Err(self.no_number(values.iter().flatten().next(), span)),
                None => numbers.push(None),
            }
        }
        let dtype = values.iter().flatten().map(dtype_of).reduce(DType::join).unwrap_or(DType::Int);
        Ok(self.table_at_turn(axis, &numbers, dtype))
    }

    fn number_of(&mut self, setting: &Setting, span: Span) -> Answer<ValueId> {
        match setting.number() {
            Some(number) => Ok(self.values().number(number, dtype_of(setting))),
            None => Err(self.no_number(Some(setting), span)),
        }
    }

    fn no_number(&mut self, setting: Option<&Setting>, span: Span) -> Fail {
        let is = setting.map_or("nothing".into(), |setting| format!("`{}` is {}", setting.text(), setting.describe()));
        self.fault(E0405, "a number is needed here", span, is)
    }

    /// A number for each turn, read at the turn.
    pub fn table_at_turn(&mut self, axis: AxisId, numbers: &[Option<f64>], dtype: DType) -> ValueId {
        let turn = self.turn_of(axis);
        if let Some((step, start)) = line_through(numbers)
            && dtype == DType::Int
        {
            // The turn itself is an index of its axis, and stays one.
            if (step, start) == (1, 0) {
                return turn;
            }
            let form = Affine::number(start).plus(&Affine::value(turn), step);
            return self.values().evaluate(&form);
        }
        let all = numbers.iter().map(|number| number.unwrap_or(0.0)).collect();
        let table = self.values().emit(Draft::new(ValueKind::Table(all), vec![axis], dtype));
        let place = vec![(axis, Affine::value(turn))];
        self.values().index(table, place, &Presence::always())
    }

    /// The number of the turn of the `for` along an axis, or its coordinate outside of one.
    pub fn turn_of(&mut self, axis: AxisId) -> ValueId {
        let active = self.state.regions.iter().rev().find(|active| active.axis == axis).map(|active| active.turn);
        active.unwrap_or_else(|| self.values().coordinate(axis))
    }

    /// A value as a body sees it: what has the axis of a running `for` is read at the turn.
    pub fn at_turn(&mut self, operand: Operand) -> Answer<Operand> {
        let Operand::Value(value) = operand else { return Ok(operand) };
        let axes = self.values().axes_of(value).to_vec();
        let frames = self.state.frames.len();
        let running = self.state.regions.iter().filter(|active| active.frames == frames && axes.contains(&active.axis));
        let places = running.map(|active| (active.axis, Affine::value(active.turn))).collect::<Vec<_>>();
        if places.is_empty() {
            return Ok(operand);
        }
        Ok(Operand::Value(self.values().index(value, places, &Presence::always())))
    }
}

/// Start and step, if the numbers that are known lie on a line of whole numbers.
fn line_through(numbers: &[Option<f64>]) -> Option<(i64, i64)> {
    let mut known = numbers.iter().enumerate().filter_map(|(turn, number)| number.map(|number| (turn as f64, number)));
    let (first, start) = known.next()?;
    let (second, next) = known.next()?;
    let step = (next - start) / (second - first);
    let on_line = |(turn, number): (f64, f64)| number == start + step * (turn - first);
    let offset = start - step * first;
    let whole = step.fract() == 0.0 && offset.fract() == 0.0;
    (whole && known.all(on_line)).then_some((step as i64, offset as i64))
}

/// The element type of a setting's number.
fn dtype_of(setting: &Setting) -> DType {
    match setting {
        Setting::Integer(_) => DType::Int,
        Setting::Truth(_) => DType::Bool,
        _ => DType::REAL,
    }
}
