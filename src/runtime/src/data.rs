//! Training text as tokens.
//!
//! In: files or folders and a tokenizer. Out: [`Tokens`], one long document, mapped where ids are bytes; a [`Split`] into
//! training part and validation part; and batches that depend on seed and number alone, so that a resumed training
//! sees what it would have seen.

use crate::error::{Error, Result};
use crate::files;
use crate::random::Stream;
use crate::tokenizer::Tokenizer;
use memmap2::Mmap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A sequence of token ids.
#[derive(Debug)]
pub enum Tokens {
    /// A mapped file whose bytes are the ids.
    Mapped(Mmap),
    /// Several files' bytes.
    Bytes(Vec<u8>),
    /// Ids of a trained tokenizer.
    Ids(Vec<u32>),
}

impl Tokens {
    /// Reads files and, in order of name, the text files of folders.
    ///
    /// # Errors
    /// If a file cannot be read, or is no text for a trained tokenizer, or there is nothing in all of them.
    pub fn read(paths: &[PathBuf], tokenizer: &Tokenizer) -> Result<Tokens> {
        let mut found = Vec::new();
        for path in paths {
            if path.is_dir() { list_texts(path, &mut found)? } else { found.push(path.clone()) }
        }
        let tokens = match (tokenizer, found.as_slice()) {
            (Tokenizer::Bytes, [path]) => Tokens::Mapped(files::map(path)?),
            (Tokenizer::Bytes, _) => Tokens::Bytes(read_all(&found)?),
            (Tokenizer::Trained { .. }, _) => Tokens::Ids(encode_all(&found, tokenizer)?),
        };
        if tokens.is_empty() {
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            return Err(Error::request(format!("there is no text in {}", names.join(", "))).help("name a text file"));
        }
        Ok(tokens)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Tokens::Mapped(map) => map.len(),
            Tokens::Bytes(bytes) => bytes.len(),
            Tokens::Ids(ids) => ids.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the ids from `start` on, as many as `target` holds.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn copy(&self, start: usize, target: &mut [i32]) {
        let range = start..start + target.len();
        match self {
            Tokens::Mapped(map) => widen(&map[range], target),
            Tokens::Bytes(bytes) => widen(&bytes[range], target),
            Tokens::Ids(ids) => {
                for (target, id) in target.iter_mut().zip(&ids[range]) {
                    *target = *id as i32;
                }
            }
        }
    }

    /// The largest id.
    pub fn largest(&self) -> u32 {
        match self {
            Tokens::Mapped(map) => map.iter().max().copied().unwrap_or(0).into(),
            Tokens::Bytes(bytes) => bytes.iter().max().copied().unwrap_or(0).into(),
            Tokens::Ids(ids) => ids.iter().max().copied().unwrap_or(0),
        }
    }

    /// Refuses data that the model has no embedding for.
    ///
    /// # Errors
    /// If an id is not below the model's vocabulary.
    pub fn check(&self, vocabulary: Option<i64>) -> Result<()> {
        let largest = i64::from(self.largest());
        match vocabulary {
            Some(vocabulary) if largest >= vocabulary => {
                let message = format!("the data has the token id {largest}, the model knows 0 to {}", vocabulary - 1);
                Err(Error::request(message).help("use the tokenizer that the model was made for"))
            }
            _ => Ok(()),
        }
    }
}

/// Which tokens are for training and which for validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The first part.
    pub training: Range<usize>,
    /// The last part.
    pub validation: Range<usize>,
}

impl Split {
    /// Sets the last `share` of the tokens apart. Both parts must hold a window of so many tokens.
    ///
    /// # Errors
    /// If there are too few tokens.
    pub fn new(length: usize, share: f64, window: usize) -> Result<Split> {
        let border = length - (length as f64 * share) as usize;
        let split = Split { training: 0..border, validation: border..length };
        let short = |range: &Range<usize>| range.len() < window;
        if short(&split.training) || (share > 0.0 && short(&split.validation)) {
            let message = format!("{length} tokens are too few for windows of {window}, split {:.0} %", share * 100.0);
            return Err(Error::request(message).help("give more text, a shorter context, or another validation share"));
        }
        Ok(split)
    }

    /// Fills a batch of windows from the training part: row by row, each from a place that seed and number decide.
    pub fn fill_batch(&self, tokens: &Tokens, seed: u64, first_row: u64, window: usize, batch: &mut [i32]) {
        let stream = Stream::new(seed, "batch");
        let places = (self.training.len() - window + 1) as u64;
        for (row, target) in batch.chunks_exact_mut(window).enumerate() {
            let place = stream.below(first_row + row as u64, places) as usize;
            tokens.copy(self.training.start + place, target);
        }
    }
}

fn widen(bytes: &[u8], target: &mut [i32]) {
    for (target, byte) in target.iter_mut().zip(bytes) {
        *target = i32::from(*byte);
    }
}

/// All files below a folder that hold text, in order of name. Hidden ones are left out.
fn list_texts(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |cause| Error::file("read the folder", folder, &cause);
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            list_texts(&path, found)?;
        } else if std::str::from_utf8(&read_file(&path)?).is_ok() {
            found.push(path);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|cause| Error::file("read the data", path, &cause))
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for path in paths {
        bytes.extend(read_file(path)?);
    }
    Ok(bytes)
}

/// The ids of all files, each a document of its own.
fn encode_all(paths: &[PathBuf], tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    for path in paths {
        let text = String::from_utf8(read_file(path)?).map_err(|_| {
            Error::request(format!("{} is not UTF-8 text", path.display()))
                .help("convert it, or use the byte tokenizer")
        })?;
        ids.extend(tokenizer.encode(&text, true)?);
    }
    Ok(ids)
}
