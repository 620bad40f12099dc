//! Numbers that a training keeps beside the parameters: here, or on the device that moves those.

use super::{Block, Numbers, Updates};
use crate::abi::Element;
use crate::error::Result;
use crate::memory::Tensor;
use std::borrow::Cow;

/// An array of 32-bit floats.
#[derive(Debug)]
pub enum Kept {
    /// In this process.
    Here(Tensor),
    /// On a device: its shape and its memory.
    OnDevice(Vec<i64>, Block),
}

impl Kept {
    /// Zeros, where parameters are moved.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn zeros(shape: &[i64], updates: Option<&Updates>) -> Result<Kept> {
        match updates {
            None => Tensor::zeros(Element::F32, shape).map(Kept::Here),
            Some(updates) => Ok(Kept::OnDevice(shape.to_vec(), updates.zeros(count(shape))?)),
        }
    }

    /// Its sizes, outermost first.
    pub fn shape(&self) -> &[i64] {
        match self {
            Kept::Here(tensor) => tensor.shape(),
            Kept::OnDevice(shape, _) => shape,
        }
    }

    /// How many numbers.
    pub fn len(&self) -> usize {
        count(self.shape())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers, to be changed; none if they are on a device.
    pub fn here_mut(&mut self) -> &mut [f32] {
        match self {
            Kept::Here(tensor) => tensor.slice_mut(),
            Kept::OnDevice(..) => &mut [],
        }
    }

    /// Where they are on a device.
    pub fn on_device(&self) -> Option<Numbers> {
        match self {
            Kept::Here(_) => None,
            Kept::OnDevice(_, block) => Some(Numbers { address: block.address(), count: self.len() }),
        }
    }

    /// The numbers, copied from the device if they are there.
    ///
    /// # Errors
    /// If the device declines.
    pub fn read(&self) -> Result<Cow<'_, [f32]>> {
        match self {
            Kept::Here(tensor) => Ok(Cow::Borrowed(tensor.slice())),
            Kept::OnDevice(_, block) => {
                let mut numbers = vec![0.0; self.len()];
                block.download(bytemuck::cast_slice_mut(&mut numbers))?;
                Ok(Cow::Owned(numbers))
            }
        }
    }

    /// Takes over numbers, as many as there are.
    ///
    /// # Errors
    /// If the device declines.
    pub fn write(&mut self, numbers: &[f32]) -> Result<()> {
        match self {
            Kept::Here(tensor) => tensor.slice_mut().copy_from_slice(numbers),
            Kept::OnDevice(_, block) => block.upload(bytemuck::cast_slice(numbers))?,
        }
        Ok(())
    }
}

fn count(shape: &[i64]) -> usize {
    shape.iter().map(|size| usize::try_from(*size).unwrap_or(0)).product()
}
