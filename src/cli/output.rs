//! What a person sees: text, messages, timings, and the exit status.

use super::{Outcome, Verdict};
use crate::diagnostics::{Severity, render};
use crate::driver::{Failure, Session};
use crate::fault::{Bug, Environment, Fault};
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// The program, or a number of `verify`, is wrong.
const PROGRAM: u8 = 1;
/// The machine is not as it must be.
const ENVIRONMENT: u8 = 3;
/// A bug of archc.
pub const BUG: u8 = 4;

/// Writes to standard output; a reader that went away (`| head`) is no fault.
pub fn print(text: &str) -> Result<(), Environment> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Environment::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints all messages and the reason of a failure, and chooses the exit status.
pub fn finish(session: &Session, outcome: Outcome) -> ExitCode {
    say_messages(session);
    match outcome {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) | Err(Failure::Program) => ExitCode::from(PROGRAM),
        Err(Failure::Fault(Fault::Environment(environment))) => {
            eprintln!("error: {environment}");
            ExitCode::from(ENVIRONMENT)
        }
        Err(Failure::Fault(Fault::Bug(bug))) => {
            say_bug(session, &bug);
            ExitCode::from(BUG)
        }
    }
}

fn say_messages(session: &Session) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    eprint!("{}", render(&session.diagnostics, &session.sources, colour));
    let count = |severity| session.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors > 0 {
        let codes = session.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
        let code = codes.map(|diagnostic| diagnostic.code.name).unwrap_or("E0301");
        eprintln!("{errors} {} (`archc explain {code}` tells more)", plural("error", errors));
    } else if warnings > 0 {
        eprintln!("{warnings} {}", plural("warning", warnings));
    }
}

fn plural(word: &str, count: usize) -> String {
    if count == 1 { word.to_string() } else { format!("{word}s") }
}

fn say_bug(session: &Session, bug: &Bug) {
    eprintln!("error: this is a bug of archc, not of your program: {bug}");
    match write_repro(session, bug) {
        Ok(path) => eprintln!("  help: report it with the file {}, which holds all that is needed", path.display()),
        Err(error) => eprintln!("  (the file that would reproduce it could not be written: {error})"),
    }
}

/// Writes version, command line, stage, detail and every source file that took part.
fn write_repro(session: &Session, bug: &Bug) -> std::io::Result<PathBuf> {
    let mut file = tempfile::Builder::new().prefix("archc-bug-").suffix(".txt").tempfile()?;
    let command: Vec<String> = std::env::args().collect();
    writeln!(file, "archc {}\ncommand: {}\n{bug}\n", env!("CARGO_PKG_VERSION"), command.join(" "))?;
    writeln!(file, "{}\n", bug.detail)?;
    for source in session.sources.iter() {
        writeln!(file, "---- {}\n{}", source.path.display(), source.text)?;
    }
    let (_, path) = file.keep().map_err(|error| error.error)?;
    Ok(path)
}

/// One line for each stage: its share of the time.
pub fn timings(session: &Session) -> String {
    let total: f64 = session.timings.iter().map(|(_, time)| time.as_secs_f64()).sum();
    let line = |name: &str, seconds: f64| format!("{name:<12}{:>9.1} ms\n", 1e3 * seconds);
    let mut text: String = session.timings.iter().map(|(name, time)| line(name, time.as_secs_f64())).collect();
    text.push_str(&line("total", total));
    text
}
