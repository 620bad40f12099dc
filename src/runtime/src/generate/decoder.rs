//! Feeds tokens through the `step` or the `turn` program and keeps its caches.

use super::given::Given;
use super::turns::{Choice, Turns};
use crate::abi::{BufferInfo, Element, ProgramInfo, Role, Size, names};
use crate::error::{Error, Result};
use crate::model::{Call, Loaded, States};
use std::collections::BTreeMap;

/// Most new positions of one call: enough that weights are read rarely, little enough that scratch memory stays small.
const LONGEST_PIECE: usize = 512;

/// Rows of positions, all with room for the same number.
#[derive(Debug)]
pub struct Decoder<'model> {
    model: &'model mut Loaded,
    states: States,
    input: String,
    /// What scores the next token, or what chooses it.
    output: Output,
    given: Given,
    context: usize,
    /// Most new positions of one call.
    piece: usize,
    /// How many positions each row holds.
    filled: Vec<usize>,
    /// The scores after each row's last position.
    scores: Vec<Vec<f32>>,
    /// Prepared calls by their number of new positions.
    calls: BTreeMap<usize, Call>,
}

/// What a call gives.
#[derive(Debug)]
enum Output {
    /// Scores, under this name.
    Scores(String),
    /// What the model's sampler chooses.
    Turns(Turns),
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
    /// As [`Decoder::with`]; or if the model has no sampler of turns.
    pub fn choosing(model: &'model mut Loaded, context: usize, given: Given, turns: Turns) -> Result<Decoder<'model>> {
        Decoder::make(model, turns.rows.len(), context, given, Output::Turns(turns))
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
        given.check(&before.into_iter().chain([program]).collect::<Vec<_>>(), &input, &output.inputs())?;
        let piece = longest_piece(program);
        if let Some(longest) = model.manifest().longest.filter(|longest| (context as i64) > *longest) {
            let name = &model.manifest().model;
            return Err(Error::request(format!("{context} positions are more than {name} allows, which is {longest}"))
                .help("shorten the prompt, ask for fewer new tokens, or lower --context"));
        }
        let (filled, scores) = (vec![0; rows], vec![Vec::new(); rows]);
        let (states, calls) = (States::new(), BTreeMap::new());
        let mut decoder = Decoder { model, states, input, output, given, context, piece, filled, scores, calls };
        if decoder.model.has(begin) {
            let mut call = decoder.call(begin, 0)?;
            decoder.model.run(&mut call, &mut decoder.states)?;
        }
        Ok(decoder)
    }

    /// What the model's sampler has chosen for a row; nothing if it does not choose.
    pub fn chosen(&self, row: usize) -> Option<Choice> {
        match &self.output {
            Output::Scores(_) => None,
            Output::Turns(turns) => Some(turns.chosen[row]),
        }
    }

    /// Counts one more turn of the model's sampler.
    pub fn next_turn(&mut self) {
        if let Output::Turns(turns) = &mut self.output {
            turns.turn += 1;
        }
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

    /// Takes all rows back to a number of positions, for the next timing. What a recurrence has carried since stays.
    pub(crate) fn rewind(&mut self, position: usize) {
        self.filled.fill(position);
    }

    /// The scores of what follows a row's last position; empty before the first.
    pub fn scores(&self, row: usize) -> &[f32] {
        &self.scores[row]
    }

    /// Appends ids to the rows, as many to each as are given for it.
    ///
    /// # Errors
    /// If an id is unknown or a row has no room; nothing has then been done.
    pub fn feed(&mut self, rows: &[&[u32]]) -> Result<()> {
        rows.iter().enumerate().try_for_each(|(row, ids)| self.check(row, ids))?;
        let longest = rows.iter().map(|ids| ids.len()).max().unwrap_or(0);
        for start in (0..longest).step_by(self.piece) {
            let piece = self.piece.min(longest - start);
            let part = |ids: &&'_ [u32]| (start.min(ids.len()), (start + piece).min(ids.len()));
            let parts: Vec<&[u32]> = rows
                .iter()
                .map(|ids| {
                    let (from, to) = part(ids);
                    &ids[from..to]
                })
                .collect();
            self.feed_piece(&parts, piece)?;
        }
        Ok(())
    }

    /// Refuses what the model has no embedding or the caches no room for.
    fn check(&self, row: usize, ids: &[u32]) -> Result<()> {
        check_ids(ids, self.model.manifest().vocabulary)?;
        let (filled, room) = (self.filled[row], self.context);
        if filled + ids.len() <= room {
            return Ok(());
        }
        let message = format!("{} tokens do not fit the context of {room}", filled + ids.len());
        Err(Error::request(message).help("shorten the text, or give more room with --context"))
    }

    /// One call of the step program.
    fn feed_piece(&mut self, parts: &[&[u32]], piece: usize) -> Result<()> {
        let mut call = match self.calls.remove(&piece) {
            Some(call) => call,
            None => self.call(self.output.program(), piece)?,
        };
        self.fill(&mut call, parts, piece)?;
        self.model.run(&mut call, &mut self.states)?;
        let took_part = |row: usize| !parts[row].is_empty();
        match &mut self.output {
            Output::Turns(turns) => turns.hear(&call, took_part)?,
            Output::Scores(name) => {
                let output = call.output(name)?.slice::<f32>();
                let rows = output.chunks_exact((output.len() / parts.len()).max(1)).zip(&mut self.scores).enumerate();
                for (_, (new, own)) in rows.filter(|(row, _)| took_part(*row)) {
                    own.clear();
                    own.extend_from_slice(new);
                }
            }
        }
        self.filled.iter_mut().zip(parts).for_each(|(filled, part)| *filled += part.len());
        self.calls.insert(piece, call);
        Ok(())
    }

    /// Room for a call, with what all rows are given in it.
    fn call(&self, program: &str, piece: usize) -> Result<Call> {
        let given = self.given.sizes(self.model.program(program)?);
        let own = [(names::BATCH, self.rows()), (names::CHUNK, piece), (names::CONTEXT, self.context)];
        let own = own.map(|(name, size)| (name, size as i64));
        let given = given.iter().map(|(name, size)| (name.as_str(), *size));
        let mut call = self.model.prepare_call(program, &own.into_iter().chain(given).collect::<Vec<_>>())?;
        self.given.fill(&mut call)?;
        Ok(call)
    }

    /// Writes the inputs of a call: ids at the front of each row, and how many there are.
    fn fill(&self, call: &mut Call, parts: &[&[u32]], piece: usize) -> Result<()> {
        let ids = call.input_mut::<i32>(&self.input).ok_or_else(|| Error::bug("the step program takes no tokens"))?;
        ids.fill(0);
        for (row, part) in ids.chunks_exact_mut(piece).zip(parts) {
            row.iter_mut().zip(*part).for_each(|(place, id)| *place = *id as i32);
        }
        let filled = |row: usize| self.filled[row] as i32;
        let new = |row: usize| parts[row].len() as i32;
        if let Output::Turns(turns) = &self.output {
            turns.fill(call);
        }
        write_each(call, names::START, filled);
        write_each(call, &names::length(names::CHUNK), new);
        write_each(call, &names::length(names::CONTEXT), |row| filled(row) + new(row));
        Ok(())
    }
}

impl Output {
    /// The program that gives it.
    fn program(&self) -> &'static str {
        match self {
            Output::Scores(_) => names::STEP,
            Output::Turns(_) => names::TURN,
        }
    }

    /// The program before that.
    fn begin(&self) -> &'static str {
        match self {
            Output::Scores(_) => names::BEGIN,
            Output::Turns(_) => names::TURN_BEGIN,
        }
    }

