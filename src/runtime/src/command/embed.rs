//! `embed`: a vector for each text.

use super::Threads;
use super::options::{Texts, Trained, print};
use crate::abi::{Size, names};
use crate::error::{Error, Result};
use crate::model::Code;
use crate::reading;
use clap::Args;

/// Options of `embed`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    trained: Trained,
    #[command(flatten)]
    texts: Texts,
    /// The output that is the vector [default: the only one that has neither positions nor is a number]
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Texts side by side
    #[arg(long, value_name = "N", default_value_t = 16)]
    batch: usize,
    #[command(flatten)]
    threads: Threads,
}

/// Writes one line for each text: its vector as a JSON list.
pub fn run(code: Code, options: &Options) -> Result<()> {
    if options.batch < 1 {
        return Err(Error::request("--batch is at least 1"));
    }
    let tokenizer = options.trained.open_tokenizer()?;
    let documents = options.texts.documents(&tokenizer)?;
    let mut model = options.threads.load(code)?;
    options.trained.read_weights(&mut model, &[names::FORWARD])?;
    let vector = |shape: &[Size]| matches!(shape, [Size::Symbol(_), Size::Constant(_)]);
    let program = model.program(names::FORWARD)?;
    let output = reading::output_of(program, options.output.as_deref(), "one vector for each text", vector)?;
    for documents in documents.chunks(options.batch) {
        let call = reading::read(&mut model, documents)?;
        let tensor = call.output(&output)?;
        let width = tensor.len() / documents.len();
        for row in tensor.slice::<f32>().chunks_exact(width) {
            let numbers: Vec<String> = row.iter().map(f32::to_string).collect();
            print(&format!("[{}]\n", numbers.join(", ")))?;
        }
    }
    Ok(())
}
