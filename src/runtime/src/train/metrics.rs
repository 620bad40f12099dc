//! The curve on disk: one CSV line for each look at the training.

use crate::error::{Error, Result};
use crate::files;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The first line. What depends on the clock stands last.
const HEADER: &str = "step,tokens,loss,validation,right,learning_rate,gradient_norm,tokens_per_second\n";

/// One look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Steps taken.
    pub step: u64,
    /// Tokens predicted since the start.
    pub tokens: u64,
    /// The loss of the last step's batches, in nats.
    pub loss: f64,
    /// The validation loss, if it was looked at.
    pub validation: Option<f64>,
    /// The share of a task's answers that are right, if they were looked at.
    pub right: Option<f64>,
    /// The learning rate of the step.
    pub rate: f64,
    /// The norm of the gradients before clipping.
    pub norm: f64,
    /// Tokens per second since the last row.
    pub speed: f64,
}

/// The open file.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
}

impl Metrics {
    /// Opens the file and drops what a training that was killed had written past the step that it goes on from.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn open(path: &Path, step: u64) -> Result<Metrics> {
        let old = if step == 0 { String::new() } else { std::fs::read_to_string(path).unwrap_or_default() };
        let kept = old.lines().skip(1).filter(|line| row_of(line).is_some_and(|row| row.step <= step));
        let text: String = std::iter::once(HEADER.to_owned()).chain(kept.map(|line| format!("{line}\n"))).collect();
        files::replace_with(path, text.as_bytes())?;
        let file = OpenOptions::new().append(true).open(path).map_err(|cause| Error::file("open", path, &cause))?;
        Ok(Metrics { path: path.to_owned(), file })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, row: &Row) -> Result<()> {
        let [validation, right] = [row.validation, row.right].map(|number| number.map(|number| format!("{number:?}")));
        let (validation, right) = (validation.unwrap_or_default(), right.unwrap_or_default());
        let Row { step, tokens, loss, rate, norm, speed, .. } = row;
        let line = format!("{step},{tokens},{loss:?},{validation},{right},{rate:?},{norm:?},{speed:.1}\n");
        self.file.write_all(line.as_bytes()).map_err(|cause| Error::file("write", &self.path, &cause))
    }
}

/// The rows of a file. What a kill has cut off is passed over.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).map_err(|cause| Error::file("read the curve", path, &cause))?;
    Ok(text.lines().skip(1).filter_map(row_of).collect())
}

/// A line of the file; none for one that was cut off.
fn row_of(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split(',').collect();
    let [step, tokens, loss, validation, right, rate, norm, speed] = fields.try_into().ok()?;
    let number = |field: &str| field.parse().ok();
    Some(Row {
        step: step.parse().ok()?,
        tokens: tokens.parse().ok()?,
        loss: number(loss)?,
        validation: number(validation),
        right: number(right),
        rate: number(rate)?,
        norm: number(norm)?,
        speed: number(speed)?,
    })
}
