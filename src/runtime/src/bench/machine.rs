//! The limits of what a model's programs run on: threads of this CPU, or a GPU.

use super::probe::{fma_rate, read_rate};
use super::work::touched;
use crate::device::{Copies, Limits};
use crate::error::Result;
use crate::memory::Block;
use crate::model::Loaded;
use crate::threads::Pool;
use std::fmt;

/// Where the programs run.
#[derive(Debug)]
pub enum Machine {
    /// On threads of their own, as many as the model has.
    Cpu(Pool),
    /// On a GPU.
    Gpu(Limits),
}

/// Memory whose speed is measured.
#[derive(Debug)]
pub enum Memory<'m> {
    /// What is read.
    Here(&'m Pool, Block),
    /// What is copied on a device.
    There(Copies),
}

impl Machine {
    /// That of a model.
    ///
    /// # Errors
    /// If the device has no memory left to measure with.
    pub fn of(model: &Loaded) -> Result<Machine> {
        Ok(match model.limits()? {
            Some(limits) => Machine::Gpu(limits),
            None => Machine::Cpu(Pool::new(model.pool().threads())),
        })
    }

    /// Floating-point operations per second of multiply-adds in registers: two for each.
    ///
    /// # Errors
    /// If the device declines.
    pub fn products(&self) -> Result<f64> {
        match self {
            Machine::Cpu(pool) => Ok(fma_rate(pool)),
            Machine::Gpu(limits) => limits.products(),
        }
    }

    /// Memory of so many bytes, to measure with.
    ///
    /// # Errors
    /// If there is not enough.
    pub fn memory(&self, bytes: usize) -> Result<Memory<'_>> {
        Ok(match self {
            Machine::Cpu(pool) => Memory::Here(pool, touched(bytes)?),
            Machine::Gpu(limits) => Memory::There(limits.copies(bytes)?),
        })
    }

    /// A line that names it with its two limits.
    ///
    /// # Errors
    /// If the device declines.
    pub fn heading(&self, products: f64, memory: f64) -> Result<impl fmt::Display> {
        let (products, memory) = (products / 1e9, memory / 1e9);
        Ok(match self {
            Machine::Cpu(pool) => {
                let label =
                    if pool.threads() == 1 { "1 thread".to_owned() } else { format!("{} threads", pool.threads()) };
                format!("{label}: {products:.1} GFLOP/s of f32 FMA, {memory:.1} GB/s of reading")
            }
            Machine::Gpu(limits) => {
                let (name, precision) = limits.names()?;
                let unit = if precision == "f32" { "FMA" } else { "mma.sync" };
                format!(
                    "{name}: {products:.1} GFLOP/s of {precision} {unit}, {memory:.1} GB/s of copying, read and written"
                )
            }
        })
    }
}

impl Memory<'_> {
    /// Bytes per second.
    ///
    /// # Errors
    /// If the device declines.
    pub fn rate(&self) -> Result<f64> {
        match self {
            Memory::Here(pool, memory) => Ok(read_rate(pool, memory.bytes())),
            Memory::There(copies) => copies.rate(),
        }
    }
}
