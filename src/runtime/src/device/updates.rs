//! Gradients, moments and parameters on a device, moved there: what a step of an optimizer launches.

use super::{Block, Shared};
use crate::abi::Update;
use crate::error::{Error, Result};

/// The entries that move parameters.
#[derive(Debug, Clone)]
pub struct Updates {
    driver: Shared,
    /// The place of [`Update::ALL`]'s first in the plan.
    first: usize,
}

/// So many numbers of 32 bits on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Where the first is: a multiple of 256.
    pub address: u64,
    /// How many.
    pub count: usize,
}

impl Updates {
    /// The entries of a plan, from this place on.
    pub fn new(driver: Shared, first: usize) -> Updates {
        Updates { driver, first }
    }

    /// Room for so many numbers of 32 bits, all 0.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn zeros(&self, count: usize) -> Result<Block> {
        Block::zeroed(&self.driver, count * size_of::<f32>())
    }

    /// Copies numbers from one place to another.
    ///
    /// # Errors
    /// If the device declines.
    pub fn copy(&self, from: Numbers, to: u64) -> Result<()> {
        self.driver.lock()?.copy(from.address, to, from.count * size_of::<f32>())
    }

    /// Launches an entry over so many numbers.
    ///
    /// # Errors
    /// If the device declines.
    pub fn launch(&self, update: Update, count: usize, addresses: &[u64], floats: &[f32]) -> Result<()> {
        let blocks = u32::try_from(update.blocks(count)).map_err(|_| Error::bug("a parameter is too large"))?;
        if count == 0 {
            return Ok(());
        }
        let bits = floats.iter().map(|float| i64::from(float.to_bits()));
        let sizes = std::iter::once(count as i64).chain(bits).collect::<Vec<_>>();
        self.driver.lock()?.launch(self.first + update as usize, blocks, addresses, &sizes)
    }

    /// Room for what [`Updates::norm`] writes on its way.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn room_for_norm(&self, counts: impl Iterator<Item = usize>) -> Result<Block> {
        let pieces = counts.map(|count| Update::Squares.blocks(count)).sum::<usize>();
        Block::zeroed(&self.driver, (1 + pieces) * size_of::<f64>())
    }

    /// The norm of all numbers together. They are summed in 64 bits, in an order that depends on their counts alone; the
    /// sum is the only thing that leaves the device.
    ///
    /// # Errors
    /// If the device declines.
    pub fn norm(&self, all: impl Iterator<Item = Numbers>, room: &Block) -> Result<f64> {
        let wide = size_of::<f64>() as u64;
        let mut pieces = 0;
        for Numbers { address, count } in all {
            let sums = room.address() + (1 + pieces) * wide;
            self.launch(Update::Squares, count, &[address, sums], &[])?;
            pieces += Update::Squares.blocks(count) as u64;
        }
        self.launch(Update::Total, pieces as usize, &[room.address() + wide, room.address()], &[])?;
        let mut bytes = [0; size_of::<f64>()];
        room.download(&mut bytes)?;
        Ok(f64::from_le_bytes(bytes).sqrt())
    }
}
