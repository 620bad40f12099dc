//! What is asked of a GPU.

use crate::error::Result;
use std::fmt::Debug;

/// A GPU with the code of one model loaded. Everything happens in the order in which it is asked for.
pub trait Driver: Debug + Send {
    /// The device's name.
    fn name(&self) -> String;

    /// Memory of so many bytes: its address, a multiple of 256.
    ///
    /// # Errors
    /// If there is not enough.
    fn allocate(&mut self, bytes: usize) -> Result<u64>;

    /// Gives memory back.
    fn release(&mut self, address: u64);

    /// Copies bytes to the device.
    ///
    /// # Errors
    /// If the device declines.
    fn upload(&mut self, address: u64, bytes: &[u8]) -> Result<()>;

    /// Copies bytes from the device, once everything before is done.
    ///
    /// # Errors
    /// If the device declines, or something that was launched has failed.
    fn download(&mut self, address: u64, bytes: &mut [u8]) -> Result<()>;

    /// Copies bytes on the device.
    ///
    /// # Errors
    /// If the device declines.
    fn copy(&mut self, from: u64, to: u64, bytes: usize) -> Result<()>;

    /// Sets bytes to zero.
    ///
    /// # Errors
    /// If the device declines.
    fn clear(&mut self, address: u64, bytes: usize) -> Result<()>;

    /// Waits until all that was asked for is done.
    ///
    /// # Errors
    /// If something that was launched has failed.
    fn wait(&mut self) -> Result<()>;

    /// Launches an entry of the plan with a line of blocks.
    ///
    /// # Errors
    /// If the device declines.
    fn launch(&mut self, entry: usize, blocks: u32, addresses: &[u64], sizes: &[i64]) -> Result<()>;

    /// Records what is launched, instead of running it: a number for [`Driver::replay`]. None if the device cannot, and
    /// nothing has then been run.
    ///
    /// # Errors
    /// If a launch is declined.
    fn record(&mut self, launches: &mut dyn FnMut(&mut dyn Driver) -> Result<()>) -> Result<Option<u64>>;

    /// Launches everything that was recorded under a number.
    ///
    /// # Errors
    /// If the device declines.
    fn replay(&mut self, recording: u64) -> Result<()>;

    /// Forgets what was recorded under a number.
    fn erase(&mut self, recording: u64);
}
