//! Runs threads: one instruction after another until a thread must wait.
//!
//! Order: this file has what touches registers only; [`memory`] has loads and stores, [`control`] calls,
//! [`barriers`], [`transfers`] and [`together`] what needs other threads.

pub(crate) mod barriers;
mod control;
mod groups;
mod matrices;
mod memory;
pub(crate) mod together;
pub(crate) mod transfers;

use crate::arithmetic::bits;
use crate::block::Block;
use crate::fault::{Outcome, Rule, broken};
use crate::instruction::{Compare, Join, Operation, Source, Space};
use crate::launch::Launch;
use crate::memory::{LOCAL_WINDOW, PARAMETER_WINDOW, SHARED_WINDOW, WINDOW_BYTES};
use crate::special::Special;
use crate::thread::{State, Thread};
use crate::types::truncate;

/// What comes after an instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    /// The place is set already.
    Jumped,
    /// The thread waits at this instruction, or has ended.
    Stopped,
    /// Goes on after the instruction, in another turn.
    Yielded,
}

/// Runs a thread for at most `fuel` instructions.
pub(crate) fn run(launch: &mut Launch, block: &mut Block, thread: &mut Thread, fuel: usize) -> Outcome<()> {
    let module = launch.module;
    let mut frame = thread.frame.function;
    let mut code = module.functions[frame].code.as_slice();
    for _ in 0..fuel {
        if thread.frame.function != frame {
            frame = thread.frame.function;
            code = module.functions[frame].code.as_slice();
        }
        let instruction = &code[thread.at];
        launch.executed += 1;
        if !thread.holds(instruction.guard) {
            thread.at += 1;
            continue;
        }
        match step(launch, block, thread, &instruction.operation)? {
            Flow::Next => thread.at += 1,
            Flow::Jumped => {}
            Flow::Stopped => break,
            Flow::Yielded => {
                thread.at += 1;
                break;
            }
        }
    }
    Ok(())
}

/// The value of a source for a thread.
#[inline]
pub(crate) fn value(launch: &Launch, block: &Block, thread: &Thread, source: Source) -> u64 {
    match source {
        Source::Register(register) => thread.register(register),
        Source::Constant(value) => value,
        Source::Frame(offset) => thread.frame_address(offset),
        Source::Symbol(at, distance) => launch.symbols[at as usize].wrapping_add_signed(distance),
        Source::Special(special) => special_value(launch, block, thread, special),
    }
}

fn special_value(launch: &Launch, block: &Block, thread: &Thread, special: Special) -> u64 {
    let [x, y, _] = launch.shape.block;
    let lane = thread.lane();
    let value = match special {
        Special::Thread(axis) => [thread.number % x, thread.number / x % y, thread.number / x / y][axis as usize],
        Special::Threads(axis) => launch.shape.block[axis as usize],
        Special::Block(axis) => block.index[axis as usize],
        Special::Blocks(axis) => launch.shape.grid[axis as usize],
        Special::Lane => lane,
        Special::Warp => thread.warp() as u32,
        Special::Warps => block.knowledge.len() as u32,
        Special::MaskEqual => 1 << lane,
        Special::MaskBelow => (1 << lane) - 1,
        Special::MaskUpTo => u32::MAX >> (31 - lane),
        Special::MaskFrom => u32::MAX << lane,
        Special::MaskAbove => !(u32::MAX >> (31 - lane)),
        Special::Clock => return launch.executed,
        Special::DynamicShared => launch.shape.dynamic_shared as u32,
        Special::TotalShared => launch.shape.shared_bytes as u32,
        Special::Constant(value) => value,
    };
    value.into()
}