    /// The inputs that are filled for its sake.
    fn inputs(&self) -> Vec<&str> {
        match self {
            Output::Scores(_) => Vec::new(),
            Output::Turns(turns) => {
                let settings = turns.settings.iter().map(|(name, _)| name.as_str());
                settings.chain([names::TURN, names::ROW]).collect()
            }
        }
    }
}

/// The input that holds new positions.
fn grown_input(program: &ProgramInfo) -> Result<String> {
    let chunk = program.sizes.iter().position(|size| size == names::CHUNK);
    let grows = |buffer: &&BufferInfo| {
        let along = buffer.shape.get(1).zip(chunk).is_some_and(|(size, chunk)| *size == Size::Symbol(chunk));
        buffer.role == Role::Input && buffer.element == Element::I32 && along
    };
    let found = program.buffers.iter().find(grows);
    found.map(|buffer| buffer.name.clone()).ok_or_else(|| Error::bug("the step program takes no tokens"))
}

/// Most new positions of one call: states that hold only the latest positions have room for so many.
pub fn longest_piece(program: &ProgramInfo) -> usize {
    let limit = program.limits.iter().find(|(size, _)| size == names::CHUNK);
    let limit = limit.and_then(|(_, most)| usize::try_from(*most).ok());
    limit.map_or(LONGEST_PIECE, |most| most.clamp(1, LONGEST_PIECE))
}

/// Writes one number for each row into an input, if the program has it.
fn write_each(call: &mut Call, name: &str, value: impl Fn(usize) -> i32) {
    if let Some(input) = call.input_mut::<i32>(name) {
        input.iter_mut().enumerate().for_each(|(row, place)| *place = value(row));
    }
}

/// Refuses ids that the model does not know.
///
/// # Errors
/// If there is one.
pub fn check_ids(ids: &[u32], vocabulary: Option<i64>) -> Result<()> {
    let unknown = ids.iter().find(|id| vocabulary.is_some_and(|vocabulary| i64::from(**id) >= vocabulary));
    match (unknown, vocabulary) {
        (Some(id), Some(vocabulary)) => {
            let message = format!("the model does not know the token id {id}; it knows 0 to {}", vocabulary - 1);
            Err(Error::request(message).help("use the tokenizer that the model was trained with"))
        }
        _ => Ok(()),
    }
}

/// The output that scores the next token: `logits`, or the only one.
fn score_output(buffers: &[BufferInfo]) -> Result<String> {
    let outputs: Vec<&str> =
        buffers.iter().filter(|buffer| buffer.role == Role::Output).map(|buffer| buffer.name.as_str()).collect();
    match outputs.as_slice() {
        [only] => Ok((*only).to_owned()),
        all if all.contains(&"logits") => Ok("logits".to_owned()),
        all => Err(Error::request(format!("the step program gives {} outputs, none called `logits`", all.len()))),
    }
}
