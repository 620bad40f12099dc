//! All threads of one process against as many pinned copies of it with one thread each: what a perfect split would give.
//!
//! The copies wait while this process works and all work at once while it waits, so that both see the same machine.

use crate::bench::Beside;
use crate::command::options::print;
use crate::error::{Error, Result};
use crate::threads::allowed_cpus;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The copies, waiting for their turn. They end when this is dropped.
pub struct Copies(Vec<One>);

struct One {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Copies {
    /// Starts this program again with the same options, for one work: a copy on each of so many CPUs.
    ///
    /// # Errors
    /// If this program cannot be started again.
    pub fn start(work: &str, count: usize) -> Result<Copies> {
        allowed_cpus().iter().take(count).map(|cpu| One::start(work, *cpu)).collect::<Result<_>>().map(Copies)
    }
}

impl Beside for Copies {
    fn rate(&mut self, _: &mut dyn FnMut() -> Result<f64>) -> Result<f64> {
        self.0.iter_mut().try_for_each(One::go)?;
        self.0.iter_mut().map(One::rate).sum()
    }
}

impl One {
    fn start(work: &str, cpu: usize) -> Result<One> {
        let failed = |cause: std::io::Error| Error::environment(format!("cannot run a copy of this program: {cause}"));
        let program = std::env::current_exe().map_err(failed)?;
        let options = std::env::args_os().skip(1).filter(|option| option != "--copies");
        let more = ["--only".to_owned(), work.to_owned(), "--alone-on".to_owned(), cpu.to_string()];
        let mut command = Command::new(program);
        command.args(options).args(more).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(failed)?;
        let output = process.stdout.take().map(BufReader::new).ok_or_else(silent)?;
        Ok(One { process, output })
    }

    fn go(&mut self) -> Result<()> {
        let input = self.process.stdin.as_mut().ok_or_else(silent)?;
        writeln!(input, "go").and_then(|()| input.flush()).map_err(|_| silent())
    }

    fn rate(&mut self) -> Result<f64> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|_| silent())?;
        line.trim().parse().map_err(|_| silent())
    }
}

impl Drop for One {
    /// A copy whose input ends has nothing left to do.
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn silent() -> Error {
    Error::environment("a copy of this program gave no figure").help("run `bench` without --copies and --only")
}

/// What tells a copy when to work: a line of its input.
pub struct Leader;

impl Beside for Leader {
    fn rate(&mut self, _: &mut dyn FnMut() -> Result<f64>) -> Result<f64> {
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(1..) => Ok(1.0),
            _ => Err(Error::environment("the process that measures has ended")),
        }
    }

    fn hear(&mut self, work: f64) -> Result<()> {
        print(&format!("{work}\n"))
    }
}
