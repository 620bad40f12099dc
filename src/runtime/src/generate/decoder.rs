//! Feeds tokens through the `step` or the `turn` program and keeps its caches.

use super::forks::fork;
use super::given::Given;
use super::judges::{Judgement, Judges};
use super::output::Output;
use super::program::{check_ids, grown_input, is_positional, largest_chunk, longest_piece, score_output, write_each};
use super::turns::{Choice, Turns};
use super::whole::accept;
use crate::abi::{ProgramInfo, names};
use crate::error::{Error, Result};
use crate::model::{Call, Loaded, States};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Rows of positions, all with room for the same number.
#[derive(Debug)]
pub struct Decoder<'model> {
    model: &'model mut Loaded,
    states: States,
    input: String,
    /// What scores the next token, or what chooses it.
    output: Output,
    given: Given,
    /// The sequences that what is given lies along, and what lies there.
    along: Vec<(String, String)>,
    context: usize,
    /// Most new positions of one call.
    piece: usize,
    /// How many positions the first piece of each row must hold.
    ahead: Vec<usize>,
    /// How many texts each row has, which all have the same length.
    texts: usize,
    /// How many positions behind the known ones a turn reads.
    blank: usize,
    /// How many positions each row holds.
    filled: Vec<usize>,
    /// The scores after each row's last position.
    scores: Vec<Vec<f32>>,
    /// Prepared calls by their number of new positions.
    calls: BTreeMap<usize, Call>,
}

/// What a decoder holds at one moment.
#[derive(Debug)]
pub struct Snapshot {
    states: States,
    filled: Vec<usize>,
    scores: Vec<Vec<f32>>,
}

