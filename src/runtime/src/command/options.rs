//! Options that several commands share.

use crate::error::{Error, Result};
use crate::model::Loaded;
use crate::tokenizer::{BYTES, Tokenizer};
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
    /// Reads the weights.
    pub fn read_weights(&self, model: &mut Loaded) -> Result<()> {
        weights::load(model, &self.weights).map(drop)
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
