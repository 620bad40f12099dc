//! Speculation: a draft of several tokens is judged in one call, and what the sampler would have said itself is kept.
//!
//! In: a decoder over runs ([`names::RUN`]), which says at each new position what its sampler chooses next. Out: the ids
//! that turns one by one give, draws included, since a token of the draft stands only if the sampler chooses it. The
//! rest of a run is taken back: positions are forgotten, and where states cannot forget, restored and read again.
//!
//! A sampler may say itself what it expects to choose after its choice ([`names::DRAFT`]). Then that is the first token of
//! each draft, whoever drafts the rest.

use super::decoder::Decoder;
use super::judges::Judgement;
use super::program::{check_prompts, no_numbers};
use super::session::Limits;
use crate::error::Result;
use crate::interrupt;
use std::ops::ControlFlow;

/// What says beforehand what a row may say next.
pub trait Draft {
    /// Up to `most` ids that may follow a row's text; none if it has no idea.
    ///
    /// # Errors
    /// If it cannot be asked.
    fn guess(&mut self, row: usize, text: &[u32], most: usize) -> Result<Vec<u32>>;
}

/// A draft from the text itself: what followed the last time that it ended like this.
#[derive(Debug, Clone, Copy)]
pub struct Lookup {
    /// How many last tokens must be alike, at most; fewer do if no more are.
    pub alike: usize,
}

impl Draft for Lookup {
    fn guess(&mut self, _: usize, text: &[u32], most: usize) -> Result<Vec<u32>> {
        for alike in (1..=self.alike.min(text.len().saturating_sub(1))).rev() {
            let end = &text[text.len() - alike..];
            let before = (0..text.len() - alike).rev().find(|start| text[*start..].starts_with(end));
            if let Some(start) = before {
                return Ok(text[start + alike..].iter().copied().take(most).collect());
            }
        }
        Ok(Vec::new())
    }
}

/// One row.
#[derive(Debug)]
struct Row {
    text: Vec<u32>,
    /// How much of it the decoder has seen.
    fed: usize,
    said: usize,
    speaks: bool,
    /// What the sampler expects to choose next.
    expects: Option<u32>,
}

/// Rows that speak in runs.
#[derive(Debug)]
pub struct Runs<'model> {
    decoder: Decoder<'model>,
    rows: Vec<Row>,
    /// Whether the sampler drafts itself.
    drafts: bool,
    calls: usize,
    drafted: usize,
    accepted: usize,
}

impl<'model> Runs<'model> {
    /// Rows that begin with prompts.
    ///
    /// # Errors
    /// If a prompt is empty.
    pub fn new(decoder: Decoder<'model>, prompts: &[Vec<u32>]) -> Result<Runs<'model>> {
        check_prompts(prompts)?;
        let row = |prompt: &Vec<u32>| Row { text: prompt.clone(), fed: 0, said: 0, speaks: true, expects: None };
        let (rows, drafts) = (prompts.iter().map(row).collect(), decoder.drafts());
        Ok(Runs { decoder, rows, drafts, calls: 0, drafted: 0, accepted: 0 })
    }

    /// Everything that a row has said, its prompt included.
    pub fn ids(&self, row: usize) -> &[u32] {
        &self.rows[row].text
    }

    /// How many times the model was called for runs so far.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// How many tokens of drafts were judged so far, and how many of them the sampler has chosen too.
    pub fn judged(&self) -> (usize, usize) {
        (self.drafted, self.accepted)
    }

    /// Lets all rows speak until each has stopped, with drafts of up to `most` tokens.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn generate(
        &mut self,
        limits: &Limits,
        draft: &mut dyn Draft,
        most: usize,
        mut hear: impl FnMut(usize, u32) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.rows.iter_mut().for_each(|row| row.speaks = limits.new > 0);
        while self.rows.iter().any(|row| row.speaks) && !interrupt::asked() {
            let drafts = self.drafts(limits, draft, most)?;
            let before = if self.decoder.forgets() { None } else { Some(self.decoder.snapshot()?) };
            let parts = self.rows.iter().zip(&drafts).map(|(row, draft)| match row.speaks {
                true => [&row.text[row.fed..], draft].concat(),
                false => Vec::new(),
            });
            let parts = parts.collect::<Vec<_>>();
            self.feed(&parts)?;
            self.calls += 1;
            let choices = (0..self.rows.len()).map(|row| self.decoder.run(row).to_vec()).collect::<Vec<_>>();
            let mut kept = Vec::with_capacity(parts.len());
            for (row, (part, draft)) in parts.iter().zip(&drafts).enumerate() {
                let own = &choices[row];
                let judged = own.get(own.len().saturating_sub(draft.len() + 1)..).unwrap_or_default();
                let stands = if part.is_empty() { 0 } else { self.judge(row, draft, judged, limits, &mut hear)? };
                self.drafted += draft.len();
                self.accepted += stands;
                kept.push(part.len() - (draft.len() - stands));
            }
            self.take_back(&parts, &kept, before)?;
        }
        Ok(())
    }

