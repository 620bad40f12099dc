//! Pairs of probe and work.

use crate::error::Result;
use crate::interrupt;

/// A median and the middle half around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Half of the values are below.
    pub median: f64,
    /// A quarter of the values are below.
    pub low: f64,
    /// A quarter of the values are above.
    pub high: f64,
}

impl Figure {
    /// The figure of some values; all zero if there are none.
    pub fn of(mut values: Vec<f64>) -> Figure {
        values.sort_by(f64::total_cmp);
        let at = |part: f64| values.get(((values.len() as f64 - 1.0) * part).round() as usize).copied().unwrap_or(0.0);
        Figure { median: at(0.5), low: at(0.25), high: at(0.75) }
    }
}

/// Measures rates by turns: the work's, the limit's, and what share of the limit the work reaches, pair by pair.
/// One more pair runs first and is not counted: it brings memory and caches into being.
///
/// # Errors
/// Whatever the work reports.
pub fn measure(
    pairs: usize,
    mut limit: impl FnMut() -> Result<f64>,
    mut work: impl FnMut() -> Result<f64>,
) -> Result<[Figure; 3]> {
    let mut values: [Vec<f64>; 3] = Default::default();
    for pair in 0..=pairs {
        let (limit, work) = (limit()?, work()?);
        if pair > 0 {
            values[0].push(work);
            values[1].push(limit);
            values[2].push(work / limit);
        }
        if interrupt::asked() {
            break;
        }
    }
    Ok(values.map(Figure::of))
}
