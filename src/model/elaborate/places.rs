//! `x[axis: place]`: renames, shifts, look-ups, slices, splits and merges.

use super::{Answer, Elaborator};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::scope::Operand;
use crate::model::values::ValueId;
use crate::source::Span;
use crate::syntax::ast::{Axes, Expr, ExprKind, Name, Place, PlaceValue};
use crate::tensor::{Affine, AxisId, Extent, Presence, Term};

/// Where some axes are read, and where the places themselves are present.
type Reading = (Vec<(AxisId, Affine<ValueId>)>, Presence<ValueId>);

impl Elaborator<'_> {
    /// `base[places else other]`.
    pub fn index(&mut self, base: &Expr, places: &[Place], other: Option<&Expr>, span: Span) -> Answer<Operand> {
        let x = self.indexed_base(base, places)?;
        let mut reading: Reading = (Vec::new(), Presence::always());
        let mut x = x;
        for place in places {
            x = self.place(x, place, &mut reading)?;
        }
        self.check_read_once(&reading, span)?;
        if other.is_none() && reading.0.iter().any(|(axis, at)| !self.state.values.range(*axis, at).is_empty()) {
            self.state.outside = Some((self.state.frames.len(), span));
        }
        let read = self.values().index(x, reading.0, &reading.1);
        let Some(other) = other else { return Ok(Operand::Value(read)) };
        let otherwise = self.evaluate_value(other)?;
        Ok(Operand::Value(self.values().otherwise(read, otherwise)))
    }

    /// The value that is indexed. A name is read whole along the axes that are indexed, also in a `for` along them.
    fn indexed_base(&mut self, base: &Expr, places: &[Place]) -> Answer<ValueId> {
        let operand = match &base.kind {
            ExprKind::Name(name) => self.read_name(name, base.span, false, false)?,
            _ => self.evaluate(base)?,
        };
        let value = self.to_value(&operand, base.span)?;
        if !matches!(base.kind, ExprKind::Name(_)) {
            return Ok(value);
        }
        let mut indexed = Vec::new();
        for place in places {
            if let Axes::One(name) = &place.axes
                && let Some(axis) = self.frame().axis(&name.text)
            {
                indexed.push(axis);
            }
        }
        let axes = self.values().axes_of(value).to_vec();
        let frames = self.state.frames.len();
        let seen = |active: &&super::Active| {
            active.frames == frames && axes.contains(&active.axis) && !indexed.contains(&active.axis)
        };
        let running = self.state.regions.iter().filter(seen);
        let turns = running.map(|active| (active.axis, Affine::value(active.turn))).collect::<Vec<_>>();
        Ok(self.values().index(value, turns, &Presence::always()))
    }

    /// Adds one `axis: place` to what is read; a group merged at a place that is not an axis is merged first.
    fn place(&mut self, x: ValueId, place: &Place, reading: &mut Reading) -> Answer<ValueId> {
        match (&place.axes, &place.at) {
            (Axes::One(axis), PlaceValue::Value(at)) => {
                let axis = self.own_axis(x, axis)?;
                let form = self.form(at, reading)?;
                self.check_place(axis, &form, at.span)?;
                reading.0.push((axis, form));
                Ok(x)
            }
            (Axes::One(axis), PlaceValue::Group(parts, span)) => {
                let own = self.own_axis(x, axis)?;
                let parts = self.distinct_axes(parts)?;
                self.check_product(own, &parts, *span)?;
                let form = self.split_form(&parts, *span)?;
                reading.0.push((own, form));
                Ok(x)
            }
            (Axes::Group(parts, span), PlaceValue::Value(at)) => {
                let parts = self.own_axes(x, parts)?;
                let form = self.form(at, reading)?;
                self.merge(x, &parts, &form, *span, reading)
            }
            (Axes::Group(_, span), PlaceValue::Group(_, other)) => {
                let label = "merge first, then split: `x[(a b): c][c: (d e)]`";
                Err(self.fault(E0305, "a group cannot be read at a group", span.to(*other), label))
            }
        }
    }

    /// The affine form of a place; where it is absent, so is what is read.
    fn form(&mut self, at: &Expr, reading: &mut Reading) -> Answer<Affine<ValueId>> {
        let value = self.evaluate_value(at)?;
        if self.values().dtype(value).is_real() {
            return Err(self.fault_with(
                E0402,
                "a place is a whole number",
                (at.span, "a real".into()),
                "`//` divides whole numbers, `floor(x)` rounds a real down",
            ));
        }
        let presence = self.values().presence(value);
        reading.1 = reading.1.and(&presence);
        Ok(self.values().affine(value))
    }

    /// An axis that the value has.
    fn own_axis(&mut self, x: ValueId, name: &Name) -> Answer<AxisId> {
        let axis = self.axis(name)?;
        if self.values().axes_of(x).contains(&axis) {
            return Ok(axis);
        }
        let has = self.values().axes_of(x).to_vec();
        let names = self.axis_names(&has);
        let mut diagnostic = Diagnostic::new(E0305, format!("this value has no axis `{}`", name.text))
            .label(name.span, format!("its axes are {names}"));
        let alike = has.iter().copied().find(|own| self.state.values.axes.alike(*own, axis));
        if let Some(alike) = alike {
            let alike = self.axis_name(alike);
            diagnostic = diagnostic.help(format!("`{alike}` is like `{}`: write `[{alike}: …]`", name.text));
        }
        Err(self.report(diagnostic))
    }

    fn own_axes(&mut self, x: ValueId, names: &[Name]) -> Answer<Vec<AxisId>> {
        let axes = self.distinct_axes(names)?;
        for name in names {
            self.own_axis(x, name)?;
        }
        Ok(axes)
    }

    /// A sequence is read only at positions that mean something along it.
    fn check_place(&mut self, axis: AxisId, form: &Affine<ValueId>, span: Span) -> Answer<()> {
        let values = &self.state.values;
        if !values.axes.is_sequence(axis) {
            return Ok(());
        }
        let positions = form.terms.iter().filter_map(|(term, _)| match term {
            Term::Axis(other) if values.axes.is_sequence(*other) => Some(*other),
            _ => None,
        });
        let unlike = positions.into_iter().find(|other| !values.axes.alike(axis, *other));
        let sources = |one: AxisId| match &values.axes[one].extent {
            Extent::Computed { lengths, .. } => lengths.iter().map(|(length, _)| *length).chain([one]).collect(),
            _ => vec![one],
        };
        let derived = |other: AxisId| {
            let own = sources(axis);
            sources(other).iter().any(|one| own.iter().any(|two| values.axes.alike(*one, *two)))
        };
        match unlike {
            Some(other) if form.terms.len() == 1 && form.constant == 0 && !derived(other) => {
                let (own, other) = (self.axis_name(axis), self.axis_name(other));
                Err(self.fault_with(
                    E0304,
                    format!("`{own}` and `{other}` are positions of different sequences"),
                    (span, format!("`{other}` is not like `{own}`")),
                    format!("if they are the same positions, declare `dim {other} like {own}`"),
                ))
            }
            _ => Ok(()),
        }
    }

    fn check_read_once(&mut self, reading: &Reading, span: Span) -> Answer<()> {
        for (place, (axis, _)) in reading.0.iter().enumerate() {
            if reading.0[..place].iter().any(|(other, _)| other == axis) {
                let name = self.axis_name(*axis);
                return Err(self.fault(E0306, format!("`{name}` is read at two places"), span, "in one bracket"));
            }
        }
        Ok(())
    }

    fn check_product(&mut self, axis: AxisId, parts: &[AxisId], span: Span) -> Answer<()> {
        let axes = &self.state.values.axes;
        let sizes = parts.iter().map(|part| axes.fixed(*part)).collect::<Option<Vec<_>>>();
        let product = sizes.map(|sizes| sizes.iter().product::<i64>());
        if product.is_some() && product == axes.fixed(axis) {
            return Ok(());
        }
        let name = self.axis_name(axis);
        let whole = axes_text(self.state.values.axes.fixed(axis));
        let message = format!("`{name}` has {whole} positions, and the group has {}", axes_text(product));
        Err(self.fault_with(
            E0303,
            message,
            (span, "split into these".into()),
            "the sizes of a group multiply to the axis",
        ))
    }

    /// The place along the whole axis of a position in its parts, the last counting fastest.
    pub fn split_form(&mut self, parts: &[AxisId], span: Span) -> Answer<Affine<ValueId>> {
        let mut form = Affine::number(0);
        for part in parts {
            let Some(size) = self.values().axes.fixed(*part) else {
                let name = self.axis_name(*part);
                let label = format!("`{name}` has no fixed size");
                return Err(self.fault(E0303, "only axes of fixed size can be grouped", span, label));
            };
            let coordinate = self.turn_of(*part);
            let coordinate = self.values().affine(coordinate);
            form = Affine::number(0).plus(&form, size).plus(&coordinate, 1);
        }
        Ok(form)
    }

    /// Reads a group at a place along its product: two axes by quotient and remainder, more of them pair by pair.
    pub fn merge(
        &mut self,
        x: ValueId,
        parts: &[AxisId],
        at: &Affine<ValueId>,
        span: Span,
        reading: &mut Reading,
    ) -> Answer<ValueId> {
        let (mut x, mut parts) = (x, parts.to_vec());
        while parts.len() > 2 {
            let (inner, last) = (parts[parts.len() - 2], parts[parts.len() - 1]);
            let size = self.fixed_size(inner, span)? * self.fixed_size(last, span)?;
            let whole = self.keyed_axis("merged", Extent::Fixed(size), None);
            let pair = self.pair_places(inner, last, &Affine::axis(whole), span)?;
            x = self.values().index(x, pair, &Presence::always());
            parts.truncate(parts.len() - 2);
            parts.push(whole);
        }
        match parts.as_slice() {
            [one] => reading.0.push((*one, at.clone())),
            [outer, inner] => {
                let pair = self.pair_places(*outer, *inner, at, span)?;
                reading.0.extend(pair);
            }
            _ => {}
        }
        Ok(x)
    }

    fn fixed_size(&mut self, axis: AxisId, span: Span) -> Answer<i64> {
        match self.values().axes.fixed(axis) {
            Some(size) => Ok(size),
            None => {
                let label = format!("`{}` has no fixed size", self.axis_name(axis));
                Err(self.fault(E0303, "only axes of fixed size can be grouped", span, label))
            }
        }
    }

    fn pair_places(
        &mut self,
        outer: AxisId,
        inner: AxisId,
        at: &Affine<ValueId>,
        span: Span,
    ) -> Answer<Vec<(AxisId, Affine<ValueId>)>> {
        let size = self.fixed_size(inner, span)?;
        if let Some(axis) = at.as_axis() {
            let (quotient, remainder) = (Term::Quotient(axis, size), Term::Remainder(axis, size));
            return Ok(vec![(outer, Affine::term(quotient)), (inner, Affine::term(remainder))]);
        }
        let quotient = self.values().divide_affine(at, size, true);
        let remainder = self.values().divide_affine(at, size, false);
        Ok(vec![(outer, quotient), (inner, remainder)])
    }
}

fn axes_text(size: Option<i64>) -> String {
    size.map_or("an unknown number of".into(), |size| size.to_string())
}
