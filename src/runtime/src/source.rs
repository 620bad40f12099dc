//! Where a training's batches come from: a text, or a task that is made as it goes.
//!
//! A batch depends on seed and number alone, so that a resumed training sees what it would have seen.

mod recall;

pub use recall::Recall;

use crate::abi::names;
use crate::data::{Split, Tokens};
use crate::error::{Error, Result};
use crate::evaluate::{self, read_loss, token_call};
use crate::model::{Call, Loaded, States};
use crate::random::{Stream, hash};
use crate::recipe::Recipe;

/// Rows that a task is judged on.
const VALIDATION_ROWS: usize = 256;

/// Where batches come from.
#[derive(Debug)]
pub enum Source<'run> {
    /// Windows of a text.
    Text(&'run Tokens, Split),
    /// Recall of values by keys.
    Recall(Recall),
}

/// A look at what was learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// The loss over the validation part, in nats.
    pub loss: f64,
    /// The share of answers that are right, for a task that has answers.
    pub right: Option<f64>,
}

impl<'run> Source<'run> {
    /// Windows of a text, its last share kept for validation.
    ///
    /// # Errors
    /// If the text is too short, or has ids that the model does not know.
    pub fn text(tokens: &'run Tokens, recipe: &Recipe, model: &Loaded) -> Result<Source<'run>> {
        tokens.check(model.manifest().vocabulary)?;
        let window = evaluate::window(model, recipe.context)?;
        Ok(Source::Text(tokens, Split::new(tokens.len(), recipe.validation, window)?))
    }

    /// Recall with the recipe's number of pairs.
    ///
    /// # Errors
    /// If a row has no room for them, or the model cannot be told what counts.
    pub fn recall(recipe: &Recipe, model: &Loaded) -> Result<Source<'run>> {
        let inputs = &model.program(names::TRAIN)?.inputs;
        if !inputs.iter().any(|input| input.name == names::KEEP) {
            let message = format!("the model has no input `{}` that says which tokens count", names::KEEP);
            let help = "write `input ids[t] : v, keep[t] : bool = true` and `train next_token(self, ids, keep)`";
            return Err(Error::request(message).help(help));
        }
        let vocabulary = model.manifest().vocabulary.and_then(|vocabulary| usize::try_from(vocabulary).ok());
        let window = evaluate::window(model, recipe.context)?;
        Recall::new(recipe.pairs, vocabulary.unwrap_or(0), window).map(Source::Recall)
    }

    /// Fills a batch, row by row from the given number on.
    pub fn fill(&self, seed: u64, first_row: u64, window: usize, call: &mut Call, input: &str) {
        match self {
            Source::Text(tokens, split) => {
                if let Some(ids) = call.input_mut::<i32>(input) {
                    split.fill_batch(tokens, seed, first_row, window, ids);
                }
            }
            Source::Recall(task) => drop(fill_rows(task, Stream::new(seed, "recall"), first_row, window, call, input)),
        }
    }

    /// What there is, in a few words.
    pub fn describe(&self) -> String {
        match self {
            Source::Text(_, split) => {
                let (training, validation) = (split.training.len(), split.validation.len());
                format!("{training} tokens to train on and {validation} for validation")
            }
            Source::Recall(task) => {
                format!("recall of {} pairs a row, {VALIDATION_ROWS} rows for validation", task.pairs())
            }
        }
    }

    /// Tells one source from another: for a text its length, and a hash of a thousand places.
    pub fn fingerprint(&self) -> String {
        let Source::Text(tokens, _) = self else { return self.describe() };
        let (count, mut sample) = (tokens.len(), Vec::new());
        let mut id = [0];
        for place in (0..count).step_by((count / 1000).max(1)) {
            tokens.copy(place, &mut id);
            sample.extend(id[0].to_le_bytes());
        }
        format!("{count}-{:016x}", hash(&sample))
    }

    /// Looks at what was learned; none if nothing was kept for that.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn look(&self, model: &mut Loaded, recipe: &Recipe) -> Result<Option<Look>> {
        match self {
            Source::Text(_, split) if split.validation.is_empty() => Ok(None),
            Source::Text(tokens, split) => {
                let loss = evaluate::loss(model, tokens, split.validation.clone(), recipe.context, recipe.batch)?;
                Ok(Some(Look { loss, right: None }))
            }
            Source::Recall(task) => look_at_answers(task, model, recipe).map(Some),
        }
    }
}

/// Fills the rows of a call. Returns where answers stand, also for a program that is not asked for a loss.
fn fill_rows(task: &Recall, stream: Stream, first_row: u64, window: usize, call: &mut Call, input: &str) -> Vec<u8> {
    let mut counted = Vec::new();
    if let Some(ids) = call.input_mut::<i32>(input) {
        counted.resize(ids.len(), 0);
        let rows = ids.chunks_exact_mut(window).zip(counted.chunks_exact_mut(window));
        for (row, (ids, counted)) in rows.enumerate() {
            task.fill(stream.of(first_row + row as u64), ids, counted);
        }
    }
    if let Some(keep) = call.input_mut::<u8>(names::KEEP) {
        keep.copy_from_slice(&counted);
    }
    counted
}

/// Loss and share of right answers over rows that no training sees.
fn look_at_answers(task: &Recall, model: &mut Loaded, recipe: &Recipe) -> Result<Look> {
    let window = evaluate::window(model, recipe.context)?;
    let stream = Stream::new(recipe.seed, "recall of validation");
    let (mut loss, mut right, mut asked) = (0.0, 0, 0);
    for first in (0..VALIDATION_ROWS).step_by(recipe.batch) {
        let rows = recipe.batch.min(VALIDATION_ROWS - first);
        let (mut call, input) = token_call(model, names::EVALUATE, rows, window)?;
        fill_rows(task, stream, first as u64, window, &mut call, &input);
        call.first_row(first as i32);
        model.run(&mut call, &mut States::new())?;
        loss += read_loss(&call)? * rows as f64;
        let (mut call, input) = token_call(model, names::FORWARD, rows, window)?;
        let counted = fill_rows(task, stream, first as u64, window, &mut call, &input);
        model.run(&mut call, &mut States::new())?;
        let answers = answers(&call, &input, model.manifest().vocabulary.unwrap_or(0) as usize, &counted)?;
        asked += answers.len();
        right += answers.into_iter().filter(|answer| *answer).count();
    }
    Ok(Look { loss: loss / VALIDATION_ROWS as f64, right: Some(right as f64 / asked.max(1) as f64) })
}

/// Whether each counted token is the one that its predecessor's logits put first.
fn answers(call: &Call, input: &str, vocabulary: usize, counted: &[u8]) -> Result<Vec<bool>> {
    let outputs = call.outputs().map(|name| call.output(name)).collect::<Result<Vec<_>>>()?;
    let logits = outputs.into_iter().find(|output| output.len() == counted.len() * vocabulary);
    let logits = logits.ok_or_else(|| Error::request("the model has no output of one number for each token"))?;
    let ids = call.input(input).map(|ids| ids.slice::<i32>()).unwrap_or_default();
    let first =
        |row: &[f32]| row.iter().enumerate().max_by(|(_, left), (_, right)| left.total_cmp(right)).map(|(id, _)| id);
    let rows = logits.slice::<f32>().chunks_exact(vocabulary).zip(&ids[1..]).zip(&counted[1..]);
    let asked = rows.filter(|(_, counted)| **counted > 0);
    Ok(asked.map(|((row, id), _)| first(row) == usize::try_from(*id).ok()).collect())
}
