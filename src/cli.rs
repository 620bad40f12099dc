//! The command line: what a person asks of archc.

use std::process::ExitCode;

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
