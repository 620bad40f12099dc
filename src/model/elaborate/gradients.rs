//! `grad(y, x)`: the derivative of a scalar by a value that it is computed from.
//!
//! In: two operands. Out: a value of the second's axes, present where it is; each element says how much y, summed over the
//! positions that it has, grows with that element. Every way from x to y that can be derived lies in the body of the `for`
//! in which y stands, or in `for`s inside of it that no row leaves early: checked here, so that no part of a derivative is
//! left out in silence.

use super::{Answer, Elaborator, Fail};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::construct::Draft;
use crate::model::scope::Operand;
use crate::model::values::{BodyId, Program, RegionId, ValueId, ValueKind};
use crate::source::Span;
use crate::tensor::{AxisId, BATCH};
use std::collections::HashSet;

impl Elaborator<'_> {
    /// `grad(y, x)`.
    pub(super) fn gradient(&mut self, operands: &[Operand], span: Span) -> Answer<Operand> {
        let [y, x] = operands else {
            let message =
                format!("`grad` takes a scalar and the value that it is derived by, not {} arguments", operands.len());
            return Err(self.fault(E0401, message, span, "here"));
        };
        let by = self.to_value(x, span)?;
        let of = self.to_value(y, span)?;
        if !self.values().dtype(of).is_real() || !self.values().dtype(by).is_real() {
            let label = "only reals have gradients";
            return Err(self.fault(E0402, "`grad` derives a real by a real", span, label));
        }
        self.check_scalar(of, by, span)?;
        self.check_ways(of, by, span)?;
        let value = self.values().value(by).clone();
        let draft = Draft::new(ValueKind::Gradient(of, by), value.ty.axes, value.ty.dtype);
        Ok(Operand::Value(self.values().emit(draft.present(value.presence))))
    }

    /// What y has beside rows, the caller of the block has brought; and x has it too, or its elements would be shared.
    fn check_scalar(&mut self, of: ValueId, by: ValueId, span: Span) -> Answer<()> {
        let riding = self.frame().riding.clone();
        let own = self.values().axes_of(of).to_vec();
        let has = self.values().axes_of(by).to_vec();
        let is_counted = |axis: &AxisId| *axis != BATCH && !riding.contains(axis);
        if let Some(axis) = own.iter().copied().find(is_counted) {
            let (name, shown) = (self.axis_name(axis), self.axis_names(&own));
            let help = format!("sum it first: `grad(sum[{name}](…), …)`");
            let label = format!("has the axes {shown}");
            return Err(self.fault_with(E0401, "`grad` derives a scalar", (span, label), help));
        }
        if let Some(axis) = own.iter().copied().find(|axis| !has.contains(axis)) {
            let name = if axis == BATCH { "batch".to_string() } else { self.axis_name(axis) };
            let message = format!("`grad` derives a scalar of each `{name}` by a value that all of them share");
            let help = format!("sum it first: `grad(sum[{name}](…), …)`");
            return Err(self.fault_with(E0401, message, (span, "the result would need an axis more".into()), help));
        }
        Ok(())
    }

    /// Every way from x to y can be gone back.
    fn check_ways(&mut self, of: ValueId, by: ValueId, span: Span) -> Answer<()> {
        let program = &self.state.values.program;
        let home = program.values[of.0 as usize].body;
        let ways = Ways::between(program, by, of);
        if !ways.between.contains(&of) {
            let help = "the first is computed from the second, and not through `stop`, an index, a rank or a draw";
            let label = "so this derivative is 0 everywhere";
            let message = "`grad` of a value that does not depend on the other";
            return Err(self.fault_with(E0401, message, (span, label.into()), help));
        }
        if let Some(outside) = ways.outside(home) {
            let written = program.values[outside.0 as usize].span;
            return Err(self.goes_outside(span, written));
        }
        if let Some(region) = ways.left_early() {
            let until = program.regions[region.0 as usize].span;
            return Err(self.report(
                Diagnostic::new(E0409, "`grad` through a `for` with `until` is not compiled yet")
                    .label(span, "the derivative goes back through its turns")
                    .label(until, "this `for`")
                    .help("let all turns run: what a turn shall not change stays with a `where`"),
            ));
        }
        Ok(())
    }

    fn goes_outside(&mut self, span: Span, written: Span) -> Fail {
        self.report(
            Diagnostic::new(E0409, "`grad` through what is computed before a `for` is not compiled yet")
                .label(span, "derived inside of the `for`")
                .label(written, "the same in every turn, so computed once, before them; the derivative goes through it")
                .help("derive by this value instead, or take the derivative where it is computed"),
        )
    }
}

