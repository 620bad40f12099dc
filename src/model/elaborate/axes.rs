//! Axes: `dim` lines, names of axes, and the keys by which all programs of a model share them.

use super::{Answer, Elaborator};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::declarations::Setting;
use crate::model::scope::{Meaning, Operand, Origin};
use crate::model::values::{ValueId, ValueKind};
use crate::source::Span;
use crate::syntax::ast::{self, Dim, DimSize, Expr};
use crate::tensor::{Affine, AxisId, BATCH, Extent, Function, Term};

impl Elaborator<'_> {
    /// The axis of a name.
    pub fn axis(&mut self, name: &ast::Name) -> Answer<AxisId> {
        if let Some(binding) = self.look_up(&name.text) {
            return match binding.meaning {
                Meaning::Axis(axis) => Ok(axis),
                Meaning::Broken => Err(super::Fail::Reported),
                _ => Err(self.report(
                    Diagnostic::new(E0202, format!("`{}` is not an axis", name.text))
                        .label(name.span, "an axis is needed here")
                        .label(binding.span, "declared here as something else"),
                )),
            };
        }
        if name.text == "batch" {
            return Ok(BATCH);
        }
        let axes = self.frame().axes().into_keys().collect::<Vec<_>>();
        let help = match crate::model::spelling::nearest(&name.text, axes) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it: `dim {} = …`", name.text),
        };
        let label = format!("not an axis of `{}`", self.frame().name.clone());
        Err(self.fault_with(E0202, format!("there is no axis `{}` here", name.text), (name.span, label), help))
    }

    /// Several axes, all different.
    pub fn distinct_axes(&mut self, names: &[ast::Name]) -> Answer<Vec<AxisId>> {
        let mut axes = Vec::with_capacity(names.len());
        for name in names {
            let axis = self.axis(name)?;
            if axes.contains(&axis) {
                let label = "already in this list";
                return Err(self.fault(E0306, format!("`{}` is named twice", name.text), name.span, label));
            }
            axes.push(axis);
        }
        Ok(axes)
    }

    /// One `dim` line.
    pub fn dims(&mut self, dims: &[Dim]) -> Answer<()> {
        let mut answer = Ok(());
        for dim in dims {
            let declared = self.dim(dim);
            if declared.is_err() {
                self.define(&dim.name, Meaning::Broken, Origin::Dim);
                answer = declared;
            }
        }
        answer
    }

    fn dim(&mut self, dim: &Dim) -> Answer<()> {
        self.check_new(&dim.name)?;
        let preset = self.frame().preset.get(&dim.name.text).copied();
        let axis = match (&dim.size, preset) {
            (_, Some(axis)) => axis,
            (DimSize::Sequence, None) => self.keyed_axis(&dim.name.text, Extent::Sequence, None),
            (DimSize::Like(other), None) => {
                let model = self.axis(other)?;
                let extent = self.state.values.axes[model].extent.clone();
                self.sized_axis(dim, extent, Some(model))?
            }
            (DimSize::Value(size), None) => {
                let extent = self.extent(&dim.name, size)?;
                self.sized_axis(dim, extent, None)?
            }
        };
        self.define(&dim.name, Meaning::Axis(axis), Origin::Dim);
        Ok(())
    }

    /// An axis that the body sizes. If a result lies along it, it is the caller's axis of the same size: an axis that the
    /// caller cannot name would ride on everything that is made of the result.
    fn sized_axis(&mut self, dim: &Dim, extent: Extent, like: Option<AxisId>) -> Answer<AxisId> {
        let name = &dim.name.text;
        let Some(of_caller) = self.frame().sized.get(name).copied() else {
            return Ok(self.keyed_axis(name, extent, like));
        };
        let riding = self.frame().riding.clone();
        let axes = &self.state.values.axes;
        let same_size = |axis: &AxisId| match like {
            Some(model) => *axis != model && axes.alike(*axis, model),
            None => axes[*axis].extent == extent,
        };
        if let Some(axis) = of_caller.filter(|axis| !riding.contains(axis) && same_size(axis)) {
            return Ok(axis);
        }
        let label = match of_caller {
            Some(axis) => format!("`{}` here is another", axes[axis].name),
            None => format!("there is no axis `{name}` here"),
        };
        let (block, call) = (self.frame().name.clone(), self.frame().call.unwrap_or(dim.name.span));
        Err(self.report(
            Diagnostic::new(E0308, format!("`{block}` sizes `{name}` itself, and its caller has no such axis"))
                .label(call, label)
                .label(dim.name.span, "sized here, and a result lies along it")
                .help(format!("declare an axis of this size before the call, `dim {name} = …`, or say which one it is: `{block}[{name} = …](…)`")),
        ))
    }

    /// The size that a `dim` line gives.
    fn extent(&mut self, name: &ast::Name, size: &Expr) -> Answer<Extent> {
        if let Some(setting) = self.take_override(&name.text) {
            return self.fixed_extent(&setting, &name.text, size.span);
        }
        let operand = self.evaluate(size)?;
        self.extent_of(&operand, &name.text, size.span)
    }

    /// The number of positions that an operand says.
    pub fn extent_of(&mut self, operand: &Operand, name: &str, span: Span) -> Answer<Extent> {
        match operand {
            Operand::Known(known) => match known.uniform().cloned() {
                Some(setting) => self.fixed_extent(&setting, name, span),
                None => Err(self.fault(E0303, format!("the size of `{name}` differs from turn to turn"), span, "here")),
            },
            Operand::Value(value) => self.computed_extent(*value, name, span),
            _ => Err(self.fault(E0303, format!("the size of `{name}` is not a number"), span, "here")),
        }
    }

    fn fixed_extent(&mut self, setting: &Setting, name: &str, span: Span) -> Answer<Extent> {
        match setting.whole() {
            Some(size) if size >= 1 => Ok(Extent::Fixed(size)),
            _ => {
                let text = match setting {
                    Setting::Real(size) if size.is_finite() => ((size * 1000.0).round() / 1000.0).to_string(),
                    other => other.text(),
                };
                let help = "a size is a whole number of at least 1";
                Err(self.fault_with(
                    E0303,
                    format!("`{name}` cannot have {text} positions"),
                    (span, format!("comes out as {text}")),
                    help,
                ))
            }
        }
    }

    fn computed_extent(&mut self, value: ValueId, name: &str, span: Span) -> Answer<Extent> {
        if let Some(pieces) = self.pieces(value) {
            return Ok(pieces);
        }
        let affine = self.values().affine(value);
        let (mut lengths, mut settings) = (Vec::new(), Vec::new());
        for (term, factor) in &affine.terms {
            match term {
                Term::Value(of) => match self.state.values.value(*of).kind.clone() {
                    ValueKind::Length(axis) => lengths.push((axis, *factor)),
                    ValueKind::Setting(setting) => settings.push((setting, *factor)),
                    _ => return Err(self.no_extent(name, span)),
                },
                _ => return Err(self.no_extent(name, span)),
            }
        }
        Ok(Extent::Computed { lengths, settings, constant: affine.constant })
    }

    /// `(|t| + n - 1) // n`: as many pieces of n as cover the positions.
    fn pieces(&mut self, value: ValueId) -> Option<Extent> {
        let ValueKind::Scalar(Function::FloorDivide, operands) = &self.state.values.value(value).kind else {
            return None;
        };
        let (over, size) = (self.state.values.affine(operands[0]), self.state.values.affine(operands[1]));
        let size = size.terms.is_empty().then_some(size.constant).filter(|size| *size > 0)?;
        let whole = over.plus(&Affine::number(size - 1), -1);
        let axes = &self.state.values.axes;
        let sequences = axes.iter().map(|(axis, _)| axis).filter(|axis| axes.is_sequence(*axis)).collect::<Vec<_>>();
        let of = sequences.into_iter().find(|axis| {
            let length = self.values().length_form(*axis);
            length.plus(&whole, -1) == Affine::number(0)
        })?;
        Some(Extent::Pieces { of, size })
    }

    fn no_extent(&mut self, name: &str, span: Span) -> super::Fail {
        self.fault_with(
            E0303,
            format!("the size of `{name}` is not known before the program runs"),
            (span, "neither a number nor a sum of lengths and settings".into()),
            "sizes are numbers, or sums like `|p| + new`",
        )
    }

    /// An axis of this frame, the same one in every program of the model.
    pub fn keyed_axis(&mut self, name: &str, extent: Extent, like: Option<AxisId>) -> AxisId {
        let key = self.frame().key.clone();
        self.axis_of_key(&key, name, extent, like)
    }

    /// An axis under the key of a frame.
    pub fn axis_of_key(&mut self, frame: &str, name: &str, extent: Extent, like: Option<AxisId>) -> AxisId {
        let base = format!("{frame}/{name}");
        let seen = self.state.occurrences.entry(base.clone()).or_insert(0);
        *seen += 1;
        let key = format!("{base}#{seen}");
        if let Some(&axis) = self.state.axis_keys.get(&key) {
            let known = &self.state.values.axes[axis];
            let class = like.map_or(axis, |like| self.state.values.axes[like].class);
            if known.extent == extent && known.class == class {
                return axis;
            }
        }
        let axes = &mut self.state.values.axes;
        let axis = match like {
            Some(model) => axes.add_like(name, model),
            None => axes.add(name, extent),
        };
        self.state.axis_keys.insert(key, axis);
        axis
    }

    /// A key that no other frame of this program has.
    pub fn frame_key(&mut self, name: &str) -> String {
        let base = format!("{}>{name}", self.frame().key);
        let seen = self.state.occurrences.entry(base.clone()).or_insert(0);
        *seen += 1;
        format!("{base}#{seen}")
    }

    /// The override of a setting or size of the model.
    pub fn take_override(&mut self, name: &str) -> Option<Setting> {
        if !self.frame().model {
            return None;
        }
        let setting = self.overrides.get(name)?.clone();
        self.state.overridden.insert(name.into());
        Some(setting)
    }

    /// Refuses to compare positions of two sequences that are not alike.
    pub fn check_positions(&mut self, left: &Operand, right: &Operand, span: Span) -> Answer<()> {
        let (Operand::Value(left), Operand::Value(right)) = (left, right) else { return Ok(()) };
        let values = &self.state.values;
        let position = |id: ValueId| {
            let terms = values.affine(id).terms;
            let axes = terms.iter().map(|(term, _)| values.position_of(term)).collect::<Option<Vec<_>>>()?;
            axes.into_iter().find(|axis| values.axes.is_sequence(*axis))
        };
        let (Some(a), Some(b)) = (position(*left), position(*right)) else { return Ok(()) };
        if values.axes.alike(a, b) {
            return Ok(());
        }
        let (a, b) = (self.axis_name(a), self.axis_name(b));
        Err(self.fault_with(
            E0304,
            format!("`{a}` and `{b}` are positions of different sequences"),
            (span, format!("a place along `{a}` says nothing about a place along `{b}`")),
            format!("if they are the same positions, declare `dim {b} like {a}`"),
        ))
    }
}
