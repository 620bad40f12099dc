//! The entry of a device's code that only multiplies, in registers: how fast products can be there at most.
//!
//! Its parameters are an address, where each thread's sum of 32 bits goes, and a number of turns.

use super::DeviceEntry;
use serde::{Deserialize, Serialize};

/// The entry's place, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The place in [`super::DevicePlan::entries`].
    pub entry: usize,
    /// Floating-point operations of a block in one turn: two for each multiply-add.
    pub operations: u64,
}

impl Probe {
    /// Its symbol.
    pub const SYMBOL: &'static str = "probe_products";
    /// Threads of a block.
    pub const THREADS: usize = 256;
    /// Products that a thread has on their way at once: none of them waits for another.
    pub const CHAINS: usize = 8;
    /// How often each of them goes on in one turn.
    pub const STEPS: usize = 4;

    /// Its place among the functions of a device's code.
    pub fn entry() -> DeviceEntry {
        DeviceEntry {
            symbol: Probe::SYMBOL.to_string(),
            threads: Probe::THREADS as u32,
            buffers: 1,
            sizes: 1,
            shared: 0,
        }
    }
}
