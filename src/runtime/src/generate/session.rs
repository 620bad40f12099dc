//! What each row has said; what it says next is the choice of the model's sampler.

use super::decoder::Decoder;
use super::program::{check_prompts, no_numbers};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::random::hash;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// When a row stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// After so many new tokens.
    pub new: usize,
    /// At one of these tokens.
    pub end_tokens: Vec<u32>,
}

/// One row.
#[derive(Debug)]
struct Row {
    /// Everything said, prompts and answers, by each of its texts.
    texts: Vec<Vec<u32>>,
    /// How many of them the decoder has seen.
    fed: usize,
}

/// Rows that are written side by side. More text may be added after they have stopped.
#[derive(Debug)]
pub struct Session<'model> {
    decoder: Decoder<'model>,
    rows: Vec<Row>,
}

impl<'model> Session<'model> {
    /// A session over rows that begin with the given prompts, of a decoder that chooses.
    ///
    /// # Errors
    /// If a prompt is empty, too long, or has unknown ids. No work has then been done.
    pub fn new(decoder: Decoder<'model>, prompts: &[Vec<u32>]) -> Result<Session<'model>> {
        if let Some(long) = prompts.iter().find(|prompt| prompt.len() >= decoder.context()) {
            let (length, context) = (long.len(), decoder.context());
            let message =
                format!("the prompt has {length} tokens, the context of {context} leaves no room for an answer");
            return Err(Error::request(message).help("shorten the prompt, or give more room with --context"));
        }
        check_prompts(prompts)?;
        let rows = prompts.iter().map(|prompt| Row { texts: vec![prompt.clone(); decoder.texts()], fed: 0 });
        let rows = rows.collect();
        Ok(Session { decoder, rows })
    }

    /// Everything that a row has said, prompts included.
    pub fn ids(&self, row: usize) -> &[u32] {
        &self.rows[row].texts[0]
    }

    /// How many more positions a row has room for.
    pub fn room(&self, row: usize) -> usize {
        self.decoder.context().saturating_sub(self.ids(row).len())
    }

    /// Adds text to a row, for the next [`Session::generate`].
    ///
    /// # Errors
    /// If the row has no room for it.
    pub fn say(&mut self, row: usize, ids: &[u32]) -> Result<()> {
        if ids.len() >= self.room(row) {
            let context = self.decoder.context();
            return Err(Error::request(format!("the conversation no longer fits the context of {context} tokens"))
                .help("start a new one, or give more room with --context"));
        }
        self.rows[row].texts.iter_mut().for_each(|text| text.extend_from_slice(ids));
        Ok(())
    }

    /// Lets all rows speak until each has stopped. `hear(row, id)` gets each new token that is no end token, at once,
    /// and may stop its row.
    ///
    /// # Errors
    /// If the model cannot be run, or computes scores that are no numbers.
    pub fn generate(
        &mut self,
        limits: &Limits,
        mut hear: impl FnMut(usize, u32) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let begun: Vec<usize> = (0..self.rows.len()).map(|row| self.ids(row).len()).collect();
        let mut speaking: Vec<bool> = vec![limits.new > 0; self.rows.len()];
        for turn in 1..=limits.new {
            if !speaking.contains(&true) || interrupt::asked() {
                break;
            }
            self.feed(&speaking)?;
            for row in (0..speaking.len()).filter(|row| speaking[*row]).collect::<Vec<_>>() {
                let (stops, answer) = self.choose(row)?;
                let last = |session: &Self| turn == limits.new || session.room(row) == 0;
                speaking[row] = match answer {
                    Some(_) if !stops && !last(self) => true,
                    Some(answer) => {
                        self.answer(row, begun[row], &answer, limits, &mut hear)?;
                        false
                    }
                    None => {
                        let id = self.ids(row).last().copied().unwrap_or(0);
                        let ends = limits.end_tokens.contains(&id);
                        let stopped = ends || hear(row, id)?.is_break() || stops;
                        !stopped && !last(self)
                    }
                };
            }
            self.decoder.next_turn()?;
        }
        Ok(())
    }

    /// Lets a row say what its sampler gives in the end.
    fn answer(
        &mut self,
        row: usize,
        begun: usize,
        answer: &[u32],
        limits: &Limits,
        hear: &mut impl FnMut(usize, u32) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        for text in &mut self.rows[row].texts {
            text.truncate(begun);
            text.extend_from_slice(answer);
        }
        for id in answer {
            if limits.end_tokens.contains(id) || hear(row, *id)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Shows the decoder what it has not seen of the rows that speak.
    fn feed(&mut self, speaking: &[bool]) -> Result<()> {
        let unseen = |(row, speaks): (&Row, &bool)| if *speaks { row.fed } else { row.texts[0].len() };
        let from = self.rows.iter().zip(speaking).map(unseen);
        let parts = self.rows.iter().zip(from).flat_map(|(row, from)| row.texts.iter().map(move |text| &text[from..]));
        let parts: Vec<&[u32]> = parts.collect();
        self.decoder.feed(&parts)?;
        for (row, _) in self.rows.iter_mut().zip(speaking).filter(|(_, speaks)| **speaks) {
            row.fed = row.texts[0].len();
        }
        Ok(())
    }

    /// Keeps a row's next token; whether the sampler stops the row after it, and what it then gives in the end.
    fn choose(&mut self, row: usize) -> Result<(bool, Option<Vec<u32>>)> {
        let choice = self.decoder.chosen(row).ok_or_else(|| Error::bug("a session needs a decoder that chooses"))?;
        let ids = choice.ids.iter().map(|id| u32::try_from(*id).map_err(|_| no_numbers()));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        let texts = &mut self.rows[row].texts;
        if !choice.from.is_empty() {
            let old = std::mem::take(texts);
            *texts = choice.from.iter().map(|from| old[*from].clone()).collect();
        }
        texts.iter_mut().zip(ids).for_each(|(text, id)| text.push(id));
        Ok((choice.stops, choice.answer.clone()))
    }
}

/// A number for each prompt, by which the draws of the model's sampler tell rows apart: of its text, and of how often the
/// same stands before it in the batch.
pub fn row_numbers(prompts: &[Vec<u32>]) -> Vec<u32> {
    let mut seen: BTreeMap<&[u32], u32> = BTreeMap::new();
    let number = |prompt: &'_ [u32], copy: u32| {
        let bytes: Vec<u8> = prompt.iter().flat_map(|id| id.to_le_bytes()).collect();
        let text = hash(&bytes);
        (text as u32 ^ (text >> 32) as u32).wrapping_add(copy.wrapping_mul(0x9e37_79b9))
    };
    let mut numbers = Vec::with_capacity(prompts.len());
    for prompt in prompts {
        let copies = seen.entry(prompt).or_default();
        numbers.push(number(prompt, *copies));
        *copies += 1;
    }
    numbers
}
