//! The buffers of a call on a GPU, and what crosses for it.
//!
//! Small inputs lie side by side, and so do small outputs: whatever there is of them crosses as one copy. Of inputs only
//! what has changed since the last run does, from the first of them to the last. What one call hands to the next stays.

use super::call::shape_of;
use crate::abi::{BUFFER_ALIGNMENT, BufferInfo, ProgramInfo, Role, names};
use crate::device::{Block, Driver, Shared};
use crate::error::{Error, Result};
use crate::memory::Tensor;
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of a buffer from which on it crosses by itself: copying it takes longer than asking for the copy.
const LARGE: usize = 1 << 14;

/// The buffers that a call has on a device.
#[derive(Debug)]
pub(super) struct Resident {
    inputs: Together,
    outputs: Together,
    /// All others, by their places.
    alone: BTreeMap<usize, Block>,
}

/// Buffers that lie side by side.
#[derive(Debug)]
struct Together {
    block: Block,
    /// Where each lies in the block, by its place.
    ranges: BTreeMap<usize, Range<usize>>,
    /// What is there.
    image: Vec<u8>,
}

impl Resident {
    /// Zeroed memory for what a call owns.
    pub(super) fn new(driver: &Shared, info: &ProgramInfo, sizes: &[i64]) -> Result<Resident> {
        let (mut inputs, mut outputs, mut alone) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (place, buffer) in info.buffers.iter().enumerate().filter(|(_, buffer)| is_own(buffer)) {
            let bytes = bytes_of(buffer, sizes);
            let small = bytes < LARGE && !names::is_carried(&buffer.name);
            match buffer.role {
                Role::Input if small => drop(inputs.insert(place, bytes)),
                Role::Output if small => drop(outputs.insert(place, bytes)),
                _ => drop(alone.insert(place, Block::zeroed(driver, bytes)?)),
            }
        }
        let (inputs, outputs) = (Together::new(driver, &inputs)?, Together::new(driver, &outputs)?);
        Ok(Resident { inputs, outputs, alone })
    }

    /// Where a buffer is.
    pub(super) fn address(&self, place: usize) -> Option<u64> {
        let alone = self.alone.get(&place).map(Block::address);
        alone.or_else(|| self.inputs.address(place)).or_else(|| self.outputs.address(place))
    }

    /// Copies inputs to the device.
    pub(super) fn upload(
        &mut self,
        info: &ProgramInfo,
        tensors: &[Option<Tensor>],
        driver: &mut dyn Driver,
    ) -> Result<()> {
        for (place, buffer) in info.buffers.iter().enumerate().filter(|(_, buffer)| buffer.role == Role::Input) {
            if let (Some(tensor), Some(block)) = (&tensors[place], self.alone.get(&place)) {
                driver.upload(block.address(), tensor.block().bytes()).map_err(|error| naming(error, buffer))?;
            }
        }
        self.inputs.upload(tensors, driver)
    }

    /// Copies from the device what a call gives back.
    pub(super) fn download(
        &mut self,
        info: &ProgramInfo,
        tensors: &mut [Option<Tensor>],
        driver: &mut dyn Driver,
    ) -> Result<()> {
        self.outputs.download(tensors, driver)?;
        for (place, buffer) in info.buffers.iter().enumerate() {
            let gives = matches!(buffer.role, Role::Output | Role::Gradient | Role::Update);
            let crosses = gives && !names::is_carried(&buffer.name);
            if let (true, Some(tensor), Some(block)) = (crosses, &mut tensors[place], self.alone.get(&place)) {
                driver.download(block.address(), tensor.bytes_mut()).map_err(|error| naming(error, buffer))?;
            }
        }
        Ok(())
    }
}

impl Together {
    fn new(driver: &Shared, bytes: &BTreeMap<usize, usize>) -> Result<Together> {
        let (mut ranges, mut end) = (BTreeMap::new(), 0usize);
        for (place, bytes) in bytes {
            let start = end.next_multiple_of(BUFFER_ALIGNMENT);
            end = start + bytes;
            ranges.insert(*place, start..end);
        }
        Ok(Together { block: Block::zeroed(driver, end)?, ranges, image: vec![0; end] })
    }

    fn address(&self, place: usize) -> Option<u64> {
        self.ranges.get(&place).map(|range| self.block.address() + range.start as u64)
    }

    /// Copies what is not there yet.
    fn upload(&mut self, tensors: &[Option<Tensor>], driver: &mut dyn Driver) -> Result<()> {
        let mut changed: Option<Range<usize>> = None;
        for (place, range) in &self.ranges {
            let (Some(tensor), there) = (&tensors[*place], &mut self.image[range.clone()]) else { continue };
            if there != tensor.block().bytes() {
                there.copy_from_slice(tensor.block().bytes());
                changed = Some(changed.map_or(range.start, |changed| changed.start)..range.end);
            }
        }
        let Some(changed) = changed else { return Ok(()) };
        driver.upload(self.block.address() + changed.start as u64, &self.image[changed])
    }

    fn download(&mut self, tensors: &mut [Option<Tensor>], driver: &mut dyn Driver) -> Result<()> {
        if self.ranges.keys().all(|place| tensors[*place].is_none()) {
            return Ok(());
        }
        driver.download(self.block.address(), &mut self.image)?;
        for (place, range) in &self.ranges {
            if let Some(tensor) = &mut tensors[*place] {
                tensor.bytes_mut().copy_from_slice(&self.image[range.clone()]);
            }
        }
        Ok(())
    }
}

/// Whether a call has memory of its own for a buffer.
fn is_own(buffer: &BufferInfo) -> bool {
    match buffer.role {
        // The state of its name holds it.
        Role::Input => !names::is_carried(&buffer.name),
        Role::Output | Role::Gradient | Role::Update => true,
        Role::Parameter | Role::Packed | Role::State | Role::Temporary { .. } => false,
    }
}

/// Bytes of a buffer under given sizes.
pub(super) fn bytes_of(buffer: &BufferInfo, sizes: &[i64]) -> usize {
    let count = shape_of(&buffer.shape, sizes).iter().product::<i64>();
    usize::try_from(count).unwrap_or(0).saturating_mul(buffer.element.bytes())
}

fn naming(error: Error, buffer: &BufferInfo) -> Error {
    Error::environment(format!("{} (`{}`)", error.message(), buffer.name))
}
