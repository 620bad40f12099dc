//! `bench`: speed beside the machine's limits.

mod copies;
mod whole;

use self::copies::Copies;
use super::Threads;
use super::options::print;
use crate::abi::names;
use crate::bench::{Beside, Figure, Limit, Machine, Pass, Work, decode, forward, measure_lengths, prefill, train};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::model::{Code, Loaded};
use crate::threads::pin_to_cpu;
use clap::{ArgMatches, Args};
use std::path::PathBuf;
pub use whole::add_settings;

/// Bytes of the buffer that the read bandwidth in the heading is measured with: beyond every cache.
const LARGE: usize = 256 << 20;

/// Options of `bench`. The weights are random: they do not matter for speed.
#[derive(Debug, Args)]
pub struct Options {
    /// Tokens of the prompt before decoding
    #[arg(long, value_name = "N", default_value_t = 32)]
    prompt: usize,
    /// Tokens of the prompt that prefill takes in
    #[arg(long, value_name = "N", default_value_t = 512)]
    prefill: usize,
    /// Rows of a training step and of a forward pass
    #[arg(long, value_name = "N", default_value_t = 4)]
    batch: usize,
    /// Tokens of a row of a training step and of a forward pass
    #[arg(long, value_name = "N", default_value_t = 256)]
    context: usize,
    /// Measured pairs of limit and work
    #[arg(long, value_name = "N", default_value_t = 9)]
    pairs: usize,
    /// Only these: decode, prefill, train, generate (of a sampler that writes texts at once), forward (what a model that
    /// can do none of the others is measured at)
    #[arg(long, value_name = "WORK", value_delimiter = ',')]
    only: Vec<String>,
    /// Also compare with one copy of this program on each CPU, all running at once, on one thread each
    #[arg(long)]
    copies: bool,
    /// Also training and decoding in rows of these lengths, each with as many tokens as one row of the longest
    #[arg(long, value_name = "N", value_delimiter = ',')]
    lengths: Vec<usize>,
    /// For `generate`: also compare with the decoding of another built model, such as one of the same size that writes token by token
    #[arg(long, value_name = "PROGRAM")]
    beside: Option<PathBuf>,
    /// Values of the sampler's settings.
    #[arg(skip)]
    settings: Vec<whole::List>,
    /// Run on one thread of this CPU, once for each line of standard input, and print the bare rates (what a copy does)
    #[arg(long, value_name = "CPU", hide = true)]
    alone_on: Option<usize>,
    #[command(flatten)]
    threads: Threads,
}

/// What can be measured, and the program that it needs.
const WORKS: [(&str, &str); 5] = [
    ("decode", names::STEP),
    ("prefill", names::STEP),
    ("train", names::TRAIN),
    (WHOLE, names::GENERATE),
    (FORWARD, names::FORWARD),
];
/// One pass over whole rows.
const FORWARD: &str = "forward";
/// Writing texts at once: what has a table of its own.
const WHOLE: &str = "generate";

impl Options {
    /// With the sampler's settings that were given as options of their own.
    ///
    /// # Errors
    /// If something is no number.
    pub fn with_settings(mut self, matches: Option<&ArgMatches>) -> Result<Options> {
        self.settings = whole::given(matches)?;
        Ok(self)
    }
}

/// Measures with one thread and with all; on a GPU once.
pub fn run(code: Code, options: &Options) -> Result<()> {
    check(&code, options)?;
    if let Some(cpu) = options.alone_on {
        return run_alone(code, options, cpu);
    }
    let all = options.threads.count();
    let mut model = options.threads.load_with(code, 1)?;
    if model.is_on_device() {
        if options.copies {
            return Err(Error::request("--copies is for threads of this CPU, and the model runs on a GPU"));
        }
        model.set_threads(all);
    }
    model.initialize(1)?;
    whole::combinations(&mut model, &options.settings)?;
    measure_with(&mut model, options)?;
    if all > 1 && !model.is_on_device() && !interrupt::asked() {
        model.set_threads(all);
        measure_with(&mut model, options)?;
        if options.copies {
            compare_with_copies(&mut model, options)?;
        }
    }
    Ok(())
}

