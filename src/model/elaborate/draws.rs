//! Draws: `z[t, d] ~ normal(0, 1)`.

use super::{Answer, Elaborator};
use crate::diagnostics::codes::*;
use crate::model::construct::Draft;
use crate::model::scope::{Operand, Origin};
use crate::model::values::{BodyId, Law, ValueId, ValueKind};
use crate::source::Span;
use crate::syntax::ast::{self, ArgumentValue, Axes, Target};
use crate::tensor::{AxisId, BATCH, DType, Presence};

impl Elaborator<'_> {
    /// A draw, bound to a name like any value.
    pub fn draw(&mut self, targets: &[Target], law: &ast::Law, span: Span) -> Answer<()> {
        let [target] = targets else {
            return Err(self.fault(E0404, "a draw binds one name", span, "here"));
        };
        let operands = self.law_operands(law)?;
        let (made, dtype) = self.law(law, operands.len())?;
        let (own, index_of) = match made {
            Law::Categorical(axis) => (vec![axis], Some(axis)),
            Law::UniformIndex(axis) => (Vec::new(), Some(axis)),
            _ => (Vec::new(), None),
        };
        let mut axes = vec![BATCH];
        if let Some(names) = &target.axes {
            axes.extend(self.distinct_axes(names)?);
        }
        axes.extend(self.frame().riding.clone());
        let mut presence = Presence::always();
        for operand in &operands {
            axes.extend(self.values().axes_of(*operand).iter().filter(|axis| !own.contains(axis)));
            let present = self.values().presence_of_any(*operand, &own);
            presence = presence.and(&present);
        }
        let axes = self.values().order(axes);
        let path = self.parameter_path(&target.name.text);
        let body = self.current_body();
        let draft = Draft::new(ValueKind::Draw { law: made, path, operands }, axes, dtype);
        let value = self.values().emit(draft.index_of(index_of).inside(body));
        let value = self.values().restrict(value, &presence);
        let plain = Target { axes: None, ..target.clone() };
        self.assign(&plain, Operand::Value(value), span, Origin::Local).map(|_| ())
    }

    /// The innermost body.
    pub fn current_body(&self) -> Option<BodyId> {
        let active = self.state.regions.last()?;
        self.state.values.value(active.turn).body
    }

    fn law_operands(&mut self, law: &ast::Law) -> Answer<Vec<ValueId>> {
        let mut operands = Vec::with_capacity(law.arguments.len());
        for argument in &law.arguments {
            match &argument.value {
                ArgumentValue::Value(expr) => operands.push(self.evaluate_value(expr)?),
                ArgumentValue::Hole(span) => {
                    return Err(self.fault(E0401, "`_` is not a number to draw from", *span, "here"));
                }
            }
        }
        Ok(operands)
    }

    fn law(&mut self, law: &ast::Law, operands: usize) -> Answer<(Law, DType)> {
        let axis = self.law_axis(law)?;
        let (made, takes, dtype) = match (law.name.text.as_str(), axis) {
            ("normal", None) => (Law::Normal, 2, DType::REAL),
            ("uniform", None) => (Law::Uniform, 2, DType::REAL),
            ("bernoulli", None) => (Law::Bernoulli, 1, DType::Bool),
            ("uniform", Some(axis)) => (Law::UniformIndex(axis), 0, DType::Int),
            ("categorical", Some(axis)) => (Law::Categorical(axis), 1, DType::Int),
            (name, _) => {
                let known = ["normal", "uniform", "bernoulli", "categorical"].map(str::to_string);
                let help = crate::model::spelling::hint(name, known);
                let label = "`normal(mean, deviation)`, `uniform(low, high)`, `bernoulli(p)`, `uniform[v]`, `categorical[v](p)`";
                return Err(self.fault_with(E0201, format!("no law is `{name}` here"), (law.span, label.into()), help));
            }
        };
        if operands != takes {
            let message = format!("`{}` takes {takes} numbers, not {operands}", law.name.text);
            return Err(self.fault(E0401, message, law.span, "here"));
        }
        Ok((made, dtype))
    }

    fn law_axis(&mut self, law: &ast::Law) -> Answer<Option<AxisId>> {
        match law.axes.as_slice() {
            [] => Ok(None),
            [one] => match &one.given {
                Axes::One(name) => self.axis(name).map(Some),
                Axes::Group(_, span) => Err(self.fault(E0306, "a draw is along one axis", *span, "here")),
            },
            _ => Err(self.fault(E0306, "a draw is along one axis", law.span, "here")),
        }
    }
}
