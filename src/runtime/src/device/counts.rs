//! Whole numbers in device memory that decide what is launched: each read waits for all that was launched before.
//!
//! A loop over experts asks in each turn where its rows begin and end. What all its turns ask for is read with the first,
//! as far as it lies in one buffer, and holds until a launch is given that buffer: nobody else writes there while it is
//! still asked for.

use super::Driver;
use crate::abi::{DeviceLaunch, DeviceStep, Size};
use crate::error::Result;
use std::ops::Range;

/// Bytes that are read at once at most.
const MOST: i64 = 1 << 16;

/// What was read last.
#[derive(Debug, Default)]
pub struct Counts {
    buffer: usize,
    address: u64,
    bytes: Vec<u8>,
}

impl Counts {
    /// The number at an address in a buffer.
    ///
    /// # Errors
    /// If something that was launched has failed.
    pub fn get(&mut self, buffer: usize, address: u64, driver: &mut dyn Driver) -> Result<i64> {
        self.read(buffer, address..address + 4, driver)?;
        let start = (address - self.address) as usize;
        let mut number = [0; 4];
        number.copy_from_slice(&self.bytes[start..start + 4]);
        Ok(i64::from(i32::from_le_bytes(number)))
    }

    /// Reads addresses of a buffer, unless they are known.
    ///
    /// # Errors
    /// If something that was launched has failed.
    pub fn read(&mut self, buffer: usize, addresses: Range<u64>, driver: &mut dyn Driver) -> Result<()> {
        let known = self.address..self.address + self.bytes.len() as u64;
        if self.buffer == buffer && known.start <= addresses.start && addresses.end <= known.end {
            return Ok(());
        }
        self.bytes.clear();
        (self.buffer, self.address) = (buffer, addresses.start);
        self.bytes.resize((addresses.end - addresses.start) as usize, 0);
        driver.download(self.address, &mut self.bytes)
    }

    /// Forgets what a launch may write.
    pub fn forget(&mut self, launch: &DeviceLaunch) {
        if launch.arguments.iter().any(|argument| argument.buffer == self.buffer) {
            self.bytes.clear();
        }
    }
}

/// The buffer that the turns of a loop look at before they do anything else, and the bytes there, as far as that is known
/// before the first; `values` are those of all symbols.
pub fn asked(body: &[DeviceStep], counter: usize, turns: i64, values: &mut [i64]) -> Option<(usize, Range<i64>)> {
    let counts = body.iter().map_while(|step| match step {
        DeviceStep::Count { counter, from } => Some((*counter, from)),
        _ => None,
    });
    let counts = counts.collect::<Vec<_>>();
    let buffer = counts.first()?.1.buffer;
    let depends = |size: &Size| counts.iter().any(|(set, _)| mentions(size, *set));
    if counts.iter().any(|(_, from)| from.buffer != buffer || depends(&from.bytes)) {
        return None;
    }
    let (mut start, mut end) = (i64::MAX, i64::MIN);
    for turn in 0..turns {
        values[counter] = turn;
        for (_, from) in &counts {
            let first = from.bytes.evaluate(values);
            (start, end) = (start.min(first), end.max(first + 4));
        }
    }
    (start < end && end - start <= MOST).then_some((buffer, start..end))
}

fn mentions(size: &Size, symbol: usize) -> bool {
    match size {
        Size::Constant(_) => false,
        Size::Symbol(own) => *own == symbol,
        Size::Sum(all) | Size::Product(all) => all.iter().any(|size| mentions(size, symbol)),
        Size::CeilDivide(left, right) | Size::Max(left, right) | Size::Min(left, right) => {
            mentions(left, symbol) || mentions(right, symbol)
        }
    }
}
