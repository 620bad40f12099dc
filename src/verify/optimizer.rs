//! The two optimizers of reference cases, in f64: plain gradient descent, and AdamW with decoupled decay.

use super::array::Array;
use super::case::Trajectory;

/// How parameters move.
#[derive(Debug, Clone)]
pub enum Optimizer {
    /// `w -= lr * g`.
    Sgd {
        /// The learning rate.
        rate: f64,
    },
    /// Loshchilov and Hutter, 2019, with bias correction as torch has it.
    AdamW {
        /// The settings.
        settings: Trajectory,
        /// What each element of each parameter has behind it.
        past: Vec<Vec<Past>>,
    },
}

/// An element's first and second moment, and how often it moved.
#[derive(Debug, Clone, Copy, Default)]
pub struct Past {
    first: f64,
    second: f64,
    steps: i32,
}

impl Optimizer {
    /// Plain descent.
    pub fn sgd(settings: &Trajectory) -> Optimizer {
        Optimizer::Sgd { rate: settings.lr }
    }

    /// AdamW, fresh.
    pub fn adamw(settings: &Trajectory, parameters: &[Array]) -> Optimizer {
        let fresh = |parameter: &Array| vec![Past::default(); parameter.data.len()];
        Optimizer::AdamW { settings: settings.clone(), past: parameters.iter().map(fresh).collect() }
    }

    /// One step. A parameter without a gradient stays, decay included, and so does an element that `stays`.
    pub fn step(
        &mut self,
        parameters: &mut [Array],
        gradients: &[Option<Array>],
        stays: impl Fn(usize, usize) -> bool,
    ) {
        for (place, parameter) in parameters.iter_mut().enumerate() {
            if let Some(gradient) = &gradients[place] {
                self.move_one(place, parameter, gradient, |at| stays(place, at));
            }
        }
    }

    fn move_one(&mut self, place: usize, parameter: &mut Array, gradient: &Array, stays: impl Fn(usize) -> bool) {
        let pairs = parameter.data.iter_mut().zip(&gradient.data).enumerate().filter(|(at, _)| !stays(*at));
        match self {
            Optimizer::Sgd { rate } => pairs.for_each(|(_, (weight, gradient))| *weight -= *rate * gradient),
            Optimizer::AdamW { settings, past } => {
                let past = &mut past[place];
                pairs.for_each(|(at, (weight, gradient))| adamw(settings, &mut past[at], weight, *gradient));
            }
        }
    }
}

fn adamw(settings: &Trajectory, past: &mut Past, weight: &mut f64, gradient: f64) {
    let [decay_first, decay_second] = settings.betas;
    past.steps += 1;
    past.first = decay_first * past.first + (1.0 - decay_first) * gradient;
    past.second = decay_second * past.second + (1.0 - decay_second) * gradient * gradient;
    let correct_first = 1.0 - decay_first.powi(past.steps);
    let correct_second = 1.0 - decay_second.powi(past.steps);
    *weight -= settings.lr * settings.weight_decay * *weight;
    *weight -= settings.lr * (past.first / correct_first) / ((past.second / correct_second).sqrt() + settings.eps);
}
