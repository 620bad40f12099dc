//! Asynchronous copies: what a thread asks for, and what arrives when.
//!
//! A copy's destination is poison from its issue on. `cp.async` arrives at the wait of its thread; what an
//! mbarrier counts arrives when the block has nothing else to do, or by chance before.
//! Order: this file has the queue, [`copies`] `cp.async`, [`bulk`] TMA, [`phases`] mbarriers.

mod bulk;
mod copies;
mod phases;

use super::memory::resolve;
use super::{Flow, groups, value};
use crate::block::Block;
use crate::clock::ENGINE;
use crate::fault::{Fault, Outcome, Rule, Trouble, broken};
use crate::instruction::{Operation, Place, Space};
use crate::launch::Launch;
use crate::shared::SHARED_BASE;
use crate::thread::{State, Thread};
use crate::transfer::{Job, Queued, Transfer};

pub(super) fn start(launch: &mut Launch, block: &mut Block, thread: &mut Thread, transfer: &Transfer) -> Outcome<Flow> {
    match transfer {
        Transfer::Copy { .. } => copies::issue(launch, block, thread, transfer)?,
        Transfer::CommitCopies => {
            let copies = std::mem::take(&mut thread.transfers.copies);
            thread.transfers.copy_groups.push_back(copies);
        }
        Transfer::WaitCopies { left, all } => copies::wait(launch, block, thread, *left, *all)?,
        Transfer::ArriveAfterCopies { at, counts } => copies::arrive_after(launch, block, thread, at, *counts)?,
        Transfer::BulkLoad { .. } | Transfer::TensorLoad { .. } => bulk::load(launch, block, thread, transfer)?,
        Transfer::BulkStore { .. } | Transfer::TensorStore { .. } => bulk::store(launch, block, thread, transfer)?,
        Transfer::CommitBulk => {
            let stores = std::mem::take(&mut thread.transfers.stores);
            thread.transfers.store_groups.push_back(stores);
        }
        Transfer::WaitBulk { left, only_read } => bulk::wait(launch, block, thread, *left, *only_read)?,
        Transfer::Wait { .. } => return phases::wait(launch, block, thread, transfer),
        other => phases::change(launch, block, thread, other)?,
    }
    Ok(Flow::Next)
}

/// An address of shared memory, also from a generic one.
fn shared_address(launch: &Launch, block: &Block, thread: &Thread, place: &Place) -> Outcome<u64> {
    match resolve(launch, block, thread, place) {
        (Space::Shared, address) => Ok(address),
        (_, address) => broken(Rule::Bounds, format!("{address:#x} is no address of shared memory")),
    }
}

fn queue(launch: &Launch, block: &mut Block, thread: &Thread, job: Job) {
    let line = launch.line(thread);
    block.engine.jobs.push(Queued { line, thread: thread.number, job });
}

/// Lets one copy arrive, any of those on their way; false if there is none.
pub(crate) fn deliver_one(launch: &mut Launch, block: &mut Block) -> Result<bool, Fault> {
    if block.engine.jobs.is_empty() {
        return Ok(false);
    }
    let chosen = launch.random.below(block.engine.jobs.len());
    let queued = block.engine.jobs.swap_remove(chosen);
    deliver(launch, block, &queued).map_err(|trouble| job_fault(block, &queued, trouble))?;
    Ok(true)
}

fn job_fault(block: &Block, queued: &Queued, trouble: Trouble) -> Fault {
    let message = format!("block {:?}, copy of thread {}: {}", block.index, queued.thread, trouble.message);
    Fault { rule: trouble.rule, line: queued.line, message }
}

fn deliver(launch: &mut Launch, block: &mut Block, queued: &Queued) -> Outcome<()> {
    block.engine.time += 1;
    let time = block.engine.time;
    launch.memory.changes += 1;
    let completes = match &queued.job {
        Job::Load { pieces, barrier, bytes } => {
            for piece in pieces {
                let data = bulk::read_global(launch, piece)?;
                block.shared.deliver((piece.shared - SHARED_BASE) as usize, &data, ENGINE, time);
            }
            let mbarrier = phases::find(block, *barrier)?;
            mbarrier.arriving.generic.set(ENGINE, time);
            mbarrier.transact(-bytes)?
        }
        Job::Arrive { copies, barrier } => {
            for copy in copies {
                copies::deliver(launch, block, copy, ENGINE, time)?;
            }
            let mbarrier = phases::find(block, *barrier)?;
            mbarrier.arriving.generic.set(ENGINE, time);
            mbarrier.arrive(1)?
        }
    };
    if completes {
        phases::wake(launch, block);
    }
    Ok(())
}

/// Threads that only look at an mbarrier and find it unfinished go on; false if there is none.
pub(crate) fn wake_pollers(launch: &mut Launch, block: &mut Block) -> bool {
    let mut any = false;
    for thread in &mut block.threads {
        let code = &launch.module.functions[thread.frame.function].code;
        let Some(instruction) = code.get(thread.at).filter(|_| thread.state == State::Phase) else { continue };
        if let Operation::Transfer(transfer) = &instruction.operation
            && let Transfer::Wait { to, blocks: false, .. } = **transfer
        {
            thread.set(to, 0);
            thread.at += 1;
            thread.state = State::Ready;
            any = true;
        }
    }
    any
}

/// A thread ends: what it has on its way is the block's.
pub(super) fn end_thread(launch: &mut Launch, block: &mut Block, thread: &mut Thread) -> Outcome<()> {
    copies::wait(launch, block, thread, 0, true)?;
    let transfers = std::mem::take(&mut thread.transfers);
    bulk::write_all(launch, &transfers.read_stores)?;
    let unread = transfers.store_groups.into_iter().flatten().chain(transfers.stores);
    block.engine.stores.extend(unread);
    Ok(())
}

/// A block ends: nothing may still read or write its shared memory.
pub(crate) fn end_block(block: &Block) -> Result<(), Fault> {
    let fault = |line: usize, message: &str| {
        let message = format!("block {:?} ended {message}", block.index);
        Err(Fault { rule: Rule::Pending, line, message })
    };
    if let Some(store) = block.engine.stores.first() {
        return fault(store.line, "while a bulk store may still read its shared memory");
    }
    if let Some(queued) = block.engine.jobs.first() {
        return fault(queued.line, "before a copy to its shared memory had arrived");
    }
    groups::check_ended(block)
}
