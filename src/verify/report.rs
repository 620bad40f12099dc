//! One line for each quantity: largest error, what is allowed, verdict.

use super::array::Array;
use super::case::Answers;
use super::tolerance::{Distance, Quantity, distance};
use std::fmt;

/// What came out of one comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Within what is allowed.
    Agrees(Distance),
    /// Not within it.
    Differs(Distance),
    /// The shapes cannot be compared, or the program has no such number.
    Wrong(String),
    /// There is nothing to compare, and that is as it should be.
    Nothing(String),
    /// The case holds it and nothing computes it.
    NotChecked(String),
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The quantity, as the case names it.
    pub name: String,
    /// What came out.
    pub verdict: Verdict,
    /// More words: the worst weight, how many there are.
    pub note: String,
}

/// All lines of one run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// In the order in which they were computed.
    pub lines: Vec<Line>,
}

impl Report {
    /// Compares one tensor.
    pub fn compare(&mut self, name: &str, quantity: Quantity, actual: &Array, reference: &Array, answers: &Answers) {
        let verdict = match elements_match(actual, reference) {
            true => judge(distance(quantity, actual, reference, answers)),
            false => Verdict::Wrong(format!("shape {:?}, and the case has {:?}", actual.shape, reference.shape)),
        };
        self.lines.push(Line { name: name.into(), verdict, note: String::new() });
    }

    /// Compares a gradient. Code that differentiates a way which it did not take stores no number at all there (0 · inf):
    /// then ours must be one at every place, and the line says that nothing was compared.
    pub fn compare_gradient(&mut self, name: &str, actual: &Array, reference: &Array, answers: &Answers) {
        let silent = reference.data.iter().all(|number| number.is_nan());
        let finite = actual.data.iter().all(|number| number.is_finite());
        match silent && finite && elements_match(actual, reference) {
            true => self.push(name, Verdict::Nothing("the case holds no number here, and ours are finite".into())),
            false => self.compare(name, Quantity::Gradient, actual, reference, answers),
        }
    }

    /// Adds a line that has no numbers.
    pub fn push(&mut self, name: &str, verdict: Verdict) {
        self.lines.push(Line { name: name.into(), verdict, note: String::new() });
    }

    /// Adds words to the last line.
    pub fn note(&mut self, note: impl Into<String>) {
        if let Some(line) = self.lines.last_mut() {
            line.note = note.into();
        }
    }

    /// Whether there is a line for this quantity.
    pub fn has(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.name == name)
    }

    /// Whether no line that the case speaks of disagrees, and there is at least one that agrees.
    pub fn passed(&self) -> bool {
        self.lines.iter().any(|line| matches!(line.verdict, Verdict::Agrees(_))) && self.failed() == 0
    }

    fn failed(&self) -> usize {
        self.lines.iter().filter(|line| !matches!(line.verdict, Verdict::Agrees(_) | Verdict::Nothing(_))).count()
    }
}

/// A scalar of a case is stored with the shape `[1]`, and rows and positions may be one axis there (router scores are
/// stored so); other shapes must be equal.
fn elements_match(actual: &Array, reference: &Array) -> bool {
    let single = actual.data.len() == 1 && reference.data.len() == 1;
    single || actual.shape == reference.shape || rows_joined(&actual.shape).as_ref() == Some(&reference.shape)
}

/// A shape with its two outermost axes as one.
fn rows_joined(shape: &[usize]) -> Option<Vec<usize>> {
    let [rows, positions, rest @ ..] = shape else { return None };
    (!rest.is_empty()).then(|| [&[rows * positions], rest].concat())
}

/// The verdict on a distance.
fn judge(distance: Distance) -> Verdict {
    if distance.is_allowed() { Verdict::Agrees(distance) } else { Verdict::Differs(distance) }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|line| line.name.len()).max().unwrap_or(0).max("quantity".len());
        writeln!(formatter, "{:width$}  {:>10}  {:>10}  verdict", "quantity", "error", "allowed")?;
        for line in &self.lines {
            write!(formatter, "{:width$}  ", line.name)?;
            write_verdict(formatter, line)?;
        }
        let said = self.lines.iter().filter(|line| !matches!(line.verdict, Verdict::Nothing(_))).count();
        match self.failed() {
            0 => writeln!(formatter, "all {said} quantities agree"),
            failed => writeln!(formatter, "{failed} of {said} quantities do NOT agree"),
        }
    }
}

fn write_verdict(formatter: &mut fmt::Formatter<'_>, line: &Line) -> fmt::Result {
    let (distance, word) = match &line.verdict {
        Verdict::Agrees(distance) => (Some(distance), "ok".to_string()),
        Verdict::Differs(distance) => (Some(distance), "DIFFERS".to_string()),
        Verdict::Wrong(reason) => (None, format!("WRONG: {reason}")),
        Verdict::Nothing(reason) => (None, format!("not compared: {reason}")),
        Verdict::NotChecked(reason) => (None, format!("NOT CHECKED: {reason}")),
    };
    match distance {
        Some(distance) => write!(formatter, "{:>10.2e}  {:>10.2e}  {word}", distance.error, distance.allowed)?,
        None => write!(formatter, "{:>10}  {:>10}  {word}", "-", "-")?,
    }
    match line.note.is_empty() {
        true => writeln!(formatter),
        false => writeln!(formatter, "  ({})", line.note),
    }
}
