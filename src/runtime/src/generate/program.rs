//! What the decoder has to know of a step program: its tokens, its scores, how much it takes at once.

use crate::abi::{BufferInfo, Element, ProgramInfo, Role, Size, names};
use crate::error::{Error, Result};
use crate::model::Call;

/// Most new positions of one call: enough that weights are read rarely, little enough that scratch memory stays small.
const LONGEST_PIECE: usize = 512;

/// The input that holds new positions: ids of each row, or beside each other of each of its texts.
pub fn grown_input(program: &ProgramInfo) -> Result<String> {
    let chunk = program.sizes.iter().position(|size| size == names::CHUNK);
    let texts = program.buffers.iter().find(|buffer| buffer.name == names::FORK).and_then(|fork| fork.shape.get(1));
    let grows = |buffer: &&BufferInfo| {
        let shape = buffer.shape.as_slice();
        let alone = shape.split_last().filter(|(last, _)| Some(*last) == texts).map_or(shape, |(_, rest)| rest);
        let last = alone.iter().skip(1).next_back();
        let along = last.zip(chunk).is_some_and(|(size, chunk)| *size == Size::Symbol(chunk));
        buffer.role == Role::Input && buffer.element == Element::I32 && along && buffer.name != names::FOLLOWER
    };
    let found = program.buffers.iter().find(grows);
    found.map(|buffer| buffer.name.clone()).ok_or_else(|| Error::bug("the step program takes no tokens"))
}

/// Whether every state that a program writes holds one thing for each position; those of `begun` it only reads.
pub fn is_positional(program: &ProgramInfo, begun: Option<&ProgramInfo>) -> bool {
    let context = program.sizes.iter().position(|size| size == names::CONTEXT);
    let along = |size: &Size| matches!(size, Size::Symbol(symbol) if Some(*symbol) == context);
    let read_only = |name: &str| begun.is_some_and(|begun| begun.buffers.iter().any(|buffer| buffer.name == name));
    let mut states = program.buffers.iter().filter(|buffer| buffer.role == Role::State);
    states.all(|state| read_only(&state.name) || state.shape.iter().any(along))
}

/// Most new positions that a program can take at once, if that is limited.
pub fn largest_chunk(program: &ProgramInfo) -> Option<usize> {
    let limit = program.limits.iter().find(|(size, _)| size == names::CHUNK);
    limit.and_then(|(_, most)| usize::try_from(*most).ok())
}

/// Most new positions of one call: states that hold only the latest positions have room for so many.
pub fn longest_piece(program: &ProgramInfo) -> usize {
    largest_chunk(program).map_or(LONGEST_PIECE, |most| most.clamp(1, LONGEST_PIECE))
}

/// Writes one number for each row into an input, if the program has it.
pub fn write_each(call: &mut Call, name: &str, value: impl Fn(usize) -> i32) {
    if let Some(input) = call.input_mut::<i32>(name) {
        input.iter_mut().enumerate().for_each(|(row, place)| *place = value(row));
    }
}

/// The fault of a choice that is none.
pub fn no_numbers() -> Error {
    Error::environment("the model's scores are not numbers").help("the weights are damaged or diverged")
}

/// Refuses prompts that say nothing.
///
/// # Errors
/// If there is one.
pub fn check_prompts(prompts: &[Vec<u32>]) -> Result<()> {
    match prompts.iter().any(Vec::is_empty) {
        true => Err(Error::request("the prompt is empty: there is nothing to go on from")
            .help("give at least one token, for example with --prompt \"Once\"")),
        false => Ok(()),
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
pub fn score_output(buffers: &[BufferInfo]) -> Result<String> {
    let outputs: Vec<&str> =
        buffers.iter().filter(|buffer| buffer.role == Role::Output).map(|buffer| buffer.name.as_str()).collect();
    match outputs.as_slice() {
        [only] => Ok((*only).to_owned()),
        all if all.contains(&"logits") => Ok("logits".to_owned()),
        all => Err(Error::request(format!("the step program gives {} outputs, none called `logits`", all.len()))),
    }
}
