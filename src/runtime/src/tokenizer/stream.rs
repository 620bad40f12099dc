//! Text that grows token by token.

use super::Tokenizer;
use crate::error::Result;

/// What a piece of text ends with while a character is incomplete.
const INCOMPLETE: char = '\u{FFFD}';
/// A character has at most four bytes, so more tokens than this never wait for one.
const MOST_WAITING: usize = 8;

/// Turns ids into text as they come.
#[derive(Debug)]
pub struct TextStream<'tokenizer> {
    tokenizer: &'tokenizer Tokenizer,
    /// Ids since the last safe place: those before `shown` are there for context only.
    ids: Vec<u32>,
    shown: usize,
}

impl<'tokenizer> TextStream<'tokenizer> {
    /// A stream that starts with no text.
    pub fn new(tokenizer: &'tokenizer Tokenizer) -> TextStream<'tokenizer> {
        TextStream { tokenizer, ids: Vec::new(), shown: 0 }
    }

    /// Adds an id; returns the text that is complete now, often one word, sometimes none.
    ///
    /// # Errors
    /// If the tokenizer cannot decode it.
    pub fn push(&mut self, id: u32) -> Result<String> {
        self.ids.push(id);
        let text = self.waiting()?;
        if text.ends_with(INCOMPLETE) && self.ids.len() - self.shown < MOST_WAITING {
            return Ok(String::new());
        }
        // Tokens are decoded in the company of those before them, since a space may hang on that.
        self.ids.drain(..self.shown);
        self.shown = self.ids.len();
        Ok(text)
    }

    /// The rest, with U+FFFD for what never became a character.
    ///
    /// # Errors
    /// As [`TextStream::push`].
    pub fn finish(&mut self) -> Result<String> {
        let text = self.waiting()?;
        self.shown = self.ids.len();
        Ok(text)
    }

    /// The text of the ids that have not been shown.
    fn waiting(&self) -> Result<String> {
        let before = self.tokenizer.decode(&self.ids[..self.shown])?;
        let all = self.tokenizer.decode(&self.ids)?;
        Ok(all.get(before.len()..).unwrap_or_default().to_owned())
    }
}
