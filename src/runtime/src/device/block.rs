//! Memory on a device, given back when it goes.

use super::Driver;
use crate::error::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard};

/// A driver that several blocks of memory hold on to.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<dyn Driver>>);

impl Shared {
    /// A driver to be shared.
    pub fn new(driver: impl Driver + 'static) -> Shared {
        Shared(Arc::new(Mutex::new(driver)))
    }

    /// The driver, for one caller at a time.
    ///
    /// # Errors
    /// If a caller before has panicked.
    pub fn lock(&self) -> Result<MutexGuard<'_, dyn Driver + 'static>> {
        self.0.lock().map_err(|_| Error::bug("the driver of the GPU was left in the middle of something"))
    }
}

/// Bytes on a device.
#[derive(Debug)]
pub struct Block {
    driver: Shared,
    address: u64,
    bytes: usize,
}

impl Block {
    /// Zeroed memory.
    ///
    /// # Errors
    /// If there is not enough.
    pub fn zeroed(driver: &Shared, bytes: usize) -> Result<Block> {
        let block = Block::uninitialised(driver, bytes)?;
        driver.lock()?.clear(block.address, block.bytes)?;
        Ok(block)
    }

    /// Memory with anything in it.
    ///
    /// # Errors
    /// If there is not enough.
    pub fn uninitialised(driver: &Shared, bytes: usize) -> Result<Block> {
        // Drivers give no memory of no bytes.
        let bytes = bytes.max(1);
        let address = driver.lock()?.allocate(bytes)?;
        Ok(Block { driver: driver.clone(), address, bytes })
    }

    /// Its first byte.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// How many bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies bytes to its start.
    ///
    /// # Errors
    /// If the device declines.
    pub fn upload(&self, bytes: &[u8]) -> Result<()> {
        self.driver.lock()?.upload(self.address, bytes)
    }

    /// Copies bytes from its start.
    ///
    /// # Errors
    /// If the device declines.
    pub fn download(&self, bytes: &mut [u8]) -> Result<()> {
        self.driver.lock()?.download(self.address, bytes)
    }

    /// The same bytes in memory of their own.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn duplicate(&self) -> Result<Block> {
        let copy = Block::uninitialised(&self.driver, self.bytes)?;
        self.driver.lock()?.copy(self.address, copy.address, self.bytes)?;
        Ok(copy)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Ok(mut driver) = self.driver.lock() {
            driver.release(self.address);
        }
    }
}
