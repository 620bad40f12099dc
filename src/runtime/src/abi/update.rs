//! The entries of a device's code that move parameters: the same few for every model.
//!
//! Each goes over so many numbers of 32 bits. Its parameters are addresses, then whole numbers: how many numbers there
//! are, then what else it has to know, floats of 32 bits as their bits.

use super::DeviceEntry;

/// One of the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// `sum += gradient`: (sum, gradient).
    Add,
    /// The sum of the squares of each [`Update::PIECE`] numbers, in 64 bits: (gradient, sums).
    Squares,
    /// The sum of so many numbers of 64 bits, by one block: (numbers, sum).
    Total,
    /// A step of AdamW: (values, gradient, first moment, second moment); what it has to know is said by the optimizer.
    Adam,
    /// A step of SGD: (values, gradient).
    Sgd,
    /// A step of SGD with momentum: (values, gradient, momentum).
    Momentum,
}

impl Update {
    /// All of them, in the order of their places in a plan.
    pub const ALL: [Update; 6] =
        [Update::Add, Update::Squares, Update::Total, Update::Adam, Update::Sgd, Update::Momentum];
    /// Threads of a block.
    pub const THREADS: usize = 256;
    /// Numbers that a thread has side by side.
    pub const WIDE: usize = 4;
    /// Numbers of which a block adds up the squares.
    pub const PIECE: usize = 8192;

    /// Its symbol.
    pub fn symbol(self) -> &'static str {
        match self {
            Update::Add => "update_add",
            Update::Squares => "update_squares",
            Update::Total => "update_total",
            Update::Adam => "update_adam",
            Update::Sgd => "update_sgd",
            Update::Momentum => "update_momentum",
        }
    }

    /// How many addresses it takes.
    pub fn buffers(self) -> usize {
        match self {
            Update::Adam => 4,
            Update::Momentum => 3,
            Update::Add | Update::Squares | Update::Total | Update::Sgd => 2,
        }
    }

    /// How many floats it has to know.
    pub fn floats(self) -> usize {
        match self {
            Update::Adam => 8,
            Update::Momentum => 4,
            Update::Sgd => 3,
            Update::Add | Update::Squares | Update::Total => 0,
        }
    }

    /// How many blocks go over so many numbers.
    pub fn blocks(self, count: usize) -> usize {
        match self {
            Update::Total => 1,
            Update::Squares => count.div_ceil(Update::PIECE),
            _ => count.div_ceil(Update::THREADS * Update::WIDE),
        }
    }

    /// Its place among the functions of a device's code.
    pub fn entry(self) -> DeviceEntry {
        let (buffers, sizes) = (self.buffers(), 1 + self.floats());
        DeviceEntry { symbol: self.symbol().to_string(), threads: Update::THREADS as u32, buffers, sizes, shared: 0 }
    }
}
