//! What a model is measured at: writing one token after another, taking in a prompt, a training step.

use super::machine::Machine;
use super::measure::{Beside, Figure, measure};
use crate::abi::{BufferInfo, ProgramInfo, Role, names};
use crate::error::Result;
use crate::evaluate::token_call;
use crate::generate::{Decoder, longest_piece};
use crate::memory::Block;
use crate::model::{Call, Loaded, States};
use crate::optimizer::{Optimizer, Settings};
use crate::random::Stream;
use crate::recipe::Recipe;
use crate::train::Gradients;
use std::time::Instant;

/// Tokens of one measured stretch of decoding.
const STRETCH: usize = 16;
/// Bytes of a weight that is read as it is in a checkpoint.
const BYTES: f64 = 4.0;

/// Decoding after a prompt: bytes of weights and of what is kept per second, of the read bandwidth over as many bytes.
/// Also the bytes of a token.
///
/// # Errors
/// If the model cannot decode, or there is not enough memory.
pub fn decode(model: &mut Loaded, prompt: usize, pairs: usize, beside: &mut dyn Beside) -> Result<([Figure; 3], f64)> {
    let context = prompt + STRETCH;
    let bytes = token_bytes(model, context as i64)?;
    let machine = Machine::of(model)?;
    let memory = machine.memory(bytes as usize)?;
    let ids = some_ids(model, context);
    let mut decoder = Decoder::new(model, 1, context)?;
    decoder.feed(&[&ids[..prompt]])?;
    let work = || {
        decoder.rewind(prompt);
        let start = Instant::now();
        ids[prompt..].iter().try_for_each(|id| decoder.feed(&[&[*id]]))?;
        decoder.finish()?;
        Ok(bytes * STRETCH as f64 / start.elapsed().as_secs_f64())
    };
    Ok((measure(pairs, beside, || memory.rate(), work)?, bytes))
}

/// Taking in a prompt of so many tokens: operations per second, of the multiply-add rate. Also the operations.
///
/// # Errors
/// As [`decode`].
pub fn prefill(model: &mut Loaded, tokens: usize, pairs: usize, beside: &mut dyn Beside) -> Result<([Figure; 3], f64)> {
    let machine = Machine::of(model)?;
    let ids = some_ids(model, tokens);
    let operations = 2.0 * prefill_multiply_adds(model, tokens)?;
    let mut decoder = Decoder::new(model, 1, tokens)?;
    let work = || {
        decoder.rewind(0);
        let start = Instant::now();
        decoder.feed(&[&ids])?;
        decoder.finish()?;
        Ok(operations / start.elapsed().as_secs_f64())
    };
    Ok((measure(pairs, beside, || machine.products(), work)?, operations))
}

/// A training step with AdamW: operations per second, of the multiply-add rate. Also the operations: three times
/// those of the forward pass, so recomputation is not counted.
///
/// # Errors
/// If the model cannot be trained, or there is not enough memory.
pub fn train(
    model: &mut Loaded,
    (batch, context): (usize, usize),
    pairs: usize,
    beside: &mut dyn Beside,
) -> Result<([Figure; 3], f64)> {
    let (mut call, input) = token_call(model, names::TRAIN, batch, context)?;
    let operations = 2.0 * training_multiply_adds(model, &call, batch, context)?;
    fill_tokens(model, &mut call, &input);
    let machine = Machine::of(model)?;
    let mut optimizer = Optimizer::new(Settings::of(&Recipe::default()), model)?;
    let gradients = Gradients::new(model, 1)?;
    gradients.keep_of(&mut call);
    let work = || {
        let start = Instant::now();
        model.run(&mut call, &mut States::new())?;
        optimizer.step(model, &gradients.all(model, &call), 1e-4, 1.0)?;
        model.finish()?;
        Ok(operations / start.elapsed().as_secs_f64())
    };
    Ok((measure(pairs, beside, || machine.products(), work)?, operations))
}

