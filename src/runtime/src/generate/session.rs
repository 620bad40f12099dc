//! What each row has said, and what it says next.

use super::decoder::Decoder;
use super::program::{check_prompts, no_numbers};
use super::sampler::{Sampling, choose};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::random::{Stream, hash};
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
    /// The row's own random numbers.
    stream: Stream,
    /// How many tokens it has chosen.
    turns: u64,
}

/// Rows that are written side by side. More text may be added after they have stopped.
#[derive(Debug)]
pub struct Session<'model> {
    decoder: Decoder<'model>,
    sampling: Sampling,
    rows: Vec<Row>,
}

impl<'model> Session<'model> {
    /// A session over rows that begin with the given prompts.
    ///
    /// # Errors
    /// If a setting makes no sense, or a prompt is empty, too long, or has unknown ids. No work has then been done.
    pub fn new(
        decoder: Decoder<'model>,
        sampling: Sampling,
        seed: u64,
        prompts: &[Vec<u32>],
    ) -> Result<Session<'model>> {
        sampling.check()?;
        if let Some(long) = prompts.iter().find(|prompt| prompt.len() >= decoder.context()) {
            let (length, context) = (long.len(), decoder.context());
            let message =
                format!("the prompt has {length} tokens, the context of {context} leaves no room for an answer");
            return Err(Error::request(message).help("shorten the prompt, or give more room with --context"));
        }
        check_prompts(prompts)?;
        let rows = prompts.iter().zip(streams(seed, prompts));
        let rows =
            rows.map(|(prompt, stream)| Row { texts: vec![prompt.clone(); decoder.texts()], fed: 0, stream, turns: 0 });
        let rows = rows.collect();
        Ok(Session { decoder, sampling, rows })
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
    pub fn generate(&mut self, limits: &Limits, hear: impl FnMut(usize, u32) -> Result<ControlFlow<()>>) -> Result<()> {
        let seed_streams: Vec<Stream> = self.rows.iter().map(|row| row.stream).collect();
        self.generate_with(limits, |row, turn| seed_streams[row].uniform(turn), hear)
    }

    /// [`Session::generate`] with draws from elsewhere: `draw(row, turn)` in `0.0..1.0`.
    ///
    /// # Errors
    /// As [`Session::generate`].
    pub fn generate_with(
        &mut self,
        limits: &Limits,
        draw: impl Fn(usize, u64) -> f64,
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
                let stops = self.choose(row, &draw)?;
                let last = |session: &Self| turn == limits.new || session.room(row) == 0;
                speaking[row] = match self.decoder.chosen(row).and_then(|choice| choice.answer.clone()) {
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

    /// Chooses and keeps a row's next token; whether the model's own sampler stops the row after it.
    fn choose(&mut self, row: usize, draw: &impl Fn(usize, u64) -> f64) -> Result<bool> {
        let state = &mut self.rows[row];
        state.turns += 1;
        if let Some(choice) = self.decoder.chosen(row) {
            let ids = choice.ids.iter().map(|id| u32::try_from(*id).map_err(|_| no_numbers()));
            let ids = ids.collect::<Result<Vec<_>>>()?;
            if !choice.from.is_empty() {
                let old = std::mem::take(&mut state.texts);
                state.texts = choice.from.iter().map(|from| old[*from].clone()).collect();
            }
            state.texts.iter_mut().zip(ids).for_each(|(text, id)| text.push(id));
            return Ok(choice.stops);
        }
        let scores = self.decoder.scores(row);
        if scores.iter().any(|score| score.is_nan()) {
            return Err(no_numbers());
        }
        let id = choose(scores, &state.texts[0], &self.sampling, draw(row, state.turns - 1));
        state.texts[0].push(id);
        Ok(false)
    }
}

/// A number for each prompt: what the draws of the model's own sampler tell rows apart by.
pub fn row_numbers(prompts: &[Vec<u32>]) -> Vec<u32> {
    let fold = |(text, copy): (u64, u64)| {
        (text as u32 ^ (text >> 32) as u32).wrapping_add((copy as u32).wrapping_mul(0x9e37_79b9))
    };
    identities(prompts).into_iter().map(fold).collect()
}

/// One stream for each prompt.
fn streams(seed: u64, prompts: &[Vec<u32>]) -> Vec<Stream> {
    let stream = |(text, copy)| Stream::new(seed, "generate").of(text).of(copy);
    identities(prompts).into_iter().map(stream).collect()
}

/// What tells prompts apart: a hash of the text, and how often the same stands before it in the batch.
fn identities(prompts: &[Vec<u32>]) -> Vec<(u64, u64)> {
    let mut seen: BTreeMap<&[u32], u64> = BTreeMap::new();
    let identity = |prompt: &'_ Vec<u32>, copies: u64| {
        let bytes: Vec<u8> = prompt.iter().flat_map(|id| id.to_le_bytes()).collect();
        (hash(&bytes), copies)
    };
    let mut identities = Vec::with_capacity(prompts.len());
    for prompt in prompts {
        let copies = seen.entry(prompt).or_default();
        identities.push(identity(prompt, *copies));
        *copies += 1;
    }
    identities
}
