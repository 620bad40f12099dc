//! The command line of a built model: train, generate, eval, embed, fill, bench, info.
//!
//! In: compiled code and arguments. Out: an exit status: 0, 1 for an error (its message on standard error), 2 for wrong
//! usage, 130 when a person stopped it. Whatever goes wrong ends in a message, never in a panic or half a file.

mod begun;
mod bench;
mod chat;
mod embed;
mod eval;
mod fill;
mod generate;
mod info;
mod options;
mod runs;
mod speech;
mod train;
mod whole;

use crate::device::{self, Shared};
use crate::error::{Error, Kind, Result};
use crate::interrupt;
use crate::model::{Code, Loaded};
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand, ValueEnum};
use std::ffi::OsString;

/// What a person asks of the model.
#[derive(Debug, Subcommand)]
enum Request {
    /// Trains the model on text and saves weights, a checkpoint and the curve
    Train(train::Options),
    /// Goes on from a prompt, or holds a conversation
    Generate(Box<generate::Options>),
    /// Measures the loss over a text
    Eval(eval::Options),
    /// Computes the vector that stands for each text
    Embed(embed::Options),
    /// Guesses the words that a text leaves out
    Fill(fill::Options),
    /// Measures speed beside the limits of this machine
    Bench(bench::Options),
    /// Shows what the model is made of
    Info(info::Options),
}

/// Runs a built model as a program; returns its exit status. The first argument is the program's own name.
pub fn main(code: Code, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let matches = match command(&code).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(message) => {
            // Help goes to standard output, a mistake to standard error; a closed pipe is nobody's fault.
            let _ = message.print();
            return if message.use_stderr() { 2 } else { 0 };
        }
    };
    interrupt::watch();
    match answer(code, &matches) {
        Ok(()) if interrupt::asked() => interrupt::STOPPED,
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{}: {error}", if error.kind() == Kind::Bug { "internal error" } else { "error" });
            1
        }
    }
}

/// The whole command line, with the recipe's keys as options of `train`.
fn command(code: &Code) -> Command {
    let manifest = code.manifest();
    let about = format!("The model {}, compiled by archc {}", manifest.model, manifest.compiler);
    let command = Request::augment_subcommands(Command::new(manifest.model.to_lowercase()));
    let command = command.about(about).version(manifest.compiler.clone());
    let command = command.subcommand_required(true).arg_required_else_help(true);
    let command = command.mut_subcommand("train", train::add_recipe_keys);
    let command = command.mut_subcommand("bench", |command| bench::add_settings(command, manifest));
    command.mut_subcommand("generate", |command| generate::add_settings(command, manifest))
}

/// Does what was asked.
fn answer(code: Code, matches: &ArgMatches) -> Result<()> {
    let request = Request::from_arg_matches(matches).map_err(|cause| Error::request(cause.to_string()))?;
    let chosen = matches.subcommand().map(|(_, chosen)| chosen);
    match request {
        Request::Train(options) => train::run(code, &options, chosen),
        Request::Generate(options) => generate::run(code, &options.with_settings(chosen)),
        Request::Eval(options) => eval::run(code, &options),
        Request::Embed(options) => embed::run(code, &options),
        Request::Fill(options) => fill::run(code, &options),
        Request::Bench(options) => bench::run(code, &options.with_settings(chosen)?),
        Request::Info(_) => info::run(&code),
    }
}

/// How many threads.
#[derive(Debug, Args)]
pub(crate) struct Threads {
    /// Threads to run on [default: all CPUs that the process may use]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where the model's programs run [default: cuda if the file has code for it]
    ///
    /// The GPU's driver compiles the code at the first start, which is kept in the user's cache folder: the environment
    /// variable ARCHC_GPU_CACHE names another folder, and `off` keeps nothing.
    #[arg(long, value_enum, value_name = "DEVICE")]
    device: Option<Place>,
}

/// Where programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    /// On the CPU
    Cpu,
    /// On the first NVIDIA GPU
    Cuda,
}

impl Threads {
    /// The model in memory, on that many threads.
    fn load(&self, code: Code) -> Result<Loaded> {
        self.load_with(code, self.count())
    }

    /// The model in memory, on so many threads to begin with.
    fn load_with(&self, code: Code, threads: usize) -> Result<Loaded> {
        if self.threads == Some(0) {
            return Err(Error::request("at least one thread is needed"));
        }
        let chosen = self.device.unwrap_or(if code.device().is_some() { Place::Cuda } else { Place::Cpu });
        match chosen {
            Place::Cuda => {
                let device = code.for_gpu()?;
                let driver = device::open(&device.plan, &device.text).map_err(|error| advised(error, &code))?;
                Loaded::on_device(code, threads, Shared::new(driver))
            }
            Place::Cpu => Loaded::new(code, threads),
        }
    }

    /// How many.
    fn count(&self) -> usize {
        self.threads.unwrap_or_else(|| crate::threads::allowed_cpus().len())
    }
}

/// Says what runs without a GPU.
fn advised(error: Error, code: &Code) -> Error {
    match code.runs_on_cpu() {
        true => error.help("--device cpu runs it here"),
        false => error.help("build it with `archc build --target cpu,cuda` to run it with --device cpu"),
    }
}
