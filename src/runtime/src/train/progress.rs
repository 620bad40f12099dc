//! The line that a person watches: on a terminal it moves, elsewhere it is one plain line for each look.

use super::metrics::Row;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr};

/// Where progress is shown.
#[derive(Debug)]
pub enum ProgressLine {
    /// Nowhere.
    Silent,
    /// One line after the other.
    Plain {
        /// The last step.
        steps: u64,
        /// Since when.
        since: std::time::Instant,
        /// The step at the start.
        first: u64,
    },
    /// A line that moves.
    Live(ProgressBar),
}

impl ProgressLine {
    /// A line for a training from one step to another, live if standard error is a terminal.
    pub fn new(first: u64, steps: u64) -> ProgressLine {
        if !stderr().is_terminal() {
            return ProgressLine::Plain { steps, since: std::time::Instant::now(), first };
        }
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:24} step {pos}/{len}  {msg}  ETA {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_position(first);
        bar.reset_eta();
        ProgressLine::Live(bar)
    }

    /// Shows a look at the training.
    pub fn show(&self, row: &Row) {
        let text = format!("loss {:.4}  {:.0} tokens/s", row.loss, row.speed);
        match self {
            ProgressLine::Silent => {}
            ProgressLine::Plain { steps, since, first } => {
                let left = since.elapsed().as_secs_f64() / (row.step - first).max(1) as f64 * (steps - row.step) as f64;
                eprintln!("step {}/{steps}  {text}  ETA {left:.0} s{}", row.step, validation_of(row));
            }
            ProgressLine::Live(bar) => {
                bar.set_position(row.step);
                bar.set_message(text);
                if row.validation.is_some() {
                    bar.println(format!("step {}  loss {:.4}{}", row.step, row.loss, validation_of(row)));
                }
            }
        }
    }

    /// Says what takes time besides training.
    pub fn say_busy(&self, what: &str) {
        if let ProgressLine::Live(bar) = self {
            bar.set_message(format!("{what} …"));
        }
    }

    /// Leaves the line as it is and moves on.
    pub fn finish(&self) {
        if let ProgressLine::Live(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn validation_of(row: &Row) -> String {
    let loss = row.validation.map(|loss| format!("  validation {loss:.4}")).unwrap_or_default();
    let right = row.right.map(|share| format!("  right {:.1} %", 100.0 * share)).unwrap_or_default();
    loss + &right
}
