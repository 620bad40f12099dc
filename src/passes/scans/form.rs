//! What a value of a body is, as a function of what the loop carries: a sum of products, or nothing that is known.
//!
//! Factors are values of the region that the `for` stands in, computed there for all turns at once. The carried values
//! meant are those from before the turn.

use crate::graph::Value;
use crate::tensor::AxisId;

/// A product: a number, factors that do not depend on what is carried, and what does.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub scale: f64,
    pub factors: Vec<Value>,
    pub base: Base,
}

/// What a term is linear in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Nothing: the term is a constant.
    One,
    /// A carried value, at each of its positions.
    State(usize),
    /// A weighted sum over a carried value.
    Read(usize),
}

/// `Σ over the axes of factors · state`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    pub state: usize,
    pub factors: Vec<Value>,
    pub summed: Vec<AxisId>,
}

/// A value of the body.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// Does not depend on what is carried; the same for all turns at once.
    Free(Value),
    /// A sum of terms.
    Affine(Vec<Term>),
    /// Depends on what is carried in another way: which.
    Later(String),
}

/// More terms than this are not followed.
pub(super) const MOST_TERMS: usize = 12;

impl Term {
    pub fn of(base: Base) -> Term {
        Term { scale: 1.0, factors: Vec::new(), base }
    }

    pub fn factor(value: Value) -> Term {
        Term { factors: vec![value], ..Term::of(Base::One) }
    }

    /// The product with a term that is constant.
    pub fn times(&self, other: &Term) -> Term {
        let base = if self.base == Base::One { other.base } else { self.base };
        let factors = self.factors.iter().chain(&other.factors).copied().collect();
        Term { scale: self.scale * other.scale, factors, base }
    }
}

/// The products of all pairs.
pub(super) fn product(left: &[Term], right: &[Term]) -> Vec<Term> {
    left.iter().flat_map(|left| right.iter().map(move |right| left.times(right))).collect()
}

/// The terms times a number.
pub(super) fn scaled(mut terms: Vec<Term>, by: f64) -> Vec<Term> {
    terms.iter_mut().for_each(|term| term.scale *= by);
    terms
}

/// Terms with equal factors and base become one; what cancels is gone.
pub(super) fn collected(terms: Vec<Term>) -> Vec<Term> {
    let mut sums: Vec<Term> = Vec::new();
    for mut term in terms {
        term.factors.sort_unstable();
        match sums.iter_mut().find(|known| known.base == term.base && known.factors == term.factors) {
            Some(known) => known.scale += term.scale,
            None => sums.push(term),
        }
    }
    sums.retain(|term| term.scale != 0.0);
    sums
}
