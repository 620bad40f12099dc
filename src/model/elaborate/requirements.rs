//! `require`: proved while compiling where possible, else checked when a program starts; and `blind`.

use super::{Answer, Elaborator};
use crate::diagnostics::codes::*;
use crate::model::scope::Operand;
use crate::model::values::{ValueId, ValueKind};
use crate::source::Span;
use crate::syntax::ast::{ArgumentValue, Expr, ExprKind};
use crate::tensor::{DType, Function, Relation, Term};

impl Elaborator<'_> {
    /// A `require` line.
    pub fn require(&mut self, expr: &Expr, text: Option<&str>, span: Span) -> Answer<()> {
        if let ExprKind::Call(call) = &expr.kind
            && call.name.text == "blind"
        {
            let mut operands = Vec::new();
            for argument in &call.arguments {
                if let ArgumentValue::Value(expr) = &argument.value {
                    operands.push(self.evaluate_value(expr)?);
                }
            }
            let [left, right] = operands.as_slice() else {
                return Err(self.fault(E0401, "`blind` takes two values", call.span, "here"));
            };
            let pair = (*left, *right, span);
            self.values().program.blind.push(pair);
            return Ok(());
        }
        let text = text.unwrap_or("a requirement does not hold");
        let operand = self.evaluate(expr)?;
        if let Operand::Known(known) = &operand {
            return match known.uniform().and_then(crate::model::Setting::number) {
                Some(number) if number != 0.0 => Ok(()),
                _ => Err(self.fault(E0602, text, expr.span, "does not hold for these settings")),
            };
        }
        let value = self.to_value(&operand, expr.span)?;
        self.require_value(value, text, expr)
    }

    fn require_value(&mut self, value: ValueId, text: &str, expr: &Expr) -> Answer<()> {
        if self.values().dtype(value) != DType::Bool {
            return Err(self.fault(E0402, "`require` takes a condition", expr.span, "a number, not a bool"));
        }
        match self.values().as_number(value) {
            Some(0.0) => return Err(self.fault(E0602, text, expr.span, "never holds")),
            Some(_) => return Ok(()),
            None => {}
        }
        self.learn_limit(value);
        let entry = (value, text.to_string());
        if !self.values().program.requirements.contains(&entry) {
            self.values().program.requirements.push(entry);
        }
        Ok(())
    }

    /// `|t| <= 512` bounds the positions of `t`.
    fn learn_limit(&mut self, value: ValueId) {
        let ValueKind::Scalar(function, operands) = self.values().value(value).kind.clone() else { return };
        let strict = match function {
            Function::LessEqual => 0,
            Function::Less => 1,
            _ => return,
        };
        let (left, right) = (self.values().affine(operands[0]), self.values().affine(operands[1]));
        if let ([(Term::Value(length), 1)], []) = (left.terms.as_slice(), right.terms.as_slice())
            && let ValueKind::Length(axis) = self.values().value(*length).kind
        {
            self.values().limit(axis, right.constant - left.constant - strict);
        }
    }

    /// Whether a relation only repeats that an input is present.
    pub fn comes_from_inputs(&self, relation: &Relation<ValueId>) -> bool {
        let input = |value: &&ValueId| matches!(self.state.values.value(**value).kind, ValueKind::Input(_));
        let values = relation.values();
        !values.is_empty() && values.iter().all(input) && matches!(relation, Relation::AtLeastZero(_))
    }

    /// A relation as a user would write it.
    pub fn show_relation(&self, relation: &Relation<ValueId>) -> String {
        match relation {
            Relation::AtLeastZero(affine) => format!("{} >= 0", self.show_affine(affine)),
            Relation::Equal(axis, value) => format!("{} == {}", self.axis_name(*axis), self.show_value(*value)),
            Relation::Below { rank, bound } => format!("{} < {}", self.show_value(*rank), self.show_value(*bound)),
            Relation::Holds(value) => format!("{} holds", self.show_value(*value)),
        }
    }

    fn show_affine(&self, affine: &crate::tensor::Affine<ValueId>) -> String {
        let mut text = String::new();
        for (term, factor) in &affine.terms {
            let name = match term {
                Term::Axis(axis) => self.axis_name(*axis),
                Term::Quotient(axis, by) => format!("{} // {by}", self.axis_name(*axis)),
                Term::Remainder(axis, by) => format!("{} % {by}", self.axis_name(*axis)),
                Term::Value(value) => self.show_value(*value),
            };
            let sign = if *factor < 0 { " - " } else { " + " };
            let times = if factor.abs() == 1 { String::new() } else { format!("{} * ", factor.abs()) };
            text.push_str(&format!("{sign}{times}{name}"));
        }
        if affine.constant != 0 || text.is_empty() {
            let sign = if affine.constant < 0 { " - " } else { " + " };
            text.push_str(&format!("{sign}{}", affine.constant.abs()));
        }
        let text = text.strip_prefix(" + ").map(str::to_string).unwrap_or(text);
        text.strip_prefix(" - ").map(|rest| format!("-{rest}")).unwrap_or(text)
    }

    fn show_value(&self, value: ValueId) -> String {
        match &self.state.values.value(value).kind {
            ValueKind::Length(axis) => format!("|{}|", self.axis_name(*axis)),
            ValueKind::Number(number) => number.to_string(),
            ValueKind::Rank(..) => "a rank".into(),
            ValueKind::Turn => "the turn".into(),
            ValueKind::Setting(name) => name.clone(),
            ValueKind::Input(place) => {
                self.state.inputs.get(*place).map_or("an input".into(), |input| input.name.clone())
            }
            _ => "a value".into(),
        }
    }
}
