//! The gradients of a step: those of one call, or sums over several.

use crate::abi::Element;
use crate::error::Result;
use crate::memory::Tensor;
use crate::model::{Call, Loaded};

/// Elements of a chunk of the norm: the sum of its squares is one partial result.
const GRAIN: usize = 1 << 15;

/// Sums of gradients, where a step has several batches; otherwise nothing, and the call's own are used.
#[derive(Debug)]
pub struct Gradients {
    sums: Vec<Tensor>,
}

impl Gradients {
    /// Room for the sums, if there are several batches a step.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn new(model: &Loaded, batches: usize) -> Result<Gradients> {
        let parameters = if batches > 1 { model.parameters() } else { &[] };
        let sums = parameters.iter().map(|tensor| Tensor::zeros(Element::F32, tensor.shape()));
        Ok(Gradients { sums: sums.collect::<Result<_>>()? })
    }

    /// Adds the gradients of the batch `turn` of this step.
    pub fn add(&mut self, model: &Loaded, call: &Call, turn: usize) {
        let infos = &model.manifest().parameters;
        for (info, sum) in infos.iter().zip(&mut self.sums) {
            let Some(gradient) = call.gradient(&info.path) else { continue };
            let parts = sum.slice_mut::<f32>().chunks_mut(GRAIN).zip(gradient.slice::<f32>().chunks(GRAIN));
            model.pool().for_chunks(&mut parts.collect::<Vec<_>>(), 1, |_, chunk| {
                chunk.iter_mut().for_each(|(sum, gradient)| add_chunk(sum, gradient, turn == 0));
            });
        }
    }

    /// One gradient for each parameter that has one.
    pub fn all<'own>(&'own self, model: &Loaded, call: &'own Call) -> Vec<Option<&'own [f32]>> {
        let infos = model.manifest().parameters.iter().enumerate();
        infos
            .map(|(place, info)| {
                let own = call.gradient(&info.path)?;
                Some(self.sums.get(place).unwrap_or(own).slice())
            })
            .collect()
    }

    /// The norm of all of them together. Chunks are summed in f64, in a fixed order.
    pub fn norm(&self, model: &Loaded, call: &Call) -> f64 {
        let all = self.all(model, call);
        let chunks = all.iter().flatten().flat_map(|gradient| gradient.chunks(GRAIN));
        let mut partial: Vec<(&[f32], f64)> = chunks.map(|chunk| (chunk, 0.0)).collect();
        model.pool().for_chunks(&mut partial, 1, |_, parts| {
            parts.iter_mut().for_each(|(chunk, sum)| *sum = sum_of_squares(chunk));
        });
        partial.iter().map(|(_, sum)| sum).sum::<f64>().sqrt()
    }
}

fn add_chunk(sum: &mut [f32], gradient: &[f32], first: bool) {
    for (sum, gradient) in sum.iter_mut().zip(gradient) {
        *sum = if first { *gradient } else { *sum + gradient };
    }
}

/// Eight sums side by side, so that the compiler can use vectors.
fn sum_of_squares(values: &[f32]) -> f64 {
    let (blocks, rest) = values.as_chunks::<8>();
    let mut sums = [0.0f64; 8];
    for block in blocks {
        for (sum, value) in sums.iter_mut().zip(block) {
            *sum += f64::from(*value) * f64::from(*value);
        }
    }
    let tail: f64 = rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
    sums.iter().sum::<f64>() + tail
}