/// Refuses what cannot be measured.
fn check(code: &Code, options: &Options) -> Result<()> {
    if options.prompt == 0 || options.prefill == 0 || options.batch == 0 || options.context < 2 {
        return Err(Error::request("--prompt, --prefill and --batch are at least 1, --context at least 2"));
    }
    if let Some(wrong) = options.only.iter().find(|only| WORKS.iter().all(|(work, _)| work != only)) {
        let known = WORKS.map(|(work, _)| work).join(", ");
        return Err(Error::request(format!("there is no work `{wrong}`")).help(format!("it is one of {known}")));
    }
    if options.lengths.iter().any(|length| *length < 2) {
        return Err(Error::request("each of --lengths is at least 2"));
    }
    let set = options.settings.first().map(|(name, _)| format!("--{}", name.replace('_', "-")));
    let option = options.beside.as_ref().map(|_| "--beside".to_owned()).or(set);
    match option {
        Some(option) if whole::sampler(code.manifest()).is_none() => {
            let name = &code.manifest().model;
            Err(Error::request(format!("{option} is for models that write texts at once, and {name} does not")))
        }
        Some(option) if !is_asked(options, WHOLE) => {
            Err(Error::request(format!("{option} is for `{WHOLE}`, which --only leaves out")))
        }
        _ => Ok(()),
    }
}

/// Each work on all threads, turn about with as many copies that have one thread each.
fn compare_with_copies(model: &mut Loaded, options: &Options) -> Result<()> {
    let threads = model.pool().threads();
    for work in works(model, options) {
        let mut copies = Copies::start(work, threads)?;
        let (figures, _) = measure_work(model, options, work, &mut copies)?;
        let [own, sum, share] = figures;
        let [low, median, high] = [share.low, share.median, share.high].map(|share| 100.0 * share);
        print(&format!(
            "  {work:8} {:.1} with {threads} threads = {median:.1} % ({low:.1} to {high:.1}) of {threads} copies' {:.1}\n",
            own.median / 1e9,
            sum.median / 1e9
        ))?;
    }
    Ok(())
}

/// One copy: pinned, and the last work that is named.
fn run_alone(code: Code, options: &Options, cpu: usize) -> Result<()> {
    if !pin_to_cpu(cpu) {
        return Err(Error::environment(format!("this process may not run on CPU {cpu}")));
    }
    let mut model = Loaded::new(code, 1)?;
    model.initialize(1)?;
    let work = options.only.last().map_or("decode", String::as_str);
    measure_work(&mut model, options, work, &mut copies::Leader).map(drop)
}

/// All measurements on the model's present threads.
fn measure_with(model: &mut Loaded, options: &Options) -> Result<()> {
    heading(model)?;
    for work in works(model, options) {
        if work == WHOLE {
            whole::measure_texts(model, options)?;
            continue;
        }
        if work == FORWARD {
            let pass = forward(model, (options.batch, options.context), options.pairs, &mut Limit)?;
            report_pass(&pass, tokens_of(options, work))?;
            continue;
        }
        let (figures, unit) = measure_work(model, options, work, &mut Limit)?;
        report(work, figures, unit, tokens_of(options, work))?;
    }
    measure_rows(model, options)
}

/// What the machine can do.
fn heading(model: &Loaded) -> Result<()> {
    let machine = Machine::of(model)?;
    let memory = machine.memory(LARGE)?;
    let limits = (0..9).map(|_| Ok((machine.products()?, memory.rate()?))).collect::<Result<Vec<_>>>()?;
    let products = Figure::of(limits.iter().map(|limit| limit.0).collect());
    let bytes = Figure::of(limits.iter().map(|limit| limit.1).collect());
    print(&format!("{}\n", machine.heading(products.median, bytes.median)?))
}

