//! Built-in functions: scalar functions, reductions, ranks, and the words about gradients and proofs.

use super::{Answer, Elaborator};
use crate::diagnostics::codes::*;
use crate::model::construct::Draft;
use crate::model::scope::{Given, Operand};
use crate::model::values::{Combine, ValueKind};
use crate::source::Span;
use crate::syntax::ast::{Axes, AxisArgument};
use crate::tensor::{AxisId, BATCH, DType, Function};

/// A built-in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Builtin {
    /// A function at every position.
    Scalar(Function),
    /// `sum[d](x)`.
    Reduce(Combine),
    /// `mean[d](x)`.
    Mean,
    /// `rank[e](p)`.
    Rank,
    /// `top[e](p, n)`: whether the place is below n.
    Top,
    /// `stop(x)`.
    Stop,
    /// `peek(x)`.
    Peek,
    /// `grad(scalar, x)`.
    Gradient,
    /// `blind(a, b)`.
    Blind,
}

const BUILTINS: [(&str, Builtin); 28] = [
    ("exp", Builtin::Scalar(Function::Exp)),
    ("log", Builtin::Scalar(Function::Log)),
    ("log1p", Builtin::Scalar(Function::Log1p)),
    ("expm1", Builtin::Scalar(Function::Expm1)),
    ("sqrt", Builtin::Scalar(Function::Sqrt)),
    ("sin", Builtin::Scalar(Function::Sin)),
    ("cos", Builtin::Scalar(Function::Cos)),
    ("tanh", Builtin::Scalar(Function::Tanh)),
    ("erf", Builtin::Scalar(Function::Erf)),
    ("abs", Builtin::Scalar(Function::Absolute)),
    ("sign", Builtin::Scalar(Function::Sign)),
    ("floor", Builtin::Scalar(Function::Floor)),
    ("real", Builtin::Scalar(Function::ToReal)),
    ("sum", Builtin::Reduce(Combine::Sum)),
    ("prod", Builtin::Reduce(Combine::Product)),
    ("max", Builtin::Reduce(Combine::Maximum)),
    ("min", Builtin::Reduce(Combine::Minimum)),
    ("any", Builtin::Reduce(Combine::Any)),
    ("all", Builtin::Reduce(Combine::All)),
    ("first", Builtin::Reduce(Combine::First)),
    ("mean", Builtin::Mean),
    ("rank", Builtin::Rank),
    ("top", Builtin::Top),
    ("stop", Builtin::Stop),
    ("peek", Builtin::Peek),
    ("grad", Builtin::Gradient),
    ("blind", Builtin::Blind),
    ("select", Builtin::Scalar(Function::Select)),
];

/// The built-in of a name.
pub fn function(name: &str) -> Option<Builtin> {
    BUILTINS.iter().find(|(known, _)| *known == name).map(|(_, builtin)| *builtin)
}

/// The names of all built-ins.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILTINS.iter().map(|(name, _)| *name)
}

