//! What can be typed: one struct for each command, with its help.

use crate::driver::Stage;
use crate::fault::Environment;
use crate::gpu::{Arch, Gpu, Precision};
use crate::passes::scans::Form;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A declarative model-graph compiler: one .arch file becomes a native program that trains and decodes.
#[derive(Debug, Parser)]
#[command(name = "archc", version, max_term_width = 110, after_help = AFTER, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
Start here:
  archc check model.arch                            is it right, and how large is it?
  archc train model.arch --data book.txt            train it; Ctrl-C saves
  archc generate model.arch --weights model.safetensors --prompt \"Once\"

Exit status: 0 all is well; 1 the program, or a number of `verify`, is wrong; 2 the command line is wrong;
3 the machine is not as it must be (a missing tool, a bad file, a full disk); 4 a bug of archc.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a model: messages, parameters, memory, state
    Check(CheckArguments),
    /// Compile a model to one self-contained executable
    Build(BuildArguments),
    /// Compile a model, if that was not done before, and train it
    Train(RunArguments),
    /// Compile a model, if that was not done before, and let it continue a prompt
    Generate(RunArguments),
    /// Compile a model, if that was not done before, and measure its loss on a text
    Eval(RunArguments),
    /// Compile a model, if that was not done before, and measure its speed as a fraction of the machine's limits
    Bench(RunArguments),
    /// Print what one stage of the compiler makes of a model
    Emit(EmitArguments),
    /// Compare every form of a program with the others, or with the numbers of a reference case
    Verify(VerifyArguments),
    /// Turn a Hugging Face folder into a readable .arch file
    Import(ImportArguments),
    /// Explain the code of a message
    Explain(ExplainArguments),
}

/// The model, and what is changed in it from outside.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// The .arch file
    pub file: PathBuf,
    /// Change a size or a setting of the model, for example `--set layers=4` or `--set 'kind=[near, far]'` (may be given again)
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// Take sizes and settings from a Hugging Face config.json, by the weight map of its architecture
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The machine that code is made for.
#[derive(Debug, Args)]
pub struct TargetArguments {
    /// Instruction set: the best of this machine, or a lesser one that other machines have too
    #[arg(long, value_enum, default_value_t = Cpu::Native)]
    pub cpu: Cpu,
}

/// The GPU that code is made for.
#[derive(Debug, Args)]
pub struct GpuArguments {
    /// GPU that code is made for: sm_80, sm_89, sm_90a, sm_100
    #[arg(long, value_name = "ARCH", default_value = "sm_90a")]
    pub gpu_arch: String,

    /// What matrix products on a GPU are computed in: f32, or on tensor cores tf32 or bf16 (sums stay f32)
    #[arg(long, value_name = "PRECISION", default_value = "f32")]
    pub precision: String,
}

impl GpuArguments {
    /// What code is made for; none where it is for the CPU alone.
    ///
    /// # Errors
    /// If a name is unknown, or a precision is asked for that nothing would be computed in.
    pub fn gpu(&self, wanted: bool) -> Result<Option<Gpu>, Environment> {
        let (arch, precision) = (Arch::named(&self.gpu_arch)?, Precision::named(&self.precision)?);
        if !wanted && precision != Precision::F32 {
            let message = format!("`--precision {}` is for products on a GPU", precision.name());
            return Err(Environment::new(message).help(
                "`build --target cuda`, `verify --device cuda`, `emit --stage ptx` and `emit --stage launches` take it",
            ));
        }
        Ok(wanted.then_some(Gpu { arch, precision }))
    }
}

/// How recurrences are computed.
#[derive(Debug, Args)]
pub struct ScanArguments {
    /// Form of recurrences: `planned`, `sequential`, `chunk`, or `chunk=N` for N positions in a chunk
    #[arg(long, value_name = "FORM", default_value = "planned", value_parser = scan)]
    pub scan: Form,
}

/// Where an executable runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Place {
    /// On the CPU
    Cpu,
    /// On an NVIDIA GPU
    Cuda,
}

/// How text is generated.
#[derive(Debug, Args)]
pub struct RunsArguments {
    /// Let the executable judge drafts of several tokens at once (`generate --draft N`)
    #[arg(long)]
    pub speculate: bool,
}

/// Levels of instruction sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cpu {
    /// Any x86-64
    Baseline,
    /// AVX2 and FMA (x86-64-v3)
    Avx2,
    /// AVX-512 (x86-64-v4)
    Avx512,
    /// The best of this machine
    Native,
}

impl Cpu {
    /// The name as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Cpu::Baseline => "baseline",
            Cpu::Avx2 => "avx2",
            Cpu::Avx512 => "avx512",
            Cpu::Native => "native",
        }
    }
}

/// `archc check`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  archc check model.arch --set layers=48 --batch 8 --context 4096")]
pub struct CheckArguments {
    /// The model
    #[command(flatten)]
    pub model: ModelArguments,
    /// Rows for which memory is reported
    #[arg(long, default_value_t = 1, value_name = "ROWS")]
    pub batch: u64,
    /// Positions for which memory is reported
    #[arg(long, default_value_t = 1024, value_name = "POSITIONS")]
    pub context: u64,
    /// Print of each recurrence its class, its forms, and why a form is not there
    #[arg(long)]
    pub explain_scans: bool,
    /// How recurrences are computed
    #[command(flatten)]
    pub scan: ScanArguments,
    /// Print how long each stage took
    #[arg(long)]
    pub timings: bool,
}