/// Rows of each length that is asked for.
fn measure_rows(model: &mut Loaded, options: &Options) -> Result<()> {
    let works = [(Work::Train, "train", names::TRAIN), (Work::Decode, "decode", names::STEP)];
    let works = works.into_iter().filter(|(_, work, program)| wanted(model, options, work, program));
    let works = works.map(|(work, ..)| work).collect::<Vec<_>>();
    measure_lengths(model, &works, &options.lengths, options.pairs, &mut |length| {
        print(&format!("{length}\n")).map(|()| !interrupt::asked())
    })
}

/// What is asked for and possible.
fn works(model: &Loaded, options: &Options) -> Vec<&'static str> {
    WORKS.iter().filter(|(work, program)| wanted(model, options, work, program)).map(|(work, _)| *work).collect()
}

/// One work's figures, and its size: bytes for decoding, operations for the others.
fn measure_work(
    model: &mut Loaded,
    options: &Options,
    work: &str,
    beside: &mut dyn Beside,
) -> Result<([Figure; 3], f64)> {
    match work {
        "decode" => decode(model, options.prompt, options.pairs, beside),
        "prefill" => prefill(model, options.prefill, options.pairs, beside),
        WHOLE => {
            let settings = whole::combinations(model, &options.settings)?.swap_remove(0);
            let cost = crate::bench::whole(model, &settings, options.prompt, options.pairs, beside)?;
            Ok((cost.rates, cost.operations))
        }
        FORWARD => {
            let pass = forward(model, (options.batch, options.context), options.pairs, beside)?;
            Ok((pass.rates, pass.instructions()))
        }
        _ => train(model, (options.batch, options.context), options.pairs, beside),
    }
}

/// The tokens that one unit of a work is for.
fn tokens_of(options: &Options, work: &str) -> f64 {
    match work {
        "decode" => 1.0,
        "prefill" => options.prefill as f64,
        _ => (options.batch * options.context) as f64,
    }
}

/// Whether to measure something: asked for, and possible. A forward pass is, unasked, what else nothing is measured of.
fn wanted(model: &Loaded, options: &Options, work: &str, program: &str) -> bool {
    let rest = || WORKS.iter().all(|(work, program)| *work == FORWARD || !model.has(program));
    let asked = is_asked(options, work) && (work != FORWARD || !options.only.is_empty() || rest());
    asked && model.has(program) && !interrupt::asked()
}

fn is_asked(options: &Options, work: &str) -> bool {
    options.only.is_empty() || options.only.iter().any(|only| only == work)
}

/// A line for the multiply-adds of a forward pass, and one for all that the vector unit does in it.
fn report_pass(pass: &Pass, tokens: f64) -> Result<()> {
    if pass.multiply_adds > 0.0 {
        report(FORWARD, pass.operations(), 2.0 * pass.multiply_adds, tokens)?;
    }
    if pass.elementwise == 0.0 {
        return Ok(());
    }
    let [work, limit, share] = pass.rates;
    let [low, median, high] = [share.low, share.median, share.high].map(|share| 100.0 * share);
    let beside = match pass.limited {
        true => format!(
            " = {median:.1} % ({low:.1} to {high:.1}) of the {:.1} that the vector unit does",
            limit.median / 1e9
        ),
        false => String::new(),
    };
    let (tokens, rate) = (work.median / pass.instructions() * tokens, work.median / 1e9);
    print(&format!("  elementwise {tokens:9.1} tokens/s  {rate:7.1} G operations/s{beside}\n"))
}

/// One line: tokens a second, the rate, and its share of the limit. `unit` is the work of `tokens` tokens.
fn report(name: &str, [work, limit, share]: [Figure; 3], unit: f64, tokens: f64) -> Result<()> {
    let rate = if name == "decode" { "GB/s" } else { "GFLOP/s" };
    let [low, median, high] = [share.low, share.median, share.high].map(|share| 100.0 * share);
    print(&format!(
        "  {name:8} {:9.1} tokens/s  {:7.1} {rate} = {median:.1} % ({low:.1} to {high:.1}) of {:.1}\n",
        work.median / unit * tokens,
        work.median / 1e9,
        limit.median / 1e9,
    ))
}
