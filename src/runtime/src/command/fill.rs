//! `fill`: the likeliest tokens where a text has a mask.

use super::Threads;
use super::options::{Texts, Trained, print};
use crate::abi::{Size, names};
use crate::error::{Error, Result};
use crate::model::Code;
use crate::reading;
use crate::tokenizer::{Document, Tokenizer};
use clap::Args;

/// What tokenizers call the token that hides another.
const MASKS: [&str; 2] = ["[MASK]", "<mask>"];

/// Options of `fill`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    trained: Trained,
    #[command(flatten)]
    texts: Texts,
    /// The token that stands for what is left out [default: [MASK] or <mask>, as the tokenizer has it]
    #[arg(long, value_name = "TOKEN")]
    mask: Option<String>,
    /// How many guesses for each
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// The output that scores all tokens at each position [default: the only one]
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    #[command(flatten)]
    threads: Threads,
}

/// Writes for each mask its guesses with their probabilities, best first.
pub fn run(code: Code, options: &Options) -> Result<()> {
    let tokenizer = options.trained.open_tokenizer()?;
    let documents = options.texts.documents(&tokenizer)?;
    let mask = mask(options, &tokenizer)?;
    let mut model = options.threads.load(code)?;
    options.trained.read_weights(&mut model, &[names::FORWARD])?;
    let scores = |shape: &[Size]| matches!(shape, [Size::Symbol(_), Size::Symbol(_), Size::Constant(_)]);
    let program = model.program(names::FORWARD)?;
    let output = reading::output_of(program, options.output.as_deref(), "a score of every token", scores)?;
    for (place, document) in documents.iter().enumerate() {
        let call = reading::read(&mut model, std::slice::from_ref(document))?;
        let tensor = call.output(&output)?;
        let width = tensor.len() / document.ids.len();
        let rows = tensor.slice::<f32>().chunks_exact(width);
        let masked = rows.zip(&document.ids).filter(|(_, id)| **id == mask);
        let guesses: Vec<String> =
            masked.map(|(row, _)| guesses(row, options.top, &tokenizer)).collect::<Result<_>>()?;
        if guesses.is_empty() {
            return Err(nothing_hidden(place, document, &tokenizer));
        }
        print(&(guesses.join("\n") + "\n"))?;
    }
    Ok(())
}

/// The id of the mask.
fn mask(options: &Options, tokenizer: &Tokenizer) -> Result<u32> {
    let named = options.mask.as_deref().map_or(MASKS.to_vec(), |name| vec![name]);
    named.iter().find_map(|name| tokenizer.id_of(name)).ok_or_else(|| {
        Error::request(format!("the tokenizer has no token {}", named.join(" or ")))
            .help("name the one that hides a word with --mask")
    })
}

fn nothing_hidden(place: usize, document: &Document, tokenizer: &Tokenizer) -> Error {
    let text = tokenizer.decode(&document.ids).unwrap_or_default();
    Error::request(format!("text {} leaves nothing out: {text}", place + 1))
        .help("write [MASK] where a word is missing")
}

/// The best tokens of one row of scores.
fn guesses(row: &[f32], top: usize, tokenizer: &Tokenizer) -> Result<String> {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let whole: f64 = row.iter().map(|score| f64::from(score - largest).exp()).sum();
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|left, right| row[*right].total_cmp(&row[*left]));
    let guess = |place: &usize| {
        let share = f64::from(row[*place] - largest).exp() / whole;
        Ok(format!("{:.4} {}", share, tokenizer.decode(&[*place as u32])?.trim()))
    };
    Ok(order.iter().take(top).map(guess).collect::<Result<Vec<_>>>()?.join("\n"))
}
