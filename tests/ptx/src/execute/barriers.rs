//! Barriers of a block: arrivals, and what happens once all are there (PTX ISA, "bar, barrier").

use super::{Flow, value};
use crate::block::Block;
use crate::fault::{Fault, Outcome, Rule, Trouble, broken};
use crate::instruction::{BarrierKind, BarrierOperation, Operation};
use crate::launch::Launch;
use crate::thread::{State, Thread};

/// A thread comes to a barrier.
pub(super) fn arrive(
    launch: &mut Launch,
    block: &mut Block,
    thread: &mut Thread,
    operation: &BarrierOperation,
) -> Outcome<Flow> {
    let number = value(launch, block, thread, operation.barrier) as usize;
    let threads = operation.threads.map(|source| value(launch, block, thread, source) as u32);
    let truth =
        operation.reduce.is_some_and(|(source, negated, _)| (value(launch, block, thread, source) & 1 == 1) != negated);
    check(number, threads, block, operation.kind)?;
    let warp = thread.warp();
    let barrier = &mut block.barriers[number];
    if barrier.arrived > 0 && barrier.expected != threads {
        return broken(Rule::Illegal, format!("barrier {number} with two numbers of threads at once"));
    }
    barrier.expected = threads;
    barrier.arrived += 1;
    barrier.truths += u32::from(truth);
    block.knowledge[warp].release(warp, &mut barrier.knowledge);
    if operation.kind == BarrierKind::Arrive {
        complete_arrivals(launch, block, number)?;
        return Ok(Flow::Next);
    }
    thread.state = State::Barrier(number);
    Ok(Flow::Stopped)
}

fn check(number: usize, threads: Option<u32>, block: &Block, kind: BarrierKind) -> Outcome<()> {
    if number >= block.barriers.len() {
        return broken(Rule::Illegal, format!("barrier {number}: a block has 16"));
    }
    match threads {
        Some(0) => broken(Rule::Illegal, "a barrier of no threads"),
        Some(count) if count % 32 != 0 || count as usize > block.threads.len().next_multiple_of(32) => {
            broken(Rule::Illegal, format!("a barrier of {count} threads in a block of {}", block.threads.len()))
        }
        None if kind == BarrierKind::Arrive => broken(Rule::Illegal, "an arrival without a number of threads"),
        _ => Ok(()),
    }
}

fn is_full(block: &Block, number: usize) -> bool {
    let barrier = &block.barriers[number];
    let expected = barrier.expected.unwrap_or(block.running as u32);
    barrier.arrived > 0 && barrier.arrived >= expected
}

/// After an arrival that does not wait: the arriving thread runs on and is in nobody's list.
fn complete_arrivals(launch: &mut Launch, block: &mut Block, number: usize) -> Outcome<()> {
    if is_full(block, number) {
        release(launch, block, number)?;
    }
    Ok(())
}

/// Lets all waiting threads go on if the barrier is full.
pub(crate) fn complete(launch: &mut Launch, block: &mut Block, number: usize) -> Result<(), Fault> {
    if !is_full(block, number) {
        return Ok(());
    }
    let first = block.threads.iter().position(|thread| thread.state == State::Barrier(number)).unwrap_or(0);
    let line = launch.line(&block.threads[first]);
    let message = |trouble: Trouble| format!("block {:?}: {}", block.index, trouble.message);
    let outcome = aligned(launch, block, number);
    outcome.map_err(|trouble| Fault { rule: trouble.rule, line, message: message(trouble) })?;
    release(launch, block, number).map_err(|trouble| Fault { rule: trouble.rule, line, message: trouble.message })
}

/// All lanes of a warp come to an aligned barrier at the same place.
fn aligned(launch: &Launch, block: &Block, number: usize) -> Outcome<()> {
    for warp in 0..block.knowledge.len() {
        let lanes = &block.threads[block.lanes(warp)];
        let Some(first) = lanes.iter().find(|thread| thread.state == State::Barrier(number)) else { continue };
        let Some(operation) = operation_at(launch, first) else { continue };
        let together = |thread: &Thread| {
            thread.state == State::Done
                || (thread.state == first.state
                    && thread.at == first.at
                    && thread.frame.function == first.frame.function)
        };
        if operation.is_aligned && !lanes.iter().all(together) {
            let other = lanes.iter().find(|thread| !together(thread)).map_or(0, |thread| launch.line(thread));
            return broken(
                Rule::Divergence,
                format!("lanes of warp {warp} are at this aligned barrier and at line {other} at once"),
            );
        }
    }
    Ok(())
}

fn operation_at<'m>(launch: &Launch<'m>, thread: &Thread) -> Option<&'m BarrierOperation> {
    match &launch.module.functions[thread.frame.function].code[thread.at].operation {
        Operation::Barrier(operation) => Some(operation),
        _ => None,
    }
}

fn release(launch: &mut Launch, block: &mut Block, number: usize) -> Outcome<()> {
    let barrier = std::mem::replace(&mut block.barriers[number], crate::barrier::Barrier::new());
    launch.memory.changes += 1;
    let mut woken = vec![false; block.knowledge.len()];
    for thread in &mut block.threads {
        if thread.state != State::Barrier(number) {
            continue;
        }
        if let Some(BarrierOperation { kind, reduce: Some((_, _, to)), .. }) = operation_at(launch, thread) {
            let result = match kind {
                BarrierKind::All => u32::from(barrier.truths == barrier.arrived),
                BarrierKind::Any => u32::from(barrier.truths > 0),
                _ => barrier.truths,
            };
            thread.set(*to, result.into());
        }
        thread.state = State::Ready;
        thread.at += 1;
        woken[thread.warp()] = true;
    }
    for (warp, _) in woken.iter().enumerate().filter(|(_, woken)| **woken) {
        block.knowledge[warp].acquire(&barrier.knowledge);
        block.knowledge[warp].advance(warp);
    }
    Ok(())
}
