//! One pass over whole rows, of any model: also of an operator, which neither reads tokens nor learns.

use super::machine::Machine;
use super::measure::{Beside, Figure, measure};
use super::work::fill_tokens;
use crate::abi::{BufferInfo, Element, Role, names};
use crate::error::Result;
use crate::evaluate::token_input;
use crate::model::{Call, Loaded, States};
use crate::random::Stream;
use std::time::Instant;

/// A forward pass beside what a vector unit can do.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Floating-point instructions per second, counted for each lane, of as many multiply-adds. A unit does those no faster
    /// than other instructions.
    pub rates: [Figure; 3],
    /// Multiply-adds of a pass.
    pub multiply_adds: f64,
    /// Its other instructions, each value computed once.
    pub elementwise: f64,
    /// Whether the limit holds for these too: a GPU multiplies where it does nothing else.
    pub limited: bool,
}

impl Pass {
    /// All instructions of a pass.
    pub fn instructions(&self) -> f64 {
        self.multiply_adds + self.elementwise
    }

    /// The rates of the multiply-adds alone, as operations per second: two for each.
    pub fn operations(&self) -> [Figure; 3] {
        let part = self.multiply_adds / self.instructions();
        let [work, limit, share] = self.rates;
        [work.times(2.0 * part), limit.times(2.0), share.times(part)]
    }
}

/// A forward pass over so many rows, each sequence of them so long. Numbers are drawn, and the ids of tokens; what else a
/// model reads is what it is when nobody fills it.
///
/// # Errors
/// If the model has no such program, or there is not enough memory.
pub fn forward(
    model: &mut Loaded,
    (rows, positions): (usize, usize),
    pairs: usize,
    beside: &mut dyn Beside,
) -> Result<Pass> {
    let mut call = settled_call(model, rows, positions)?;
    let program = model.program(names::FORWARD)?;
    let [multiply_adds, elementwise] =
        [&program.multiply_adds, &program.elementwise].map(|size| size.evaluate(call.sizes()) as f64);
    let machine = Machine::of(model)?;
    let work = || {
        let start = Instant::now();
        model.run(&mut call, &mut States::new())?;
        model.finish()?;
        Ok((multiply_adds + elementwise) / start.elapsed().as_secs_f64())
    };
    let rates = measure(pairs, beside, || Ok(machine.products()? / 2.0), work)?;
    Ok(Pass { rates, multiply_adds, elementwise, limited: matches!(machine, Machine::Cpu(_)) })
}

/// The call, with its inputs where they are read: what is copied to a device and back is no part of a pass.
///
/// # Errors
/// If the model has no such program, or there is not enough memory.
pub(super) fn settled_call(model: &mut Loaded, rows: usize, positions: usize) -> Result<Call> {
    let mut call = forward_call(model, rows, positions)?;
    if model.is_on_device() {
        model.run(&mut call, &mut States::new())?;
        call.leave_all();
    }
    Ok(call)
}

/// The call, with its inputs filled.
///
/// # Errors
/// If the model has no such program, or there is not enough memory.
fn forward_call(model: &Loaded, rows: usize, positions: usize) -> Result<Call> {
    let program = model.program(names::FORWARD)?;
    let size = |name: &str| if name == names::BATCH { rows } else { positions };
    let sizes = program.sizes.iter().map(|name| (name.as_str(), size(name) as i64)).collect::<Vec<_>>();
    let mut call = model.prepare_call(names::FORWARD, &sizes)?;
    let numbers = |buffer: &&BufferInfo| buffer.role == Role::Input && buffer.element == Element::F32;
    for input in program.buffers.iter().filter(numbers) {
        let stream = Stream::new(1, &input.name);
        let places = call.input_mut::<f32>(&input.name).unwrap_or_default();
        places.iter_mut().enumerate().for_each(|(at, place)| *place = stream.normal(at as u64) as f32);
    }
    if let Ok((tokens, _)) = token_input(program) {
        fill_tokens(model, &mut call, &tokens);
    }
    Ok(call)
}