impl<'model> Decoder<'model> {
    /// Empty rows with room for `context` positions each.
    ///
    /// # Errors
    /// If the model cannot decode, or allows no such context.
    pub fn new(model: &'model mut Loaded, rows: usize, context: usize) -> Result<Decoder<'model>> {
        Decoder::with(model, rows, context, Given::default())
    }

    /// Empty rows that are given something beside their tokens. What every step would make of that is made now.
    ///
    /// # Errors
    /// As [`Decoder::new`]; or if the model needs something else.
    pub fn with(model: &'model mut Loaded, rows: usize, context: usize, given: Given) -> Result<Decoder<'model>> {
        let output = Output::Scores(score_output(&model.program(names::STEP)?.buffers)?);
        Decoder::make(model, rows, context, given, output)
    }

    /// The same for rows whose next token the model's own sampler chooses.
    ///
    /// # Errors
    /// As [`Decoder::with`]; or if the model has no sampler of turns, or that refuses its settings.
    pub fn choosing(model: &'model mut Loaded, context: usize, given: Given, turns: Turns) -> Result<Decoder<'model>> {
        accept(model, &turns.settings)?;
        Decoder::make(model, turns.rows.len(), context, given, Output::Turns(turns))
    }

    /// The same for rows of which the model's own sampler judges whole runs: `prompted` is the length of each prompt.
    ///
    /// # Errors
    /// As [`Decoder::with`]; or if the model was built without runs, or its sampler refuses its settings.
    pub fn judging(
        model: &'model mut Loaded,
        context: usize,
        given: Given,
        (turns, prompted): (Turns, Vec<usize>),
    ) -> Result<Decoder<'model>> {
        accept(model, &turns.settings)?;
        let rows = turns.rows.len();
        let judges = Judges { turns, prompted, runs: vec![Vec::new(); rows] };
        Decoder::make(model, rows, context, given, Output::Runs(judges))
    }

    /// What the sampler says after each position that was fed last.
    pub fn run(&self, row: usize) -> &[Judgement] {
        match &self.output {
            Output::Runs(judges) => &judges.runs[row],
            _ => &[],
        }
    }

    /// Whether the sampler says after each position what it expects to choose after its choice.
    pub fn drafts(&self) -> bool {
        let drafts = |program: &ProgramInfo| program.buffers.iter().any(|buffer| buffer.name == names::DRAFT);
        self.model.program(self.output.program()).is_ok_and(drafts)
    }

    /// Whether positions can be forgotten: every state holds one thing for each position.
    pub fn forgets(&self) -> bool {
        let begun = self.model.program(self.output.begin()).ok();
        self.model.program(self.output.program()).is_ok_and(|program| is_positional(program, begun))
    }

    /// Forgets what rows hold beyond these numbers of positions; right if the decoder [`Decoder::forgets`].
    pub fn forget(&mut self, filled: &[usize]) {
        self.filled.iter_mut().zip(filled).for_each(|(own, filled)| *own = (*own).min(*filled));
    }

    fn make(
        model: &'model mut Loaded,
        rows: usize,
        context: usize,
        given: Given,
        output: Output,
    ) -> Result<Decoder<'model>> {
        let program = model.program(output.program())?;
        let input = grown_input(program)?;
        let begin = output.begin();
        let before = model.has(begin).then(|| model.program(begin)).transpose()?;
        let programs = before.into_iter().chain([program]).collect::<Vec<_>>();
        given.check(&programs, &input, &output.inputs())?;
        let along = given.along(&programs);
        let piece = longest_piece(program);
        let texts = output.texts(program);
        let blank = usize::from(program.buffers.iter().any(|buffer| buffer.name == names::BLANK));
        if texts > 1 && model.is_on_device() {
            return Err(Error::request("a search of several texts runs on the CPU alone").help("leave --device out"));
        }
        if let Some(longest) = model.manifest().longest.filter(|longest| (context as i64) > *longest) {
            let name = &model.manifest().model;
            return Err(Error::request(format!("{context} positions are more than {name} allows, which is {longest}"))
                .help("shorten the prompt, ask for fewer new tokens, or lower --context"));
        }
        let (filled, scores) = (vec![0; rows], vec![Vec::new(); rows]);
        let (states, calls) = (States::new(), BTreeMap::new());
        let ahead = vec![1; rows];
        let mut decoder = Decoder {
            model,
            states,
            input,
            output,
            given,
            along,
            context,
            piece,
            ahead,
            texts,
            blank,
            filled,
            scores,
            calls,
        };
        if decoder.model.has(begin) {
            let mut call = decoder.call(begin, 0)?;
            decoder.model.run(&mut call, &mut decoder.states)?;
            decoder.look_ahead(&call)?;
        }
        Ok(decoder)
    }

    /// Takes over how many positions the first piece of each row must hold.
    fn look_ahead(&mut self, begun: &Call) -> Result<()> {
        let Ok(ahead) = begun.output(names::AHEAD) else { return Ok(()) };
        let ahead = ahead.slice::<i32>().iter().map(|ahead| usize::try_from(*ahead).unwrap_or(0));
        self.ahead = ahead.collect();
        let most = self.ahead.iter().copied().max().unwrap_or(0);
        match largest_chunk(self.model.program(self.output.program())?) {
            Some(limit) if most > limit => {
                Err(Error::request(format!("{most} positions read each other, and {limit} at most are taken at once")))
            }
            _ => Ok(()),
        }
    }

    /// What the model's sampler has chosen for a row; nothing if it does not choose.
    pub fn chosen(&self, row: usize) -> Option<&Choice> {
        match &self.output {
            Output::Turns(turns) => Some(&turns.chosen[row]),
            _ => None,
        }
    }

    /// Counts one more turn of the model's sampler, and lets every text go on from what it was told to.
    ///
    /// # Errors
    /// If the states do not have the texts that they should.
    pub fn next_turn(&mut self) -> Result<()> {
        if let Output::Turns(turns) = &mut self.output {
            turns.turn += 1;
            let program = self.model.program(names::TURN)?;
            if let Some(texts) = turns.forked(program) {
                let from = turns.chosen.iter().map(|choice| choice.from.as_slice()).collect::<Vec<_>>();
                fork(&mut self.states, program, texts, &from, &self.filled)?;
            }
        }
        Ok(())
    }

    /// How many texts each row has.
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.filled.len()
    }

