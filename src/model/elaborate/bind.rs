//! Binding names: `x = …`, `x += …`, several at once, and binding again, which writes only where the new value is present.

use super::{Answer, Elaborator};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::declarations::Input;
use crate::model::scope::{Meaning, Operand, Origin};
use crate::model::values::ValueId;
use crate::source::Span;
use crate::syntax::ast::{self, Assign, Entry, Expr, Line, Target};
use crate::tensor::{AxisId, BATCH, DType, Function, Precision};

impl Elaborator<'_> {
    /// `a, b = …`, `x += …`, `x *= …`.
    pub fn bind(&mut self, targets: &[Target], assign: Assign, expr: &Expr) -> Answer<()> {
        let function = match assign {
            Assign::Set => None,
            Assign::Add => Some(Function::Add),
            Assign::Multiply => Some(Function::Multiply),
        };
        if let Some(function) = function {
            let [target] = targets else {
                let label = "one name at a time";
                return Err(self.fault(E0404, "`+=` and `*=` change one name", targets[0].span, label));
            };
            let old = self.read_name(&target.name.text, target.name.span, false, true)?;
            self.state.outside = None;
            let added = self.evaluate(expr)?;
            let operand = self.function(function, &[old, added], expr.span)?;
            self.check_rebound(target, &operand, expr)?;
            return self.assign(target, operand, expr.span, Origin::Local).map(|_| ());
        }
        self.state.outside = None;
        let operand = self.evaluate_bound(targets, expr)?;
        if let [target] = targets {
            self.check_rebound(target, &operand, expr)?;
        }
        self.assign_all(targets, operand, expr.span)
    }

    /// The right side; a bare word is allowed where the name is bound to a setting's value.
    fn evaluate_bound(&mut self, targets: &[Target], expr: &Expr) -> Answer<Operand> {
        let _ = targets;
        self.evaluate(expr)
    }

    /// Where a name is bound again and an index may fall outside, the old value would stay there without a word.
    fn check_rebound(&mut self, target: &Target, operand: &Operand, expr: &Expr) -> Answer<()> {
        let name = &target.name.text;
        let (Operand::Value(value), Some((frame, outside))) = (operand, self.state.outside) else { return Ok(()) };
        let again = self.frame().names.get(name).is_some_and(|old| !matches!(old.meaning, Meaning::Broken));
        let here = frame == self.state.frames.len() && target.axes.is_none();
        if !again || !here || has_where(expr) || self.values().presence(*value).is_always() {
            return Ok(());
        }
        Err(self.fault_with(
            E0502,
            format!("`{name}` keeps its old value where this index falls outside"),
            (outside, "can fall outside, and is absent there".into()),
            "say what it is there, at the end of the bracket: `x[t: t - 1 else 0]`",
        ))
    }

    fn assign_all(&mut self, targets: &[Target], operand: Operand, span: Span) -> Answer<()> {
        match (targets, operand) {
            ([target], operand) => self.assign(target, operand, span, Origin::Local).map(|_| ()),
            (targets, Operand::Several(results)) if results.len() == targets.len() => {
                for (target, (_, result)) in targets.iter().zip(results) {
                    self.assign(target, result, span, Origin::Local)?;
                }
                Ok(())
            }
            (targets, operand) => {
                let count = if let Operand::Several(results) = operand { results.len() } else { 1 };
                let message = format!("{} names for {count} results", targets.len());
                Err(self.fault(E0404, message, span, "here"))
            }
        }
    }

    /// Binds one name, with the axes and the type that are written at it.
    pub fn assign(&mut self, target: &Target, operand: Operand, span: Span, origin: Origin) -> Answer<Operand> {
        let mut operand = operand;
        if matches!(operand, Operand::Nothing) {
            self.to_value(&operand, span)?;
        }
        if let Some(names) = &target.axes {
            let axes = self.distinct_axes(names)?;
            let value = self.to_value(&operand, span)?;
            self.check_axes_written(target, value, &axes, span)?;
            operand = Operand::Value(self.values().broadcast(value, &axes));
        }
        if let Some(kind) = &target.kind {
            operand = self.check_kind(operand, kind, &target.name.text, span)?;
        }
        let operand = self.over_old(target, operand, span)?;
        self.define_again(&target.name, Meaning::Is(operand.clone()), origin);
        Ok(operand)
    }

    /// Declares a name, or binds one again: then its declaration stays where it was.
    fn define_again(&mut self, name: &ast::Name, meaning: Meaning, origin: Origin) {
        match self.frame().names.get_mut(&name.text) {
            Some(binding) => binding.meaning = meaning,
            None => self.define(name, meaning, origin),
        }
    }

    /// The new value where it is present, the old one elsewhere.
    fn over_old(&mut self, target: &Target, operand: Operand, span: Span) -> Answer<Operand> {
        let name = &target.name;
        let Some(binding) = self.frame().names.get(&name.text).cloned() else {
            self.check_new(name)?;
            return Ok(operand);
        };
        let old = match (&binding.meaning, binding.origin) {
            (Meaning::Is(old), Origin::Local | Origin::Argument | Origin::Yielded | Origin::Input) => old.clone(),
            (Meaning::Broken, _) => return Ok(operand),
            _ => return Err(self.declared_twice(name, binding.span)),
        };
        let Operand::Value(new) = operand else { return Ok(operand) };
        if self.values().presence(new).is_always() || target.axes.is_some() {
            return Ok(operand);
        }
        let old = self.to_value(&old, span)?;
        Ok(Operand::Value(self.values().otherwise(new, old)))
    }

    fn check_axes_written(&mut self, target: &Target, value: ValueId, axes: &[AxisId], span: Span) -> Answer<()> {
        let has = self.values().axes_of(value).to_vec();
        let named = |elaborator: &Self, axis: AxisId| {
            elaborator.state.frames.last().is_some_and(|frame| frame.name_of(axis).is_some())
        };
        let extra = has.iter().copied().find(|axis| *axis != BATCH && !axes.contains(axis) && named(self, *axis));
        let Some(extra) = extra else { return Ok(()) };
        let (extra, shown, written) = (self.axis_name(extra), self.axis_names(&has), self.axis_names(axes));
        Err(self.report(
            Diagnostic::new(E0301, format!("`{}` is written with {written}, and also has `{extra}`", target.name.text))
                .label(span, format!("its axes are {shown}"))
                .label(target.span, "written here")
                .help(format!("sum it away, `sum[{extra}](…)`, or write it on the left as well")),
        ))
    }

    /// Refuses a name that is taken.
    pub fn check_new(&mut self, name: &ast::Name) -> Answer<()> {
        if let Some(binding) = self.frame().names.get(&name.text) {
            let (meaning, span) = (binding.meaning.clone(), binding.span);
            if span == name.span || matches!(meaning, Meaning::Broken) {
                return Ok(());
            }
            return Err(self.declared_twice(name, span));
        }
        let text = name.text.as_str();
        if matches!(text, "self" | "training" | "batch") || super::builtins::function(text).is_some() {
            let label = "built in: there is one name space, and nothing is hidden";
            return Err(self.fault_with(
                E0205,
                format!("`{text}` has a meaning already"),
                (name.span, label.into()),
                format!("choose another name, for example `{text}_of`"),
            ));
        }
        match self.library.own_block(text, name.span.file) {
            Some(block) => {
                let head = block.name.span;
                Err(self.declared_twice(name, head))
            }
            None => Ok(()),
        }
    }

    /// A name with two declarations.
    pub fn declared_twice(&mut self, name: &ast::Name, before: Span) -> super::Fail {
        self.report(
            Diagnostic::new(E0205, format!("`{}` has a meaning already", name.text))
                .label(name.span, "declared again")
                .label(before, "declared first")
                .help("there is one name space, and nothing is hidden: choose another name"),
        )
    }

    /// The `input` line: data from the caller, or what the model's caller gave.
    pub fn inputs(&mut self, entries: &[Entry], line: &Line) -> Answer<()> {
        if !self.frame().model {
            return Err(self.fault(E0206, "`input` stands in a model", line.span, "a block has parameters"));
        }
        for entry in entries {
            self.check_new(&entry.target.name)?;
            let operand = match self.frame().inputs.clone() {
                Some(given) => self.given_input(entry, given.get(&entry.target.name.text).cloned(), line.span)?,
                None => self.data_input(entry)?,
            };
            self.define(&entry.target.name, Meaning::Is(operand), Origin::Input);
        }
        Ok(())
    }

    /// An input of the model when it is called from inside.
    fn given_input(&mut self, entry: &Entry, given: Option<Operand>, span: Span) -> Answer<Operand> {
        let operand = match (given, &entry.default) {
            (Some(given), _) => given,
            (None, Some(default)) => self.evaluate_word(default)?,
            (None, None) => {
                let name = &entry.target.name.text;
                let call = self.frame().call.unwrap_or(span);
                let label = format!("`{name}` is not given");
                return Err(self.fault(E0401, format!("the model needs its input `{name}`"), call, label));
            }
        };
        let place = self.frame().call.unwrap_or(span);
        self.check_argument(&entry.target, operand, place)
    }

    fn data_input(&mut self, entry: &Entry) -> Answer<Operand> {
        let input = self.declare_input(entry)?;
        let place = self.state.inputs.iter().position(|known| known.name == input.name);
        let place = place.unwrap_or_else(|| {
            self.state.inputs.push(input.clone());
            self.state.inputs.len() - 1
        });
        Ok(Operand::Value(self.input_value(place, &input)))
    }

    /// What an `input` line, or a data parameter of a `generate` block, declares.
    pub fn declare_input(&mut self, entry: &Entry) -> Answer<Input> {
        let target = &entry.target;
        let axes = self.distinct_axes(target.axes.as_deref().unwrap_or_default())?;
        let mut input = Input {
            name: target.name.text.clone(),
            axes,
            dtype: DType::REAL,
            index_of: None,
            optional: target.kind.as_ref().is_some_and(|kind| kind.optional),
            default: None,
            span: target.span,
        };
        match target.kind.as_ref().map(|kind| kind.name.text.as_str()) {
            None | Some("real") => {}
            Some("f32") => input.dtype = DType::Real(Precision::F32),
            Some("f64") => input.dtype = DType::Real(Precision::F64),
            Some("int") => input.dtype = DType::Int,
            Some("bool") => input.dtype = DType::Bool,
            Some(_) => {
                let name = &target.kind.as_ref().expect("a kind was matched").name;
                (input.dtype, input.index_of) = (DType::Int, Some(self.axis(name)?));
            }
        }
        if let Some(default) = &entry.default {
            let operand = self.evaluate(default)?;
            let number = match &operand {
                Operand::Known(known) => known.uniform().and_then(crate::model::Setting::number),
                _ => None,
            };
            let Some(number) = number else {
                let label = "not known while compiling";
                return Err(self.fault(E0405, "the default of an input is a number", default.span, label));
            };
            input.default = Some(number);
        }
        Ok(input)
    }

    /// The value of an input.
    pub fn input_value(&mut self, place: usize, input: &Input) -> ValueId {
        use crate::model::construct::Draft;
        use crate::model::values::ValueKind;
        use crate::tensor::{Affine, Presence, Relation};
        // Data enters in the order in which its axes are written.
        let axes: Vec<_> = std::iter::once(BATCH).chain(input.axes.iter().copied()).collect();
        let draft = Draft::new(ValueKind::Input(place), axes.clone(), input.dtype).index_of(input.index_of);
        let whole = self.values().emit(draft);
        let (Some(axis), true) = (input.index_of, input.optional) else { return whole };
        let last = self.values().length_form(axis).plus(&Affine::number(1), -1);
        let mut presence = Presence::always();
        let stored = Draft::new(ValueKind::Input(place), axes, input.dtype);
        let stored = self.values().emit(stored);
        presence.require(Relation::AtLeastZero(Affine::value(stored)));
        presence.require(Relation::AtLeastZero(last.plus(&Affine::value(stored), -1)));
        self.values().restrict(whole, &presence)
    }
}

/// Whether a `where` stands in an expression: then its author has thought about absence.
fn has_where(expr: &Expr) -> bool {
    use crate::syntax::ast::ExprKind::*;
    match &expr.kind {
        Where(..) => true,
        Unary(_, a) | Field(a, _) | Index(a, ..) => has_where(a),
        Binary(_, a, b) | Else(a, b) => has_where(a) || has_where(b),
        _ => false,
    }
}
