//! All threads of one process against as many pinned copies of it with one thread each: what a perfect split would give.

use crate::command::options::print;
use crate::error::{Error, Result};
use crate::threads::allowed_cpus;
use std::process::{Child, Command, Stdio};

/// Runs the copies of each work at once and prints how the measured rates compare with their sums.
pub fn compare(threads: usize, rates: &[(&str, f64)]) -> Result<()> {
    for (work, rate) in rates {
        let copies = allowed_cpus().iter().take(threads).map(|cpu| start(work, *cpu)).collect::<Result<Vec<_>>>()?;
        let sum: f64 = copies.into_iter().map(finish).sum::<Result<f64>>()?;
        let (rate, sum) = (rate / 1e9, sum / 1e9);
        let share = 100.0 * rate / sum;
        print(&format!("  {work:8} {rate:.1} with {threads} threads = {share:.1} % of {threads} copies' {sum:.1}\n"))?;
    }
    Ok(())
}

/// Starts this program again with the same options, for one work on one CPU.
fn start(work: &str, cpu: usize) -> Result<Child> {
    let failed = |cause: std::io::Error| Error::environment(format!("cannot run a copy of this program: {cause}"));
    let program = std::env::current_exe().map_err(failed)?;
    let options = std::env::args_os().skip(1).filter(|option| option != "--copies");
    let more = ["--only".to_owned(), work.to_owned(), "--alone-on".to_owned(), cpu.to_string()];
    Command::new(program).args(options).args(more).stdout(Stdio::piped()).spawn().map_err(failed)
}

/// The rate that a copy prints.
fn finish(copy: Child) -> Result<f64> {
    let output = copy.wait_with_output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().last().and_then(|line| line.trim().parse().ok()).ok_or_else(|| {
        Error::environment("a copy of this program gave no figure").help("run `bench` without --copies and --only")
    })
}
