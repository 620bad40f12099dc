//! The initial values of parameters.

use crate::abi::{ParameterInfo, Start};
use crate::error::{Error, Result};
use crate::memory::Tensor;
use crate::random::Stream;
use crate::threads::Pool;

/// Elements that one chunk fills.
const GRAIN: usize = 1 << 14;

/// Fills a parameter with its initial value. An element's number depends on seed, path and place alone.
pub fn fill(tensor: &mut Tensor, info: &ParameterInfo, seed: u64, pool: &Pool) -> Result<()> {
    let stream = Stream::new(seed, &info.path);
    let values = tensor.slice_mut::<f32>();
    match &info.start {
        Start::Constant(value) => values.fill(*value as f32),
        Start::Values(given) if given.len() == values.len() => values.copy_from_slice(given),
        Start::Values(given) => {
            let (path, given) = (&info.path, given.len());
            return Err(Error::bug(format!("{path} has {} elements and {given} initial values", values.len())));
        }
        Start::Formula(formula) => {
            pool.for_chunks(values, GRAIN, |first, chunk| formula.fill(&info.shape, seed, first, chunk));
        }
        Start::Normal { mean, deviation } => {
            pool.for_chunks(values, GRAIN, |first, chunk| {
                fill_with(chunk, |at| mean + deviation * stream.normal((first + at) as u64));
            });
        }
        Start::Uniform { low, high } => {
            pool.for_chunks(values, GRAIN, |first, chunk| {
                fill_with(chunk, |at| low + (high - low) * stream.uniform((first + at) as u64));
            });
        }
    }
    Ok(())
}

fn fill_with(chunk: &mut [f32], value: impl Fn(usize) -> f64) {
    for (at, element) in chunk.iter_mut().enumerate() {
        *element = value(at) as f32;
    }
}
