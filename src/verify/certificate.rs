//! The certificate of a model: all forms of its program are one program.
//!
//! With random weights and rows of unlike lengths, native code over whole sequences, prefill in pieces split at
//! arbitrary places, and decoding step by step must give what the interpreter gives. Allowed is max(2e-5, 10 × the
//! change of the logits when every weight, and every real number of the data, moves by one rounding step). A row alone
//! must be bit-identical to the same row in a batch. If states hold the latest positions only, longer rows go round them
//! more than once. What a model reads as a whole is the first piece in all of them.

use super::array::Array;
use super::case::Answers;
use super::engine::{Batch, Engine};
use super::inputs::{grown_sequence, is_along};
use super::native::Native;
use super::report::{Report, Verdict};
use super::rows::{moved, padded, row_alone};
use super::tolerance::Quantity;
use super::weights::{Random, one_step_away, random_weights};
use crate::derive::NotIncremental;
use crate::driver::Failure;
use crate::fault::Bug;
use crate::model::Model;
use crate::tensor::{AxisId, BATCH};

/// The lengths of the rows, and of rows of other sequences.
pub const LENGTHS: [usize; 3] = [6, 9, 4];
const OTHER_LENGTHS: [usize; 3] = [5, 3, 7];
/// Where rows are split for prefill in pieces: unlike in each row.
const PIECES: [[usize; 3]; 3] = [[1, 2, 3], [4, 1, 4], [1, 1, 2]];

/// What the forms of one model are compared on.
pub struct Certificate<'a> {
    model: &'a Model,
    weights: Vec<Array>,
    batch: Batch,
    /// The length of each row; 1 if no sequence grows.
    rows: Vec<usize>,
    /// The sequence that steps make longer.
    sequence: Option<String>,
    /// Why no step does, in words.
    refused: Option<String>,
    answers: Answers,
    /// The interpreter's logits: rows, positions, entries.
    truth: Vec<Vec<Vec<f64>>>,
    /// The interpreter's loss, if the model has one.
    loss: Option<f64>,
}

