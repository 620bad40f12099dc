//! What a device can do at most, measured on it: products in registers, and copies.

use super::{Block, Shared};
use crate::abi::Probe;
use crate::error::Result;
use std::time::Instant;

/// Blocks of a launch of the probe: several rounds on the largest GPU.
const BLOCKS: u32 = 1 << 14;
/// Turns of each: a launch takes milliseconds, so that its start does not count.
const TURNS: i64 = 256;
/// Bytes that copies of one measurement move together at least, for the same reason.
const MOVED: usize = 1 << 29;
/// Bytes of one copy at most.
const LARGEST: usize = 1 << 29;

/// Measures a device's own limits.
#[derive(Debug)]
pub struct Limits {
    driver: Shared,
    probe: Probe,
    /// What the factors of products are rounded to.
    precision: String,
    sums: Block,
}

/// Memory that is copied to and fro.
#[derive(Debug)]
pub struct Copies {
    driver: Shared,
    halves: [Block; 2],
    times: usize,
}

impl Limits {
    /// By the probe of a plan.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn new(driver: Shared, probe: Probe, precision: &str) -> Result<Limits> {
        let sums = Block::uninitialised(&driver, BLOCKS as usize * Probe::THREADS * size_of::<f32>())?;
        Ok(Limits { driver, probe, precision: precision.to_string(), sums })
    }

    /// The device's name, and what products are computed in there.
    ///
    /// # Errors
    /// If the driver was left in the middle of something.
    pub fn names(&self) -> Result<(String, &str)> {
        Ok((self.driver.lock()?.name(), &self.precision))
    }

    /// Floating-point operations per second of products that wait for nothing: two for each multiply-add.
    ///
    /// # Errors
    /// If the device declines.
    pub fn products(&self) -> Result<f64> {
        let mut driver = self.driver.lock()?;
        driver.wait()?;
        let start = Instant::now();
        driver.launch(self.probe.entry, BLOCKS, &[self.sums.address()], &[TURNS])?;
        driver.wait()?;
        let operations = self.probe.operations as f64 * f64::from(BLOCKS) * TURNS as f64;
        Ok(operations / start.elapsed().as_secs_f64())
    }

    /// Memory for copies that move so many bytes, as far as that is worth a measurement.
    ///
    /// # Errors
    /// If there is not enough.
    pub fn copies(&self, bytes: usize) -> Result<Copies> {
        // What is copied is read and written.
        let half = (bytes / 2).clamp(1 << 20, LARGEST);
        let block = || Block::zeroed(&self.driver, half);
        Ok(Copies { driver: self.driver.clone(), halves: [block()?, block()?], times: MOVED.div_ceil(2 * half) })
    }
}

impl Copies {
    /// Bytes read and written per second.
    ///
    /// # Errors
    /// If the device declines.
    pub fn rate(&self) -> Result<f64> {
        let [from, to] = &self.halves;
        let mut driver = self.driver.lock()?;
        driver.wait()?;
        let start = Instant::now();
        for _ in 0..self.times {
            driver.copy(from.address(), to.address(), from.bytes())?;
        }
        driver.wait()?;
        Ok((2 * from.bytes() * self.times) as f64 / start.elapsed().as_secs_f64())
    }
}
