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
        /// Steps done.
        step: i32,
        /// First and second moments of each parameter.
        moments: Vec<(Vec<f64>, Vec<f64>)>,
    },
}

impl Optimizer {
    /// Plain descent.
    pub fn sgd(settings: &Trajectory) -> Optimizer {
        Optimizer::Sgd { rate: settings.lr }
    }

    /// AdamW, fresh.
    pub fn adamw(settings: &Trajectory, parameters: &[Array]) -> Optimizer {
        let zeros = |parameter: &Array| (vec![0.0; parameter.data.len()], vec![0.0; parameter.data.len()]);
        Optimizer::AdamW { settings: settings.clone(), step: 0, moments: parameters.iter().map(zeros).collect() }
    }

    /// One step. A parameter without a gradient stays, decay included.
    pub fn step(&mut self, parameters: &mut [Array], gradients: &[Option<Array>]) {
        if let Optimizer::AdamW { step, .. } = self {
            *step += 1;
        }
        for (place, parameter) in parameters.iter_mut().enumerate() {
            if let Some(gradient) = &gradients[place] {
                self.move_one(place, parameter, gradient);
            }
        }
    }

    fn move_one(&mut self, place: usize, parameter: &mut Array, gradient: &Array) {
        let pairs = parameter.data.iter_mut().zip(&gradient.data);
        match self {
            Optimizer::Sgd { rate } => pairs.for_each(|(weight, gradient)| *weight -= *rate * gradient),
            Optimizer::AdamW { settings, step, moments } => {
                let (first, second) = &mut moments[place];
                let [decay_first, decay_second] = settings.betas;
                let correct_first = 1.0 - decay_first.powi(*step);
                let correct_second = 1.0 - decay_second.powi(*step);
                for (at, (weight, gradient)) in pairs.enumerate() {
                    *weight -= settings.lr * settings.weight_decay * *weight;
                    first[at] = decay_first * first[at] + (1.0 - decay_first) * gradient;
                    second[at] = decay_second * second[at] + (1.0 - decay_second) * gradient * gradient;
                    let root = (second[at] / correct_second).sqrt() + settings.eps;
                    *weight -= settings.lr * (first[at] / correct_first) / root;
                }
            }
        }
    }
}
