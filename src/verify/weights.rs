//! Weights for a certificate: random, and such that every parameter counts.

use super::array::Array;
use super::layout::parameter_shape;
use crate::model::{Model, Parameter, Start};

/// Numbers from a seed: splitmix64 (Steele, Lea, Flood, 2014), made normal by Box and Muller.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A stream.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between 0 and 1, both left out.
    pub fn even(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and deviation 1.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.even().ln()).sqrt() * (std::f64::consts::TAU * self.even()).cos()
    }
}

/// Numbers for every parameter, each exact in f32. Whatever starts as a constant is moved off it, and matrices are so
/// large that a signal keeps its size: the fourth root of the number of elements is about the root of the fan-in.
pub fn random_weights(model: &Model, seed: u64) -> Vec<Array> {
    let mut random = Random::new(seed);
    let all = model.parameters.iter().enumerate();
    all.map(|(place, parameter)| fill(parameter, &parameter_shape(model, place), &mut random)).collect()
}

fn fill(parameter: &Parameter, shape: &[usize], random: &mut Random) -> Array {
    let own: usize = shape[parameter.stacked..].iter().product();
    let mut array = Array::filled(shape, 0.0);
    let mut drawn = vec![0.0; array.data.len()];
    if let Start::Formula(formula) = &parameter.start {
        let sizes = shape.iter().map(|size| *size as i64).collect::<Vec<_>>();
        formula.for_turns(parameter.stacked).fill(&sizes, random.bits(), 0, &mut drawn);
    }
    for (place, element) in array.data.iter_mut().enumerate() {
        let exact = match &parameter.start {
            Start::Constant(value) if parameter.trained => value + 0.2 * random.normal(),
            Start::Constant(value) => *value,
            Start::Values(values) => values[place % values.len().max(1)] + 0.05 * random.normal(),
            Start::Normal(..) | Start::Uniform(..) => random.normal() / (own as f64).powf(0.25),
            Start::Formula(_) => f64::from(drawn[place]),
        };
        *element = f64::from(exact as f32);
    }
    array
}

/// The same weights, each one rounding step of f32 up or down.
pub fn one_step_away(weights: &[Array], seed: u64) -> Vec<Array> {
    let mut random = Random::new(seed);
    let mut moved = weights.to_vec();
    for element in moved.iter_mut().flat_map(|array| array.data.iter_mut()) {
        let single = *element as f32;
        *element = f64::from(if random.bits() & 1 == 0 { single.next_up() } else { single.next_down() });
    }
    moved
}
