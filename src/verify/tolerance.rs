//! How far a number may be from the reference: all rules, in one place.
//!
//! | quantity | allowed |
//! |---|---|
//! | logits, hidden states, other values, logits of the decode | max(2e-5, 10 × change under one-ulp weights), absolute |
//! | loss | 1e-5 relative |
//! | a gradient | 1e-4 × its largest entry + 1e-6 |
//! | a gradient's norm | 1e-4 relative + 1e-6 |
//! | losses on the way | 1e-4 relative; 1e-3 where a choice by rank is closer than 1e-3 |

use super::array::Array;
use super::case::Answers;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Logits, hidden states and other values of the forward program.
    Values,
    /// The mean loss.
    Loss,
    /// The gradient of one weight.
    Gradient,
    /// Norms of gradients.
    Norms,
    /// Losses along training steps.
    Losses,
    /// Token ids.
    Ids,
}

/// The largest disagreement, judged by what is allowed at its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// The error at the worst place.
    pub error: f64,
    /// What is allowed there.
    pub allowed: f64,
    /// The place, row-major.
    pub place: usize,
}

impl Distance {
    /// Whether it is allowed. What is not a number never is.
    pub fn is_allowed(&self) -> bool {
        self.error <= self.allowed
    }

    fn ratio(&self) -> f64 {
        match (self.error.is_nan(), self.allowed > 0.0) {
            (true, _) => f64::INFINITY,
            (false, true) => self.error / self.allowed,
            (false, false) if self.error == 0.0 => 0.0,
            (false, false) => f64::INFINITY,
        }
    }
}

/// The worst place of two arrays of one shape.
pub fn distance(quantity: Quantity, actual: &Array, reference: &Array, answers: &Answers) -> Distance {
    let largest = reference.largest();
    let pairs = actual.data.iter().zip(&reference.data).enumerate();
    let distances = pairs.map(|(place, (actual, expected))| Distance {
        error: (actual - expected).abs(),
        allowed: allowed(quantity, *expected, largest, answers),
        place,
    });
    let nothing = Distance { error: 0.0, allowed: allowed(quantity, 0.0, largest, answers), place: 0 };
    distances.fold(nothing, |worst, next| if next.ratio() > worst.ratio() { next } else { worst })
}

/// What is allowed at an entry of the reference, in a tensor of this largest entry.
fn allowed(quantity: Quantity, expected: f64, largest: f64, answers: &Answers) -> f64 {
    match quantity {
        Quantity::Values => f64::max(2e-5, 10.0 * answers.noise.one_ulp_weights),
        Quantity::Loss => 1e-5 * expected.abs(),
        Quantity::Gradient => 1e-4 * largest + 1e-6,
        Quantity::Norms => 1e-4 * expected.abs() + 1e-6,
        Quantity::Losses if answers.min_selection_gap.is_some_and(|gap| gap < 1e-3) => 1e-3 * expected.abs(),
        Quantity::Losses => 1e-4 * expected.abs(),
        Quantity::Ids => 0.0,
    }
}
