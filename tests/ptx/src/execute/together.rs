//! Warp instructions, once all lanes that they name are there.

use super::value;
use crate::block::Block;
use crate::fault::{Fault, Outcome, Rule, Trouble, broken};
use crate::instruction::{Operation, Source};
use crate::launch::Launch;
use crate::thread::{State, Thread};
use crate::types::extend;
use crate::warp::{self, Shuffle, ShuffleInput, WarpKind, WarpOperation};

/// Completes every warp instruction of the warp whose lanes are all there.
pub(crate) fn complete(launch: &mut Launch, block: &mut Block, warp: usize) -> Result<(), Fault> {
    for number in block.lanes(warp) {
        if block.threads[number].state != State::Together {
            continue;
        }
        let module = launch.module;
        let (function, at) = (block.threads[number].frame.function, block.threads[number].at);
        let outcome = match &module.functions[function].code[at].operation {
            Operation::Warp(operation) => attempt(launch, block, number, operation),
            Operation::Group(operation) => super::groups::attempt(launch, block, number, operation),
            _ => Ok(()),
        };
        outcome.map_err(|trouble: Trouble| launch.fault(block, &block.threads[number], trouble))?;
    }
    Ok(())
}

/// Whether two threads stand at the same instruction, waiting.
pub(super) fn is_beside(a: &Thread, b: &Thread) -> bool {
    a.state == State::Together && b.state == State::Together && a.at == b.at && a.frame.function == b.frame.function
}

fn attempt(launch: &mut Launch, block: &mut Block, number: usize, operation: &WarpOperation) -> Outcome<()> {
    let mask = mask_of(launch, block, number, operation.mask);
    let own = number % 32;
    if mask >> own & 1 == 0 {
        return broken(Rule::Divergence, format!("lane {own} is not in its own mask {mask:#x}"));
    }
    let lanes = block.lanes(number / 32);
    let named = lanes.clone().filter(|other| mask >> (other % 32) & 1 == 1);
    let members: Vec<usize> = named.filter(|other| block.threads[*other].state != State::Done).collect();
    for other in &members {
        let (mine, theirs) = (&block.threads[number], &block.threads[*other]);
        let is_there = is_beside(mine, theirs) || operation.is_anywhere() && is_synchronising(launch, theirs);
        if !is_there {
            return Ok(());
        }
        if mask_of(launch, block, *other, operation.mask) != mask && !operation.is_anywhere() {
            return broken(Rule::Divergence, format!("lanes {own} and {} give different masks", other % 32));
        }
    }
    perform(launch, block, &members, mask, &operation.kind)?;
    for member in members {
        block.threads[member].state = State::Ready;
        block.threads[member].at += 1;
    }
    Ok(())
}

fn mask_of(launch: &Launch, block: &Block, number: usize, mask: Source) -> u32 {
    value(launch, block, &block.threads[number], mask) as u32
}

fn is_synchronising(launch: &Launch, thread: &Thread) -> bool {
    let operation = &launch.module.functions[thread.frame.function].code[thread.at].operation;
    thread.state == State::Together && matches!(operation, Operation::Warp(other) if other.is_anywhere())
}

fn perform(launch: &mut Launch, block: &mut Block, members: &[usize], mask: u32, kind: &WarpKind) -> Outcome<()> {
    let read = |block: &Block, source: Source| -> Vec<(u32, u64)> {
        let of = |number: &usize| (*number as u32 % 32, value(launch, block, &block.threads[*number], source));
        members.iter().map(of).collect()
    };
    match kind {
        WarpKind::Synchronise => {}
        WarpKind::Shuffle(shuffle) => return exchange(launch, block, members, shuffle),
        WarpKind::Vote { mode, to, predicate, negated } => {
            let truth = |(lane, value): &(u32, u64)| (*lane, (value & 1 == 1) != *negated);
            let lanes: Vec<(u32, bool)> = read(block, *predicate).iter().map(truth).collect();
            let result = warp::vote(*mode, &lanes);
            members.iter().for_each(|member| block.threads[*member].set(*to, result));
        }
        WarpKind::Match { all, to, agreed, value } => {
            let lanes = read(block, *value);
            for (member, (_, own)) in members.iter().zip(&lanes) {
                let result = warp::matching(*all, *own, &lanes);
                block.threads[*member].set(*to, result);
                if let Some(agreed) = agreed {
                    block.threads[*member].set(*agreed, u64::from(result != 0));
                }
            }
        }
        WarpKind::Reduce { compute, to, value } => {
            let lanes = read(block, *value);
            let result = lanes[1..].iter().fold(lanes[0].1, |all, (_, one)| compute(all, *one));
            members.iter().for_each(|member| block.threads[*member].set(*to, result));
        }
        WarpKind::Elect { to, chosen } => {
            let present = members.iter().fold(0, |present, member| present | 1 << (member % 32));
            let leader = warp::elected(mask & present, launch.seed)?;
            for member in members {
                block.threads[*member].set(*to, leader.into());
                block.threads[*member].set(*chosen, u64::from(*member as u32 % 32 == leader));
            }
        }
        other => return super::matrices::perform(launch, block, members, other),
    }
    Ok(())
}

fn exchange(launch: &Launch, block: &mut Block, members: &[usize], shuffle: &Shuffle) -> Outcome<()> {
    let mut inputs = [None; 32];
    for member in members {
        let get = |source: Source| value(launch, block, &block.threads[*member], source);
        let (lane, clamp) = (get(shuffle.lane) as u32, get(shuffle.clamp) as u32);
        inputs[member % 32] = Some(ShuffleInput { value: get(shuffle.value), lane, clamp });
    }
    for member in members {
        let own = *member as u32 % 32;
        let Some(input) = inputs[own as usize] else { continue };
        let (from, valid) = warp::shuffle_source(shuffle.mode, own, input);
        let Some(source) = inputs[from as usize] else {
            let offset = extend(input.lane.into(), 32);
            return broken(Rule::Illegal, format!("lane {own} shuffles {offset} from lane {from}, which is not there"));
        };
        block.threads[*member].set(shuffle.to, source.value);
        if let Some(register) = shuffle.valid {
            block.threads[*member].set(register, valid.into());
        }
    }
    Ok(())
}