fn step(launch: &mut Launch, block: &mut Block, thread: &mut Thread, operation: &Operation) -> Outcome<Flow> {
    let get = |thread: &Thread, source: Source| value(launch, block, thread, source);
    match operation {
        Operation::Binary { compute, to, a, b } => {
            let result = compute(get(thread, *a), get(thread, *b));
            thread.set(*to, result);
        }
        Operation::Ternary { compute, to, a, b, c } => {
            let result = compute(get(thread, *a), get(thread, *b), get(thread, *c));
            thread.set(*to, result);
        }
        Operation::Move { to, from } => {
            let result = get(thread, *from);
            thread.set(*to, result);
        }
        Operation::Load(load) => memory::load(launch, block, thread, load)?,
        Operation::Store(store) => memory::store(launch, block, thread, store)?,
        Operation::Branch { target } => {
            thread.at = *target;
            return Ok(Flow::Jumped);
        }
        Operation::Compare(comparison) => compare(launch, block, thread, comparison),
        Operation::Select { to, a, b, predicate } => {
            let chosen = if get(thread, *predicate) & 1 == 1 { *a } else { *b };
            let result = get(thread, chosen);
            thread.set(*to, result);
        }
        Operation::Unary { compute, adjust, to, a } => {
            let operand = get(thread, *a);
            let result = match adjust.is_plain {
                true => compute(operand),
                false => adjust.apply([operand], |[a]| compute(a)),
            };
            thread.set(*to, result);
        }
        Operation::Warp(_) | Operation::Group(_) => {
            thread.state = State::Together;
            return Ok(Flow::Stopped);
        }
        Operation::Transfer(transfer) => return transfers::start(launch, block, thread, transfer),
        Operation::Barrier(barrier) => return barriers::arrive(launch, block, thread, barrier),
        Operation::Atomic(atomic) => memory::atomic(launch, block, thread, atomic)?,
        other => return rare(launch, block, thread, other),
    }
    Ok(Flow::Next)
}

/// Instructions that are not worth a place among the first.
fn rare(launch: &mut Launch, block: &mut Block, thread: &mut Thread, operation: &Operation) -> Outcome<Flow> {
    match operation {
        Operation::BranchIndexed(_) | Operation::Call(_) | Operation::Return | Operation::Exit => {
            return control::go(launch, block, thread, operation);
        }
        Operation::Nothing => {}
        Operation::Trap => return broken(Rule::Illegal, "trap"),
        Operation::Yield => return Ok(Flow::Yielded),
        Operation::Fence { is_proxy } => {
            if *is_proxy {
                let warp = thread.warp();
                block.knowledge[warp].fence_proxy(warp);
            }
        }
        Operation::ActiveMask { to } => thread.set(*to, 1 << thread.lane()),
        other => registers(launch, block, thread, other),
    }
    Ok(Flow::Next)
}

/// Instructions on registers alone, of the rarer kinds.
fn registers(launch: &Launch, block: &Block, thread: &mut Thread, operation: &Operation) {
    let get = |thread: &Thread, source: Source| value(launch, block, thread, source);
    match operation {
        Operation::AdjustedBinary(parts) => {
            let (compute, adjust, to, a, b) = &**parts;
            let result = adjust.apply([get(thread, *a), get(thread, *b)], |[a, b]| compute(a, b));
            thread.set(*to, result);
        }
        Operation::AdjustedTernary(parts) => {
            let (compute, adjust, to, a, b, c) = &**parts;
            let operands = [get(thread, *a), get(thread, *b), get(thread, *c)];
            thread.set(*to, adjust.apply(operands, |[a, b, c]| compute(a, b, c)));
        }
        Operation::Pack { to, from, bits: 64 } => {
            for (at, source) in from.iter().enumerate() {
                let part = get(thread, *source);
                thread.set(to + at as u32, part);
            }
        }
        Operation::Pack { to, from, bits } => {
            let part = |(at, source): (usize, &Source)| truncate(get(thread, *source), *bits) << (at as u32 * bits);
            let result = from.iter().enumerate().map(part).fold(0, |all, part| all | part);
            thread.set(*to, result);
        }
        Operation::Unpack { to, from: Source::Register(from), bits: 64 } => {
            for (at, register) in to.iter().enumerate() {
                thread.set(*register, thread.register(from + at as u32));
            }
        }
        Operation::Unpack { to, from, bits } => {
            let whole = get(thread, *from);
            for (at, register) in to.iter().enumerate() {
                thread.set(*register, truncate(whole >> (at as u32 * bits), *bits));
            }
        }
        Operation::Convert(parts) => {
            let (conversion, to, from, to_bits) = &**parts;
            let result = conversion.apply(get(thread, *from));
            thread.set(*to, widened(result, conversion.to, *to_bits));
        }
        Operation::ConvertPair(parts) => {
            let (conversion, to, [high, low]) = &**parts;
            let (high, low) = (conversion.apply(get(thread, *high)), conversion.apply(get(thread, *low)));
            thread.set(*to, (high << conversion.to.bits) | low);
        }
        Operation::ConvertHalves(parts) => {
            let (conversion, to, from) = &**parts;
            let whole = get(thread, *from);
            let low = conversion.apply(truncate(whole, conversion.from.bits));
            let high = conversion.apply(truncate(whole >> conversion.from.bits, conversion.from.bits));
            thread.set(*to, (high << conversion.to.bits) | low);
        }
        other => addresses_and_bits(launch, block, thread, other),
    }
}

