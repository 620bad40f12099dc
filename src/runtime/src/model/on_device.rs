//! The programs of a model on a GPU: what lies there from call to call, and what is copied for a call.
//!
//! Parameters, packed parameters and states stay on the device, and so does what one call hands to the next. Inputs are
//! copied there before a call, outputs and gradients back after it unless the call leaves them there; their memory goes
//! with the call ([`Resident`]). Temporaries share one arena, laid out as on the CPU.

use super::code::Watcher;
use super::resident::{Resident, bytes_of};
use super::{Call, States};
use crate::abi::{DevicePlan, ProgramInfo, Role, names};
use crate::device::{Block, Driver, Limits, Shared, Updates};
use crate::error::{Error, Result};
use crate::memory::Tensor;
use std::collections::BTreeMap;
use std::ops::Range;

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
        call.upload(info, &mut *driver)?;
        let (program, sizes) = ((&self.plan, call.program), call.sizes.clone());
        let mut repeated = std::mem::take(&mut call.repeated);
        drop(driver);
        let mut look = |turn: i64, driver: &mut dyn Driver| {
            call.download(info, driver)?;
            Ok(watcher(turn))
        };
        let tally = repeated.run(program, &addresses, &sizes, &self.driver, &mut look)?;
        (call.tally, call.repeated) = (tally, repeated);
        let mut driver = self.driver.lock()?;
        call.download(info, &mut *driver)
    }

    /// Copies parts of what a call has given to the state of that name.
    pub(super) fn hand_on(&self, from: u64, to: &Block, parts: &[Range<usize>]) -> Result<()> {
        let mut driver = self.driver.lock()?;
        parts.iter().try_for_each(|part| {
            let start = part.start as u64;
            driver.copy(from + start, to.address() + start, part.len())
        })
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
        let resident = match &call.resident {
            Some(resident) => resident,
            None => call.resident.insert(Resident::new(&self.driver, info, &call.sizes)?),
        };
        for (place, buffer) in info.buffers.iter().enumerate() {
            let bytes = bytes_of(buffer, &call.sizes);
            addresses.push(match &buffer.role {
                Role::Parameter => self.parameters.get(&buffer.name).map(Block::address).ok_or_else(|| {
                    Error::bug(format!("a program reads the parameter {}, which is not on the device", buffer.name))
                })?,
                Role::Packed => provide(&mut self.packed, &buffer.name, &self.driver, bytes)?,
                Role::State => states.provide_on(&self.driver, &buffer.name, bytes)?,
                Role::Temporary { .. } => base + temporaries.next().copied().unwrap_or_default() as u64,
                Role::Input if names::is_carried(&buffer.name) => {
                    states.provide_on(&self.driver, &buffer.name, bytes)?
                }
                Role::Input | Role::Output | Role::Gradient | Role::Update => resident
                    .address(place)
                    .ok_or_else(|| Error::bug(format!("the call has no `{}` on the device", buffer.name)))?,
            });
        }
        Ok(addresses)
    }
}

/// Memory under a name, made when first needed.
fn provide(blocks: &mut BTreeMap<String, Block>, name: &str, driver: &Shared, bytes: usize) -> Result<u64> {
    if !blocks.contains_key(name) {
        blocks.insert(name.to_string(), Block::zeroed(driver, bytes)?);
    }
    Ok(blocks[name].address())
}
