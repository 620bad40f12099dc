//! `eval`: the loss over a text.

use super::Threads;
use super::options::{Trained, print};
use crate::data::Tokens;
use crate::error::{Error, Result};
use crate::evaluate;
use crate::model::Code;
use clap::Args;
use std::path::PathBuf;

/// Options of `eval`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    trained: Trained,
    /// The text, a file or a folder; several are read one after the other
    #[arg(long, value_name = "PATH", required = true)]
    data: Vec<PathBuf>,
    /// Only the last share of the text, as a training keeps it for validation
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    last: f64,
    /// Tokens that a window predicts
    #[arg(long, value_name = "N", default_value_t = 64)]
    context: usize,
    /// Windows side by side
    #[arg(long, value_name = "N", default_value_t = 16)]
    batch: usize,
    #[command(flatten)]
    threads: Threads,
}

/// Evaluates.
pub fn run(code: Code, options: &Options) -> Result<()> {
    if !(options.last > 0.0 && options.last <= 1.0) || options.context < 1 || options.batch < 1 {
        return Err(Error::request("--last is more than 0 and at most 1, --context and --batch are at least 1"));
    }
    let tokenizer = options.trained.open_tokenizer()?;
    let tokens = Tokens::read(&options.data, &tokenizer)?;
    tokens.check(code.manifest().vocabulary)?;
    let mut model = options.threads.load(code)?;
    let program = evaluate::program(&model);
    options.trained.read_weights(&mut model, &[program])?;
    let start = tokens.len() - (tokens.len() as f64 * options.last) as usize;
    let range = start..tokens.len();
    let loss = evaluate::loss(&mut model, &tokens, range.clone(), options.context, options.batch)?;
    let count = range.len().saturating_sub(1);
    let bits = loss / std::f64::consts::LN_2;
    print(&format!("loss {loss:.6} nats, {bits:.4} bits a token, perplexity {:.3}, {count} tokens\n", loss.exp()))
}
