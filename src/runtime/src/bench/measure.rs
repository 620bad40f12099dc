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

    /// The figure of values so many times as large.
    pub fn times(self, factor: f64) -> Figure {
        Figure { median: factor * self.median, low: factor * self.low, high: factor * self.high }
    }
}

/// What a work is measured beside, turn about with it.
pub trait Beside {
    /// The rate that the next piece of work is compared with; `probe` measures the machine's own limit.
    ///
    /// # Errors
    /// If it cannot be had.
    fn rate(&mut self, probe: &mut dyn FnMut() -> Result<f64>) -> Result<f64>;

    /// Hears the rate of the work.
    ///
    /// # Errors
    /// If it cannot be passed on.
    fn hear(&mut self, _work: f64) -> Result<()> {
        Ok(())
    }
}

/// The limit of the machine.
#[derive(Debug)]
pub struct Limit;

impl Beside for Limit {
    fn rate(&mut self, probe: &mut dyn FnMut() -> Result<f64>) -> Result<f64> {
        probe()
    }
}

/// Measures rates by turns: the work's, the one beside it, and what share of that the work reaches, pair by pair.
/// One more pair runs first and is not counted: it brings memory and caches into being.
///
/// # Errors
/// Whatever the work reports.
pub fn measure(
    pairs: usize,
    beside: &mut dyn Beside,
    mut probe: impl FnMut() -> Result<f64>,
    mut work: impl FnMut() -> Result<f64>,
) -> Result<[Figure; 3]> {
    let mut values: [Vec<f64>; 3] = Default::default();
    for pair in 0..=pairs {
        let limit = beside.rate(&mut probe)?;
        let work = work()?;
        beside.hear(work)?;
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
