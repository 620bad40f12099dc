//! How a parameter starts.
//!
//! In: what a `param` line says. Out: a number for every element, which depends on its place, on a seed and on paths alone:
//! the same on every machine, on any number of threads.

use crate::random::Stream;
use serde::{Deserialize, Serialize};

/// The initial value of a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Start {
    /// Every element the same.
    Constant(f64),
    /// Drawn from a normal distribution.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        deviation: f64,
    },
    /// Drawn evenly.
    Uniform {
        /// The smallest value.
        low: f64,
        /// The supremum.
        high: f64,
    },
    /// Every element given, in row-major order.
    Values(Vec<f32>),
    /// Computed from coordinates and from what is drawn.
    Formula(Formula),
}

/// How an element is computed: the last step is its number.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Formula(pub Vec<StartStep>);

/// One step; operands are earlier steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StartStep {
    /// A number.
    Number(f64),
    /// The coordinate along a dimension.
    Coordinate(usize),
    /// A function of reals.
    Call(Arithmetic, Vec<usize>),
    /// Something drawn, once for each place along some dimensions.
    Draw {
        /// What tells it from other draws.
        path: String,
        /// Mean and deviation of a normal distribution; else the ends of a range.
        normal: bool,
        /// The two numbers.
        of: [usize; 2],
        /// The dimensions.
        along: Vec<usize>,
    },
}

/// A function of reals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Minimum,
    Maximum,
    Negate,
    Absolute,
    Floor,
    Exp,
    Log,
    Log1p,
    Expm1,
    Sqrt,
    Sin,
    Cos,
    Tanh,
}

impl Arithmetic {
    /// The value for arguments; a function of one ignores the second.
    pub fn apply(self, x: f64, y: f64) -> f64 {
        use Arithmetic::*;
        match self {
            Add => x + y,
            Subtract => x - y,
            Multiply => x * y,
            Divide => x / y,
            Power => x.powf(y),
            Minimum => x.min(y),
            Maximum => x.max(y),
            Negate => -x,
            Absolute => x.abs(),
            Floor => x.floor(),
            Exp => x.exp(),
            Log => x.ln(),
            Log1p => x.ln_1p(),
            Expm1 => x.exp_m1(),
            Sqrt => x.sqrt(),
            Sin => x.sin(),
            Cos => x.cos(),
            Tanh => x.tanh(),
        }
    }
}

impl Formula {
    /// The same for as many turns as the further, outer dimensions have: each turn has draws of its own.
    pub fn for_turns(&self, dimensions: usize) -> Formula {
        let mut steps = self.0.clone();
        for step in &mut steps {
            match step {
                StartStep::Coordinate(place) => *place += dimensions,
                StartStep::Draw { along, .. } => {
                    *along = (0..dimensions).chain(along.iter().map(|place| place + dimensions)).collect();
                }
                StartStep::Number(_) | StartStep::Call(..) => {}
            }
        }
        Formula(steps)
    }

    /// The numbers of some elements of a shape, from the element of this place on.
    pub fn fill(&self, shape: &[i64], seed: u64, first: usize, elements: &mut [f32]) {
        let stream = |step: &StartStep| match step {
            StartStep::Draw { path, .. } => Stream::new(seed, path),
            _ => Stream::new(seed, ""),
        };
        let streams = self.0.iter().map(stream).collect::<Vec<_>>();
        let (mut values, mut coordinates) = (vec![0.0; self.0.len()], vec![0; shape.len()]);
        for (at, element) in elements.iter_mut().enumerate() {
            locate((first + at) as u64, shape, &mut coordinates);
            for (place, step) in self.0.iter().enumerate() {
                values[place] = step.value(&values, &coordinates, shape, &streams[place]);
            }
            *element = values.last().copied().unwrap_or(0.0) as f32;
        }
    }
}

impl StartStep {
    fn value(&self, values: &[f64], coordinates: &[u64], shape: &[i64], stream: &Stream) -> f64 {
        match self {
            StartStep::Number(number) => *number,
            StartStep::Coordinate(place) => coordinates[*place] as f64,
            StartStep::Call(function, of) => {
                let argument = |place: usize| of.get(place).map_or(0.0, |step| values[*step]);
                function.apply(argument(0), argument(1))
            }
            StartStep::Draw { normal, of, along, .. } => {
                let index = along.iter().fold(0, |index, place| index * shape[*place] as u64 + coordinates[*place]);
                let [first, second] = of.map(|step| values[step]);
                match normal {
                    true => first + second * stream.normal(index),
                    false => first + (second - first) * stream.uniform(index),
                }
            }
        }
    }
}

/// The coordinates of an element, the last counting fastest.
fn locate(mut element: u64, shape: &[i64], coordinates: &mut [u64]) {
    for (coordinate, size) in coordinates.iter_mut().zip(shape).rev() {
        let size = (*size).max(1) as u64;
        (*coordinate, element) = (element % size, element / size);
    }
}
