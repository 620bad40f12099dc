//! A program as plain data: the last form before code is emitted.

use crate::kernel::Kernel;
use archc_runtime::abi::{BufferInfo, Size};

/// What one compiled function does.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// `train`, `forward`, `step`, …; part of the function's symbol.
    pub name: String,
    /// The names of run-time sizes: `batch`, a sequence's extent, …. Counters of loops are symbols too, after these.
    pub symbols: Vec<String>,
    /// Sizes that have a largest value, by their symbols.
    pub limits: Vec<(usize, i64)>,
    /// How many loop counters there are.
    pub counters: usize,
    /// All buffers, in the order of the frame.
    pub buffers: Vec<BufferInfo>,
    /// Distinct kernels.
    pub kernels: Vec<Kernel>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// Multiply-adds of one call.
    pub multiply_adds: Size,
    /// Those of them that a sampler does outside of its turns.
    pub aside: Size,
    /// Floating-point instructions of one call beside them, for each lane of a vector unit, if each value is computed once.
    pub elementwise: Size,
    /// How many fewer they are where one instruction multiplies by a power of two.
    pub powers: Size,
}

/// One step. Steps are numbered in the order of the text, a loop's body after the loop itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Runs a kernel.
    Launch(Launch),
    /// Runs steps for each value of a counter from 0 (or from the end) to `turns`.
    Loop {
        /// The counter: the place in `symbols.len() + …`, as `Size::Symbol` names it.
        counter: usize,
        /// How many turns.
        turns: Size,
        /// From the last turn to the first.
        reverse: bool,
        /// What a turn does.
        body: Vec<Step>,
    },
    /// Runs steps unless the caller, who looks at a turn before it begins, refuses it.
    Ask {
        /// The counter of the turn.
        counter: usize,
        /// The steps.
        body: Vec<Step>,
    },
    /// Says that so many multiply-adds are done: of programs that may leave turns out.
    Tally(Size),
    /// Sets a counter to a whole number in memory, for the steps after it.
    Count {
        /// The counter.
        counter: usize,
        /// Where the number is, an `I32`.
        from: Argument,
    },
    /// Sets a counter to what a table holds for another's value, for the steps after it.
    Lookup {
        /// The counter.
        counter: usize,
        /// The counter that is looked up.
        of: usize,
        /// A number for each of its values.
        table: Vec<u32>,
    },
    /// Runs the arm that the table names for a counter's value.
    Switch {
        /// The counter.
        counter: usize,
        /// The arm of each value.
        table: Vec<u32>,
        /// The arms.
        arms: Vec<Vec<Step>>,
    },
}

/// One call of a kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// The place in [`Program::kernels`].
    pub kernel: usize,
    /// One for each of the kernel's buffers.
    pub arguments: Vec<Argument>,
    /// One for each of the kernel's sizes.
    pub sizes: Vec<Size>,
    /// About how many scalar operations it does, for splitting over threads.
    pub work: Size,
    /// Where it comes from in the source, for profiles.
    pub path: String,
}

/// A buffer, from some element on.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// The place in [`Program::buffers`].
    pub buffer: usize,
    /// Elements to skip; may depend on counters.
    pub offset: Size,
}