fn widened(value: u64, of: crate::types::Type, bits: u32) -> u64 {
    match of.is_signed() {
        true => truncate(crate::types::extend(value, of.bits) as u64, bits),
        false => value,
    }
}

fn addresses_and_bits(launch: &Launch, block: &Block, thread: &mut Thread, operation: &Operation) {
    let get = |thread: &Thread, source: Source| value(launch, block, thread, source);
    match operation {
        Operation::Insert(parts) => {
            let ([a, b, start, length], to, bits) = &**parts;
            let operands = [a, b, start, length].map(|source| get(thread, *source));
            thread.set(*to, bits::insert(operands[0], operands[1], operands[2], operands[3], *bits));
        }
        Operation::Logic(parts) => {
            let ([a, b, c], to, table) = &**parts;
            let result = bits::logic(get(thread, *a), get(thread, *b), get(thread, *c), *table);
            thread.set(*to, result);
        }
        Operation::Carry { to, a, b, bits, subtract, takes, gives } => {
            let (a, b) = (get(thread, *a), get(thread, *b));
            let b = if *subtract { truncate(!b, (*bits).into()) } else { b };
            // A subtraction adds the complement; its carry is the absence of a borrow.
            let carry = if *takes { thread.carry } else { u64::from(*subtract) };
            let sum = u128::from(a) + u128::from(b) + u128::from(carry);
            thread.set(*to, truncate(sum as u64, (*bits).into()));
            if *gives {
                thread.carry = (sum >> bits) as u64 & 1;
            }
        }
        Operation::ToGeneric { to, from, space } => {
            let result = get(thread, *from).wrapping_add(window(*space));
            thread.set(*to, result);
        }
        Operation::FromGeneric { to, from, space } => {
            let result = get(thread, *from).wrapping_sub(window(*space));
            thread.set(*to, result);
        }
        Operation::IsSpace { to, from, space } => {
            let address = get(thread, *from);
            thread.set(*to, u64::from(space_of(address) == *space));
        }
        _ => unreachable!("every other operation is handled before"),
    }
}

/// What a space's addresses lie behind in the generic space; parameters are named by generic ones.
fn window(space: Space) -> u64 {
    match space {
        Space::Shared => SHARED_WINDOW,
        Space::Local => LOCAL_WINDOW,
        Space::Global | Space::Generic | Space::Parameter => 0,
    }
}

/// The space that a generic address points into.
pub(crate) fn space_of(address: u64) -> Space {
    let within = |window: u64| (window..window + WINDOW_BYTES).contains(&address);
    match address {
        _ if within(SHARED_WINDOW) => Space::Shared,
        _ if within(LOCAL_WINDOW) => Space::Local,
        _ if within(PARAMETER_WINDOW) => Space::Parameter,
        _ => Space::Global,
    }
}

fn compare(launch: &Launch, block: &Block, thread: &mut Thread, parts: &Compare) {
    let operand = |source: Source| {
        let operand = value(launch, block, thread, source);
        if parts.of.is_plain { operand } else { parts.of.apply([operand], |[operand]| operand) }
    };
    let result = (parts.compare)(operand(parts.a), operand(parts.b));
    let joined = |result: bool| match parts.joined {
        None => result,
        Some((join, source, negated)) => {
            let other = (value(launch, block, thread, source) & 1 == 1) != negated;
            match join {
                Join::And => result && other,
                Join::Or => result || other,
                Join::Xor => result != other,
            }
        }
    };
    let (chosen, complement) = (joined(result), joined(!result));
    thread.set(parts.to, if chosen { parts.truth } else { 0 });
    if let Some(other) = parts.other {
        thread.set(other, if complement { parts.truth } else { 0 });
    }
}
