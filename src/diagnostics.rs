//! What archc says about a program: codes, messages, labels, one step of help.
//!
//! Stages push a [`Diagnostic`] into [`Diagnostics`] and go on; rendering is one function for all of them.

pub mod codes;
mod nearest;
mod render;

pub use codes::explain;
pub use nearest::nearest;
pub use render::render;

use crate::source::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Compiles, but probably not as meant, or slowly.
    Warning,
    /// Does not compile.
    Error,
}

/// A code of the table, `E0301`, with its text for `archc explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `E0301`, `W0102`, `N0001`.
    pub name: &'static str,
    /// A few words.
    pub title: &'static str,
    /// What `archc explain` prints: the rule, why it is, and an example.
    pub explanation: &'static str,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Which rule speaks.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, with the user's own names and numbers.
    pub message: String,
    /// Why, at each place; the first is the main one.
    pub labels: Vec<(Span, String)>,
    /// One concrete next step.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A message of the severity that the code's first letter names (E, W or N).
    pub fn new(code: Code, message: impl Into<String>) -> Diagnostic {
        let severity = match code.name.as_bytes().first() {
            Some(b'W') => Severity::Warning,
            Some(b'N') => Severity::Note,
            _ => Severity::Error,
        };
        Diagnostic { code, severity, message: message.into(), labels: Vec::new(), help: None }
    }

    /// Adds a place and what is to be seen there.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push((span, text.into()));
        self
    }

    /// Sets the next step.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }
}

/// Everything said so far.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
}

/// Compilation ends here because errors were reported; they are in the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

impl Diagnostics {
    /// Adds a message. What was said already is not said again: several programs are made of one text.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if !self.all.contains(&diagnostic) {
            self.all.push(diagnostic);
        }
    }

    /// All messages in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter()
    }

    /// Whether any is an error.
    pub fn has_errors(&self) -> bool {
        self.all.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// `Err` if any is an error.
    pub fn stop_on_error(&self) -> Result<(), Stop> {
        if self.has_errors() { Err(Stop) } else { Ok(()) }
    }
}
