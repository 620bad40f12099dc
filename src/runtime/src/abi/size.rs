//! Sizes that are known when a program starts: numbers, symbols and arithmetic on them. What is too large for any memory
//! stays the largest number, and is refused when memory is asked for.

use serde::{Deserialize, Serialize};

/// A whole number that may depend on run-time sizes (batch, sequence lengths, …).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Size {
    /// A number known when the model was compiled.
    Constant(i64),
    /// The value of a size symbol, by its place in the program's list of symbols.
    Symbol(usize),
    /// The sum of all terms.
    Sum(Vec<Size>),
    /// The product of all factors.
    Product(Vec<Size>),
    /// The first over the second, rounded up.
    CeilDivide(Box<Size>, Box<Size>),
    /// The larger of the two.
    Max(Box<Size>, Box<Size>),
    /// The smaller of the two.
    Min(Box<Size>, Box<Size>),
}

impl Size {
    /// The value under the given values of the symbols.
    pub fn evaluate(&self, symbols: &[i64]) -> i64 {
        match self {
            Size::Constant(value) => *value,
            Size::Symbol(index) => symbols[*index],
            Size::Sum(terms) => terms.iter().map(|term| term.evaluate(symbols)).sum(),
            Size::Product(factors) => {
                factors.iter().map(|factor| factor.evaluate(symbols)).fold(1, i64::saturating_mul)
            }
            Size::CeilDivide(over, under) => {
                let under = under.evaluate(symbols);
                (over.evaluate(symbols) + under - 1).div_euclid(under)
            }
            Size::Max(left, right) => left.evaluate(symbols).max(right.evaluate(symbols)),
            Size::Min(left, right) => left.evaluate(symbols).min(right.evaluate(symbols)),
        }
    }

    /// The value, if it does not depend on any symbol.
    pub fn constant(&self) -> Option<i64> {
        match self {
            Size::Constant(value) => Some(*value),
            Size::Symbol(_) => None,
            Size::Sum(terms) => terms.iter().map(Size::constant).sum(),
            Size::Product(factors) => {
                factors.iter().try_fold(1_i64, |product, factor| Some(product.saturating_mul(factor.constant()?)))
            }
            Size::CeilDivide(over, under) => {
                let under = under.constant()?;
                Some((over.constant()? + under - 1).div_euclid(under))
            }
            Size::Max(left, right) => Some(left.constant()?.max(right.constant()?)),
            Size::Min(left, right) => Some(left.constant()?.min(right.constant()?)),
        }
    }

    /// The sum of two sizes, folded where both are constant.
    pub fn plus(self, other: Size) -> Size {
        match (self, other) {
            (Size::Constant(left), Size::Constant(right)) => Size::Constant(left.saturating_add(right)),
            (Size::Constant(0), other) | (other, Size::Constant(0)) => other,
            // One list, however many are added: a sum in a sum in a sum cannot be read back.
            (Size::Sum(mut terms), Size::Sum(more)) => {
                terms.extend(more);
                Size::Sum(terms)
            }
            (Size::Sum(mut terms), other) => {
                terms.push(other);
                Size::Sum(terms)
            }
            (left, right) => Size::Sum(vec![left, right]),
        }
    }

    /// The product of two sizes, folded where possible.
    pub fn times(self, other: Size) -> Size {
        match (self, other) {
            (Size::Constant(left), Size::Constant(right)) => Size::Constant(left.saturating_mul(right)),
            (Size::Constant(1), other) | (other, Size::Constant(1)) => other,
            (Size::Constant(0), _) | (_, Size::Constant(0)) => Size::Constant(0),
            (Size::Product(mut factors), other) => {
                factors.push(other);
                Size::Product(factors)
            }
            (left, right) => Size::Product(vec![left, right]),
        }
    }
}

impl From<i64> for Size {
    fn from(value: i64) -> Size {
        Size::Constant(value)
    }
}
