//! One block of zeroed memory.
#![expect(unsafe_code, reason = "compiled code writes through the addresses of blocks")]

use crate::error::{Error, Result};
use memmap2::{Advice, MmapOptions, MmapRaw};

/// The size of a huge page; larger blocks start at such a border.
const HUGE: usize = 2 << 20;

/// Zeroed memory of a fixed size. Pages that were never touched cost nothing.
#[derive(Debug)]
pub struct Block {
    /// Absent when empty.
    map: Option<MmapRaw>,
    offset: usize,
    length: usize,
}

impl Block {
    /// Memory for so many bytes, all zero.
    ///
    /// # Errors
    /// If the machine does not have that much.
    pub fn zeroed(length: usize) -> Result<Block> {
        if length == 0 {
            return Ok(Block { map: None, offset: 0, length });
        }
        let slack = if length >= HUGE { HUGE } else { 0 };
        let total = length.checked_add(slack).ok_or_else(|| too_large(length))?;
        let map = MmapOptions::new().len(total).map_anon().map_err(|_| too_large(length))?;
        let offset = if slack == 0 { 0 } else { map.as_ptr().align_offset(HUGE).min(slack) };
        if slack != 0 {
            // Only a hint: without huge pages everything works, a tenth slower.
            let _ = map.advise(Advice::HugePage);
        }
        Ok(Block { map: Some(MmapRaw::from(map)), offset, length })
    }

    /// Where it starts. Valid for reads and writes of [`Block::len`] bytes while the block lives.
    pub fn address(&self) -> *mut u8 {
        match &self.map {
            // SAFETY: `offset + length` is within the map.
            Some(map) => unsafe { map.as_mut_ptr().add(self.offset) },
            None => std::ptr::without_provenance_mut(crate::abi::BUFFER_ALIGNMENT),
        }
    }

    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the address is valid for `length` bytes, initialised by the operating system; compiled code that
        // writes there runs only while a call holds the block mutably.
        unsafe { std::slice::from_raw_parts(self.address(), self.length) }
    }

    /// Its bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.address(), self.length) }
    }
}

/// The message for a block that cannot be had.
fn too_large(length: usize) -> Error {
    let mebibytes = length >> 20;
    Error::environment(format!("not enough memory: {mebibytes} MiB more are needed in one piece"))
        .help("use a smaller batch or context, or a machine with more memory")
}
