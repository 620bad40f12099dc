//! The loss over a whole part of the data.
//!
//! Windows of the context, side by side, each token predicted once; the last window may be shorter. The mean is over
//! tokens, so it does not depend on the batch. Nor do the draws of an objective (a share of positions to hide): windows
//! are numbered over the whole part, and each draws by its number, the same whenever it is evaluated.

use crate::abi::{BufferInfo, Element, ProgramInfo, Role, names};
use crate::data::Tokens;
use crate::error::{Error, Result};
use crate::model::{Call, Loaded, States};
use std::ops::Range;

/// How many tokens a row needs so that `context` of them are predicted: one more, unless the model has no place for it.
///
/// # Errors
/// If the context is longer than the model allows.
pub fn window(model: &Loaded, context: usize) -> Result<usize> {
    match model.manifest().longest.and_then(|longest| usize::try_from(longest).ok()) {
        Some(longest) if context > longest => {
            let name = &model.manifest().model;
            Err(Error::request(format!("the context {context} is longer than {name} allows, which is {longest}")))
        }
        Some(longest) if context == longest => Ok(context),
        _ => Ok(context + 1),
    }
}

/// The input of a program that takes tokens, and the sizes of its shape: rows and positions.
///
/// # Errors
/// If the program has no such input.
pub fn token_input(program: &ProgramInfo) -> Result<(String, [String; 2])> {
    let symbol = |size: &crate::abi::Size| match size {
        crate::abi::Size::Symbol(place) => program.sizes.get(*place).cloned(),
        _ => None,
    };
    let fits = |buffer: &BufferInfo| {
        if buffer.role != Role::Input || buffer.element != Element::I32 || has_default(program, &buffer.name) {
            return None;
        }
        let [rows, positions] = buffer.shape.as_slice() else { return None };
        Some((buffer.name.clone(), [symbol(rows)?, symbol(positions)?]))
    };
    let found = program.buffers.iter().find_map(fits).ok_or_else(|| {
        Error::request(format!("the program `{}` takes no tokens", program.name))
            .help("this command is for models whose input is a sequence of token ids")
    })?;
    check_other_inputs(program, &found.0)?;
    Ok(found)
}

fn has_default(program: &ProgramInfo, input: &str) -> bool {
    program.inputs.iter().any(|known| known.name == input && known.default.is_some())
}

/// Refuses a program with an input that a text cannot fill.
fn check_other_inputs(program: &ProgramInfo, tokens: &str) -> Result<()> {
    let filled = |buffer: &BufferInfo| {
        let known = [tokens, names::START, names::SEED].contains(&buffer.name.as_str());
        let filled = known || names::is_length(&buffer.name) || has_default(program, &buffer.name);
        buffer.role != Role::Input || buffer.element == Element::Bool || filled
    };
    match program.buffers.iter().find(|buffer| !filled(buffer)) {
        None => Ok(()),
        Some(other) => {
            let message =
                format!("the program `{}` has an input `{}` beside the tokens `{tokens}`", program.name, other.name);
            Err(Error::request(message).help("this command reads text only; it cannot fill other inputs"))
        }
    }
}

/// A call of a program over `rows` rows of `positions` tokens, and the name of its token input.
///
/// # Errors
/// If the program takes no tokens, or there is not enough memory.
pub fn token_call(model: &Loaded, program: &str, rows: usize, positions: usize) -> Result<(Call, String)> {
    let (input, [batch, sequence]) = token_input(model.program(program)?)?;
    let sizes = [(batch.as_str(), rows as i64), (sequence.as_str(), positions as i64)];
    Ok((model.prepare_call(program, &sizes)?, input))
}

/// The mean loss of the tokens in a range, in nats, over windows of `context`.
///
/// # Errors
/// If the range holds no window, or the model cannot be run.
pub fn loss(model: &mut Loaded, tokens: &Tokens, range: Range<usize>, context: usize, batch: usize) -> Result<f64> {
    let window = window(model, context)?;
    let step = window - 1;
    let whole = range.len().saturating_sub(1) / step;
    let (mut sum, mut count) = (0.0, 0usize);
    let mut done = 0;
    while done < whole {
        let rows = batch.min(whole - done);
        let starts: Vec<usize> = (done..done + rows).map(|row| range.start + row * step).collect();
        sum += loss_of(model, tokens, (done, &starts), window)? * (rows * step) as f64;
        count += rows * step;
        done += rows;
    }
    let start = range.start + whole * step;
    if range.end > start + 1 {
        let rest = range.end - start;
        sum += loss_of(model, tokens, (whole, &[start]), rest)? * (rest - 1) as f64;
        count += rest - 1;
    }
    if count == 0 {
        return Err(Error::request("the data is too short to evaluate: at least two tokens are needed"));
    }
    Ok(sum / count as f64)
}

/// The program that tells the loss.
pub fn program(model: &Loaded) -> &'static str {
    if model.has(names::EVALUATE) { names::EVALUATE } else { names::TRAIN }
}

/// The mean loss of windows that start at given places, the first of which has a number.
fn loss_of(model: &mut Loaded, tokens: &Tokens, (first, starts): (usize, &[usize]), window: usize) -> Result<f64> {
    let (mut call, input) = token_call(model, program(model), starts.len(), window)?;
    if let Some(ids) = call.input_mut::<i32>(&input) {
        for (start, row) in starts.iter().zip(ids.chunks_exact_mut(window)) {
            tokens.copy(*start, row);
        }
    }
    call.first_row(first as i32);
    model.run(&mut call, &mut States::new())?;
    read_loss(&call)
}

/// The loss that a call has computed.
///
/// # Errors
/// If the program has no loss.
pub fn read_loss(call: &Call) -> Result<f64> {
    let loss = call.output(names::LOSS)?;
    match loss.element() {
        Element::F32 => loss.slice::<f32>().first().map(|loss| f64::from(*loss)),
        Element::F64 => loss.slice::<f64>().first().copied(),
        _ => None,
    }
    .ok_or_else(|| Error::bug("the loss is not a number"))
}
