//! What is known of whole numbers: their affine form, their interval, and proofs from both.

use super::{Values, single};
use crate::model::values::{Value, ValueId, ValueKind};
use crate::tensor::{Affine, AxisId, DType, Extent, Function, Presence, Relation, Term};

/// What is known of one value.
#[derive(Debug, Clone, Default)]
pub struct Fact {
    /// Its affine form; absent: the value itself.
    pub affine: Option<Affine<ValueId>>,
    /// The least that it can be.
    pub low: Option<i64>,
    /// The most that it can be.
    pub high: Option<i64>,
}

type Interval = (Option<i64>, Option<i64>);

impl Values {
    /// The affine form of an int or bool.
    pub fn affine(&self, id: ValueId) -> Affine<ValueId> {
        self.facts[id.0 as usize].affine.clone().unwrap_or_else(|| Affine::value(id))
    }

    /// The interval of a value that is a whole number.
    pub fn interval_of(&self, id: ValueId) -> Interval {
        let fact = &self.facts[id.0 as usize];
        (fact.low, fact.high)
    }

    /// What follows from how a value is made.
    pub(super) fn fact_of(&self, value: &Value, id: ValueId) -> Fact {
        if value.ty.dtype.is_real() {
            return Fact::default();
        }
        let affine = self.affine_of(&value.kind);
        let (mut low, mut high) = match &affine {
            Some(affine) => self.interval(affine),
            None => self.interval_of_kind(&value.kind),
        };
        if value.ty.dtype == DType::Bool {
            (low, high) = (Some(low.unwrap_or(0).max(0)), Some(high.unwrap_or(1).min(1)));
        }
        if let Some(axis) = value.index_of {
            let (least, most) = self.coordinates(axis);
            low = low.max(least);
            high = most.map_or(high, |most| Some(high.map_or(most, |high| high.min(most))));
        }
        let _ = id;
        if let Some(affine) = &affine {
            (low, high) = within_presence(&value.presence, affine, (low, high));
        }
        Fact { affine, low, high }
    }

    /// The interval of a coordinate.
    fn coordinates(&self, axis: AxisId) -> Interval {
        match self.axes.fixed(axis) {
            Some(size) => (Some(0), Some(size - 1)),
            None => (Some(0), self.limits.get(&self.axes[axis].class).map(|limit| limit - 1)),
        }
    }

