//! What can compute the numbers of a case: the interpreter, or native code.

use super::array::Array;
use super::inputs::{token_input, with_tokens};
use crate::driver::Failure;
use crate::fault::Bug;
use crate::model::Model;
use archc_runtime::abi::names;
use std::collections::BTreeMap;

/// Data for one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// The number of positions of each row, for every sequence by name.
    pub lengths: BTreeMap<String, Vec<usize>>,
    /// Inputs by the model's names; `[rows, …]`, padded at the end to the longest row.
    pub inputs: BTreeMap<String, Array>,
}

/// What one training step computes, before any parameter moves.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// The loss.
    pub loss: f64,
    /// One for each parameter of the model; absent for one that is not trained, or that no loss depends on.
    pub gradients: Vec<Option<Array>>,
    /// Those of the model's inputs, by name, where the program computes them.
    pub inputs: BTreeMap<String, Array>,
}

/// What a greedy decode chose, and by which numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The tokens of the start and what follows them.
    pub ids: Vec<usize>,
    /// The row of logits that chose each new token.
    pub logits: Vec<Vec<f64>>,
}

/// One way to run the programs of one model.
pub trait Engine {
    /// Outputs and named values of whole sequences, by name.
    ///
    /// # Errors
    /// If the program cannot be made or run.
    fn forward(&mut self, parameters: &[Array], batch: &Batch) -> Result<BTreeMap<String, Array>, Failure>;

    /// Loss and gradients.
    ///
    /// # Errors
    /// If the program cannot be made or run.
    fn gradients(&mut self, parameters: &[Array], batch: &Batch) -> Result<Gradients, Failure>;

    /// Gradients of the sum of outputs times numbers that the batch brings.
    ///
    /// # Errors
    /// If the program cannot be made or run.
    fn judged(&mut self, parameters: &[Array], batch: &Batch) -> Result<Gradients, Failure>;

    /// All that the program that evaluates gives: the loss, and values of the objective; nothing if the model has no loss.
    ///
    /// # Errors
    /// If the program cannot be made or run.
    fn evaluated(&mut self, parameters: &[Array], batch: &Batch) -> Result<BTreeMap<String, Array>, Failure>;

    /// The loss alone, by the same program.
    ///
    /// # Errors
    /// If the program cannot be made or run.
    fn loss(&mut self, parameters: &[Array], batch: &Batch) -> Result<Option<f64>, Failure> {
        Ok(self.evaluated(parameters, batch)?.get(names::LOSS).map(|loss| loss.data[0]))
    }

    /// All that the model's sampler gives, with these settings.
    ///
    /// # Errors
    /// If the program cannot be made or run.
    fn generated(
        &mut self,
        parameters: &[Array],
        batch: &Batch,
        settings: &BTreeMap<String, f64>,
    ) -> Result<BTreeMap<String, Array>, Failure>;

    /// A greedy decode of `new` tokens after those of one row; its other inputs stay as they are.
    ///
    /// # Errors
    /// If the program cannot be made or run.
    fn decode(&mut self, parameters: &[Array], start: &Batch, new: usize) -> Result<Decoded, Failure>;
}

/// A greedy decode in which every new token computes the whole sequence.
///
/// # Errors
/// If the program cannot be made or run.
pub fn decode_by_sequences(
    engine: &mut dyn Engine,
    model: &Model,
    parameters: &[Array],
    start: &Batch,
    new: usize,
) -> Result<Decoded, Failure> {
    let output = model.forward.outputs.first().ok_or_else(|| Bug::new("model", "a model has an output"))?;
    let mut ids = start.inputs[&token_input(model)?.name].clone();
    let mut logits = Vec::new();
    for _ in 0..new {
        let mut outputs = engine.forward(parameters, &with_tokens(model, start, ids.clone())?)?;
        let all = outputs.remove(&output.0).ok_or_else(|| Bug::new("graph", "the forward graph has the output"))?;
        let width = all.data.len() / ids.data.len();
        let row = all.data[all.data.len() - width..].to_vec();
        ids.data.push(argmax(&row) as f64);
        ids.shape[1] += 1;
        logits.push(row);
    }
    Ok(Decoded { ids: ids.data.iter().map(|id| *id as usize).collect(), logits })
}

/// The place of the largest number; the lowest of equals.
pub fn argmax(row: &[f64]) -> usize {
    let better = |best: usize, (place, value): (usize, &f64)| if *value > row[best] { place } else { best };
    row.iter().enumerate().fold(0, better)
}
