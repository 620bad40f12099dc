//! Options that several commands share.

use crate::error::{Error, Result};
use crate::model::Loaded;
use crate::tokenizer::{BYTES, Document, Tokenizer};
use crate::weights;
use clap::Args;
use std::path::PathBuf;

/// Weights and the tokenizer that belongs to them.
#[derive(Debug, Args)]
pub struct Trained {
    /// Weights: a .safetensors file, an index, a checkpoint, or a folder with one
    #[arg(long, value_name = "PATH")]
    pub weights: PathBuf,
    /// `bytes`, or a Hugging Face tokenizer.json [default: the one beside the weights, or bytes]
    #[arg(long, value_name = "PATH")]
    pub tokenizer: Option<String>,
}

impl Trained {
    /// Reads the weights of a model that runs programs of these names alone.
    pub fn read_weights(&self, model: &mut Loaded, programs: &[&str]) -> Result<()> {
        weights::load(model, &self.weights)?;
        model.read_only(programs)
    }

    /// The tokenizer that was named, or lies beside the weights.
    pub fn open_tokenizer(&self) -> Result<Tokenizer> {
        if let Some(name) = &self.tokenizer {
            return Tokenizer::open(name);
        }
        let folder = if self.weights.is_dir() { Some(self.weights.as_path()) } else { self.weights.parent() };
        let beside = folder.map(|folder| folder.join("tokenizer.json")).filter(|path| path.is_file());
        match beside.as_ref().and_then(|path| path.to_str()) {
            Some(path) => Tokenizer::open(path),
            None => Tokenizer::open(BYTES),
        }
    }
}

/// Texts, each a document of its own.
#[derive(Debug, Args)]
pub struct Texts {
    /// A text (may be given again)
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,
    /// A file with a text in each line
    #[arg(long, value_name = "FILE")]
    lines: Vec<PathBuf>,
    /// A second text that belongs to each, as in a question and its answer
    #[arg(long, value_name = "TEXT")]
    pair: Option<String>,
}

impl Texts {
    /// All of them as tokens, those given as such first.
    pub fn documents(&self, tokenizer: &Tokenizer) -> Result<Vec<Document>> {
        let mut texts = self.text.clone();
        for path in &self.lines {
            let text = std::fs::read_to_string(path).map_err(|cause| Error::file("read the texts", path, &cause))?;
            texts.extend(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
        }
        if texts.is_empty() {
            return Err(Error::request("there is no text").help("give one with --text \"It rains.\""));
        }
        texts.iter().map(|text| tokenizer.encode_document(text, self.pair.as_deref())).collect()
    }
}

/// Writes to standard output; a reader that has gone away is no error of the model.
pub fn print(text: &str) -> Result<()> {
    use std::io::{ErrorKind, Write, stdout};
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(cause) => Err(Error::environment(format!("cannot write to standard output: {cause}"))),
        Ok(()) => Ok(()),
    }
}
