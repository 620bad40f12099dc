//! How the programs of a model run on a GPU: what is launched when, on which buffers, as plain data.
//!
//! Buffers, sizes and names are those of the manifest's programs; counters of loops are symbols after a program's sizes.

use super::{Probe, Size};
use serde::{Deserialize, Serialize};

/// The symbol of the plan: its bytes are UTF-8 JSON. [`DEVICE_PLAN_LENGTH_SYMBOL`] holds their number as a u64.
pub const DEVICE_PLAN_SYMBOL: &str = "archc_device_plan";
/// See [`DEVICE_PLAN_SYMBOL`].
pub const DEVICE_PLAN_LENGTH_SYMBOL: &str = "archc_device_plan_length";
/// The symbol of the PTX text, which ends with a zero byte.
pub const DEVICE_CODE_SYMBOL: &str = "archc_device_code";

/// Everything that the runtime knows about a model's code for GPUs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DevicePlan {
    /// What the code is made for: `sm_90a`.
    pub arch: String,
    /// What the factors of matrix products are rounded to: `f32` is not at all.
    pub precision: String,
    /// The functions of the code.
    pub entries: Vec<DeviceEntry>,
    /// In the order of the manifest's programs.
    pub programs: Vec<DeviceProgram>,
    /// The place of the first entry of [`super::Update::ALL`], which follow each other; none where no program trains.
    #[serde(default)]
    pub updates: Option<usize>,
    /// What the machine's own limit is measured with.
    #[serde(default)]
    pub probe: Option<Probe>,
}

/// A function of the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEntry {
    /// Its name.
    pub symbol: String,
    /// Threads of a block.
    pub threads: u32,
    /// Its parameters: so many addresses of 64 bits, …
    pub buffers: usize,
    /// … then so many whole numbers of 64 bits.
    pub sizes: usize,
    /// Bytes of shared memory that a launch gives to each block, beside what the function declares.
    #[serde(default)]
    pub shared: u32,
}

/// What one call does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceProgram {
    /// The program's name in the manifest.
    pub name: String,
    /// How many loop counters there are.
    pub counters: usize,
    /// In order.
    pub steps: Vec<DeviceStep>,
    /// The buffers that hold bf16 there where the manifest says 32-bit floats, by their places.
    #[serde(default)]
    pub narrow: Vec<usize>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DeviceStep {
    /// Launches an entry.
    Launch(DeviceLaunch),
    /// Runs steps for each value of a counter from 0 (or from the end) to `turns`.
    Loop {
        /// The counter's symbol.
        counter: usize,
        /// How many turns.
        turns: Size,
        /// From the last turn to the first.
        reverse: bool,
        /// What a turn does.
        body: Vec<DeviceStep>,
    },
    /// Runs steps unless the caller, who looks at a turn before it begins, refuses it.
    Ask {
        /// The symbol of the turn's counter.
        counter: usize,
        /// The steps.
        body: Vec<DeviceStep>,
    },
    /// Says that so many multiply-adds are done.
    Tally(Size),
    /// Sets a counter to a whole number of 32 bits in device memory.
    Count {
        /// The counter's symbol.
        counter: usize,
        /// Where the number is.
        from: DeviceArgument,
    },
    /// Sets a counter to what a table holds for another's value.
    Lookup {
        /// The counter's symbol.
        counter: usize,
        /// The symbol that is looked up.
        of: usize,
        /// A number for each of its values.
        table: Vec<u32>,
    },
    /// Runs the arm that the table names for a counter's value.
    Switch {
        /// The counter's symbol.
        counter: usize,
        /// The arm of each value.
        table: Vec<u32>,
        /// The arms.
        arms: Vec<Vec<DeviceStep>>,
    },
}

/// One launch. A launch of no blocks does nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceLaunch {
    /// The place in [`DevicePlan::entries`].
    pub entry: usize,
    /// Blocks of the grid, which is a line.
    pub blocks: Size,
    /// One for each of the entry's buffers.
    pub arguments: Vec<DeviceArgument>,
    /// One for each of the entry's sizes.
    pub sizes: Vec<Size>,
    /// Where it comes from in the source.
    pub path: String,
}

/// An address in a buffer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceArgument {
    /// The place in the program's buffers.
    pub buffer: usize,
    /// Bytes to skip; may depend on counters.
    pub bytes: Size,
}
