//! Moves parameters along their gradients: AdamW and SGD with decoupled weight decay.
//!
//! The order of operations is PyTorch's (`torch.optim`, single tensors, f32), so that loss curves agree. A parameter
//! without gradient stays as it is, decay included. Elementwise, so results do not depend on the number of threads.

use crate::abi::{Element, ParameterInfo};
use crate::error::Result;
use crate::memory::Tensor;
use crate::model::Loaded;
use crate::recipe::{Method, Recipe};
use crate::threads::Pool;

/// Elements of a chunk: its four arrays fit the second cache.
const GRAIN: usize = 1 << 15;

/// The constants of one training.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// AdamW or SGD.
    pub method: Method,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// SGD's momentum.
    pub momentum: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Whether parameters of one axis decay too.
    pub decay_vectors: bool,
}

impl Settings {
    /// What a recipe says.
    pub fn of(recipe: &Recipe) -> Settings {
        Settings {
            method: recipe.optimizer,
            beta1: recipe.beta1,
            beta2: recipe.beta2,
            epsilon: recipe.epsilon,
            momentum: recipe.momentum,
            weight_decay: recipe.weight_decay,
            decay_vectors: recipe.decay_vectors,
        }
    }
}

/// An optimizer and its state.
#[derive(Debug)]
pub struct Optimizer {
    settings: Settings,
    /// Steps taken.
    steps: u64,
    /// The first moments, or SGD's momentum; empty where not needed.
    first: Vec<Tensor>,
    /// The second moments; empty where not needed.
    second: Vec<Tensor>,
}

impl Optimizer {
    /// An optimizer that has not moved yet.
    ///
    /// # Errors
    /// If there is not enough memory for its state.
    pub fn new(settings: Settings, parameters: &[Tensor]) -> Result<Optimizer> {
        let zeros = |needed: bool| {
            let shapes = parameters.iter().map(|tensor| if needed { tensor.shape() } else { &[0] });
            shapes.map(|shape| Tensor::zeros(Element::F32, shape)).collect::<Result<Vec<_>>>()
        };
        let adam = settings.method == Method::AdamW;
        let first = zeros(adam || settings.momentum != 0.0)?;
        let second = zeros(adam)?;
        Ok(Optimizer { settings, steps: 0, first, second })
    }

    /// How many steps it has taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Its state under the names that a checkpoint uses, without the empty parts.
    pub fn state<'own>(&'own self, infos: &'own [ParameterInfo]) -> Vec<(String, &'own Tensor)> {
        let named = |part: &'own [Tensor], label: &'static str| {
            infos.iter().zip(part).map(move |(info, tensor)| (format!("@{label}.{}", info.path), tensor))
        };
        let all = named(&self.first, "first").chain(named(&self.second, "second"));
        all.filter(|(_, tensor)| !tensor.is_empty()).collect()
    }

    /// Takes over a stored state: `fill` gets each name and its place.
    ///
    /// # Errors
    /// Whatever `fill` reports.
    pub fn restore(
        &mut self,
        infos: &[ParameterInfo],
        steps: u64,
        mut fill: impl FnMut(&str, &mut Tensor) -> Result<()>,
    ) -> Result<()> {
        self.steps = steps;
        for (part, label) in [(&mut self.first, "first"), (&mut self.second, "second")] {
            for (info, tensor) in infos.iter().zip(part).filter(|(_, tensor)| !tensor.is_empty()) {
                fill(&format!("@{label}.{}", info.path), tensor)?;
            }
        }
        Ok(())
    }

    /// Moves all parameters that have a gradient. `scale` multiplies the gradients (clipping, averaging).
    pub fn step(&mut self, model: &mut Loaded, gradients: &[Option<&[f32]>], rate: f64, scale: f32) {
        self.steps += 1;
        let (manifest, parameters, pool) = model.parameters_mut();
        for (place, tensor) in parameters.iter_mut().enumerate() {
            let info = &manifest.parameters[place];
            let Some(gradient) = gradients[place].filter(|_| info.trained) else { continue };
            let decays = self.settings.decay_vectors || !is_vector(info);
            let decay = if decays { self.settings.weight_decay } else { 0.0 };
            let (first, second) = (&mut self.first[place], &mut self.second[place]);
            let values = tensor.slice_mut();
            match self.settings.method {
                Method::AdamW => {
                    let step = AdamStep::new(&self.settings, self.steps, rate, decay, scale);
                    step.run(pool, values, gradient, first.slice_mut(), second.slice_mut());
                }
                Method::Sgd => {
                    let step = SgdStep::new(&self.settings, self.steps, rate, decay, scale);
                    step.run(pool, values, gradient, first.slice_mut());
                }
            }
        }
    }
}

/// Whether a parameter has one axis or none, the axis of turns apart.
fn is_vector(info: &ParameterInfo) -> bool {
    info.shape.len() - usize::from(!info.turns.is_empty()).min(info.shape.len()) < 2
}

/// The numbers of one AdamW step, each rounded as PyTorch rounds it.
#[derive(Debug, Clone, Copy)]
struct AdamStep {
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
struct SgdStep {
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
