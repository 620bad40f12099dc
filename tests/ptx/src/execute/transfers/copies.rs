//! `cp.async`: copies of 4 to 16 bytes that a thread makes and waits for.

use super::{phases, queue, resolve, shared_address, value};
use crate::block::Block;
use crate::clock::Actor;
use crate::fault::{Outcome, Rule, broken};
use crate::instruction::{Place, Space};
use crate::launch::Launch;
use crate::shared::{COPIED, SHARED_BASE};
use crate::thread::Thread;
use crate::transfer::{Copy, Job, Transfer};

pub(super) fn issue(launch: &mut Launch, block: &mut Block, thread: &mut Thread, transfer: &Transfer) -> Outcome<()> {
    let Transfer::Copy { to, from, bytes, given, ignored } = transfer else { return Ok(()) };
    let to = shared_address(launch, block, thread, to)?;
    let (space, from) = resolve(launch, block, thread, from);
    if !matches!(space, Space::Global | Space::Generic) {
        return broken(Rule::Bounds, "the source of a copy is not in global memory");
    }
    let mut given = given.map_or(*bytes, |source| value(launch, block, thread, source) as usize);
    if ignored.is_some_and(|(source, negated)| (value(launch, block, thread, source) & 1 == 1) != negated) {
        given = 0;
    }
    if given > *bytes {
        return broken(Rule::Illegal, format!("{given} bytes to read for a copy of {bytes}"));
    }
    if !from.is_multiple_of(*bytes as u64) {
        return broken(Rule::Alignment, format!("address {from:#x} is no multiple of {bytes}"));
    }
    if given > 0 {
        launch.memory.read_unaligned(from, given)?;
    }
    block.check_no_mbarrier(to, *bytes)?;
    let (shared, access) = block.shared_for(thread.warp());
    let range = shared.aligned(to, *bytes)?;
    shared.expect_copy(range, access)?;
    thread.transfers.copies.push(Copy { to, from, given, bytes: *bytes });
    Ok(())
}

/// Lets copies arrive until at most `left` groups are on their way.
pub(super) fn wait(launch: &mut Launch, block: &mut Block, thread: &mut Thread, left: usize, all: bool) -> Outcome<()> {
    let warp = thread.warp();
    let mut done = Vec::new();
    while thread.transfers.copy_groups.len() > left {
        done.extend(thread.transfers.copy_groups.pop_front().into_iter().flatten());
    }
    if all {
        done.append(&mut thread.transfers.copies);
    }
    let time = block.knowledge[warp].generic.of(warp);
    done.iter().try_for_each(|copy| deliver(launch, block, copy, COPIED + warp, time))
}

/// A copy arrives as a write of `actor`.
pub(super) fn deliver(launch: &mut Launch, block: &mut Block, copy: &Copy, actor: Actor, time: u32) -> Outcome<()> {
    let mut bytes = [0; 16];
    if copy.given > 0 {
        bytes[..copy.given].copy_from_slice(launch.memory.read_unaligned(copy.from, copy.given)?);
    }
    launch.memory.changes += 1;
    block.shared.deliver((copy.to - SHARED_BASE) as usize, &bytes[..copy.bytes], actor, time);
    Ok(())
}

/// The mbarrier is arrived at once all copies of the thread so far are there.
pub(super) fn arrive_after(
    launch: &mut Launch,
    block: &mut Block,
    thread: &mut Thread,
    at: &Place,
    counts: bool,
) -> Outcome<()> {
    let barrier = phases::address(launch, block, thread, at)?;
    let mbarrier = phases::find(block, barrier)?;
    if counts {
        mbarrier.expect_arrival();
    }
    let groups = std::mem::take(&mut thread.transfers.copy_groups);
    let last = std::mem::take(&mut thread.transfers.copies);
    let copies = groups.into_iter().flatten().chain(last).collect();
    queue(launch, block, thread, Job::Arrive { copies, barrier });
    Ok(())
}