    /// What each row may say next, no further than it may go on.
    fn drafts(&mut self, limits: &Limits, draft: &mut dyn Draft, most: usize) -> Result<Vec<Vec<u32>>> {
        let mut drafts = Vec::with_capacity(self.rows.len());
        for (number, row) in self.rows.iter().enumerate() {
            let room = self.decoder.context().saturating_sub(row.text.len() + 1);
            let most = most.min(limits.new.saturating_sub(row.said + 1)).min(room);
            drafts.push(match (row.speaks && most > 0, self.drafts, row.expects) {
                (true, false, _) => draft.guess(number, &row.text, most)?.into_iter().take(most).collect(),
                (true, true, Some(first)) => {
                    let text = [row.text.as_slice(), &[first]].concat();
                    let rest = if most > 1 { draft.guess(number, &text, most - 1)? } else { Vec::new() };
                    std::iter::once(first).chain(rest).take(most).collect()
                }
                _ => Vec::new(),
            });
        }
        Ok(drafts)
    }

    fn feed(&mut self, parts: &[Vec<u32>]) -> Result<()> {
        self.decoder.feed(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Takes over what the sampler chooses as long as the draft says the same. How much of the draft stands.
    fn judge(
        &mut self,
        row: usize,
        draft: &[u32],
        choices: &[Judgement],
        limits: &Limits,
        hear: &mut impl FnMut(usize, u32) -> Result<ControlFlow<()>>,
    ) -> Result<usize> {
        let context = self.decoder.context();
        let state = &mut self.rows[row];
        for (place, Judgement { id, stops, draft: expected }) in choices.iter().enumerate() {
            let id = u32::try_from(*id).map_err(|_| no_numbers())?;
            state.expects = *expected;
            state.text.push(id);
            state.said += 1;
            let ended = limits.end_tokens.contains(&id) || hear(row, id)?.is_break() || *stops;
            let last = state.said == limits.new || state.text.len() == context;
            if ended || last {
                state.speaks = false;
                return Ok(place);
            }
            if draft.get(place) != Some(&id) {
                return Ok(place);
            }
        }
        Ok(draft.len())
    }

    /// Brings the decoder to where each row's judged text ends, but for its newest token.
    fn take_back(&mut self, parts: &[Vec<u32>], kept: &[usize], before: Option<super::Snapshot>) -> Result<()> {
        let whole = parts.iter().zip(kept).all(|(part, kept)| part.len() == *kept);
        let seen = self.rows.iter().zip(kept).map(|(row, kept)| row.fed + kept).collect::<Vec<_>>();
        match before {
            _ if whole => {}
            None => self.decoder.forget(&seen),
            Some(before) => {
                self.decoder.restore(&before)?;
                let again = parts.iter().zip(kept).map(|(part, kept)| part[..*kept].to_vec()).collect::<Vec<_>>();
                self.feed(&again)?;
            }
        }
        self.rows.iter_mut().zip(seen).for_each(|(row, seen)| row.fed = seen);
        Ok(())
    }
}