/// The values between two.
struct Ways<'p> {
    program: &'p Program,
    from: ValueId,
    /// Those that depend on the first by real arithmetic and that the second is made of; the first too.
    between: HashSet<ValueId>,
}

impl<'p> Ways<'p> {
    fn between(program: &'p Program, from: ValueId, to: ValueId) -> Ways<'p> {
        let mut ways = Ways { program, from, between: HashSet::from([from]) };
        let home = program.values[to.0 as usize].body;
        let made_of = ways.made_of(to, home);
        loop {
            let before = ways.between.len();
            for id in &made_of {
                let real = program.values[id.0 as usize].ty.dtype.is_real();
                if real && ways.sources(*id, home).iter().any(|source| ways.between.contains(source)) {
                    ways.between.insert(*id);
                }
            }
            if ways.between.len() == before {
                return ways;
            }
        }
    }

    fn made_of(&self, to: ValueId, home: Option<BodyId>) -> Vec<ValueId> {
        let (mut seen, mut open) = (HashSet::new(), vec![to]);
        while let Some(next) = open.pop() {
            if seen.insert(next) && next != self.from {
                open.extend(self.sources(next, home));
            }
        }
        let mut all = seen.into_iter().collect::<Vec<_>>();
        all.sort();
        all
    }

    /// What a derivative goes on to. What the `for`s around the scalar carry is as it is at the turn.
    fn sources(&self, id: ValueId, home: Option<BodyId>) -> Vec<ValueId> {
        let value = &self.program.values[id.0 as usize];
        match &value.kind {
            _ if id == self.from => Vec::new(),
            ValueKind::Stop(_) | ValueKind::Rank(..) | ValueKind::Draw { .. } => Vec::new(),
            ValueKind::Peek(x) => vec![*x],
            ValueKind::Carried(_) if self.is_around(value.body, home) => Vec::new(),
            _ => self.program.sources(id),
        }
    }

    /// Whether a body is the one of the scalar, or around it.
    fn is_around(&self, body: Option<BodyId>, home: Option<BodyId>) -> bool {
        let mut own = home;
        while let Some(one) = own {
            if body == own {
                return true;
            }
            own = self.program.regions[one.region.0 as usize].body;
        }
        body.is_none()
    }

    /// A value on the way that is made outside of the scalar's own body.
    fn outside(&self, home: Option<BodyId>) -> Option<ValueId> {
        let is_outside = |id: &ValueId| {
            let body = self.program.values[id.0 as usize].body;
            *id != self.from && body != home && self.is_around(body, home)
        };
        self.between.iter().copied().filter(is_outside).min()
    }

    /// A `for` on the way that rows leave early.
    fn left_early(&self) -> Option<RegionId> {
        let region = |id: &ValueId| match self.program.values[id.0 as usize].kind {
            ValueKind::Final(region, _) | ValueKind::Yielded(region, _) if *id != self.from => Some(region),
            _ => None,
        };
        let until =
            |region: &RegionId| self.program.regions[region.0 as usize].bodies.iter().any(|body| body.until.is_some());
        self.between.iter().filter_map(region).filter(until).min()
    }
}
