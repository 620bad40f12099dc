//! One thread: registers, frames, what it waits for, what it has on its way.

use crate::module::Function;
use crate::shared::POISON;
use crate::syntax::Register;
use crate::transfer::ThreadTransfers;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum State {
    #[default]
    Ready,
    /// At a warp's or warpgroup's instruction, until the others are there.
    Together,
    /// At barrier `n`.
    Barrier(usize),
    /// At an mbarrier, for a phase.
    Phase,
    Done,
}

/// The activation of a function.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Frame {
    pub function: usize,
    /// Where the caller goes on.
    pub caller_at: usize,
    pub registers: usize,
    pub local: usize,
}

/// Local addresses begin here, so that 0 is none.
pub(crate) const LOCAL_BASE: u64 = 256;

#[derive(Debug, Default)]
pub(crate) struct Thread {
    pub number: u32,
    pub at: usize,
    pub state: State,
    pub carry: u64,
    /// Registers of all activations; those of the current one begin at `frame.registers`.
    pub registers: Vec<u64>,
    pub local: Vec<u8>,
    pub frame: Frame,
    pub callers: Vec<Frame>,
    pub transfers: ThreadTransfers,
    /// The mbarrier and its phase that the thread last gave up waiting for.
    pub gave_up: Option<(u64, u64)>,
}

/// Every register at its start: NaN in every floating-point format, far out of every buffer.
const POISONED: u64 = u64::from_le_bytes([POISON, POISON, POISON, POISON, POISON, POISON, POISON, POISON]);

impl Thread {
    pub fn new(number: u32, kernel: usize, function: &Function) -> Thread {
        let frame = Frame { function: kernel, ..Frame::default() };
        let mut thread = Thread { number, frame, ..Thread::default() };
        thread.enter(function);
        thread
    }

    /// Makes room for the registers and the frame of `function`, all poisoned.
    pub fn enter(&mut self, function: &Function) {
        self.frame.registers = self.registers.len();
        self.frame.local = self.local.len().next_multiple_of(16);
        self.registers.resize(self.frame.registers + function.registers, POISONED);
        self.local.resize(self.frame.local + function.frame, POISON);
    }

    pub fn lane(&self) -> u32 {
        self.number % 32
    }

    pub fn warp(&self) -> usize {
        self.number as usize / 32
    }

    pub fn register(&self, register: Register) -> u64 {
        self.registers[self.frame.registers + register as usize]
    }

    pub fn set(&mut self, register: Register, value: u64) {
        self.registers[self.frame.registers + register as usize] = value;
    }

    pub fn holds(&self, guard: Option<(Register, bool)>) -> bool {
        guard.is_none_or(|(register, negated)| (self.register(register) & 1 == 1) != negated)
    }

    /// The place in local memory of an offset into the current frame.
    pub fn frame_address(&self, offset: u32) -> u64 {
        LOCAL_BASE + self.frame.local as u64 + u64::from(offset)
    }
}
