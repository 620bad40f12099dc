//! What can go wrong: text that is not PTX we know, and a program that does what the machine forbids.
//!
//! In: a reason found deep inside. Out: an error with the line of the PTX text, for a person to read.

use std::fmt;

/// The text could not be read; nothing was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line of the PTX text, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PTX line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// The rule that a program broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// An access outside of every buffer, or outside of the one it belongs to.
    Bounds,
    /// An address that is no multiple of the access.
    Alignment,
    /// A read of bytes that nobody wrote.
    Uninitialised,
    /// Two accesses to shared memory by two warps, one a write, without an order between them.
    Race,
    /// Shared memory touched between the issue of an asynchronous copy and its completion.
    Pending,
    /// A generic write that an asynchronous unit reads without `fence.proxy.async` on the way.
    Proxy,
    /// An mbarrier used before its init, arrived at too often, or overwritten.
    Mbarrier,
    /// A barrier or a warp instruction that the lanes of one warp do not reach together.
    Divergence,
    /// Nothing can go on.
    Deadlock,
    /// Everything goes on and nothing changes.
    Livelock,
    /// Registers of a `wgmma` touched between its issue and its wait, or a missing `wgmma.fence`.
    Wgmma,
    /// `trap`, or an operand that an instruction does not take.
    Illegal,
    /// The launch does not fit the kernel.
    Launch,
}

/// A fault of the running program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule that was broken.
    pub rule: Rule,
    /// Line of the PTX text, from 1; 0 where no line is to blame.
    pub line: usize,
    /// Who, where and what.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PTX line {}: {:?}: {}", self.line, self.rule, self.message)
    }
}

impl std::error::Error for Fault {}

/// A fault before its line is known.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub rule: Rule,
    pub message: String,
}

pub(crate) type Outcome<T> = Result<T, Trouble>;

/// The failure of one rule.
pub(crate) fn broken<T>(rule: Rule, message: impl Into<String>) -> Outcome<T> {
    Err(Trouble { rule, message: message.into() })
}
