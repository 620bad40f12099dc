//! Computes by native code: a shared library of the model's programs, loaded into this process and run by the runtime.

mod calls;
mod library;
mod stepper;

use super::array::Array;
use super::engine::{Batch, Decoded, Engine, Gradients, argmax, decode_by_sequences};
use super::inputs::{grown_sequence, input_gradients, token_input, without_sequence};
use crate::driver::{Compiled, Failure, JUDGED};
use crate::fault::Bug;
use crate::model::Model;
use archc_runtime::abi::names;
use archc_runtime::model::Loaded;
use calls::Calls;
pub use calls::{failure, load};
use std::collections::BTreeMap;
pub use stepper::{Snapshot, Stepper};

/// The compiled programs of one model.
pub struct Native<'a> {
    model: &'a Model,
    calls: Calls,
}

impl<'a> Native<'a> {
    /// Loads compiled programs, to be run on some threads (0: as many as there are processors).
    ///
    /// # Errors
    /// If they cannot be loaded.
    pub fn new(model: &'a Model, compiled: &Compiled, threads: usize) -> Result<Native<'a>, Failure> {
        Ok(Native { model, calls: Calls::load(compiled, threads)? })
    }

    /// The same on a model that is in memory already, here or on a GPU.
    pub fn of(model: &'a Model, loaded: Loaded) -> Native<'a> {
        Native { model, calls: Calls::of(loaded) }
    }

    /// Whether there is a program that takes new positions after those already seen.
    pub fn can_step(&self) -> bool {
        self.calls.has(names::STEP)
    }

    /// Forgets all that rows have seen, and makes room for so many positions. What does not lie along the sequence
    /// that grows stays as the batch has it.
    ///
    /// # Errors
    /// If the model has no step program.
    pub fn begin(&mut self, parameters: &[Array], batch: &Batch, context: usize) -> Result<Stepper<'_>, Failure> {
        self.calls.set_parameters(parameters)?;
        if !self.can_step() {
            return Err(Bug::new("graph", "this model has no step program").into());
        }
        self.calls.clear_states();
        let fixed = without_sequence(self.model, batch, grown_sequence(self.model));
        let mut ahead = vec![1; batch.rows];
        if self.calls.has(names::BEGIN) {
            let mut call = self.call(names::BEGIN, &fixed)?;
            if let Some(first) = self.calls.run(&mut call)?.outputs().remove(names::AHEAD) {
                ahead = first.data.iter().map(|count| *count as usize).collect();
            }
        }
        Ok(Stepper::new(self.model, &mut self.calls, (fixed, ahead), context))
    }

    fn call(&mut self, program: &str, batch: &Batch) -> Result<archc_runtime::model::Call, Failure> {
        let (inputs, sizes) = given(batch);
        self.calls.prepare(program, &inputs, &sizes)
    }

    /// Loss and gradients of a program that has them.
    fn differentiated(&mut self, program: &str, parameters: &[Array], batch: &Batch) -> Result<Gradients, Failure> {
        self.calls.set_parameters(parameters)?;
        let mut call = self.call(program, batch)?;
        let results = self.calls.run(&mut call)?;
        let loss = results.outputs().remove(names::LOSS);
        let loss = loss.ok_or_else(|| Bug::new("program", "a program with gradients has the output `loss`"))?;
        let gradient = |path: &str| results.gradient(path);
        Ok(Gradients {
            loss: loss.data[0],
            gradients: self.model.parameters.iter().map(|parameter| gradient(&parameter.path)).collect(),
            inputs: input_gradients(self.model, gradient),
        })
    }
}

/// Inputs and lengths of a call, by name.
type Numbers = BTreeMap<String, Vec<f64>>;

/// Inputs and lengths by name, and the sizes of a call.
fn given(batch: &Batch) -> (Numbers, Vec<(&str, i64)>) {
    let mut inputs: Numbers = batch.inputs.iter().map(|(name, array)| (name.clone(), array.data.clone())).collect();
    let mut sizes = vec![(names::BATCH, batch.rows as i64)];
    for (sequence, lengths) in &batch.lengths {
        inputs.insert(names::length(sequence), numbers(lengths));
        sizes.push((sequence.as_str(), lengths.iter().copied().max().unwrap_or(0) as i64));
    }
    (inputs, sizes)
}

fn numbers(values: &[usize]) -> Vec<f64> {
    values.iter().map(|value| *value as f64).collect()
}

impl Engine for Native<'_> {
    fn forward(&mut self, parameters: &[Array], batch: &Batch) -> Result<BTreeMap<String, Array>, Failure> {
        self.calls.set_parameters(parameters)?;
        let mut call = self.call(names::FORWARD, batch)?;
        Ok(self.calls.run(&mut call)?.outputs())
    }

    fn gradients(&mut self, parameters: &[Array], batch: &Batch) -> Result<Gradients, Failure> {
        self.differentiated(names::TRAIN, parameters, batch)
    }

    fn judged(&mut self, parameters: &[Array], batch: &Batch) -> Result<Gradients, Failure> {
        self.differentiated(JUDGED, parameters, batch)
    }

    fn evaluated(&mut self, parameters: &[Array], batch: &Batch) -> Result<BTreeMap<String, Array>, Failure> {
        if !self.calls.has(names::EVALUATE) {
            return Ok(BTreeMap::new());
        }
        self.calls.set_parameters(parameters)?;
        let mut call = self.call(names::EVALUATE, batch)?;
        Ok(self.calls.run(&mut call)?.outputs())
    }

    fn generated(
        &mut self,
        parameters: &[Array],
        batch: &Batch,
        settings: &BTreeMap<String, f64>,
    ) -> Result<BTreeMap<String, Array>, Failure> {
        self.calls.set_parameters(parameters)?;
        let (mut inputs, mut sizes) = given(batch);
        inputs.extend(settings.iter().map(|(name, value)| (name.clone(), vec![*value])));
        sizes.extend(settings.iter().map(|(name, value)| (name.as_str(), *value as i64)));
        let mut call = self.calls.prepare(names::GENERATE, &inputs, &sizes)?;
        Ok(self.calls.run(&mut call)?.outputs())
    }

    fn decode(&mut self, parameters: &[Array], start: &Batch, new: usize) -> Result<Decoded, Failure> {
        if !self.can_step() {
            let model = self.model;
            return decode_by_sequences(self, model, parameters, start, new);
        }
        let prompt: Vec<usize> =
            start.inputs[&token_input(self.model)?.name].data.iter().map(|id| *id as usize).collect();
        let mut stepper = self.begin(parameters, start, prompt.len() + new)?;
        let mut decoded = Decoded { ids: prompt.clone(), logits: Vec::new() };
        let mut chunk = prompt;
        for _ in 0..new {
            let row = stepper.read(&chunk)?;
            chunk = vec![argmax(&row)];
            decoded.ids.push(chunk[0]);
            decoded.logits.push(row);
        }
        Ok(decoded)
    }
}
