//! What a token costs in rows of different lengths: flat for a recurrence, growing with what attention looks back on.

use super::{Figure, Limit, decode, train};
use crate::error::Result;
use crate::model::Loaded;
use std::fmt;

/// What is measured in rows of each length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Training on as many tokens as one row of the longest has.
    Train,
    /// Decoding one row after a prompt of the length.
    Decode,
}

/// What a token of one work costs in rows of one length.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// What was measured.
    pub work: Work,
    /// Seconds that a token takes.
    pub seconds: f64,
    /// The same, of what a token takes in rows of the first length.
    pub relative: f64,
    /// The share of the machine's limit that this is.
    pub share: Figure,
}

/// One length, and what was measured in rows of it.
#[derive(Debug, Clone)]
pub struct Length {
    /// Positions of a row.
    pub positions: usize,
    /// One for each work.
    pub costs: Vec<Cost>,
}

impl fmt::Display for Length {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "  {:6} positions", self.positions)?;
        self.costs.iter().try_for_each(|cost| write!(text, "   {cost}"))
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = match self.work {
            Work::Train => "train",
            Work::Decode => "decode",
        };
        let (micros, relative, share) = (1e6 * self.seconds, self.relative, 100.0 * self.share.median);
        write!(text, "{work} {micros:9.1} µs a token = {relative:5.2} × the first, {share:5.1} % of the limit")
    }
}

/// Measures rows of each length, one length after the other; `hear` is told of each as soon as it is measured, and says
/// whether to go on.
///
/// # Errors
/// If there is not enough memory for the longest, or what `hear` reports.
pub fn measure_lengths(
    model: &mut Loaded,
    works: &[Work],
    lengths: &[usize],
    pairs: usize,
    hear: &mut dyn FnMut(&Length) -> Result<bool>,
) -> Result<()> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let mut first = vec![None; works.len()];
    for positions in lengths.iter().copied() {
        let mut costs = Vec::with_capacity(works.len());
        for (work, first) in works.iter().zip(&mut first) {
            let (seconds, share) = seconds_of(model, *work, (longest / positions, positions), pairs)?;
            let relative = seconds / *first.get_or_insert(seconds);
            costs.push(Cost { work: *work, seconds, relative, share });
        }
        if !hear(&Length { positions, costs })? {
            break;
        }
    }
    Ok(())
}

/// The seconds of a token, and their share of the limit.
fn seconds_of(model: &mut Loaded, work: Work, (rows, length): (usize, usize), pairs: usize) -> Result<(f64, Figure)> {
    let (([rate, _, share], unit), tokens) = match work {
        Work::Train => (train(model, (rows, length), pairs, &mut Limit)?, rows * length),
        Work::Decode => (decode(model, length, pairs, &mut Limit)?, 1),
    };
    Ok((unit / rate.median / tokens as f64, share))
}
