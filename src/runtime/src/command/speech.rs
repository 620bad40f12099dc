//! What a row says as text, token by token, up to a stop text.

use crate::error::Result;
use crate::tokenizer::{TextStream, Tokenizer};

/// Text that is held back while it may be the beginning of a stop text.
pub struct Speech<'all> {
    stream: TextStream<'all>,
    stop: &'all [String],
    held: String,
    ended: bool,
}

impl<'all> Speech<'all> {
    /// Nothing said yet.
    pub fn new(tokenizer: &'all Tokenizer, stop: &'all [String]) -> Speech<'all> {
        Speech { stream: TextStream::new(tokenizer), stop, held: String::new(), ended: false }
    }

    /// Adds a token; returns what may be shown, and whether a stop text is complete.
    pub fn hear(&mut self, id: u32) -> Result<(String, bool)> {
        self.held += &self.stream.push(id)?;
        if let Some(at) = self.stop.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.ended = true;
            self.held.truncate(at);
            return Ok((std::mem::take(&mut self.held), true));
        }
        let begins = |at: &usize| self.stop.iter().any(|stop| stop.starts_with(&self.held[*at..]));
        let starts = self.held.char_indices().map(|(at, _)| at);
        let keep = starts.into_iter().find(begins).unwrap_or(self.held.len());
        let rest = self.held.split_off(keep);
        Ok((std::mem::replace(&mut self.held, rest), false))
    }

    /// What is still held.
    pub fn finish(&mut self) -> Result<String> {
        let rest = if self.ended { String::new() } else { self.stream.finish()? };
        Ok(std::mem::take(&mut self.held) + &rest)
    }
}