/// What a token has to read: each weight that it is multiplied with, and all that is kept, once. What multiply-adds do
/// with kept numbers grows with the context, so that the rest of them is one for each weight.
fn token_bytes(model: &Loaded, context: i64) -> Result<f64> {
    let sizes = |context| [(names::BATCH, 1), (names::CHUNK, 1), (names::CONTEXT, context)];
    let [one, two] = [multiply_adds(model, names::STEP, &sizes(1))?, multiply_adds(model, names::STEP, &sizes(2))?];
    let call = model.prepare_call(names::STEP, &sizes(context))?;
    let size = |buffer: &BufferInfo| buffer.shape.iter().map(|size| size.evaluate(call.sizes())).product::<i64>();
    let states = model.program(names::STEP)?.buffers.iter().filter(|buffer| buffer.role == Role::State);
    let kept = states.map(|state| size(state) as f64 * state.element.bytes() as f64).sum::<f64>();
    Ok((2.0 * one - two) * weight_bytes(model.program(names::STEP)?) + kept)
}

/// Bytes of a weight that a program reads: on a GPU some are bf16 in memory.
fn weight_bytes(program: &ProgramInfo) -> f64 {
    let packed = program.buffers.iter().filter(|buffer| buffer.role == Role::Packed);
    let size = |buffer: &BufferInfo| buffer.shape.iter().map(|size| size.evaluate(&[])).product::<i64>() as f64;
    let (elements, bytes) = packed.fold((0.0, 0.0), |(elements, bytes), buffer| {
        (elements + size(buffer), bytes + size(buffer) * buffer.element.bytes() as f64)
    });
    if elements > 0.0 { bytes / elements } else { BYTES }
}

/// The multiply-adds of a program under given sizes.
fn multiply_adds(model: &Loaded, program: &str, sizes: &[(&str, i64)]) -> Result<f64> {
    let call = model.prepare_call(program, sizes)?;
    Ok(model.program(program)?.multiply_adds.evaluate(call.sizes()) as f64)
}

/// Those of taking in so many tokens, in as many calls as that takes.
fn prefill_multiply_adds(model: &Loaded, tokens: usize) -> Result<f64> {
    let longest = longest_piece(model.program(names::STEP)?);
    let mut sum = 0.0;
    for start in (0..tokens).step_by(longest) {
        let piece = longest.min(tokens - start) as i64;
        sum += multiply_adds(
            model,
            names::STEP,
            &[(names::BATCH, 1), (names::CHUNK, piece), (names::CONTEXT, tokens as i64)],
        )?;
    }
    Ok(sum)
}

/// Those of a training step.
fn training_multiply_adds(model: &Loaded, call: &Call, batch: usize, context: usize) -> Result<f64> {
    if model.has(names::FORWARD) {
        let (forward, _) = token_call(model, names::FORWARD, batch, context)?;
        return Ok(3.0 * model.program(names::FORWARD)?.multiply_adds.evaluate(forward.sizes()) as f64);
    }
    Ok(model.program(names::TRAIN)?.multiply_adds.evaluate(call.sizes()) as f64)
}

/// Puts token ids that the model knows into an input.
pub(super) fn fill_tokens(model: &Loaded, call: &mut Call, input: &str) {
    let places = call.input_mut::<i32>(input).unwrap_or_default();
    let ids = some_ids(model, places.len());
    places.iter_mut().zip(ids).for_each(|(place, id)| *place = id as i32);
}

/// Token ids that the model knows.
pub(super) fn some_ids(model: &Loaded, count: usize) -> Vec<u32> {
    let vocabulary = model.manifest().vocabulary.unwrap_or(2).max(1) as u64;
    let stream = Stream::new(1, "bench");
    (0..count as u64).map(|at| stream.below(at, vocabulary) as u32).collect()
}

/// Memory to read, whose pages exist: pages that were never written are all one and the same.
///
/// # Errors
/// If there is not enough memory.
pub fn touched(bytes: usize) -> Result<Block> {
    let mut block = Block::zeroed(bytes.max(1 << 20))?;
    block.bytes_mut().fill(1);
    Ok(block)
}
