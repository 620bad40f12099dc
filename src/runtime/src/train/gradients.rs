//! The gradients of a step: those of one call, or sums over several.

use crate::abi::Update;
use crate::device::{Block, Kept, Numbers, Updates};
use crate::error::Result;
use crate::model::{Call, Loaded};
use crate::optimizer::Gradient;
use crate::threads::Pool;

/// Elements of a chunk of the norm: the sum of its squares is one partial result.
const GRAIN: usize = 1 << 15;

/// Sums of gradients, where a step has several batches; otherwise nothing, and the call's own are used. They are where
/// the model's programs run, and stay there.
#[derive(Debug)]
pub struct Gradients {
    sums: Vec<Kept>,
    device: Option<OnDevice>,
}

/// What the norm needs on a device.
#[derive(Debug)]
struct OnDevice {
    updates: Updates,
    room: Block,
}

impl Gradients {
    /// Room for the sums, if there are several batches a step.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn new(model: &Loaded, batches: usize) -> Result<Gradients> {
        let updates = model.updates();
        let parameters = if batches > 1 { model.parameters() } else { &[] };
        let sums = parameters.iter().map(|tensor| Kept::zeros(tensor.shape(), updates.as_ref()));
        let sums = sums.collect::<Result<_>>()?;
        let counts = model.parameters().iter().map(|tensor| tensor.len());
        let device =
            updates.map(|updates| Ok(OnDevice { room: updates.room_for_norm(counts)?, updates })).transpose()?;
        Ok(Gradients { sums, device })
    }

    /// Tells a call that its gradients need not come back from a device.
    pub fn keep_of(&self, call: &mut Call) {
        if self.device.is_some() {
            call.leave_gradients();
        }
    }

    /// Adds the gradients of the batch `turn` of this step.
    ///
    /// # Errors
    /// If a device declines.
    pub fn add(&mut self, model: &Loaded, call: &Call, turn: usize) -> Result<()> {
        for (place, sum) in self.sums.iter_mut().enumerate() {
            match (own(model, call, place), &self.device) {
                (Some(Gradient::Here(gradient)), _) => add_here(model.pool(), sum.here_mut(), gradient, turn == 0),
                (Some(Gradient::OnDevice(gradient)), Some(device)) => device.add(sum, gradient, turn == 0)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// One gradient for each parameter that has one.
    pub fn all<'own>(&'own self, model: &Loaded, call: &'own Call) -> Vec<Option<Gradient<'own>>> {
        let of = |place| {
            let own = own(model, call, place)?;
            Some(self.sums.get(place).map_or(own, Gradient::of))
        };
        (0..model.parameters().len()).map(of).collect()
    }

    /// The norm of all of them together. Chunks are summed in f64, in a fixed order.
    ///
    /// # Errors
    /// If a device declines.
    pub fn norm(&self, model: &Loaded, call: &Call) -> Result<f64> {
        let all = self.all(model, call).into_iter().flatten().collect::<Vec<_>>();
        if let Some(OnDevice { updates, room }) = &self.device {
            return updates.norm(all.iter().filter_map(Gradient::on_device), room);
        }
        let chunks = all.iter().flat_map(|gradient| gradient.here().chunks(GRAIN));
        let mut partial: Vec<(&[f32], f64)> = chunks.map(|chunk| (chunk, 0.0)).collect();
        model.pool().for_chunks(&mut partial, 1, |_, parts| {
            parts.iter_mut().for_each(|(chunk, sum)| *sum = sum_of_squares(chunk));
        });
        Ok(partial.iter().map(|(_, sum)| sum).sum::<f64>().sqrt())
    }
}

impl OnDevice {
    fn add(&self, sum: &Kept, gradient: Numbers, first: bool) -> Result<()> {
        match sum.on_device() {
            Some(sum) if first => self.updates.copy(gradient, sum.address),
            Some(sum) => self.updates.launch(Update::Add, sum.count, &[sum.address, gradient.address], &[]),
            None => Ok(()),
        }
    }
}

/// The gradient of a parameter that a call has computed.
fn own<'c>(model: &Loaded, call: &'c Call, place: usize) -> Option<Gradient<'c>> {
    let path = &model.manifest().parameters[place].path;
    if let Some(tensor) = call.gradient(path) {
        return Some(Gradient::Here(tensor.slice()));
    }
    let (address, count) = (call.gradient_on_device(path)?, model.parameters()[place].len());
    Some(Gradient::OnDevice(Numbers { address, count }))
}

fn add_here(pool: &Pool, sum: &mut [f32], gradient: &[f32], first: bool) {
    let parts = sum.chunks_mut(GRAIN).zip(gradient.chunks(GRAIN));
    pool.for_chunks(&mut parts.collect::<Vec<_>>(), 1, |_, chunk| {
        chunk.iter_mut().for_each(|(sum, gradient)| add_chunk(sum, gradient, first));
    });
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
