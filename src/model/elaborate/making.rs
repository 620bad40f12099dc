//! Parameters and buffers: paths from labels, stacked along the `for`s around them, made once for all programs.

use super::{Answer, Elaborator, Level, MadeParameter};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::construct::Draft;
use crate::model::declarations::{Parameter, Start};
use crate::model::scope::{Meaning, Operand, Origin};
use crate::model::settings::Known;
use crate::model::values::{ValueId, ValueKind};
use crate::source::Span;
use crate::syntax::ast::{self, ArgumentValue, Made, MadeStart};
use crate::tensor::{Affine, AxisId, DType, Extent, Presence};
use std::rc::Rc;

impl Elaborator<'_> {
    /// A `param` or `buffer` line.
    pub fn make_all(&mut self, buffer: bool, made: &[Made]) -> Answer<()> {
        let mut answer = Ok(());
        for one in made {
            match self.make(buffer, one) {
                Ok(operand) => self.define(&one.name, Meaning::Is(operand), Origin::Parameter),
                Err(super::Fail::Reported) => {
                    self.define(&one.name, Meaning::Broken, Origin::Parameter);
                    answer = Err(super::Fail::Reported);
                }
                Err(split) => return Err(split),
            }
        }
        answer
    }

    fn make(&mut self, buffer: bool, made: &Made) -> Answer<Operand> {
        self.check_new(&made.name)?;
        if let Some(condition) = &made.condition {
            let operand = self.evaluate(condition)?;
            if self.whole(&operand, condition.span, "the condition of a parameter")? == 0 {
                return self.switched_off(made);
            }
        }
        let axes = self.distinct_axes(&made.axes)?;
        self.check_sizes(made, &axes)?;
        let start = self.start(made, &axes)?;
        self.state.made += 1;
        let path = self.parameter_path(&made.name.text);
        let levels = self.levels();
        let place = self.declare(path, axes.clone(), levels, start, !buffer, made.span)?;
        Ok(Operand::Value(self.parameter_value(place, &axes)))
    }

    /// A parameter that is switched off is its initial value.
    fn switched_off(&mut self, made: &Made) -> Answer<Operand> {
        match &made.start {
            MadeStart::Value(expr) => self.evaluate(expr),
            _ => Err(self.fault_with(
                E0401,
                format!("`{}` can be switched off and has no initial value", made.name.text),
                (made.span, "what is it then?".into()),
                format!("give it one: `{} = 0 if …`", made.name.text),
            )),
        }
    }

    fn check_sizes(&mut self, made: &Made, axes: &[AxisId]) -> Answer<()> {
        for (axis, name) in axes.iter().zip(&made.axes) {
            if self.values().axes.fixed(*axis).is_none() {
                let label = format!("`{}` has no size until the program runs", name.text);
                let message = format!("the parameter `{}` must have a fixed size", made.name.text);
                return Err(self.fault(E0303, message, name.span, label));
            }
        }
        Ok(())
    }

    /// The path of a parameter of this frame.
    pub fn parameter_path(&mut self, name: &str) -> String {
        let mut path = self.frame().path.clone();
        path.push(name.into());
        path.join(".")
    }

    /// The `for`s that stack a parameter made now.
    fn levels(&self) -> Vec<Level> {
        let stacking = self.state.regions.iter().skip(self.state.floor).filter(|active| active.count.is_some());
        let levels = stacking.map(|active| Level {
            axis: active.axis,
            turns: Rc::new(active.group.iter().copied().collect()),
            compact: None,
        });
        levels.collect()
    }

    /// Adds a parameter, or finds the one of the same path and adds this body's turns to it.
    fn declare(
        &mut self,
        path: String,
        axes: Vec<AxisId>,
        levels: Vec<Level>,
        start: Start,
        trained: bool,
        span: Span,
    ) -> Answer<usize> {
        let Some(place) = self.state.parameters.iter().position(|known| known.declared.path == path) else {
            let declared = Parameter { path, axes, stacked: levels.len(), turns: None, start, trained, span };
            self.state.parameters.push(MadeParameter { declared, levels });
            return Ok(self.state.parameters.len() - 1);
        };
        let known = self.state.parameters[place].clone();
        let sizes = |axes: &[AxisId]| axes.iter().map(|axis| self.state.values.axes.fixed(*axis)).collect::<Vec<_>>();
        let same_levels = known.levels.len() == levels.len()
            && known.levels.iter().zip(&levels).all(|(known, new)| known.axis == new.axis);
        if sizes(&known.declared.axes) != sizes(&axes) || !same_levels {
            let path = &known.declared.path;
            return Err(self.report(
                Diagnostic::new(E0204, format!("two parameters have the path `{path}`"))
                    .label(span, "this one")
                    .label(known.declared.span, "and this one, of another shape or in another `for`")
                    .help("give one of the blocks another label"),
            ));
        }
        for (known, new) in self.state.parameters[place].levels.iter_mut().zip(levels) {
            Rc::make_mut(&mut known.turns).extend(new.turns.iter());
        }
        Ok(place)
    }

    /// The parameter as the body sees it, over the given axes.
    fn parameter_value(&mut self, place: usize, axes: &[AxisId]) -> ValueId {
        let known = self.state.parameters[place].clone();
        let all = known.levels.iter().map(|level| level.axis).chain(known.declared.axes.iter().copied()).collect();
        let whole = self.values().emit(Draft::new(ValueKind::Parameter(place), all, DType::REAL));
        let mut places = Vec::new();
        for level in &known.levels {
            let turn = self.turn_of(level.axis);
            places.push((level.axis, Affine::value(turn)));
        }
        for (own, wanted) in known.declared.axes.iter().zip(axes) {
            if own != wanted {
                places.push((*own, Affine::axis(*wanted)));
            }
        }
        self.values().index(whole, places, &Presence::always())
    }

    fn start(&mut self, made: &Made, axes: &[AxisId]) -> Answer<Start> {
        match &made.start {
            MadeStart::Default => Ok(Start::Normal(0.0, 0.02)),
            MadeStart::Draw(law) => self.start_law(law),
            MadeStart::Value(expr) => match self.evaluate(expr)? {
                Operand::Known(known) if known.uniform().is_some() => {
                    let number = known.uniform().and_then(crate::model::Setting::number);
                    number.map(Start::Constant).ok_or_else(|| self.no_start(made, expr.span))
                }
                operand => {
                    let value = self.to_value(&operand, expr.span)?;
                    let numbers = self.tabulate(value, axes).map(|numbers| Start::Values(numbers.into()));
                    let start = numbers.or_else(|| self.formula(value, axes).map(Start::Formula));
                    start.ok_or_else(|| self.no_start(made, expr.span))
                }
            },
        }
    }

    fn no_start(&mut self, made: &Made, span: Span) -> super::Fail {
        let axes = made.axes.iter().map(|name| name.text.clone()).collect::<Vec<_>>().join(", ");
        self.fault(
            E0405,
            format!("`{}` cannot start like this", made.name.text),
            span,
            format!("not a number, and not computed from the coordinates [{axes}] and draws alone"),
        )
    }

    fn start_law(&mut self, law: &ast::Law) -> Answer<Start> {
        let mut numbers = Vec::new();
        for argument in &law.arguments {
            if let ArgumentValue::Value(expr) = &argument.value
                && let Operand::Known(Known::One(setting)) = self.evaluate(expr)?
            {
                numbers.extend(setting.number());
            }
        }
        match (law.name.text.as_str(), numbers.as_slice()) {
            ("normal", [mean, deviation]) => Ok(Start::Normal(*mean, *deviation)),
            ("uniform", [low, high]) => Ok(Start::Uniform(*low, *high)),
            _ => {
                let label = "`normal(mean, deviation)` or `uniform(low, high)` with numbers";
                Err(self.fault(E0401, "a parameter starts from a normal or a uniform law", law.span, label))
            }
        }
    }

    /// When a `for` ends: parameters that some of its turns lack count only the turns that have them.
    pub fn settle(&mut self, axis: AxisId, count: usize) {
        for place in 0..self.state.parameters.len() {
            let levels = self.state.parameters[place].levels.clone();
            let Some(depth) = levels.iter().position(|level| level.axis == axis && level.turns.len() < count) else {
                continue;
            };
            let turns = levels[depth].turns.iter().copied().collect::<Vec<_>>();
            let compact = self.compact_axis(&levels[depth]);
            self.state.parameters[place].levels[depth].compact = Some(compact);
            self.compact_reads(place, axis, compact, &turns, count);
        }
    }

    /// The axis that counts just the turns of a level; one for all parameters of the same turns.
    fn compact_axis(&mut self, level: &Level) -> AxisId {
        let same = |other: &&Level| other.axis == level.axis && other.turns == level.turns && other.compact.is_some();
        let known = self.state.parameters.iter().flat_map(|made| &made.levels).find(same);
        let known = level.compact.or_else(|| known.and_then(|other| other.compact));
        known.unwrap_or_else(|| {
            let name = self.values().axes[level.axis].name.clone();
            self.values().axes.add(name, Extent::Fixed(level.turns.len() as i64))
        })
    }

    /// Changes the parameter's own value and every read at a turn to the axis that counts only some turns.
    fn compact_reads(&mut self, place: usize, axis: AxisId, compact: AxisId, turns: &[usize], count: usize) {
        let slots = (0..count).map(|turn| turns.iter().position(|known| *known == turn).unwrap_or(0) as f64);
        let table = Draft::new(ValueKind::Table(slots.collect()), vec![axis], DType::Int).index_of(Some(compact));
        let table = self.values().emit(table);
        for index in 0..self.state.values.program.values.len() {
            let kind = self.state.values.program.values[index].kind.clone();
            match kind {
                ValueKind::Parameter(own) if own == place => {
                    let ty = &mut self.state.values.program.values[index].ty;
                    ty.axes.iter_mut().filter(|own| **own == axis).for_each(|own| *own = compact);
                }
                ValueKind::Index(x, mut places) => {
                    let of_parameter =
                        matches!(self.state.values.value(x).kind, ValueKind::Parameter(own) if own == place);
                    let Some(read) = places.iter_mut().find(|(own, _)| of_parameter && *own == axis) else { continue };
                    let turn = vec![(axis, read.1.clone())];
                    let slot = self.values().index(table, turn, &Presence::always());
                    *read = (compact, Affine::value(slot));
                    self.state.values.program.values[index].kind = ValueKind::Index(x, places);
                }
                _ => {}
            }
        }
    }
}
