//! What can go wrong once the program has been found good: the machine, or archc itself.
//!
//! A user's mistake in a program is a [`crate::diagnostics::Diagnostic`], never a fault. An [`Environment`] is a missing
//! tool, a file that cannot be read, a full disk: its message says what to do. A [`Bug`] is a broken guarantee of a
//! stage; the driver turns a panic inside a stage into one, and the command line writes a repro file for it.

use std::fmt;

/// Why a stage after the checker gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The machine is not as it must be.
    Environment(Environment),
    /// archc is wrong.
    Bug(Bug),
}

/// Something outside of archc and of the program is missing or unusable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// What is wrong, with the path or tool.
    pub message: String,
    /// One concrete next step.
    pub help: Option<String>,
}

/// A guarantee that a stage gives and did not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bug {
    /// The stage, as `archc emit --stage` names it.
    pub stage: &'static str,
    /// The broken guarantee, in words.
    pub guarantee: String,
    /// Everything that helps to find it: a dump, a foreign message.
    pub detail: String,
}

impl Environment {
    /// A message without a next step.
    pub fn new(message: impl Into<String>) -> Environment {
        Environment { message: message.into(), help: None }
    }

    /// Sets the next step.
    pub fn help(mut self, text: impl Into<String>) -> Environment {
        self.help = Some(text.into());
        self
    }
}

impl Bug {
    /// A bug of a stage.
    pub fn new(stage: &'static str, guarantee: impl Into<String>) -> Bug {
        Bug { stage, guarantee: guarantee.into(), detail: String::new() }
    }

    /// Adds what helps to find it.
    pub fn detail(mut self, text: impl Into<String>) -> Bug {
        self.detail = text.into();
        self
    }
}

impl From<Environment> for Fault {
    fn from(environment: Environment) -> Fault {
        Fault::Environment(environment)
    }
}

impl From<Bug> for Fault {
    fn from(bug: Bug) -> Fault {
        Fault::Bug(bug)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.message)?;
        match &self.help {
            Some(help) => write!(formatter, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "stage `{}` broke its guarantee: {}", self.stage, self.guarantee)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Environment(environment) => environment.fmt(formatter),
            Fault::Bug(bug) => bug.fmt(formatter),
        }
    }
}

impl std::error::Error for Fault {}
