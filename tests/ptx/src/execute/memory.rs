//! Loads, stores and atomics in every space.

use super::{space_of, value};
use crate::block::Block;
use crate::fault::{Outcome, Rule, broken};
use crate::instruction::{Atomic, Change, Load, Place, Space, Store};
use crate::launch::Launch;
use crate::memory::{LOCAL_WINDOW, PARAMETER_WINDOW, SHARED_WINDOW};
use crate::thread::{LOCAL_BASE, Thread};
use crate::types::{extend, truncate};

/// A state space and an address in it: generic addresses resolved.
pub(crate) fn resolve(launch: &Launch, block: &Block, thread: &Thread, place: &Place) -> (Space, u64) {
    let address = value(launch, block, thread, place.base).wrapping_add_signed(place.distance);
    if place.space != Space::Generic {
        return (place.space, address);
    }
    let space = space_of(address);
    match space {
        Space::Shared => (space, address - SHARED_WINDOW),
        Space::Local => (space, address - LOCAL_WINDOW),
        _ => (space, address),
    }
}

/// Bytes of one access at most (`.v8.b32`).
const WIDEST: usize = 32;

pub(super) fn load(launch: &mut Launch, block: &mut Block, thread: &mut Thread, load: &Load) -> Outcome<()> {
    let (space, address) = resolve(launch, block, thread, &load.from);
    if load.is_strong {
        block.synchronise(thread.warp(), address);
    }
    let size = load.of.bytes();
    let mut bytes = [0; WIDEST];
    fetch(launch, block, thread, (space, address), &mut bytes[..size * load.to.len()])?;
    for (at, register) in load.to.iter().enumerate() {
        let mut element = [0; 8];
        element[..size].copy_from_slice(&bytes[at * size..(at + 1) * size]);
        let element = u64::from_le_bytes(element);
        let signed = load.of.is_signed();
        let wide = if signed { truncate(extend(element, load.of.bits) as u64, load.to_bits) } else { element };
        thread.set(*register, wide);
    }
    Ok(())
}

pub(super) fn store(launch: &mut Launch, block: &mut Block, thread: &mut Thread, store: &Store) -> Outcome<()> {
    let (space, address) = resolve(launch, block, thread, &store.to);
    if store.is_strong {
        block.synchronise(thread.warp(), address);
    }
    let size = store.of.bytes();
    let mut bytes = [0; WIDEST];
    for (at, source) in store.from.iter().enumerate() {
        let element = value(launch, block, thread, *source).to_le_bytes();
        bytes[at * size..(at + 1) * size].copy_from_slice(&element[..size]);
    }
    put(launch, block, thread, (space, address), &bytes[..size * store.from.len()])
}

/// Reads bytes that are aligned to their number.
pub(crate) fn fetch(
    launch: &mut Launch,
    block: &mut Block,
    thread: &Thread,
    (space, address): (Space, u64),
    bytes: &mut [u8],
) -> Outcome<()> {
    let count = bytes.len();
    match space {
        Space::Global | Space::Generic => bytes.copy_from_slice(launch.memory.read(address, count)?),
        Space::Shared => {
            let (shared, access) = block.shared_for(thread.warp());
            let range = shared.aligned(address, count)?;
            bytes.copy_from_slice(shared.read(range, access)?);
        }
        Space::Local => bytes.copy_from_slice(&thread.local[local_range(thread, address, count)?]),
        Space::Parameter => {
            let start = address.wrapping_sub(PARAMETER_WINDOW) as usize;
            match launch.parameters.get(start..start.saturating_add(count)) {
                Some(found) if start.is_multiple_of(count) => bytes.copy_from_slice(found),
                _ => return broken(Rule::Bounds, format!("{count} bytes at {start} of the parameters")),
            }
        }
    }
    Ok(())
}

fn local_range(thread: &Thread, address: u64, count: usize) -> Outcome<std::ops::Range<usize>> {
    if !address.is_multiple_of(count as u64) {
        return broken(Rule::Alignment, format!("local address {address:#x} is no multiple of {count}"));
    }
    let start = address.wrapping_sub(LOCAL_BASE);
    if start > thread.local.len() as u64 || start as usize + count > thread.local.len() {
        return broken(Rule::Bounds, format!("{count} bytes at local address {address:#x}"));
    }
    Ok(start as usize..start as usize + count)
}

fn put(
    launch: &mut Launch,
    block: &mut Block,
    thread: &mut Thread,
    (space, address): (Space, u64),
    bytes: &[u8],
) -> Outcome<()> {
    match space {
        Space::Global | Space::Generic => launch.memory.write(address, bytes),
        Space::Shared => {
            block.check_no_mbarrier(address, bytes.len())?;
            let (shared, access) = block.shared_for(thread.warp());
            let range = shared.aligned(address, bytes.len())?;
            launch.memory.changes += u64::from(shared.write(range, bytes, access)?);
            Ok(())
        }
        Space::Local => {
            let range = local_range(thread, address, bytes.len())?;
            thread.local[range].copy_from_slice(bytes);
            Ok(())
        }
        Space::Parameter => broken(Rule::Bounds, "a write to the kernel's parameters"),
    }
}

/// One atomic change of memory; each element of a vector is one of its own.
pub(super) fn atomic(launch: &mut Launch, block: &mut Block, thread: &mut Thread, atomic: &Atomic) -> Outcome<()> {
    let (space, start) = resolve(launch, block, thread, &atomic.at);
    let size = atomic.of.bytes();
    let bits = atomic.of.width();
    for (at, source) in atomic.values.iter().enumerate() {
        let address = start + (at * size) as u64;
        if matches!(space, Space::Global | Space::Shared | Space::Generic) {
            block.synchronise(thread.warp(), address);
        }
        let mut bytes = [0; 8];
        fetch(launch, block, thread, (space, address), &mut bytes[..size])?;
        let old = u64::from_le_bytes(bytes);
        let operand = truncate(value(launch, block, thread, *source), bits);
        let swap = atomic.swap.map_or(0, |swap| truncate(value(launch, block, thread, swap), bits));
        let new = changed(atomic.change, old, operand, swap);
        if let Some(register) = atomic.to.get(at) {
            thread.set(*register, old);
        }
        put(launch, block, thread, (space, address), &new.to_le_bytes()[..size])?;
    }
    Ok(())
}

fn changed(change: Change, old: u64, operand: u64, swap: u64) -> u64 {
    match change {
        Change::Exchange => operand,
        Change::CompareAndSwap if old == operand => swap,
        Change::CompareAndSwap => old,
        Change::Increment if old >= operand => 0,
        Change::Increment => old + 1,
        Change::Decrement if old == 0 || old > operand => operand,
        Change::Decrement => old - 1,
        Change::Apply(compute, adjust) if adjust.is_plain => compute(old, operand),
        Change::Apply(compute, adjust) => adjust.apply([old, operand], |[old, operand]| compute(old, operand)),
    }
}