impl<'a> Certificate<'a> {
    /// Draws weights and data for rows of these lengths, and asks the interpreter.
    ///
    /// # Errors
    /// If a program cannot run.
    pub fn new(
        model: &'a Model,
        interpreter: &mut dyn Engine,
        seed: u64,
        lengths: [usize; 3],
    ) -> Result<Certificate<'a>, Failure> {
        let sequence = grown_sequence(model);
        let of = |name: &str| if Some(name) == sequence { lengths } else { OTHER_LENGTHS };
        let batch = padded(model, &of, &mut Random::new(seed))?;
        let mut certificate = Certificate {
            model,
            weights: random_weights(model, seed),
            rows: sequence.map_or_else(|| vec![1; batch.rows], |name| batch.lengths[name].clone()),
            batch,
            sequence: sequence.map(str::to_string),
            refused: None,
            answers: Answers::default(),
            truth: Vec::new(),
            loss: None,
        };
        certificate.loss = interpreter.loss(&certificate.weights, &certificate.batch)?;
        certificate.truth = certificate.logits(interpreter, &certificate.weights, &certificate.batch)?;
        Ok(certificate)
    }

    /// The same, and what it is to say where there is no step.
    pub fn without_step(self, refused: Option<&NotIncremental>) -> Certificate<'a> {
        let words = |refused: &NotIncremental| format!("no step program: {refused}");
        Certificate { refused: refused.map(words), ..self }
    }

    /// Compares every form.
    ///
    /// # Errors
    /// If a program cannot run.
    pub fn run(&mut self, native: &mut Native<'_>) -> Result<Report, Failure> {
        let mut report = Report::default();
        let whole = self.whole("whole sequences", native, &mut report)?;
        self.alone(native, &whole, &mut report)?;
        if let Some(loss) = self.loss {
            let actual = native.loss(&self.weights, &self.batch)?;
            let [actual, loss] = [actual.unwrap_or(f64::NAN), loss].map(|number| Array::filled(&[1], number));
            report.compare("the loss alone", Quantity::Loss, &actual, &loss, &self.answers);
        }
        match &self.refused {
            _ if native.can_step() => self.steps(native, &mut report)?,
            Some(refused) => report.push("prefill, step", Verdict::Nothing(refused.clone())),
            // What has no sequence has one form.
            None => {}
        }
        Ok(report)
    }

    /// Compares another form of the program, by the interpreter: its scans over chunks of some length.
    ///
    /// # Errors
    /// As [`Certificate::run`].
    pub fn run_form(&self, name: &str, other: &mut dyn Engine, report: &mut Report) -> Result<(), Failure> {
        let logits = self.logits(other, &self.weights, &self.batch)?;
        self.compare(name, report, &logits);
        Ok(())
    }

    /// Compares rows that are longer than states which hold the latest positions only.
    ///
    /// # Errors
    /// As [`Certificate::run`].
    pub fn run_far(&mut self, native: &mut Native<'_>, report: &mut Report) -> Result<(), Failure> {
        self.whole("far: whole sequences", native, report)?;
        let cut = |sizes: &[usize]| self.rows.iter().map(|length| split(*length, sizes)).collect::<Vec<_>>();
        self.pieces("far: prefill at once", native, report, &cut(&[usize::MAX]))?;
        self.pieces("far: prefill in pieces", native, report, &cut(&[70, 1, 33, 2]))?;
        self.snapshot("far: from a snapshot", native, report)?;
        self.pieces("far: step by step", native, report, &cut(&[1]))
    }

    /// Compares whole sequences, and finds out how far off they may be.
    fn whole(
        &mut self,
        name: &str,
        native: &mut Native<'_>,
        report: &mut Report,
    ) -> Result<Vec<Vec<Vec<f64>>>, Failure> {
        let whole = self.logits(native, &self.weights, &self.batch)?;
        let moved = self.logits(native, &one_step_away(&self.weights, 1), &moved(self.model, &self.batch))?;
        self.answers.noise.one_ulp_weights = largest_difference(&whole, &moved);
        self.compare(name, report, &whole);
        Ok(whole)
    }

    fn steps(&self, native: &mut Native<'_>, report: &mut Report) -> Result<(), Failure> {
        let whole = LENGTHS.map(|length| vec![length]);
        self.pieces("prefill at once", native, report, &whole)?;
        self.pieces("prefill in pieces", native, report, &PIECES.map(|pieces| pieces.to_vec()))?;
        let shortest = LENGTHS.iter().copied().min().unwrap_or(0);
        let ones = vec![1; shortest - 1];
        let after_prompt = LENGTHS.map(|length| [vec![length - ones.len()], ones.clone()].concat());
        self.pieces("prefill, then steps", native, report, &after_prompt)?;
        self.snapshot("from a snapshot", native, report)?;
        self.pieces("step by step", native, report, &LENGTHS.map(|_| vec![1; shortest]))
    }

    /// Runs the step program over pieces of each row, and compares the logits at the end of each piece.
    fn pieces(
        &self,
        name: &str,
        native: &mut Native<'_>,
        report: &mut Report,
        pieces: &[Vec<usize>],
    ) -> Result<(), Failure> {
        let context = self.rows.iter().copied().max().unwrap_or(0);
        let mut stepper = native.begin(&self.weights, &self.batch, context)?;
        let pieces = pieces.iter().zip(stepper.ahead()).map(|(row, ahead)| with_first(row, *ahead)).collect::<Vec<_>>();
        let mut seen = vec![0; self.rows.len()];
        let (mut actual, mut expected) = (Vec::new(), Vec::new());
        let turns = pieces.iter().map(Vec::len).max().unwrap_or(0);
        let count = |row: &Vec<usize>, turn: usize| row.get(turn).copied().unwrap_or(0);
        let steps = (0..turns).map(|turn| pieces.iter().map(|row| count(row, turn)).collect::<Vec<_>>());
        for counts in steps {
            let logits = stepper.advance(&self.batch, &seen, &counts)?;
            for (row, logits) in logits.into_iter().enumerate().filter(|(row, _)| counts[*row] > 0) {
                seen[row] += counts[row];
                expected.extend_from_slice(&self.truth[row][seen[row] - 1]);
                actual.extend(logits);
            }
        }
        report.compare(name, Quantity::Values, &flat(actual), &flat(expected), &self.answers);
        Ok(())
    }

    /// Goes on from half of each row twice: with its beginning again, then, from a snapshot, with its own end.
    fn snapshot(&self, name: &str, native: &mut Native<'_>, report: &mut Report) -> Result<(), Failure> {
        let context = self.rows.iter().copied().max().unwrap_or(0);
        let mut stepper = native.begin(&self.weights, &self.batch, context)?;
        let rows = self.rows.iter().zip(stepper.ahead());
        let halves = rows.map(|(length, ahead)| (length / 2).max(*ahead).min(length - 1)).collect::<Vec<_>>();
        let rest = self.rows.iter().zip(&halves).map(|(length, half)| length - half).collect::<Vec<_>>();
        let beginning = vec![0; halves.len()];
        stepper.advance(&self.batch, &beginning, &halves)?;
        let snapshot = stepper.snapshot()?;
        stepper.advance(&self.batch, &beginning, &halves)?;
        stepper.restore(snapshot);
        let actual = stepper.advance(&self.batch, &halves, &rest)?.concat();
        let expected = self.truth.iter().filter_map(|row| row.last()).flatten().copied().collect();
        report.compare(name, Quantity::Values, &flat(actual), &flat(expected), &self.answers);
        Ok(())
    }

    /// A row by itself must be the same bits as in the batch.
    fn alone(&self, native: &mut Native<'_>, whole: &[Vec<Vec<f64>>], report: &mut Report) -> Result<(), Failure> {
        let (mut actual, mut expected) = (Vec::new(), Vec::new());
        for (row, together) in whole.iter().enumerate() {
            let alone = row_alone(self.model, &self.batch, row);
            actual.extend(self.logits(native, &self.weights, &alone)?.concat().concat());
            expected.extend(together.concat());
        }
        report.compare("a row alone", Quantity::Ids, &flat(actual), &flat(expected), &self.answers);
        report.note("bit for bit as in the batch");
        Ok(())
    }

    fn compare(&self, name: &str, report: &mut Report, actual: &[Vec<Vec<f64>>]) {
        let (actual, expected) = (flat(actual.concat().concat()), flat(self.truth.concat().concat()));
        report.compare(name, Quantity::Values, &actual, &expected, &self.answers);
    }

    /// The first output of the model at every position that exists.
    fn logits(&self, engine: &mut dyn Engine, weights: &[Array], batch: &Batch) -> Result<Vec<Vec<Vec<f64>>>, Failure> {
        let first = self.model.forward.outputs.first().ok_or_else(|| Bug::new("model", "a model has an output"))?;
        let output = engine.forward(weights, batch)?.remove(&first.0);
        let output = output.ok_or_else(|| Bug::new("graph", format!("the forward program gives `{}`", first.0)))?;
        let axes = &self.model.forward.values[first.1.0 as usize].ty.axes;
        let output = output.reordered(&self.positions_first(axes)).unwrap_or(output);
        let alone = vec![1; batch.rows];
        let lengths = self.sequence.as_ref().map_or(&alone, |name| &batch.lengths[name]);
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let width = output.data.len() / (batch.rows * longest).max(1);
        let entry = |row: usize, place: usize| output.data[(row * longest + place) * width..][..width].to_vec();
        Ok(lengths.iter().enumerate().map(|(row, own)| (0..*own).map(|place| entry(row, place)).collect()).collect())
    }

    /// The places of an output's axes: rows, positions, then the others.
    fn positions_first(&self, axes: &[AxisId]) -> Vec<usize> {
        let mut places = (0..axes.len()).collect::<Vec<_>>();
        places.sort_by_key(|place| {
            (axes[*place] != BATCH, !is_along(self.model, axes[*place], self.sequence.as_deref()))
        });
        places
    }
}

/// A length as a sum of sizes, taken in turn; the last is what is left.
fn split(length: usize, sizes: &[usize]) -> Vec<usize> {
    let (mut parts, mut left) = (Vec::new(), length);
    for size in sizes.iter().cycle() {
        if left == 0 {
            break;
        }
        parts.push(left.min(*size));
        left -= left.min(*size);
    }
    parts
}

/// Pieces of which the first holds so many positions, or all.
fn with_first(pieces: &[usize], least: usize) -> Vec<usize> {
    let (mut first, mut rest) = (0, pieces.iter().copied());
    while first < least {
        let Some(next) = rest.next() else { break };
        first += next;
    }
    std::iter::once(first).chain(rest).filter(|piece| *piece > 0).collect()
}

fn flat(data: Vec<f64>) -> Array {
    Array { shape: vec![data.len()], data }
}

fn largest_difference(left: &[Vec<Vec<f64>>], right: &[Vec<Vec<f64>>]) -> f64 {
    let (left, right) = (left.concat().concat(), right.concat().concat());
    left.iter().zip(&right).fold(0.0, |largest: f64, (left, right)| largest.max((left - right).abs()))
}