/// `archc build`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  archc build model.arch -o model && ./model info")]
pub struct BuildArguments {
    /// The model
    #[command(flatten)]
    pub model: ModelArguments,
    /// Where the executable goes [default: the file's name without .arch]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The machine
    #[command(flatten)]
    pub target: TargetArguments,
    /// Where the executable runs: `cpu`, `cuda`, or both
    #[arg(long = "target", value_enum, value_name = "PLACES", value_delimiter = ',', default_value = "cpu")]
    pub places: Vec<Place>,
    /// The GPU
    #[command(flatten)]
    pub gpu: GpuArguments,
    /// How recurrences are computed
    #[command(flatten)]
    pub scan: ScanArguments,
    /// How text is generated
    #[command(flatten)]
    pub runs: RunsArguments,
    /// Print how long each stage took
    #[arg(long)]
    pub timings: bool,
    /// Write what every stage made into this folder
    #[arg(long, value_name = "DIR")]
    pub dump: Option<PathBuf>,
}

/// `archc train`, `generate`, `eval`, `bench`: build into the cache, then run.
#[derive(Debug, Args)]
#[command(after_help = "Everything after the file is given to the compiled program; `archc train model.arch --help`\n\
shows what it takes. Options of archc (--set, --config, --cpu) stand before the file.\n\n\
Examples:\n  archc train model.arch --data book.txt --recipe recipe.yaml\n  \
archc train --set layers=4 model.arch --data book.txt\n  \
archc generate model.arch --weights model.safetensors --tokenizer tokenizer.json --prompt \"Once\"")]
pub struct RunArguments {
    /// Change a size or a setting of the model (may be given again)
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// Take sizes and settings from a Hugging Face config.json
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The machine
    #[command(flatten)]
    pub target: TargetArguments,
    /// How recurrences are computed
    #[command(flatten)]
    pub scan: ScanArguments,
    /// The .arch file
    pub file: PathBuf,
    /// What the compiled program is given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<String>,
}

/// `archc emit`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  archc emit --stage graph model.arch\n  archc emit --stage asm --dump stages model.arch"
)]
pub struct EmitArguments {
    /// Which stage
    #[arg(long, value_enum)]
    pub stage: Stage,
    /// The model
    #[command(flatten)]
    pub model: ModelArguments,
    /// Only the program of this name: forward, train, prefill, step
    #[arg(long, value_name = "NAME")]
    pub program: Option<String>,
    /// The machine
    #[command(flatten)]
    pub target: TargetArguments,
    /// The GPU
    #[command(flatten)]
    pub gpu: GpuArguments,
    /// How recurrences are computed
    #[command(flatten)]
    pub scan: ScanArguments,
    /// How text is generated
    #[command(flatten)]
    pub runs: RunsArguments,
    /// Also write what this and every earlier stage made into this folder, in numbered files
    #[arg(long, value_name = "DIR")]
    pub dump: Option<PathBuf>,
    /// Print how long each stage took
    #[arg(long)]
    pub timings: bool,
}

/// `archc verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  archc verify model.arch                    forward = prefill in pieces = step by step = interpreter\n  \
archc verify model.arch --against case     every number of a reference case, sizes from case/config.json\n  \
archc verify --against case                the same, with the model found by its weight map"
)]
pub struct VerifyArguments {
    /// The .arch file; with --against it may be left out, and the architecture of config.json finds it
    #[arg(required_unless_present = "against")]
    pub file: Option<PathBuf>,
    /// Change a size or a setting of the model (may be given again)
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// A folder with config.json, model.safetensors, case.json and case.safetensors
    #[arg(long, value_name = "DIR")]
    pub against: Option<PathBuf>,
    /// Compute by the interpreter, not by native code
    #[arg(long)]
    pub interpret: bool,
    /// Compare sequences of about so many positions, instead of short ones; the interpreter needs its time for them
    #[arg(long, value_name = "POSITIONS", conflicts_with_all = ["against", "interpret"],
        value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub far: Option<u32>,
    /// Where the code runs
    #[arg(long, value_enum, value_name = "DEVICE", default_value = "cpu", conflicts_with = "interpret")]
    pub device: Place,
    /// The GPU
    #[command(flatten)]
    pub gpu: GpuArguments,
    /// The machine
    #[command(flatten)]
    pub target: TargetArguments,
    /// How recurrences are computed
    #[command(flatten)]
    pub scan: ScanArguments,
}

/// `archc import`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  archc import downloaded-model -o model.arch && archc check model.arch")]
pub struct ImportArguments {
    /// A folder with config.json, *.safetensors and, usually, tokenizer.json
    pub folder: PathBuf,
    /// Where the .arch file goes
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `archc explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The code, for example E0301; without it, all codes are listed
    pub code: Option<String>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_string(), value.trim().to_string()))
        }
        _ => Err("write it as NAME=VALUE, for example layers=4".to_string()),
    }
}

fn scan(text: &str) -> Result<Form, String> {
    match (text, text.strip_prefix("chunk=").map(str::parse)) {
        ("planned", _) => Ok(Form::Planned),
        ("sequential", _) => Ok(Form::Sequential),
        ("chunk", _) => Ok(Form::Chunkwise(None)),
        (_, Some(Ok(size @ 1..=4096))) => Ok(Form::Chunkwise(Some(size))),
        _ => Err("write planned, sequential, chunk, or chunk=N with N from 1 to 4096".to_string()),
    }
}
