//! `bench`: speed beside the machine's limits.

use super::Threads;
use super::options::print;
use crate::abi::names;
use crate::bench::{Figure, decode, fma_rate, prefill, read_rate, train};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::memory::Block;
use crate::model::{Code, Loaded};
use clap::Args;

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
    /// Rows of a training step
    #[arg(long, value_name = "N", default_value_t = 4)]
    batch: usize,
    /// Tokens of a row of a training step
    #[arg(long, value_name = "N", default_value_t = 256)]
    context: usize,
    /// Measured pairs of limit and work
    #[arg(long, value_name = "N", default_value_t = 9)]
    pairs: usize,
    /// Only these: decode, prefill, train
    #[arg(long, value_name = "WORK", value_delimiter = ',')]
    only: Vec<String>,
    #[command(flatten)]
    threads: Threads,
}

/// Measures with one thread and with all.
pub fn run(code: Code, options: &Options) -> Result<()> {
    if options.prompt == 0 || options.prefill == 0 || options.batch == 0 || options.context < 2 {
        return Err(Error::request("--prompt, --prefill and --batch are at least 1, --context at least 2"));
    }
    let all = options.threads.count();
    let mut model = Loaded::new(code, 1)?;
    model.initialize(1)?;
    measure_with(&mut model, options)?;
    if all > 1 && !interrupt::asked() {
        model.set_threads(all);
        measure_with(&mut model, options)?;
    }
    Ok(())
}

/// All measurements on the model's present threads.
fn measure_with(model: &mut Loaded, options: &Options) -> Result<()> {
    let memory = Block::zeroed(LARGE)?;
    let threads = model.pool().threads();
    read_rate(model.pool(), memory.bytes());
    let limits: Vec<_> = (0..9).map(|_| (fma_rate(model.pool()), read_rate(model.pool(), memory.bytes()))).collect();
    let fma = Figure::of(limits.iter().map(|limit| limit.0).collect());
    let read = Figure::of(limits.iter().map(|limit| limit.1).collect());
    let label = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    print(&format!("{label}: {:.1} GFLOP/s of f32 FMA, {:.1} GB/s of reading\n", fma.median / 1e9, read.median / 1e9))?;
    drop(memory);
    if wanted(model, options, "decode", names::STEP) {
        let (figures, bytes) = decode(model, options.prompt, options.pairs)?;
        report("decode", figures, bytes, 1.0, "GB/s")?;
    }
    if wanted(model, options, "prefill", names::STEP) {
        let (figures, operations) = prefill(model, options.prefill, options.pairs)?;
        report("prefill", figures, operations, options.prefill as f64, "GFLOP/s")?;
    }
    if wanted(model, options, "train", names::TRAIN) {
        let (figures, operations) = train(model, options.batch, options.context, options.pairs)?;
        report("train", figures, operations, (options.batch * options.context) as f64, "GFLOP/s")?;
    }
    Ok(())
}

/// Whether to measure something: asked for, and possible.
fn wanted(model: &Loaded, options: &Options, work: &str, program: &str) -> bool {
    let asked = options.only.is_empty() || options.only.iter().any(|only| only == work);
    asked && model.has(program) && !interrupt::asked()
}

/// One line: tokens a second, the rate, and its share of the limit. `unit` is the work of `tokens` tokens.
fn report(name: &str, [work, limit, share]: [Figure; 3], unit: f64, tokens: f64, rate: &str) -> Result<()> {
    let [low, median, high] = [share.low, share.median, share.high].map(|share| 100.0 * share);
    print(&format!(
        "  {name:8} {:9.1} tokens/s  {:7.1} {rate} = {median:.1} % ({low:.1} to {high:.1}) of {:.1}\n",
        work.median / unit * tokens,
        work.median / 1e9,
        limit.median / 1e9,
    ))
}
