//! mbarriers: init, arrivals, expected bytes, waits.

use super::{shared_address, value};
use crate::block::Block;
use crate::execute::Flow;
use crate::fault::{Outcome, Rule, broken};
use crate::instruction::Place;
use crate::launch::Launch;
use crate::mbarrier::Mbarrier;
use crate::random::mix;
use crate::shared::POISON;
use crate::thread::{State, Thread};
use crate::transfer::Transfer;
use crate::types::extend;

/// In one of so many unfinished phases a thread's first wait gives up, as the machine's time limit may make it.
const GIVES_UP: u64 = 2;

/// The address of an mbarrier that was initialised before, in the order of the program and its barriers.
pub(super) fn address(launch: &Launch, block: &mut Block, thread: &Thread, place: &Place) -> Outcome<u64> {
    let address = shared_address(launch, block, thread, place)?;
    if !block.mbarriers.contains_key(&address) {
        return broken(Rule::Mbarrier, format!("there is no initialised mbarrier at {address:#x}"));
    }
    let (shared, access) = block.shared_for(thread.warp());
    let range = shared.aligned(address, 8)?;
    shared.order_read(range, access)?;
    Ok(address)
}

pub(super) fn find(block: &mut Block, address: u64) -> Outcome<&mut Mbarrier> {
    match block.mbarriers.get_mut(&address) {
        Some(mbarrier) => Ok(mbarrier),
        None => broken(Rule::Mbarrier, format!("there is no initialised mbarrier at {address:#x}")),
    }
}

/// All that is not waiting.
pub(super) fn change(launch: &mut Launch, block: &mut Block, thread: &mut Thread, transfer: &Transfer) -> Outcome<()> {
    match transfer {
        Transfer::Initialise { at, count } => {
            initialise(launch, block, thread, at, value(launch, block, thread, *count))
        }
        Transfer::Invalidate { at } => {
            let address = address(launch, block, thread, at)?;
            block.mbarriers.remove(&address);
            mark_written(launch, block, thread, address)
        }
        Transfer::Arrive { .. } => arrive(launch, block, thread, transfer),
        Transfer::Expect { at, bytes, sign } => {
            let bytes = extend(value(launch, block, thread, *bytes), 32) * sign;
            let address = address(launch, block, thread, at)?;
            if find(block, address)?.transact(bytes)? {
                wake(launch, block);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn initialise(launch: &mut Launch, block: &mut Block, thread: &Thread, at: &Place, count: u64) -> Outcome<()> {
    let address = shared_address(launch, block, thread, at)?;
    block.check_no_mbarrier(address, 8)?;
    mark_written(launch, block, thread, address)?;
    block.mbarriers.insert(address, Mbarrier::new(count)?);
    Ok(())
}

/// The object's bytes are nobody's to read; what counts is who wrote them last.
fn mark_written(launch: &mut Launch, block: &mut Block, thread: &Thread, address: u64) -> Outcome<()> {
    let (shared, access) = block.shared_for(thread.warp());
    let range = shared.aligned(address, 8)?;
    shared.write(range, &[POISON; 8], access)?;
    launch.memory.changes += 1;
    Ok(())
}

fn arrive(launch: &mut Launch, block: &mut Block, thread: &mut Thread, transfer: &Transfer) -> Outcome<()> {
    let Transfer::Arrive { at, to, count, bytes, drops } = transfer else { return Ok(()) };
    let count = count.map_or(1, |source| value(launch, block, thread, source) as i64);
    let bytes = bytes.map_or(0, |source| extend(value(launch, block, thread, source), 32));
    let address = address(launch, block, thread, at)?;
    let warp = thread.warp();
    let knowledge = &mut block.knowledge[warp];
    let Some(mbarrier) = block.mbarriers.get_mut(&address) else { return Ok(()) };
    knowledge.release(warp, &mut mbarrier.arriving);
    thread.set(*to, mbarrier.state());
    if *drops {
        mbarrier.drop_one()?;
    }
    // The bytes count first: else this arrival could complete the phase without them.
    mbarrier.transact(bytes)?;
    launch.memory.changes += 1;
    if mbarrier.arrive(count)? {
        wake(launch, block);
    }
    Ok(())
}

/// A phase is complete: whoever waits looks again.
pub(super) fn wake(launch: &mut Launch, block: &mut Block) {
    launch.memory.changes += 1;
    for thread in &mut block.threads {
        if thread.state == State::Phase {
            thread.state = State::Ready;
        }
    }
}

pub(super) fn wait(launch: &mut Launch, block: &mut Block, thread: &mut Thread, transfer: &Transfer) -> Outcome<Flow> {
    let Transfer::Wait { at, to, phase, is_parity, .. } = transfer else { return Ok(Flow::Next) };
    let phase = value(launch, block, thread, *phase);
    let address = address(launch, block, thread, at)?;
    let mbarrier = find(block, address)?;
    let has_passed = match is_parity {
        true => mbarrier.has_passed_parity(phase),
        false => mbarrier.has_passed_state(phase)?,
    };
    if has_passed {
        let knowledge = mbarrier.knowledge.clone();
        block.knowledge[thread.warp()].acquire(&knowledge);
        thread.set(*to, 1);
        return Ok(Flow::Next);
    }
    // All threads alike: else the one that did wait would cover for the others of its warp.
    let place = (address, mbarrier.state());
    let gives_up = mix(launch.seed ^ mix(place.0 ^ mix(place.1))).is_multiple_of(GIVES_UP);
    if gives_up && thread.gave_up != Some(place) {
        thread.gave_up = Some(place);
        thread.set(*to, 0);
        return Ok(Flow::Yielded);
    }
    thread.state = State::Phase;
    Ok(Flow::Stopped)
}
