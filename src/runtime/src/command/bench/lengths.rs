//! What a token costs in rows of different lengths: flat for a recurrence, growing with what attention looks back on.

use super::Options;
use crate::abi::names;
use crate::bench::{Figure, Limit, decode, train};
use crate::command::options::print;
use crate::error::Result;
use crate::interrupt;
use crate::model::Loaded;

/// Seconds that a token takes, and the share of the machine's limit that this is.
struct Cost {
    seconds: f64,
    share: Figure,
}

/// One line for each length. Every length trains on the same number of tokens, those of one row of the longest; a
/// token is decoded after a prompt of each length.
///
/// # Errors
/// If there is not enough memory for the longest.
pub fn measure_lengths(model: &mut Loaded, options: &Options) -> Result<()> {
    let longest = options.lengths.iter().copied().max().unwrap_or(0);
    let mut first = [None, None];
    for length in &options.lengths {
        let mut line = format!("  {length:6} positions");
        for (place, (work, program)) in [("train", names::TRAIN), ("decode", names::STEP)].into_iter().enumerate() {
            if super::wanted(model, options, work, program) {
                let cost = cost(model, options, work, (longest / length, *length))?;
                let relative = cost.seconds / *first[place].get_or_insert(cost.seconds);
                line += &describe(work, &cost, relative);
            }
        }
        if interrupt::asked() {
            break;
        }
        print(&format!("{line}\n"))?;
    }
    Ok(())
}

/// What a token of one work costs in rows of one length.
fn cost(model: &mut Loaded, options: &Options, work: &str, (rows, length): (usize, usize)) -> Result<Cost> {
    let ([rate, _, share], unit, tokens) = match work {
        "train" => {
            let (figures, operations) = train(model, (rows, length), options.pairs, &mut Limit)?;
            (figures, operations, rows * length)
        }
        _ => {
            let (figures, bytes) = decode(model, length, options.pairs, &mut Limit)?;
            (figures, bytes, 1)
        }
    };
    Ok(Cost { seconds: unit / rate.median / tokens as f64, share })
}

fn describe(work: &str, cost: &Cost, relative: f64) -> String {
    let (micros, share) = (1e6 * cost.seconds, 100.0 * cost.share.median);
    format!("   {work} {micros:9.1} µs a token = {relative:5.2} × the first, {share:5.1} % of the limit")
}
