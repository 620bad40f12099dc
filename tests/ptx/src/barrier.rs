//! The 16 barriers of a block and the one of its cluster (PTX ISA, "bar, barrier").

use crate::clock::Knowledge;

/// One barrier between two completions.
#[derive(Clone, Debug)]
pub(crate) struct Barrier {
    /// Threads that have arrived, waiting or not.
    pub arrived: u32,
    /// How many complete it; nothing where all of the block that still run do.
    pub expected: Option<u32>,
    pub knowledge: Knowledge,
    /// Predicates of a reduction that were true.
    pub truths: u32,
}

impl Barrier {
    pub fn new() -> Barrier {
        Barrier { arrived: 0, expected: None, knowledge: Knowledge::new(), truths: 0 }
    }
}
