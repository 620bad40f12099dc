//! The command line: what a person asks of archc.
//!
//! In: arguments. Out: text on standard output, messages on standard error, and an exit status that tells a wrong
//! program (1), a wrong command line (2), an unfit machine (3) and a bug of archc (4) apart.

mod arguments;
mod build;
mod check;
mod emit;
mod explain;
mod import;
mod output;
mod verify;

use crate::driver::{Failure, Request, Session};
use crate::fault::{Bug, Fault};
use crate::passes::scans::Form;
use arguments::{Arguments, Command, ModelArguments};
use clap::Parser;
use std::process::ExitCode;

/// Deep enough for any program that a person writes; the checker recurses over expressions.
const STACK_BYTES: usize = 1 << 28;

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let worker = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || run(arguments.command));
    match worker.map(|worker| worker.join()) {
        Ok(Ok(code)) => code,
        _ => ExitCode::from(output::BUG),
    }
}

fn run(command: Command) -> ExitCode {
    let mut session = Session::new(dump_folder(&command));
    session.scan = scan_form(&command);
    session.speculate = speculates(&command);
    let outcome = crate::driver::guard("cli", || dispatch(command, &mut session));
    let outcome = outcome.unwrap_or_else(|bug: Bug| Err(Failure::Fault(Fault::Bug(bug))));
    output::finish(&session, outcome)
}

fn dump_folder(command: &Command) -> Option<std::path::PathBuf> {
    match command {
        Command::Emit(arguments) => arguments.dump.clone(),
        Command::Build(arguments) => arguments.dump.clone(),
        _ => None,
    }
}

fn speculates(command: &Command) -> bool {
    match command {
        Command::Emit(arguments) => arguments.runs.speculate,
        Command::Build(arguments) => arguments.runs.speculate,
        _ => false,
    }
}

fn scan_form(command: &Command) -> Form {
    match command {
        Command::Check(arguments) => arguments.scan.scan,
        Command::Emit(arguments) => arguments.scan.scan,
        Command::Build(arguments) => arguments.scan.scan,
        Command::Verify(arguments) => arguments.scan.scan,
        Command::Train(arguments)
        | Command::Generate(arguments)
        | Command::Eval(arguments)
        | Command::Bench(arguments) => arguments.scan.scan,
        Command::Import(_) | Command::Explain(_) => Form::default(),
    }
}

/// What a command says in the end: whether all is well.
type Outcome = Result<Verdict, Failure>;

/// Whether what was asked holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
}

fn dispatch(command: Command, session: &mut Session) -> Outcome {
    match command {
        Command::Check(arguments) => check::run(&arguments, session),
        Command::Emit(arguments) => emit::run(&arguments, session),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Build(arguments) => build::run(&arguments, session),
        Command::Train(arguments) => build::run_cached("train", &arguments, session),
        Command::Generate(arguments) => build::run_cached("generate", &arguments, session),
        Command::Eval(arguments) => build::run_cached("eval", &arguments, session),
        Command::Bench(arguments) => build::run_cached("bench", &arguments, session),
        Command::Verify(arguments) => verify::run(&arguments, session),
        Command::Import(arguments) => import::run(&arguments, session),
    }
}

impl From<&ModelArguments> for Request {
    fn from(arguments: &ModelArguments) -> Request {
        let ModelArguments { file, settings, config, .. } = arguments;
        Request { file: file.clone(), settings: settings.clone(), config: config.clone(), model: None }
    }
}
