//! Moves parameters along their gradients: AdamW and SGD with decoupled weight decay.
//!
//! The order of operations is PyTorch's (`torch.optim`, single tensors, f32), so that loss curves agree. A parameter
//! without gradient stays as it is, decay included. Elementwise, so results do not depend on the number of threads.

mod steps;

use crate::abi::ParameterInfo;
use crate::device::{Kept, Numbers, Updates};
use crate::error::Result;
use crate::model::Loaded;
use crate::recipe::{Method, Recipe};
use crate::weights::Saved;
use steps::Step;

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

/// The gradient of a parameter.
#[derive(Debug, Clone, Copy)]
pub enum Gradient<'g> {
    /// Of a model that runs here.
    Here(&'g [f32]),
    /// Of one that runs on a device.
    OnDevice(Numbers),
}

impl<'g> Gradient<'g> {
    /// Of numbers that are kept.
    pub fn of(kept: &'g Kept) -> Gradient<'g> {
        match kept {
            Kept::Here(tensor) => Gradient::Here(tensor.slice()),
            Kept::OnDevice(_, block) => Gradient::OnDevice(Numbers { address: block.address(), count: kept.len() }),
        }
    }

    /// Its numbers; none if they are on a device.
    pub fn here(&self) -> &'g [f32] {
        match self {
            Gradient::Here(numbers) => numbers,
            Gradient::OnDevice(_) => &[],
        }
    }

    /// Where it is on a device.
    pub fn on_device(&self) -> Option<Numbers> {
        match self {
            Gradient::Here(_) => None,
            Gradient::OnDevice(numbers) => Some(*numbers),
        }
    }
}

/// An optimizer and its state, which is where the model's programs run.
#[derive(Debug)]
pub struct Optimizer {
    settings: Settings,
    /// Steps taken.
    steps: u64,
    /// The first moments, or SGD's momentum; empty where not needed.
    first: Vec<Kept>,
    /// The second moments; empty where not needed.
    second: Vec<Kept>,
    /// None where parameters are moved here.
    updates: Option<Updates>,
}

impl Optimizer {
    /// An optimizer that has not moved yet.
    ///
    /// # Errors
    /// If there is not enough memory for its state.
    pub fn new(settings: Settings, model: &Loaded) -> Result<Optimizer> {
        let updates = model.updates();
        let zeros = |needed: bool| {
            let shapes = model.parameters().iter().map(|tensor| if needed { tensor.shape() } else { &[0] });
            shapes.map(|shape| Kept::zeros(shape, updates.as_ref())).collect::<Result<Vec<_>>>()
        };
        let adam = settings.method == Method::AdamW;
        let first = zeros(adam || settings.momentum != 0.0)?;
        let second = zeros(adam)?;
        Ok(Optimizer { settings, steps: 0, first, second, updates })
    }

    /// How many steps it has taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Its state under the names that a checkpoint uses, without the empty parts.
    ///
    /// # Errors
    /// If a device declines.
    pub fn state(&self, infos: &[ParameterInfo]) -> Result<Vec<(String, Saved<'_>)>> {
        let mut all = Vec::new();
        for (part, label) in [(&self.first, "first"), (&self.second, "second")] {
            for (info, kept) in infos.iter().zip(part).filter(|(_, kept)| !kept.is_empty()) {
                all.push((format!("@{label}.{}", info.path), Saved::new(kept.shape(), kept.read()?)));
            }
        }
        Ok(all)
    }

    /// Takes over a stored state: `read` gets each name and the count of its numbers, which it gives.
    ///
    /// # Errors
    /// Whatever `read` reports, or if a device declines.
    pub fn restore(
        &mut self,
        infos: &[ParameterInfo],
        steps: u64,
        read: impl Fn(&str, usize) -> Result<Vec<f32>>,
    ) -> Result<()> {
        self.steps = steps;
        for (part, label) in [(&mut self.first, "first"), (&mut self.second, "second")] {
            for (info, kept) in infos.iter().zip(part).filter(|(_, kept)| !kept.is_empty()) {
                kept.write(&read(&format!("@{label}.{}", info.path), kept.len())?)?;
            }
        }
        Ok(())
    }

    /// Moves all parameters that have a gradient. `scale` multiplies the gradients (clipping, averaging).
    ///
    /// # Errors
    /// If a device declines.
    pub fn step(
        &mut self,
        model: &mut Loaded,
        gradients: &[Option<Gradient<'_>>],
        rate: f64,
        scale: f32,
    ) -> Result<()> {
        self.steps += 1;
        for (place, gradient) in gradients.iter().enumerate() {
            let info = &model.manifest().parameters[place];
            let Some(gradient) = gradient.filter(|_| info.trained) else { continue };
            let decays = self.settings.decay_vectors || !is_vector(info);
            let decay = if decays { self.settings.weight_decay } else { 0.0 };
            let step = Step::new(&self.settings, self.steps, (rate, decay), scale);
            let (first, second) = (&mut self.first[place], &mut self.second[place]);
            match (gradient, &self.updates) {
                (Gradient::Here(gradient), _) => {
                    let (_, parameters, pool) = model.parameters_mut();
                    step.run(pool, parameters[place].slice_mut(), gradient, first.here_mut(), second.here_mut());
                }
                (Gradient::OnDevice(gradient), Some(updates)) => {
                    let values = model.parameter_on_device(place)?;
                    step.launch(updates, values, gradient, [first, second].map(|kept| kept.on_device()))?;
                }
                (Gradient::OnDevice(_), None) => {}
            }
        }
        Ok(())
    }
}

/// Whether a parameter has one axis or none, the axis of turns apart.
fn is_vector(info: &ParameterInfo) -> bool {
    info.shape.len() - usize::from(!info.turns.is_empty()).min(info.shape.len()) < 2
}