impl Elaborator<'_> {
    /// Calls a built-in with operands.
    pub fn call_builtin(&mut self, name: &str, axes: &[AxisArgument], given: &[Given], span: Span) -> Answer<Operand> {
        let Some(builtin) = function(name) else {
            return Err(self.fault(E0201, format!("nothing is called `{name}`"), span, "here"));
        };
        let mut operands = Vec::with_capacity(given.len());
        for argument in given {
            match &argument.what {
                Some(operand) if argument.name.is_none() => operands.push(operand.clone()),
                _ => {
                    let label = "given by name or as `_`";
                    return Err(self.fault(
                        E0401,
                        format!("`{name}` takes its arguments in order"),
                        argument.span,
                        label,
                    ));
                }
            }
        }
        if !axes.is_empty() {
            return self.call_along(name, builtin, axes, &operands, span);
        }
        self.call_plain(name, builtin, &operands, span)
    }

    fn call_along(
        &mut self,
        name: &str,
        builtin: Builtin,
        axes: &[AxisArgument],
        operands: &[Operand],
        span: Span,
    ) -> Answer<Operand> {
        let axes = self.reduced_axes(axes, span)?;
        if let (Builtin::Top, [ranked, bound]) = (builtin, operands) {
            let ranked = self.to_value(ranked, span)?;
            let place = self.values().rank(&axes, ranked);
            return self.function(Function::Less, &[Operand::Value(place), bound.clone()], span);
        }
        let x = self.single_operand(name, operands, span)?;
        let result = match builtin {
            Builtin::Reduce(combine) => {
                if matches!(combine, Combine::Any | Combine::All) && self.values().dtype(x) != DType::Bool {
                    return Err(self.fault(E0402, format!("`{name}` takes a bool"), span, "a number"));
                }
                self.values().reduce(combine, &axes, x)
            }
            Builtin::Mean => self.values().mean(&axes, x),
            Builtin::Rank => self.values().rank(&axes, x),
            _ => return Err(self.fault(E0401, format!("`{name}` takes no axes"), span, "remove the `[…]`")),
        };
        Ok(Operand::Value(result))
    }

    fn single_operand(&mut self, name: &str, operands: &[Operand], span: Span) -> Answer<crate::model::ValueId> {
        match operands {
            [one] => self.to_value(one, span),
            _ => {
                let message = format!("`{name}` takes one value along its axes, not {}", operands.len());
                Err(self.fault(E0401, message, span, "here"))
            }
        }
    }

    /// The axes of a reduction: names and groups alike, for order counts only in ranks.
    fn reduced_axes(&mut self, arguments: &[AxisArgument], span: Span) -> Answer<Vec<AxisId>> {
        let mut names = Vec::new();
        for argument in arguments {
            match &argument.given {
                Axes::One(name) => names.push(name.clone()),
                Axes::Group(parts, _) => names.extend(parts.iter().cloned()),
            }
        }
        let axes = self.distinct_axes(&names)?;
        let frame = self.state.frames.last();
        if axes.contains(&BATCH) && frame.is_some_and(|frame| !frame.riding.is_empty()) {
            let riding = frame.map(|frame| frame.riding.clone()).unwrap_or_default();
            let riding = self.axis_names(&riding);
            let label = format!("{riding} ride here, so the block runs once for each of their positions");
            return Err(self.fault(E0307, "`batch` cannot be reduced where other axes ride", span, label));
        }
        Ok(axes)
    }

    fn call_plain(&mut self, name: &str, builtin: Builtin, operands: &[Operand], span: Span) -> Answer<Operand> {
        let function = match builtin {
            Builtin::Scalar(function) => function,
            Builtin::Reduce(Combine::Maximum) => Function::Maximum,
            Builtin::Reduce(Combine::Minimum) => Function::Minimum,
            Builtin::Stop => return self.wrap(name, operands, span, ValueKind::Stop),
            Builtin::Peek => return self.wrap(name, operands, span, ValueKind::Peek),
            Builtin::Gradient => return self.gradient(operands, span),
            Builtin::Blind => {
                let help = "write it in a line of its own: `require blind(a, b)`";
                return Err(self.fault_with(E0601, "`blind` is a proof, not a value", (span, "here".into()), help));
            }
            _ => {
                let help = format!("name the axes: `{name}[d](…)`");
                return Err(self.fault_with(
                    E0401,
                    format!("`{name}` along which axes?"),
                    (span, "no axes are named".into()),
                    help,
                ));
            }
        };
        if operands.len() != function.arity() {
            let message = format!("`{name}` takes {} arguments, not {}", function.arity(), operands.len());
            return Err(self.fault(E0401, message, span, "here"));
        }
        self.function(function, operands, span)
    }

    fn wrap(
        &mut self,
        name: &str,
        operands: &[Operand],
        span: Span,
        kind: impl Fn(crate::model::ValueId) -> ValueKind,
    ) -> Answer<Operand> {
        if let [Operand::Known(known)] = operands {
            return Ok(Operand::Known(known.clone()));
        }
        let x = self.single_operand(name, operands, span)?;
        let value = self.values().value(x).clone();
        let draft = Draft::new(kind(x), value.ty.axes, value.ty.dtype);
        Ok(Operand::Value(self.values().emit(draft.present(value.presence).index_of(value.index_of))))
    }
}
