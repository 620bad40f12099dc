//! The training loop.
//!
//! In: a model, a recipe, tokens. Out: trained parameters; on disk a checkpoint, metrics and weights. Everything that
//! decides the curve (batches, rate, order of sums) depends on recipe and step alone, so a training that was stopped,
//! killed or moved to another number of threads goes on bit for bit.

mod folder;
mod gradients;
mod metrics;
mod plot;
mod progress;
mod schedule;

pub use folder::Folder;
pub use gradients::Gradients;
pub use metrics::{Metrics, Row};
pub use plot::Plot;
pub use progress::ProgressLine;
pub use schedule::rate_at;

use crate::abi::names;
use crate::checkpoint::{self, Progress};
use crate::error::{Error, Result};
use crate::evaluate::{self, read_loss, token_call};
use crate::interrupt;
use crate::memory::Tensor;
use crate::model::{Call, Loaded, States};
use crate::optimizer::{Optimizer, Settings};
use crate::recipe::Recipe;
use crate::source::{Look, Source};
use crate::weights;
use std::path::Path;
use std::time::Instant;

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Steps taken in all.
    pub step: u64,
    /// What a look at the validation part found in the end.
    pub validation: Option<Look>,
    /// A person stopped it before the last step.
    pub stopped: bool,
}

/// A training under way.
#[derive(Debug)]
pub struct Training<'run> {
    model: &'run mut Loaded,
    recipe: &'run Recipe,
    source: Source<'run>,
    window: usize,
    optimizer: Optimizer,
    gradients: Gradients,
    call: Call,
    input: String,
    step: u64,
}

/// What one step has found.
#[derive(Debug, Clone, Copy)]
struct Stepped {
    loss: f64,
    norm: f64,
    rate: f64,
}

