//! Intervals of whole numbers: how far a position that is read may be away.

/// Lowest and highest; absent: without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The lowest.
    pub low: Option<i64>,
    /// The highest.
    pub high: Option<i64>,
}

impl Interval {
    /// Nothing but 0.
    pub const POINT: Interval = Interval { low: Some(0), high: Some(0) };

    /// Moved by a number.
    pub fn shifted(self, by: i64) -> Interval {
        Interval { low: self.low.map(|low| low + by), high: self.high.map(|high| high + by) }
    }

    /// All sums of a number of each.
    pub fn plus(self, other: Interval) -> Interval {
        let sum = |a: Option<i64>, b: Option<i64>| Some(a? + b?);
        Interval { low: sum(self.low, other.low), high: sum(self.high, other.high) }
    }

    /// Whether some number lies in both.
    pub fn meets(self, other: Interval) -> bool {
        let below = |high: Option<i64>, low: Option<i64>| matches!((high, low), (Some(high), Some(low)) if high < low);
        !below(self.high, other.low) && !below(other.high, self.low)
    }

    /// Whether every number lies in another.
    pub fn within(self, other: Interval) -> bool {
        let low = other.low.is_none_or(|outer| self.low.is_some_and(|inner| inner >= outer));
        low && other.high.is_none_or(|outer| self.high.is_some_and(|inner| inner <= outer))
    }

    /// The numbers in both.
    pub fn and(self, other: Interval) -> Interval {
        let low = self.low.into_iter().chain(other.low).max();
        Interval { low, high: self.high.into_iter().chain(other.high).min() }
    }
}
