//! What accompanies one compilation: its files, its messages, how long each stage took, and the dump folder.

use super::guard;
use crate::diagnostics::{Diagnostics, Stop};
use crate::fault::{Bug, Environment, Fault};
use crate::passes::scans;
use crate::source::Sources;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Why a compilation gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The program is wrong; the session's messages say how.
    Program,
    /// The machine or archc is wrong.
    Fault(Fault),
}

impl From<Stop> for Failure {
    fn from(_: Stop) -> Failure {
        Failure::Program
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Fault(fault)
    }
}

impl From<Environment> for Failure {
    fn from(environment: Environment) -> Failure {
        Failure::Fault(environment.into())
    }
}

impl From<Bug> for Failure {
    fn from(bug: Bug) -> Failure {
        Failure::Fault(bug.into())
    }
}

/// The files and messages of one compilation, and what was seen on the way.
#[derive(Debug, Default)]
pub struct Session {
    /// Every file that was read.
    pub sources: Sources,
    /// What is to be said about them.
    pub diagnostics: Diagnostics,
    /// The stages that ran, in order, and their time.
    pub timings: Vec<(&'static str, Duration)>,
    /// Which form scans are made in.
    pub scan: scans::Form,
    /// Whether the sampler shall be able to judge runs of tokens.
    pub speculate: bool,
    dump: Option<PathBuf>,
    dumped: usize,
}

impl Session {
    /// A session that writes what every stage makes into a folder, if one is given.
    pub fn new(dump: Option<PathBuf>) -> Session {
        Session { dump, ..Session::default() }
    }

    /// Runs a stage and takes its time.
    ///
    /// # Errors
    /// If the stage panics: a bug of that stage.
    pub fn stage<T>(&mut self, name: &'static str, work: impl FnOnce(&mut Session) -> T) -> Result<T, Bug> {
        let start = Instant::now();
        let result = guard(name, || work(self));
        match self.timings.iter_mut().find(|(known, _)| *known == name) {
            Some((_, total)) => *total += start.elapsed(),
            None => self.timings.push((name, start.elapsed())),
        }
        result
    }

    /// Writes a text into the dump folder, as a file that begins with its number.
    ///
    /// # Errors
    /// If the folder or the file cannot be written.
    pub fn dump(&mut self, name: &str, text: impl FnOnce() -> String) -> Result<(), Environment> {
        let Some(folder) = &self.dump else { return Ok(()) };
        self.dumped += 1;
        let path = folder.join(format!("{:02}-{name}.txt", self.dumped));
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text()));
        written.map_err(|error| {
            Environment::new(format!("cannot write {}: {error}", path.display()))
                .help("give --dump a folder that can be written")
        })
    }

    /// Whether stages are written out.
    pub fn dumps(&self) -> bool {
        self.dump.is_some()
    }
}
