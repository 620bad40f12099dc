//! One step for one parameter: its numbers, and what is done with them here or on a device.

use super::Settings;
use crate::abi::Update;
use crate::device::{Numbers, Updates};
use crate::error::Result;
use crate::recipe::Method;
use crate::threads::Pool;

/// Elements of a chunk: its four arrays fit the second cache.
const GRAIN: usize = 1 << 15;

/// A step of one of the methods.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// AdamW's.
    Adam(AdamStep),
    /// SGD's.
    Sgd(SgdStep),
}

impl Step {
    /// The step of this number, at a rate and with a decay. `scale` multiplies the gradient.
    pub fn new(settings: &Settings, steps: u64, (rate, decay): (f64, f64), scale: f32) -> Step {
        match settings.method {
            Method::AdamW => Step::Adam(AdamStep::new(settings, steps, rate, decay, scale)),
            Method::Sgd => Step::Sgd(SgdStep::new(settings, steps, rate, decay, scale)),
        }
    }

    /// Takes it here.
    pub fn run(self, pool: &Pool, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        match self {
            Step::Adam(step) => step.run(pool, values, gradient, first, second),
            Step::Sgd(step) => step.run(pool, values, gradient, first),
        }
    }

    /// Takes it on a device, where the values are at an address.
    ///
    /// # Errors
    /// If the device declines.
    pub fn launch(
        self,
        updates: &Updates,
        values: u64,
        gradient: Numbers,
        moments: [Option<Numbers>; 2],
    ) -> Result<()> {
        let moments = moments.into_iter().flatten().filter(|moment| moment.count > 0).map(|moment| moment.address);
        let addresses = [values, gradient.address].into_iter().chain(moments).collect::<Vec<_>>();
        match self {
            Step::Adam(AdamStep { keep, toward, beta2, square, root, epsilon, step, scale }) => {
                let floats = [keep, toward, beta2, square, root, epsilon, step, scale];
                updates.launch(Update::Adam, gradient.count, &addresses, &floats)
            }
            Step::Sgd(SgdStep { keep, step, scale, momentum, .. }) if addresses.len() > 2 => {
                updates.launch(Update::Momentum, gradient.count, &addresses, &[keep, step, scale, momentum])
            }
            Step::Sgd(SgdStep { keep, step, scale, .. }) => {
                updates.launch(Update::Sgd, gradient.count, &addresses, &[keep, step, scale])
            }
        }
    }
}

/// The numbers of one AdamW step, each rounded as PyTorch rounds it.
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    keep: f32,
    toward: f32,
    beta2: f32,
    square: f32,
    root: f32,
    epsilon: f32,
    step: f32,
    scale: f32,
}

impl AdamStep {
    fn new(settings: &Settings, steps: u64, rate: f64, decay: f64, scale: f32) -> AdamStep {
        let steps = i32::try_from(steps).unwrap_or(i32::MAX);
        let first_bias = 1.0 - settings.beta1.powi(steps);
        let second_bias = 1.0 - settings.beta2.powi(steps);
        AdamStep {
            keep: (1.0 - rate * decay) as f32,
            toward: (1.0 - settings.beta1) as f32,
            beta2: settings.beta2 as f32,
            square: (1.0 - settings.beta2) as f32,
            root: second_bias.sqrt() as f32,
            epsilon: settings.epsilon as f32,
            step: (-rate / first_bias) as f32,
            scale,
        }
    }

    fn run(self, pool: &Pool, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let parts = values.chunks_mut(GRAIN).zip(gradient.chunks(GRAIN));
        let moments = first.chunks_mut(GRAIN).zip(second.chunks_mut(GRAIN));
        let mut chunks: Vec<_> = parts.zip(moments).collect();
        pool.for_chunks(&mut chunks, 1, |_, chunk| {
            for ((values, gradient), (first, second)) in chunk {
                self.run_chunk(values, gradient, first, second);
            }
        });
    }

    fn run_chunk(self, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let moments = first.iter_mut().zip(second);
        for ((value, gradient), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
            let gradient = gradient * self.scale;
            *value *= self.keep;
            *first += self.toward * (gradient - *first);
            *second = *second * self.beta2 + (self.square * gradient) * gradient;
            let divisor = second.sqrt() / self.root + self.epsilon;
            *value += (self.step * *first) / divisor;
        }
    }
}

/// The numbers of one SGD step.
#[derive(Debug, Clone, Copy)]
pub struct SgdStep {
    keep: f32,
    momentum: f32,
    step: f32,
    scale: f32,
    starts: bool,
}

impl SgdStep {
    fn new(settings: &Settings, steps: u64, rate: f64, decay: f64, scale: f32) -> SgdStep {
        let keep = (1.0 - rate * decay) as f32;
        SgdStep { keep, momentum: settings.momentum as f32, step: -rate as f32, scale, starts: steps == 1 }
    }

    fn run(self, pool: &Pool, values: &mut [f32], gradient: &[f32], buffer: &mut [f32]) {
        if buffer.is_empty() {
            let mut chunks: Vec<_> = values.chunks_mut(GRAIN).zip(gradient.chunks(GRAIN)).collect();
            return pool.for_chunks(&mut chunks, 1, |_, chunk| {
                for (value, gradient) in
                    chunk.iter_mut().flat_map(|(values, gradient)| values.iter_mut().zip(*gradient))
                {
                    *value = *value * self.keep + self.step * (gradient * self.scale);
                }
            });
        }
        let parts = values.chunks_mut(GRAIN).zip(gradient.chunks(GRAIN));
        let mut chunks: Vec<_> = parts.zip(buffer.chunks_mut(GRAIN)).collect();
        pool.for_chunks(&mut chunks, 1, |_, chunk| {
            for ((values, gradient), buffer) in chunk {
                self.run_with_momentum(values, gradient, buffer);
            }
        });
    }

    fn run_with_momentum(self, values: &mut [f32], gradient: &[f32], buffer: &mut [f32]) {
        for ((value, gradient), kept) in values.iter_mut().zip(gradient).zip(buffer) {
            let gradient = gradient * self.scale;
            *kept = if self.starts { gradient } else { *kept * self.momentum + gradient };
            *value = *value * self.keep + self.step * *kept;
        }
    }
}
