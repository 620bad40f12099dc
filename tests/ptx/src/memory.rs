//! Global memory: buffers far apart, so that an address belongs to one of them or to none.
//!
//! In: device addresses. Out: bytes. Every access lies inside one buffer, is aligned to its size, and
//! reads only what somebody wrote; else it is a fault.

use crate::fault::{Outcome, Rule, broken};
use crate::random::mix;

/// Generic addresses of the spaces that are not global.
pub(crate) const SHARED_WINDOW: u64 = 0x7f00_0000_0000;
pub(crate) const LOCAL_WINDOW: u64 = 0x7e00_0000_0000;
pub(crate) const PARAMETER_WINDOW: u64 = 0x7d00_0000_0000;
/// Addresses of functions.
pub(crate) const CODE_WINDOW: u64 = 0x7c00_0000_0000;
pub(crate) const WINDOW_BYTES: u64 = 0x100_0000_0000;

/// Distance between the starts of two buffers.
const STRIDE: u64 = 1 << 32;

struct Buffer {
    base: u64,
    data: Vec<u8>,
    /// Which bytes have been written; nothing where all have.
    written: Option<Vec<bool>>,
    is_constant: bool,
}

/// All buffers of a machine.
pub(crate) struct Memory {
    buffers: Vec<Buffer>,
    seed: u64,
    /// Writes that changed something: how a stand-still is told from work.
    pub changes: u64,
}

fn check_alignment(address: u64, bytes: usize) -> Outcome<()> {
    if address.is_multiple_of(bytes as u64) {
        return Ok(());
    }
    broken(Rule::Alignment, format!("address {address:#x} is no multiple of {bytes}"))
}

impl Memory {
    pub fn new(seed: u64) -> Memory {
        Memory { buffers: Vec::new(), seed, changes: 0 }
    }

    /// A new buffer. Its start is a multiple of 256, as the driver's are, and of nothing larger that a
    /// kernel could come to rely on.
    pub fn add(&mut self, data: Vec<u8>, is_written: bool, is_constant: bool) -> u64 {
        let number = self.buffers.len() as u64 + 1;
        let base = number * STRIDE + 256 * (1 + 2 * (mix(self.seed ^ number) % 8));
        let written = (!is_written).then(|| vec![false; data.len()]);
        self.buffers.push(Buffer { base, data, written, is_constant });
        base
    }

    fn find(&self, address: u64, bytes: usize) -> Outcome<(usize, usize)> {
        let at = (address / STRIDE).wrapping_sub(1) as usize;
        let Some(buffer) = self.buffers.get(at) else {
            return broken(Rule::Bounds, format!("address {address:#x} is in no buffer"));
        };
        let start = address.wrapping_sub(buffer.base);
        if start > buffer.data.len() as u64 || start as usize + bytes > buffer.data.len() {
            let size = buffer.data.len();
            let distance = address as i64 - buffer.base as i64;
            return broken(
                Rule::Bounds,
                format!("{bytes} bytes at {distance} of buffer {at} ({:#x}), which has {size}", buffer.base),
            );
        }
        Ok((at, start as usize))
    }

    /// Bytes for reading, aligned to their number.
    pub fn read(&self, address: u64, bytes: usize) -> Outcome<&[u8]> {
        check_alignment(address, bytes)?;
        self.read_unaligned(address, bytes)
    }

    pub fn read_unaligned(&self, address: u64, bytes: usize) -> Outcome<&[u8]> {
        let (at, start) = self.find(address, bytes)?;
        let buffer = &self.buffers[at];
        if let Some(written) = &buffer.written
            && let Some(missing) = written[start..start + bytes].iter().position(|known| !known)
        {
            return broken(
                Rule::Uninitialised,
                format!("byte {} of buffer {at} ({:#x}) was never written", start + missing, buffer.base),
            );
        }
        Ok(&buffer.data[start..start + bytes])
    }

    /// Writes bytes, aligned to their number.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Outcome<()> {
        check_alignment(address, bytes.len())?;
        self.write_unaligned(address, bytes)
    }

    pub fn write_unaligned(&mut self, address: u64, bytes: &[u8]) -> Outcome<()> {
        let (at, start) = self.find(address, bytes.len())?;
        let buffer = &mut self.buffers[at];
        if buffer.is_constant {
            return broken(Rule::Bounds, format!("a write to constant memory at {address:#x}"));
        }
        if let Some(written) = &mut buffer.written {
            written[start..start + bytes.len()].fill(true);
        }
        let place = &mut buffer.data[start..start + bytes.len()];
        if place != bytes {
            self.changes += 1;
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// Takes the bytes of a buffer away: its addresses are nobody's from here on.
    pub fn release(&mut self, base: u64) {
        if let Some(buffer) = self.buffers.iter_mut().find(|buffer| buffer.base == base) {
            (buffer.data, buffer.written) = (Vec::new(), None);
        }
    }

    /// The whole content of the buffer that starts at `base`, and which bytes were written.
    pub fn buffer(&self, base: u64) -> Option<(&[u8], Option<&[bool]>)> {
        let buffer = self.buffers.iter().find(|buffer| buffer.base == base)?;
        Some((&buffer.data, buffer.written.as_deref()))
    }

    pub fn replace(&mut self, base: u64, data: &[u8]) -> Outcome<()> {
        match self.buffers.iter_mut().find(|buffer| buffer.base == base && buffer.data.len() == data.len()) {
            Some(buffer) => {
                buffer.data.copy_from_slice(data);
                buffer.written = None;
                Ok(())
            }
            None => broken(Rule::Bounds, format!("no buffer of {} bytes starts at {base:#x}", data.len())),
        }
    }
}