    /// How many positions a row has room for.
    pub fn context(&self) -> usize {
        self.context
    }

    /// How many positions a row holds.
    pub fn filled(&self, row: usize) -> usize {
        self.filled[row]
    }

    /// How many bytes the caches take.
    pub fn cache_bytes(&self) -> usize {
        self.states.bytes()
    }

    /// What it holds now.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot { states: self.states.duplicate()?, filled: self.filled.clone(), scores: self.scores.clone() })
    }

    /// Goes back to what it held once; the snapshot can be used again.
    ///
    /// # Errors
    /// If it is another decoder's, or there is not enough memory.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        if snapshot.filled.len() != self.rows() || snapshot.filled.iter().any(|filled| *filled > self.context) {
            return Err(Error::request("the snapshot is of a decoder of other rows or another context"));
        }
        self.states = snapshot.states.duplicate()?;
        self.filled.clone_from(&snapshot.filled);
        self.scores.clone_from(&snapshot.scores);
        Ok(())
    }

    /// Takes all rows back, for the next timing. What a recurrence has carried since stays.
    pub(crate) fn rewind(&mut self, position: usize) {
        self.filled.fill(position);
    }

    /// Waits until all that was fed is done.
    pub(crate) fn finish(&self) -> Result<()> {
        self.model.finish()
    }

    /// The scores of what follows a row's last position; empty before the first.
    pub fn scores(&self, row: usize) -> &[f32] {
        &self.scores[row]
    }

    /// Appends ids to the rows, as many to each as are given for it; if rows have several texts, to each text in turn.
    ///
    /// # Errors
    /// If an id is unknown or a row has no room; nothing has then been done.
    pub fn feed(&mut self, rows: &[&[u32]]) -> Result<()> {
        rows.iter().enumerate().try_for_each(|(place, ids)| self.check(place / self.texts, ids))?;
        if let Output::Runs(judges) = &mut self.output {
            judges.runs.iter_mut().for_each(Vec::clear);
        }
        let with_blanks = rows.iter().map(|ids| match self.blank {
            0 => Cow::Borrowed(*ids),
            _ if ids.is_empty() => Cow::Borrowed(*ids),
            blank => Cow::Owned([ids, vec![0; blank].as_slice()].concat()),
        });
        let with_blanks = with_blanks.collect::<Vec<_>>();
        let rows = with_blanks.iter().map(|ids| &**ids).collect::<Vec<_>>();
        let longest = rows.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let begins = |(place, ids): (usize, &&[u32])| !ids.is_empty() && self.filled[place / self.texts] == 0;
        let begun = rows.iter().enumerate().filter(|row| begins(*row)).map(|(place, _)| self.ahead[place / self.texts]);
        let most = begun.max().unwrap_or(0).max(self.piece);
        for start in (0..longest).step_by(most) {
            let piece = most.min(longest - start);
            let part = |ids: &&'_ [u32]| (start.min(ids.len()), (start + piece).min(ids.len()));
            let parts: Vec<&[u32]> = rows
                .iter()
                .map(|ids| {
                    let (from, to) = part(ids);
                    &ids[from..to]
                })
                .collect();
            let after = rows.iter().map(|ids| ids.get(part(ids).1).copied()).collect::<Vec<_>>();
            self.feed_piece(&parts, &after, piece)?;
        }
        Ok(())
    }

    /// Refuses what the model has no embedding or the caches no room for.
    fn check(&self, row: usize, ids: &[u32]) -> Result<()> {
        check_ids(ids, self.model.manifest().vocabulary)?;
        let (filled, room) = (self.filled[row], self.context);
        let ahead = if filled > 0 || ids.is_empty() { 0 } else { self.ahead[row] };
        if ids.len() < ahead {
            let message =
                format!("the first {ahead} tokens are read as a whole, and the row begins with {}", ids.len());
            return Err(Error::request(message).help("give a longer prompt, or say that less is read as a whole"));
        }
        if ids.is_empty() || filled + ids.len() + self.blank <= room {
            return Ok(());
        }
        let message = format!("{} tokens do not fit the context of {room}", filled + ids.len());
        Err(Error::request(message).help("shorten the text, or give more room with --context"))
    }

    /// One call of the step program; `after` is what comes behind each part, as far as that was given too.
    fn feed_piece(&mut self, parts: &[&[u32]], after: &[Option<u32>], piece: usize) -> Result<()> {
        let mut call = match self.calls.remove(&piece) {
            Some(call) => call,
            None => self.call(self.output.program(), piece)?,
        };
        self.fill(&mut call, parts, piece)?;
        self.output.fill_after(&mut call, parts, after, &self.filled);
        let blanks = |row: usize| match after[row * self.texts] {
            None if !parts[row * self.texts].is_empty() => self.blank,
            _ => 0,
        };
        let blanks = (0..self.filled.len()).map(blanks).collect::<Vec<_>>();
        write_each(&mut call, names::BLANK, |row| blanks[row] as i32);
        self.model.run(&mut call, &mut self.states)?;
        let texts = self.texts;
        let took_part = parts.chunks(texts).map(|parts| !parts[0].is_empty()).collect::<Vec<_>>();
        match &mut self.output {
            Output::Turns(turns) => {
                turns.hear(&call, &took_part)?;
                self.model.hand_on(&call, &mut self.states, &took_part)?;
            }
            Output::Runs(judges) => judges.hear(&call, parts)?,
            Output::Scores(name) => {
                let output = call.output(name)?.slice::<f32>();
                let rows =
                    output.chunks_exact((output.len() / self.filled.len()).max(1)).zip(&mut self.scores).enumerate();
                for (_, (new, own)) in rows.filter(|(row, _)| took_part[*row]) {
                    own.clear();
                    own.extend_from_slice(new);
                }
            }
        }
        let rows = self.filled.iter_mut().zip(parts.chunks(texts)).zip(blanks);
        rows.for_each(|((filled, part), blank)| *filled += part[0].len() - blank);
        self.calls.insert(piece, call);
        Ok(())
    }

    /// Room for a call, with what all rows are given in it.
    fn call(&self, program: &str, piece: usize) -> Result<Call> {
        let own = [(names::BATCH, self.rows()), (names::CHUNK, piece), (names::CONTEXT, self.context)];
        let others = [self.given.sizes(&self.along), self.output.sizes()].concat();
        let others = others.iter().map(|(name, size)| (name.as_str(), *size));
        let sizes = own.map(|(name, size)| (name, size as i64)).into_iter().chain(others);
        let mut call = self.model.prepare_call(program, &sizes.collect::<Vec<_>>())?;
        self.given.fill(&mut call, &self.along, self.rows())?;
        Ok(call)
    }

    /// Writes the inputs of a call: ids at the front of each row, and how many there are.
    fn fill(&self, call: &mut Call, parts: &[&[u32]], piece: usize) -> Result<()> {
        let ids = call.input_mut::<i32>(&self.input).ok_or_else(|| Error::bug("the step program takes no tokens"))?;
        ids.fill(0);
        for (row, parts) in ids.chunks_exact_mut(piece * self.texts).zip(parts.chunks(self.texts)) {
            for (text, part) in parts.iter().enumerate() {
                row[text..].iter_mut().step_by(self.texts).zip(*part).for_each(|(place, id)| *place = *id as i32);
            }
        }
        let filled = |row: usize| self.filled[row] as i32;
        let new = |row: usize| parts[row * self.texts].len() as i32;
        self.output.fill(call);
        write_each(call, names::START, filled);
        write_each(call, &names::length(names::CHUNK), new);
        write_each(call, &names::length(names::CONTEXT), |row| filled(row) + new(row));
        Ok(())
    }
}
