//! Text to token ids and back.
//!
//! Two kinds: bytes (256 ids, no file), and what a Hugging Face `tokenizer.json` describes. Decoding streams: a piece
//! of text comes out as soon as its last byte is known, never half a character.

mod stream;

pub use stream::TextStream;

use crate::error::{Error, Result};
use crate::files;
use std::path::{Path, PathBuf};

/// The word for the byte tokenizer on command lines and in recipes.
pub const BYTES: &str = "bytes";

/// A way to write text as numbers.
#[derive(Debug)]
pub enum Tokenizer {
    /// One id for each byte.
    Bytes,
    /// Read from a `tokenizer.json`.
    Trained {
        /// What does the work.
        inner: Box<tokenizers::Tokenizer>,
        /// Where it was read from.
        path: PathBuf,
    },
}

/// A document as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// One id for each token.
    pub ids: Vec<u32>,
    /// Which of two texts each token is of.
    pub kinds: Vec<u32>,
}

impl Tokenizer {
    /// The tokenizer that a command line or recipe names: `bytes`, a `tokenizer.json`, or a folder with one.
    ///
    /// # Errors
    /// If the file is missing or not a tokenizer.
    pub fn open(name: &str) -> Result<Tokenizer> {
        if name == BYTES {
            return Ok(Tokenizer::Bytes);
        }
        let path = Path::new(name);
        let path = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        let text = std::fs::read(&path).map_err(|cause| {
            Error::file("read the tokenizer", &path, &cause)
                .help(format!("name a Hugging Face tokenizer.json, or the word `{BYTES}` for one id per byte"))
        })?;
        let damaged =
            |cause: tokenizers::Error| Error::environment(format!("{} is not a tokenizer: {cause}", path.display()));
        let mut inner = tokenizers::Tokenizer::from_bytes(text).map_err(damaged)?;
        // Rows are padded by their lengths, and nothing of a text is dropped in silence.
        inner.with_padding(None).with_truncation(None).map_err(damaged)?;
        Ok(Tokenizer::Trained { inner: Box::new(inner), path })
    }

    /// What names it: for checkpoints and messages.
    pub fn name(&self) -> String {
        match self {
            Tokenizer::Bytes => BYTES.to_owned(),
            Tokenizer::Trained { path, .. } => path.display().to_string(),
        }
    }

    /// Puts a copy of what it was read from into a folder, so that weights there find it again. Bytes need none.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn copy_to(&self, folder: &Path) -> Result<()> {
        let Tokenizer::Trained { path, .. } = self else { return Ok(()) };
        for name in ["tokenizer.json", "generation_config.json"] {
            let source = if name == "tokenizer.json" { path.clone() } else { path.with_file_name(name) };
            if source.is_file() && source != folder.join(name) {
                let text = std::fs::read(&source).map_err(|cause| Error::file("read", &source, &cause))?;
                files::replace_with(&folder.join(name), &text)?;
            }
        }
        Ok(())
    }

    /// The number of ids.
    pub fn vocabulary(&self) -> usize {
        match self {
            Tokenizer::Bytes => 256,
            Tokenizer::Trained { inner, .. } => inner.get_vocab_size(true),
        }
    }

    /// The ids of a text. `begins` adds the tokens that the tokenizer puts around a document.
    ///
    /// # Errors
    /// If the tokenizer has no id for some part of the text.
    pub fn encode(&self, text: &str, begins: bool) -> Result<Vec<u32>> {
        match self {
            Tokenizer::Bytes => Ok(text.bytes().map(u32::from).collect()),
            Tokenizer::Trained { inner, .. } => inner
                .encode_fast(text, begins)
                .map(|encoding| encoding.get_ids().to_vec())
                .map_err(|cause| Error::request(format!("the tokenizer cannot encode the text: {cause}"))),
        }
    }

    /// The ids of a text, or of two as one document, with the token type of each.
    ///
    /// # Errors
    /// If the tokenizer has no id for some part of the text.
    pub fn encode_document(&self, text: &str, second: Option<&str>) -> Result<Document> {
        let Tokenizer::Trained { inner, .. } = self else {
            let ids = self.encode(&[text, second.unwrap_or_default()].concat(), true)?;
            return Ok(Document { kinds: vec![0; ids.len()], ids });
        };
        let encoding = match second {
            Some(second) => inner.encode_fast((text, second), true),
            None => inner.encode_fast(text, true),
        };
        let encoding =
            encoding.map_err(|cause| Error::request(format!("the tokenizer cannot encode the text: {cause}")))?;
        Ok(Document { ids: encoding.get_ids().to_vec(), kinds: encoding.get_type_ids().to_vec() })
    }

    /// The text of some ids; bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// If the tokenizer cannot decode them.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        match self {
            Tokenizer::Bytes => Ok(String::from_utf8_lossy(&bytes_of(ids)).into_owned()),
            Tokenizer::Trained { inner, .. } => inner
                .decode(ids, true)
                .map_err(|cause| Error::request(format!("the tokenizer cannot decode {ids:?}: {cause}"))),
        }
    }

    /// The id of a special token's text, if it is one token.
    pub fn id_of(&self, token: &str) -> Option<u32> {
        match self {
            Tokenizer::Bytes => None,
            Tokenizer::Trained { inner, .. } => inner.token_to_id(token),
        }
    }

    /// The ids that end a text, as the configuration beside the tokenizer says.
    pub fn end_tokens(&self) -> Vec<u32> {
        let Tokenizer::Trained { path, .. } = self else { return Vec::new() };
        let beside = ["generation_config.json", "config.json"].map(|name| path.with_file_name(name));
        beside.iter().find_map(|path| end_tokens_in(path)).unwrap_or_default()
    }
}

/// The bytes of byte ids; ids that are no byte become 0xFF, which is no UTF-8.
fn bytes_of(ids: &[u32]) -> Vec<u8> {
    ids.iter().map(|id| u8::try_from(*id).unwrap_or(0xFF)).collect()
}

/// `eos_token_id` of a configuration: a number or a list.
fn end_tokens_in(path: &Path) -> Option<Vec<u32>> {
    let text = std::fs::read(path).ok()?;
    let configuration: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let number = |value: &serde_json::Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match configuration.get("eos_token_id")? {
        serde_json::Value::Array(list) => Some(list.iter().filter_map(number).collect()),
        value => number(value).map(|id| vec![id]),
    }
}
