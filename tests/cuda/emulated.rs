//! A GPU's driver whose GPU is the interpreter of `archc-ptx`: what the runtime asks for happens there, in disorder.

use super::coverage::Coverage;
use super::traffic::Traffic;
use archc_ptx::{Machine, Module, Parameter};
use archc_runtime::abi::DevicePlan;
use archc_runtime::device::Driver;
use archc_runtime::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;

/// The machine, with the code of a plan loaded.
pub struct Emulated {
    plan: DevicePlan,
    module: Module,
    machine: Machine,
    /// Bytes of each block of memory, by address.
    blocks: BTreeMap<u64, usize>,
    /// What was recorded, by its number; and what is being recorded.
    recordings: BTreeMap<u64, Vec<Launch>>,
    recording: Option<Vec<Launch>>,
    /// What has been launched.
    pub coverage: Coverage,
    /// What has crossed to it and back.
    pub traffic: Traffic,
}

/// An entry, blocks, addresses and sizes.
type Launch = (usize, u32, Vec<u64>, Vec<i64>);

impl Emulated {
    /// A machine for a plan and its code; the seed is its disorder.
    pub fn new(plan: &DevicePlan, code: &str, seed: u64) -> Emulated {
        let module = Module::parse(code).unwrap_or_else(|error| panic!("{error}\n{}", numbered(code, error.line)));
        let (machine, coverage, traffic) = (Machine::new(seed), Coverage::of(plan), Traffic::default());
        let (plan, blocks, recordings) = (plan.clone(), BTreeMap::new(), BTreeMap::new());
        Emulated { plan, module, machine, blocks, recordings, recording: None, coverage, traffic }
    }

    /// Makes sure that bytes are in a block that nobody has given back.
    fn check(&self, address: u64, bytes: usize) -> Result<()> {
        let found = self.blocks.range(..=address).next_back();
        let (&base, &size) = found.ok_or_else(|| Error::bug(format!("nothing is at {address:#x}")))?;
        let skipped = (address - base) as usize;
        if skipped + bytes > size {
            return Err(Error::bug(format!("{bytes} bytes from {skipped} on of a block of {size}")));
        }
        Ok(())
    }

    fn perform(&mut self, (entry, blocks, addresses, sizes): &Launch) -> Result<()> {
        self.coverage.add(*entry);
        let entry = &self.plan.entries[*entry];
        self.traffic.launched(&entry.symbol, *blocks, sizes);
        assert_eq!((addresses.len(), sizes.len()), (entry.buffers, entry.sizes), "{}", entry.symbol);
        let addresses = addresses.iter().map(|&address| Parameter::from(address));
        let parameters = addresses.chain(sizes.iter().map(|&size| Parameter::from(size))).collect::<Vec<_>>();
        let threads = [entry.threads, 1, 1];
        let shared = entry.shared as usize;
        let result = self.machine.launch(&self.module, &entry.symbol, [*blocks, 1, 1], threads, shared, &parameters);
        result.map_err(|fault| Error::bug(format!("{}: {fault}", entry.symbol)))
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        self.check(address, bytes.len())?;
        self.machine.write_at(address, bytes).map_err(|fault| Error::bug(fault.to_string()))
    }

    fn read(&self, address: u64, bytes: usize) -> Result<Vec<u8>> {
        self.check(address, bytes)?;
        self.machine.read_at(address, bytes).map_err(|fault| Error::bug(fault.to_string()))
    }
}

/// The lines of a text around one.
fn numbered(code: &str, line: usize) -> String {
    let lines = code.lines().enumerate().skip(line.saturating_sub(3)).take(5);
    lines.map(|(place, text)| format!("{}: {text}\n", place + 1)).collect()
}

impl Driver for Emulated {
    fn name(&self) -> String {
        "the interpreter of PTX".to_string()
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64> {
        // What no kernel has written is read where a row has no position, and must not count: it is no number.
        let address = self.machine.buffer(&vec![0xff; bytes]);
        self.blocks.insert(address, bytes);
        Ok(address)
    }

    fn release(&mut self, address: u64) {
        self.blocks.remove(&address);
        self.machine.release(address);
    }

    fn upload(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        assert!(self.recording.is_none(), "only launches are recorded");
        self.traffic.up(bytes.len());
        self.write(address, bytes)
    }

    fn download(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        assert!(self.recording.is_none(), "only launches are recorded");
        self.traffic.down(bytes.len());
        bytes.copy_from_slice(&self.read(address, bytes.len())?);
        Ok(())
    }

    fn copy(&mut self, from: u64, to: u64, bytes: usize) -> Result<()> {
        let content = self.read(from, bytes)?;
        self.write(to, &content)
    }

    fn clear(&mut self, address: u64, bytes: usize) -> Result<()> {
        self.write(address, &vec![0; bytes])
    }

    fn wait(&mut self) -> Result<()> {
        Ok(())
    }

    fn launch(&mut self, entry: usize, blocks: u32, addresses: &[u64], sizes: &[i64]) -> Result<()> {
        let launch = (entry, blocks, addresses.to_vec(), sizes.to_vec());
        match &mut self.recording {
            Some(recording) => {
                recording.push(launch);
                Ok(())
            }
            None => {
                self.traffic.asked();
                self.perform(&launch)
            }
        }
    }

    fn record(&mut self, launches: &mut dyn FnMut(&mut dyn Driver) -> Result<()>) -> Result<Option<u64>> {
        self.recording = Some(Vec::new());
        let result = launches(self);
        let recording = self.recording.take().unwrap_or_default();
        result?;
        let number = self.traffic.recorded();
        self.recordings.insert(number, recording);
        Ok(Some(number))
    }

    fn replay(&mut self, recording: u64) -> Result<()> {
        self.traffic.asked();
        let launches = self.recordings[&recording].clone();
        launches.iter().try_for_each(|launch| self.perform(launch))
    }

    fn erase(&mut self, recording: u64) {
        assert!(self.recordings.remove(&recording).is_some(), "nobody has recorded {recording}");
    }
}

impl fmt::Debug for Emulated {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Emulated({} blocks)", self.blocks.len())
    }
}