    fn affine_of(&self, kind: &ValueKind) -> Option<Affine<ValueId>> {
        match kind {
            ValueKind::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(Affine::number(*number as i64))
            }
            ValueKind::Coordinate(axis) => Some(Affine::axis(*axis)),
            ValueKind::Broadcast(x) | ValueKind::Where(x) | ValueKind::Stop(x) => Some(self.affine(*x)),
            ValueKind::Scalar(function, operands) => self.affine_of_scalar(*function, operands),
            _ => None,
        }
    }

    fn affine_of_scalar(&self, function: Function, operands: &[ValueId]) -> Option<Affine<ValueId>> {
        let forms = operands.iter().map(|operand| self.affine(*operand)).collect::<Vec<_>>();
        let constant = |form: &Affine<ValueId>| form.terms.is_empty().then_some(form.constant);
        match function {
            Function::Add => Some(forms[0].plus(&forms[1], 1)),
            Function::Subtract => Some(forms[0].plus(&forms[1], -1)),
            Function::Negate => Some(Affine::number(0).plus(&forms[0], -1)),
            Function::ToInt if !self.dtype(operands[0]).is_real() => Some(forms[0].clone()),
            Function::Multiply => match (constant(&forms[0]), constant(&forms[1])) {
                (Some(factor), _) => Some(Affine::number(0).plus(&forms[1], factor)),
                (_, Some(factor)) => Some(Affine::number(0).plus(&forms[0], factor)),
                _ => None,
            },
            Function::FloorDivide | Function::Remainder => {
                let by = constant(&forms[1]).filter(|by| *by > 0)?;
                let axis = forms[0].as_axis()?;
                Some(Affine::term(if function == Function::Remainder {
                    Term::Remainder(axis, by)
                } else {
                    Term::Quotient(axis, by)
                }))
            }
            _ => None,
        }
    }

    fn interval_of_kind(&self, kind: &ValueKind) -> Interval {
        match kind {
            ValueKind::Table(numbers) => {
                let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
                let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                (Some(least as i64), Some(most as i64))
            }
            ValueKind::Length(axis) => (Some(1), self.limits.get(&self.axes[*axis].class).copied()),
            ValueKind::Setting(_) => (Some(0), None),
            ValueKind::Rank(..) => (Some(0), None),
            ValueKind::Index(x, _) | ValueKind::Peek(x) => self.interval_of(*x),
            ValueKind::Else(x, y) => {
                let (left, right) = (self.interval_of(*x), self.interval_of(*y));
                (both(left.0, right.0, i64::min), both(left.1, right.1, i64::max))
            }
            ValueKind::Scalar(function, operands) => self.interval_of_scalar(*function, operands),
            _ => (None, None),
        }
    }

    fn interval_of_scalar(&self, function: Function, operands: &[ValueId]) -> Interval {
        let intervals = operands.iter().map(|operand| self.interval_of(*operand)).collect::<Vec<_>>();
        match (function, intervals.as_slice()) {
            (Function::Minimum, [a, b]) => (both(a.0, b.0, i64::min), either(a.1, b.1, i64::min)),
            (Function::Maximum, [a, b]) => (either(a.0, b.0, i64::max), both(a.1, b.1, i64::max)),
            (Function::Remainder, [_, (Some(low), high)]) if *low > 0 => (Some(0), high.map(|high| high - 1)),
            (Function::FloorDivide, [(Some(low), high), (Some(by), _)]) if *low >= 0 && *by > 0 => (Some(0), *high),
            (Function::Absolute, [(Some(low), high)]) if *low >= 0 => (Some(*low), *high),
            (Function::Absolute, _) => (Some(0), None),
            (Function::Sign, _) => (Some(-1), Some(1)),
            (Function::Multiply, [(Some(a), high_a), (Some(b), high_b)]) if *a >= 0 && *b >= 0 => {
                (Some(a * b), both(*high_a, *high_b, |x, y| x * y))
            }
            _ => (None, None),
        }
    }

    /// The interval of an affine.
    pub fn interval(&self, affine: &Affine<ValueId>) -> Interval {
        let (mut low, mut high) = (Some(affine.constant), Some(affine.constant));
        for (term, factor) in &affine.terms {
            let (least, most) = self.interval_of_term(term);
            let (least, most) = if *factor >= 0 { (least, most) } else { (most, least) };
            low = both(low, least, |sum, bound| sum + factor * bound);
            high = both(high, most, |sum, bound| sum + factor * bound);
        }
        (low, high)
    }

    fn interval_of_term(&self, term: &Term<ValueId>) -> Interval {
        match term {
            Term::Axis(axis) => self.coordinates(*axis),
            Term::Quotient(axis, by) => (Some(0), self.coordinates(*axis).1.map(|most| most / by)),
            Term::Remainder(axis, by) => {
                let most = self.coordinates(*axis).1.map_or(by - 1, |most| most.min(by - 1));
                (Some(0), Some(most))
            }
            Term::Value(value) => self.interval_of(*value),
        }
    }

    /// The axis that a term is a position of: a coordinate, or a value that is an index.
    pub fn position_of(&self, term: &Term<ValueId>) -> Option<AxisId> {
        match term {
            Term::Axis(axis) => Some(*axis),
            Term::Value(value) => self.value(*value).index_of,
            _ => None,
        }
    }

    /// The number of positions of an axis in terms of lengths and settings.
    pub fn length_form(&mut self, axis: AxisId) -> Affine<ValueId> {
        match self.axes[axis].extent.clone() {
            Extent::Fixed(size) => Affine::number(size),
            Extent::Computed { lengths, settings, constant } => {
                let mut form = Affine::number(constant);
                for (other, factor) in lengths {
                    let length = self.length_form(other);
                    form = form.plus(&length, factor);
                }
                for (name, factor) in settings {
                    let setting = self.setting(&name, DType::Int);
                    form = form.plus(&Affine::value(setting), factor);
                }
                form
            }
            _ => Affine::value(self.length(axis)),
        }
    }

    /// A run-time setting.
    pub fn setting(&mut self, name: &str, dtype: DType) -> ValueId {
        self.emit(super::Draft::new(ValueKind::Setting(name.into()), Vec::new(), dtype))
    }

    /// Whether an affine is at least zero wherever it is read.
    pub fn never_negative(&mut self, affine: &Affine<ValueId>) -> bool {
        if self.interval(affine).0.is_some_and(|low| low >= 0) {
            return true;
        }
        let extreme = self.at_its_least(affine);
        self.interval(&extreme).0.is_some_and(|low| low >= 0)
    }

    /// Positions replaced by the first or the last of their axis, whichever makes the affine least.
    fn at_its_least(&mut self, affine: &Affine<ValueId>) -> Affine<ValueId> {
        let mut least = Affine::number(affine.constant);
        for (term, factor) in &affine.terms {
            match self.position_of(term) {
                Some(axis) if *factor < 0 => {
                    let last = self.length_form(axis).plus(&Affine::number(1), -1);
                    least = least.plus(&last, *factor);
                }
                Some(_) => {}
                None => {
                    let form = match term {
                        Term::Value(value) => match self.value(*value).kind {
                            ValueKind::Length(axis) => self.length_form(axis),
                            _ => Affine::term(term.clone()),
                        },
                        _ => Affine::term(term.clone()),
                    };
                    least = least.plus(&form, *factor);
                }
            }
        }
        least
    }

    /// The relations that say when a place is inside an axis; none where that is proved.
    pub fn range(&mut self, axis: AxisId, place: &Affine<ValueId>) -> Vec<Relation<ValueId>> {
        if let Some(term) = single(place)
            && self.position_of(term).is_some_and(|other| self.axes.alike(axis, other))
        {
            return Vec::new();
        }
        let mut relations = Vec::new();
        if !self.never_negative(place) && !self.beside(axis, place, 1) {
            relations.push(Relation::AtLeastZero(place.clone()));
        }
        let room = self.length_form(axis).plus(&Affine::number(1), -1).plus(place, -1);
        if !self.never_negative(&room) && !self.beside(axis, place, -1) {
            let last = self.length(axis);
            let last = self.affine(last).plus(&Affine::number(1), -1);
            relations.push(Relation::AtLeastZero(last.plus(place, -1)));
        }
        relations
    }

    /// Whether a place is a position of the axis plus something of the given sign.
    fn beside(&self, axis: AxisId, place: &Affine<ValueId>, sign: i64) -> bool {
        place.terms.iter().any(|(term, factor)| {
            let alike = self.position_of(term).is_some_and(|other| self.axes.alike(axis, other));
            let rest = place.plus(&Affine::term(term.clone()), -1);
            let (low, high) = self.interval(&rest);
            *factor == 1 && alike && if sign > 0 { low >= Some(0) } else { high.is_some_and(|high| high <= 0) }
        })
    }

    /// The value of an affine.
    pub fn evaluate(&mut self, affine: &Affine<ValueId>) -> ValueId {
        let mut sum: Option<ValueId> = None;
        for (term, factor) in &affine.terms {
            let value = self.value_of_term(term);
            let scaled = if *factor == 1 {
                value
            } else {
                let factor = self.number(*factor as f64, DType::Int);
                self.scalar(Function::Multiply, &[value, factor])
            };
            sum = Some(match sum {
                Some(sum) => self.scalar(Function::Add, &[sum, scaled]),
                None => scaled,
            });
        }
        let constant = self.number(affine.constant as f64, DType::Int);
        match sum {
            Some(sum) if affine.constant == 0 => sum,
            Some(sum) => self.scalar(Function::Add, &[sum, constant]),
            None => constant,
        }
    }

    fn value_of_term(&mut self, term: &Term<ValueId>) -> ValueId {
        let (axis, by, function) = match term {
            Term::Value(value) => return *value,
            Term::Axis(axis) => return self.coordinate(*axis),
            Term::Quotient(axis, by) => (*axis, *by, Function::FloorDivide),
            Term::Remainder(axis, by) => (*axis, *by, Function::Remainder),
        };
        let (coordinate, by) = (self.coordinate(axis), self.number(by as f64, DType::Int));
        self.scalar(function, &[coordinate, by])
    }
}

/// Combines two bounds where both are known.
fn both(left: Option<i64>, right: Option<i64>, combine: impl Fn(i64, i64) -> i64) -> Option<i64> {
    Some(combine(left?, right?))
}

/// Combines two bounds, of which one suffices.
fn either(left: Option<i64>, right: Option<i64>, combine: impl Fn(i64, i64) -> i64) -> Option<i64> {
    match (left, right) {
        (Some(left), Some(right)) => Some(combine(left, right)),
        (left, right) => left.or(right),
    }
}

/// What is present nowhere else lies within the relations that bound it: `x where x < 8` is at most 7.
fn within_presence(presence: &Presence<ValueId>, affine: &Affine<ValueId>, (low, high): Interval) -> Interval {
    let (mut low, mut high) = (low, high);
    for relation in &presence.relations {
        let Relation::AtLeastZero(form) = relation else { continue };
        let (above, below) = (form.plus(affine, 1), form.plus(affine, -1));
        if above.terms.is_empty() {
            high = Some(high.map_or(above.constant, |high| high.min(above.constant)));
        }
        if below.terms.is_empty() {
            low = low.max(Some(-below.constant));
        }
    }
    (low, high)
}
