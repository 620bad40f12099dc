//! Presence: at which positions a value exists, as a conjunction of relations in a few recognised forms.
//!
//! Relations stay data from the checker to the plan, so that loop bounds, cache sizes and proofs can be read off
//! them; they become truth values only where a kernel has nothing better.

use super::AxisId;

/// A whole number that is linear in coordinates and in values that have fewer axes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Affine<V> {
    /// Terms and their coefficients; no term twice, no coefficient zero.
    pub terms: Vec<(Term<V>, i64)>,
    /// The constant.
    pub constant: i64,
}

/// One term of an [`Affine`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Term<V> {
    /// The coordinate along an axis.
    Axis(AxisId),
    /// The coordinate over a positive number, rounded down.
    Quotient(AxisId, i64),
    /// The remainder of the coordinate by a positive number.
    Remainder(AxisId, i64),
    /// A value of type int or bool: an index, a row's length, the turn of a region.
    Value(V),
}

impl<V: Clone + PartialEq> Affine<V> {
    /// A constant.
    pub fn number(constant: i64) -> Affine<V> {
        Affine { terms: Vec::new(), constant }
    }

    /// One term alone.
    pub fn term(term: Term<V>) -> Affine<V> {
        Affine { terms: vec![(term, 1)], constant: 0 }
    }

    /// The coordinate along an axis.
    pub fn axis(axis: AxisId) -> Affine<V> {
        Affine::term(Term::Axis(axis))
    }

    /// A value.
    pub fn value(value: V) -> Affine<V> {
        Affine::term(Term::Value(value))
    }

    /// `self + factor · other`.
    pub fn plus(&self, other: &Affine<V>, factor: i64) -> Affine<V> {
        let mut sum = self.clone();
        sum.constant += factor * other.constant;
        for (term, coefficient) in &other.terms {
            match sum.terms.iter_mut().find(|(known, _)| known == term) {
                Some((_, known)) => *known += factor * coefficient,
                None => sum.terms.push((term.clone(), factor * coefficient)),
            }
        }
        sum.terms.retain(|(_, coefficient)| *coefficient != 0);
        sum
    }

    /// The axis, if it is the bare coordinate of one.
    pub fn as_axis(&self) -> Option<AxisId> {
        match (self.terms.as_slice(), self.constant) {
            ([(Term::Axis(axis), 1)], 0) => Some(*axis),
            _ => None,
        }
    }

    /// The axes whose coordinates it reads.
    pub fn axes(&self) -> impl Iterator<Item = AxisId> {
        self.terms.iter().filter_map(|(term, _)| match term {
            Term::Axis(axis) | Term::Quotient(axis, _) | Term::Remainder(axis, _) => Some(*axis),
            Term::Value(_) => None,
        })
    }

    /// The values that it reads.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.terms.iter().filter_map(|(term, _)| match term {
            Term::Value(value) => Some(value),
            _ => None,
        })
    }

    /// The same with axes renamed.
    pub fn map_axes(&self, name: impl Fn(AxisId) -> AxisId) -> Affine<V> {
        let mut renamed = Affine::number(self.constant);
        for (term, coefficient) in &self.terms {
            let term = match term {
                Term::Axis(axis) => Term::Axis(name(*axis)),
                Term::Quotient(axis, by) => Term::Quotient(name(*axis), *by),
                Term::Remainder(axis, by) => Term::Remainder(name(*axis), *by),
                Term::Value(value) => Term::Value(value.clone()),
            };
            renamed = renamed.plus(&Affine::term(term), *coefficient);
        }
        renamed
    }

    /// The same with every value replaced.
    pub fn map_values<W: Clone + PartialEq>(&self, mut change: impl FnMut(&V) -> W) -> Affine<W> {
        let terms = self.terms.iter().map(|(term, coefficient)| {
            let term = match term {
                Term::Axis(axis) => Term::Axis(*axis),
                Term::Quotient(axis, by) => Term::Quotient(*axis, *by),
                Term::Remainder(axis, by) => Term::Remainder(*axis, *by),
                Term::Value(value) => Term::Value(change(value)),
            };
            (term, *coefficient)
        });
        Affine { terms: terms.collect(), constant: self.constant }
    }
}

/// One relation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Relation<V> {
    /// `affine >= 0`: causal, window, prefix, in range.
    AtLeastZero(Affine<V>),
    /// The coordinate equals an index: one-hot, gather.
    Equal(AxisId, V),
    /// `rank < bound`: the chosen few. The first value is a rank along `axes`.
    Below {
        /// A value made by a rank.
        rank: V,
        /// Of type int.
        bound: V,
    },
    /// A bool holds: padding, a chosen token, anything that has no better form.
    Holds(V),
}

impl<V> Relation<V> {
    /// The values that it reads.
    pub fn values(&self) -> Vec<&V> {
        match self {
            Relation::AtLeastZero(affine) => affine
                .terms
                .iter()
                .filter_map(|(term, _)| if let Term::Value(value) = term { Some(value) } else { None })
                .collect(),
            Relation::Equal(_, value) | Relation::Holds(value) => vec![value],
            Relation::Below { rank, bound } => vec![rank, bound],
        }
    }
}

impl<V: Clone + PartialEq> Relation<V> {
    /// The same with every value replaced.
    pub fn map_values<W: Clone + PartialEq>(&self, mut change: impl FnMut(&V) -> W) -> Relation<W> {
        match self {
            Relation::AtLeastZero(affine) => Relation::AtLeastZero(affine.map_values(change)),
            Relation::Equal(axis, value) => Relation::Equal(*axis, change(value)),
            Relation::Below { rank, bound } => Relation::Below { rank: change(rank), bound: change(bound) },
            Relation::Holds(value) => Relation::Holds(change(value)),
        }
    }
}

/// Where a value is present: all relations hold. Without any it is present everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Presence<V> {
    /// No relation twice.
    pub relations: Vec<Relation<V>>,
}

impl<V> Default for Presence<V> {
    fn default() -> Presence<V> {
        Presence { relations: Vec::new() }
    }
}

impl<V: Clone + PartialEq> Presence<V> {
    /// Present everywhere.
    pub fn always() -> Presence<V> {
        Presence::default()
    }

    /// Whether it is present everywhere.
    pub fn is_always(&self) -> bool {
        self.relations.is_empty()
    }

    /// Where both hold.
    pub fn and(&self, other: &Presence<V>) -> Presence<V> {
        let mut both = self.clone();
        for relation in &other.relations {
            both.require(relation.clone());
        }
        both
    }

    /// Adds a relation, unless it is there.
    pub fn require(&mut self, relation: Relation<V>) {
        if !self.relations.contains(&relation) {
            self.relations.push(relation);
        }
    }

    /// The same with every value replaced.
    pub fn map_values<W: Clone + PartialEq>(&self, mut change: impl FnMut(&V) -> W) -> Presence<W> {
        Presence { relations: self.relations.iter().map(|relation| relation.map_values(&mut change)).collect() }
    }
}