impl<'run> Training<'run> {
    /// A training at its start: parameters as the recipe's seed makes them.
    ///
    /// # Errors
    /// If data, recipe and model do not fit together, or there is not enough memory.
    pub fn new(model: &'run mut Loaded, recipe: &'run Recipe, source: Source<'run>) -> Result<Training<'run>> {
        let window = evaluate::window(model, recipe.context)?;
        model.initialize(recipe.seed)?;
        let optimizer = Optimizer::new(Settings::of(recipe), model)?;
        let gradients = Gradients::new(model, recipe.accumulate)?;
        let (mut call, input) = token_call(model, names::TRAIN, recipe.batch, window)?;
        gradients.keep_of(&mut call);
        Ok(Training { model, recipe, source, window, optimizer, gradients, call, input, step: 0 })
    }

    /// Goes on from a checkpoint.
    ///
    /// # Errors
    /// If the checkpoint is damaged or belongs to another training.
    pub fn resume(&mut self, folder: &Folder) -> Result<()> {
        let progress = checkpoint::load(&folder.checkpoint(), self.model, &mut self.optimizer)?;
        if progress.data != self.source.fingerprint() {
            let message = "the data is not what the checkpoint was trained on";
            return Err(Error::request(message).help("give the same files, or train anew with --overwrite"));
        }
        self.step = progress.step;
        Ok(())
    }

    /// Begins from given weights instead of random ones.
    ///
    /// # Errors
    /// If they are not this model's.
    pub fn start_from(&mut self, path: &Path) -> Result<()> {
        weights::load(self.model, path).map(drop)
    }

    /// How many steps have been taken.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// What is going to happen, in one line.
    pub fn describe(&self) -> String {
        let (model, threads) = (&self.model.manifest().model, self.model.pool().threads());
        let parameters: usize = self.model.parameters().iter().map(Tensor::len).sum();
        let Recipe { steps, batch, context, .. } = self.recipe;
        format!(
            "{model}: {parameters} parameters, {}, steps {} to {steps} of {batch} x {context} tokens, {threads} threads",
            self.source.describe(),
            self.step
        )
    }

    /// Trains to the last step, or until a person asks to stop.
    ///
    /// # Errors
    /// If the loss is no longer a number, or a file cannot be written.
    pub fn run(&mut self, folder: &Folder, line: &mut ProgressLine, plot: Option<&Plot>) -> Result<Outcome> {
        let mut metrics = Metrics::open(&folder.metrics(), self.step)?;
        let mut clock = (Instant::now(), self.step);
        let mut validation = None;
        while self.step < self.recipe.steps && !interrupt::asked() {
            let stepped = self.take_step()?;
            validation = self.look_if_due(line)?;
            if validation.is_some() || self.is_due(self.recipe.log_every) {
                let tokens = (self.step - clock.1) * self.tokens_a_step();
                let row = self.row(stepped, validation, tokens as f64 / clock.0.elapsed().as_secs_f64());
                metrics.add(&row)?;
                line.show(&row);
                clock = (Instant::now(), self.step);
            }
            if let Some(plot) = plot.filter(|_| validation.is_some()) {
                plot.draw(&folder.metrics())?;
            }
            if self.step.is_multiple_of(self.recipe.save_every) {
                self.save(folder)?;
            }
        }
        self.save(folder)?;
        Ok(Outcome { step: self.step, validation, stopped: self.step < self.recipe.steps })
    }

    /// Whether it is time for what happens every so many steps, and after the last.
    fn is_due(&self, every: u64) -> bool {
        self.step == self.recipe.steps || self.step.is_multiple_of(every)
    }

    /// Writes the checkpoint.
    fn save(&mut self, folder: &Folder) -> Result<()> {
        let progress = Progress { step: self.step, recipe: self.recipe.to_yaml(), data: self.source.fingerprint() };
        checkpoint::save(&folder.checkpoint(), self.model, &self.optimizer, &progress)
    }

    /// One optimizer step.
    fn take_step(&mut self) -> Result<Stepped> {
        let mut loss = 0.0;
        for turn in 0..self.recipe.accumulate {
            loss += self.run_batch(turn)?;
            self.gradients.add(self.model, &self.call, turn)?;
        }
        loss /= self.recipe.accumulate as f64;
        let norm = self.gradients.norm(self.model, &self.call)? / self.recipe.accumulate as f64;
        if !loss.is_finite() || !norm.is_finite() {
            let message = format!("the loss is {loss} at step {}: the training has diverged", self.step + 1);
            return Err(Error::request(message).help("lower the learning rate, or lengthen the warm-up"));
        }
        let rate = rate_at(self.recipe, self.step);
        let scale = self.scale(norm);
        let gradients = self.gradients.all(self.model, &self.call);
        self.optimizer.step(self.model, &gradients, rate, scale)?;
        self.model.apply_updates(&self.call)?;
        self.step += 1;
        Ok(Stepped { loss, norm, rate })
    }

    /// Loss and gradients of one batch.
    fn run_batch(&mut self, turn: usize) -> Result<f64> {
        let batch = self.step * self.recipe.accumulate as u64 + turn as u64;
        let first_row = batch * self.recipe.batch as u64;
        self.source.fill(self.recipe.seed, first_row, self.window, &mut self.call, &self.input);
        self.call.seed([self.recipe.seed as i32, batch as i32]);
        self.model.run(&mut self.call, &mut States::new())?;
        read_loss(&self.call)
    }

    /// What gradients are multiplied by: the mean over accumulated batches, clipped.
    fn scale(&self, norm: f64) -> f32 {
        let mean = 1.0 / self.recipe.accumulate as f64;
        let clip = self.recipe.clip;
        if clip > 0.0 && norm > clip { (mean * clip / (norm + 1e-6)) as f32 } else { mean as f32 }
    }

    /// A look at the validation part, when it is time.
    fn look_if_due(&mut self, line: &ProgressLine) -> Result<Option<Look>> {
        if !self.is_due(self.recipe.evaluate_every) {
            return Ok(None);
        }
        line.say_busy("validation");
        self.source.look(self.model, self.recipe)
    }

    fn row(&self, stepped: Stepped, look: Option<Look>, speed: f64) -> Row {
        let Stepped { loss, norm, rate } = stepped;
        let (validation, right) = (look.map(|look| look.loss), look.and_then(|look| look.right));
        Row { step: self.step, tokens: self.step * self.tokens_a_step(), loss, validation, right, rate, norm, speed }
    }

    fn tokens_a_step(&self) -> u64 {
        (self.recipe.accumulate * self.recipe.batch * (self.window - 1)) as u64
    }
}
