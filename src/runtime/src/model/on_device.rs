//! The programs of a model on a GPU: what lies there from call to call, and what is copied for a call.
//!
//! Parameters, packed parameters and states stay on the device. Inputs are copied there before a call, outputs and
//! gradients back after it unless the call leaves them there; their memory goes with the call. Temporaries share one
//! arena, laid out as on the CPU.

use super::call::shape_of;
use super::code::Watcher;
use super::{Call, States};
use crate::abi::{BufferInfo, DevicePlan, ProgramInfo, Role};
use crate::device::{self, Block, Driver, Limits, Shared, Updates};
use crate::error::{Error, Result};
use crate::memory::Tensor;
use std::collections::BTreeMap;

/// A model's memory on a device.
#[derive(Debug)]
pub(super) struct OnDevice {
    plan: DevicePlan,
    driver: Shared,
    /// By path; none until they are first copied there.
    parameters: BTreeMap<String, Block>,
    packed: BTreeMap<String, Block>,
    arena: Option<Block>,
}

/// Where the temporaries of a call lie: an offset for each, and the size of the whole.
pub(super) type Layout = (Vec<usize>, usize);

impl OnDevice {
    /// A device without anything on it.
    pub(super) fn new(plan: DevicePlan, driver: Shared) -> OnDevice {
        OnDevice { plan, driver, parameters: BTreeMap::new(), packed: BTreeMap::new(), arena: None }
    }

    /// Copies a parameter to the device.
    pub(super) fn set_parameter(&mut self, path: &str, tensor: &Tensor) -> Result<()> {
        let bytes = tensor.block().bytes();
        if !self.parameters.contains_key(path) {
            self.parameters.insert(path.to_string(), Block::zeroed(&self.driver, bytes.len())?);
        }
        self.parameters[path].upload(bytes)
    }

    /// Copies a parameter from the device, if it is there.
    pub(super) fn read_parameter(&self, path: &str, tensor: &mut Tensor) -> Result<()> {
        self.parameters.get(path).map_or(Ok(()), |block| block.download(tensor.bytes_mut()))
    }

    /// Where a parameter is, if it is there.
    pub(super) fn parameter(&self, path: &str) -> Option<u64> {
        self.parameters.get(path).map(Block::address)
    }

    /// What moves parameters there, of a model that trains.
    pub(super) fn updates(&self) -> Option<Updates> {
        self.plan.updates.map(|first| Updates::new(self.driver.clone(), first))
    }

    /// What measures its limits.
    pub(super) fn limits(&self) -> Result<Limits> {
        let probe =
            self.plan.probe.ok_or_else(|| Error::bug("the code for GPUs has nothing to measure limits with"))?;
        Limits::new(self.driver.clone(), probe, &self.plan.precision)
    }

    /// Waits until all is done.
    pub(super) fn finish(&self) -> Result<()> {
        self.driver.lock()?.wait()
    }

    /// Gives back the memory of a parameter.
    pub(super) fn drop_parameter(&mut self, path: &str) {
        self.parameters.remove(path);
    }

    /// Runs a call.
    pub(super) fn run(
        &mut self,
        info: &ProgramInfo,
        call: &mut Call,
        states: &mut States,
        layout: &Layout,
        watcher: Watcher<'_>,
    ) -> Result<()> {
        let addresses = self.addresses(info, call, states, layout)?;
        let mut driver = self.driver.lock()?;
        for (place, buffer) in info.buffers.iter().enumerate().filter(|(_, buffer)| buffer.role == Role::Input) {
            if let (Some(tensor), Some(block)) = (&call.tensors[place], call.resident.get(&place)) {
                driver.upload(block.address(), tensor.block().bytes()).map_err(|error| naming(error, buffer))?;
            }
        }
        let (program, sizes) = (call.program, call.sizes.clone());
        let mut look = |turn: i64, driver: &mut dyn Driver| {
            fetch(info, call, driver)?;
            Ok(watcher(turn))
        };
        let tally = device::run(&self.plan, program, &addresses, &sizes, &mut *driver, &mut look)?;
        call.tally = tally;
        fetch(info, call, &mut *driver)
    }

    /// One address for each buffer of the call's program.
    fn addresses(
        &mut self,
        info: &ProgramInfo,
        call: &mut Call,
        states: &mut States,
        (offsets, total): &Layout,
    ) -> Result<Vec<u64>> {
        if self.arena.as_ref().is_none_or(|arena| arena.bytes() < *total) {
            // The old one goes first, so that both never exist at once.
            self.arena = None;
            self.arena = Some(Block::uninitialised(&self.driver, *total)?);
        }
        let base = self.arena.as_ref().map_or(0, Block::address);
        let mut temporaries = offsets.iter();
        let mut addresses = Vec::with_capacity(info.buffers.len());
        for (place, buffer) in info.buffers.iter().enumerate() {
            let count = shape_of(&buffer.shape, &call.sizes).iter().product::<i64>();
            let bytes = usize::try_from(count).unwrap_or(0).saturating_mul(buffer.element.bytes());
            addresses.push(match &buffer.role {
                Role::Parameter => self.parameters.get(&buffer.name).map(Block::address).ok_or_else(|| {
                    Error::bug(format!("a program reads the parameter {}, which is not on the device", buffer.name))
                })?,
                Role::Packed => provide(&mut self.packed, buffer.name.clone(), &self.driver, bytes)?,
                Role::State => states.provide_on(&self.driver, &buffer.name, bytes)?,
                Role::Temporary { .. } => base + temporaries.next().copied().unwrap_or_default() as u64,
                Role::Input | Role::Output | Role::Gradient | Role::Update => {
                    provide(&mut call.resident, place, &self.driver, bytes)?
                }
            });
        }
        Ok(addresses)
    }
}

/// Memory under a key, made when first needed.
fn provide<K: Ord + Clone>(blocks: &mut BTreeMap<K, Block>, key: K, driver: &Shared, bytes: usize) -> Result<u64> {
    if !blocks.contains_key(&key) {
        blocks.insert(key.clone(), Block::zeroed(driver, bytes)?);
    }
    Ok(blocks[&key].address())
}

/// Copies what a call gives back from the device.
fn fetch(info: &ProgramInfo, call: &mut Call, driver: &mut dyn Driver) -> Result<()> {
    for (place, buffer) in info.buffers.iter().enumerate() {
        let gives = matches!(buffer.role, Role::Output | Role::Gradient | Role::Update);
        if let (true, Some(tensor), Some(block)) = (gives, &mut call.tensors[place], call.resident.get(&place)) {
            driver.download(block.address(), tensor.bytes_mut()).map_err(|error| naming(error, buffer))?;
        }
    }
    Ok(())
}

fn naming(error: Error, buffer: &BufferInfo) -> Error {
    Error::environment(format!("{} (`{}`)", error.message(), buffer.name))
}
