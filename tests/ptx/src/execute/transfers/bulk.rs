//! Bulk copies and TMA (PTX ISA, "cp.async.bulk", "cp.async.bulk.tensor").

use super::{phases, queue, resolve, shared_address, value};
use crate::block::Block;
use crate::execute::memory::fetch;
use crate::fault::{Outcome, Rule, Trouble, broken};
use crate::instruction::{Place, Source, Space};
use crate::launch::Launch;
use crate::tensor_map::TensorMap;
use crate::thread::Thread;
use crate::transfer::{BulkStore, Job, Piece, Transfer, linear_pieces, tile_pieces};
use crate::types::extend;

/// Where a tile begins in shared memory is a multiple of this.
const TILE_ALIGNMENT: u64 = 128;

pub(super) fn load(launch: &mut Launch, block: &mut Block, thread: &mut Thread, transfer: &Transfer) -> Outcome<()> {
    let (pieces, barrier, bytes) = match transfer {
        Transfer::BulkLoad { to, from, bytes, barrier } => {
            let shared = shared_address(launch, block, thread, to)?;
            let global = resolve(launch, block, thread, from).1;
            let bytes = value(launch, block, thread, *bytes);
            check_linear(shared, global, bytes)?;
            (linear_pieces(shared, global, bytes), barrier, bytes)
        }
        Transfer::TensorLoad { to, map, at, barrier } => {
            let shared = shared_address(launch, block, thread, to)?;
            let map = tensor_map(launch, block, thread, map)?;
            (tile(launch, block, thread, &map, at, shared)?, barrier, map.tile_bytes())
        }
        _ => return Ok(()),
    };
    let barrier = phases::address(launch, block, thread, barrier)?;
    phases::find(block, barrier)?;
    for piece in &pieces {
        read_global(launch, piece)?;
        block.check_no_mbarrier(piece.shared, piece.bytes)?;
        let (shared, access) = block.shared_for_engine(thread.warp());
        let range = shared.range(piece.shared, piece.bytes)?;
        shared.expect_copy(range, access)?;
    }
    launch.memory.changes += 1;
    queue(launch, block, thread, Job::Load { pieces, barrier, bytes: bytes as i64 });
    Ok(())
}

fn check_linear(shared: u64, global: u64, bytes: u64) -> Outcome<()> {
    if !(shared | global | bytes).is_multiple_of(16) || bytes == 0 {
        let message = format!("{bytes} bytes between {shared:#x} and {global:#x}: all are multiples of 16");
        return broken(Rule::Alignment, message);
    }
    Ok(())
}

fn tensor_map(launch: &mut Launch, block: &mut Block, thread: &Thread, place: &Place) -> Outcome<TensorMap> {
    let (space, address) = resolve(launch, block, thread, place);
    if !address.is_multiple_of(64) {
        return broken(Rule::Alignment, format!("a tensor map at {address:#x}, which is no multiple of 64"));
    }
    let mut bytes = [0; 128];
    for (at, part) in bytes.chunks_exact_mut(16).enumerate() {
        fetch(launch, block, thread, (space, address + 16 * at as u64), part)?;
    }
    TensorMap::from_bytes(&bytes)
}

fn tile(
    launch: &Launch,
    block: &Block,
    thread: &Thread,
    map: &TensorMap,
    at: &[Source],
    shared: u64,
) -> Outcome<Vec<Piece>> {
    if at.len() != map.sizes.len() {
        return broken(Rule::Illegal, format!("{} coordinates of a tensor of {}", at.len(), map.sizes.len()));
    }
    if !shared.is_multiple_of(TILE_ALIGNMENT) {
        return broken(Rule::Alignment, format!("a tile at {shared:#x}, which is no multiple of {TILE_ALIGNMENT}"));
    }
    let at: Vec<i64> = at.iter().map(|source| extend(value(launch, block, thread, *source), 32)).collect();
    Ok(tile_pieces(map, &at, shared))
}

/// The bytes of a piece, zero where it lies outside of the tensor.
pub(super) fn read_global(launch: &Launch, piece: &Piece) -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; piece.bytes];
    if piece.inside > 0 {
        let inside = launch.memory.read_unaligned(piece.global, piece.inside)?;
        bytes[piece.skipped..piece.skipped + piece.inside].copy_from_slice(inside);
    }
    Ok(bytes)
}

pub(super) fn store(launch: &mut Launch, block: &mut Block, thread: &mut Thread, transfer: &Transfer) -> Outcome<()> {
    let (pieces, reduce) = match transfer {
        Transfer::BulkStore { to, from, bytes, reduce } => {
            let shared = shared_address(launch, block, thread, from)?;
            let (space, global) = resolve(launch, block, thread, to);
            if !matches!(space, Space::Global | Space::Generic) {
                return broken(Rule::Bounds, "the destination is not in global memory");
            }
            let bytes = value(launch, block, thread, *bytes);
            check_linear(shared, global, bytes)?;
            (linear_pieces(shared, global, bytes), *reduce)
        }
        Transfer::TensorStore { map, at, from } => {
            let shared = shared_address(launch, block, thread, from)?;
            let map = tensor_map(launch, block, thread, map)?;
            (tile(launch, block, thread, &map, at, shared)?, None)
        }
        _ => return Ok(()),
    };
    let mut taken = Vec::new();
    for piece in pieces {
        let (shared, access) = block.shared_for_engine(thread.warp());
        let range = shared.range(piece.shared, piece.bytes)?;
        let bytes = shared.read(range, access)?.to_vec();
        taken.push((piece, bytes));
    }
    thread.transfers.stores.push(BulkStore { line: launch.line(thread), pieces: taken, reduce });
    Ok(())
}

/// Finishes the reading of all groups but the last `left`, and their writing unless only reading counts.
pub(super) fn wait(
    launch: &mut Launch,
    block: &mut Block,
    thread: &mut Thread,
    left: usize,
    only_read: bool,
) -> Outcome<()> {
    while thread.transfers.store_groups.len() > left {
        for store in thread.transfers.store_groups.pop_front().into_iter().flatten() {
            finish_read(block, thread, &store)?;
            thread.transfers.read_stores.push(store);
        }
    }
    if !only_read {
        let stores = std::mem::take(&mut thread.transfers.read_stores);
        write_all(launch, &stores)?;
    }
    Ok(())
}

/// The bytes are read now: they must be as they were, and later writes must come after this.
fn finish_read(block: &mut Block, thread: &Thread, store: &BulkStore) -> Outcome<()> {
    for (piece, bytes) in &store.pieces {
        let (shared, access) = block.shared_for(thread.warp());
        let range = shared.range(piece.shared, piece.bytes)?;
        if shared.peek(range.clone()) != bytes {
            let message =
                format!("shared byte {} was overwritten while the store of line {} read it", range.start, store.line);
            return broken(Rule::Race, message);
        }
        shared.order_read(range, access)?;
    }
    Ok(())
}

pub(super) fn write_all(launch: &mut Launch, stores: &[BulkStore]) -> Outcome<()> {
    for store in stores {
        let named = |trouble: Trouble| Trouble {
            message: format!("store of line {}: {}", store.line, trouble.message),
            ..trouble
        };
        for (piece, bytes) in store.pieces.iter().filter(|(piece, _)| piece.inside > 0) {
            let inside = &bytes[piece.skipped..piece.skipped + piece.inside];
            let result = match store.reduce {
                None => launch.memory.write_unaligned(piece.global, inside),
                Some((compute, adjust)) => add(launch, piece.global, inside, compute, adjust),
            };
            result.map_err(named)?;
        }
    }
    Ok(())
}

fn add(
    launch: &mut Launch,
    address: u64,
    bytes: &[u8],
    compute: crate::arithmetic::Binary,
    adjust: crate::arithmetic::Adjust,
) -> Outcome<()> {
    let size = adjust.of.bytes();
    for (at, part) in bytes.chunks_exact(size).enumerate() {
        let address = address + (at * size) as u64;
        let word = |bytes: &[u8]| {
            let mut word = [0; 8];
            word[..size].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        };
        let old = word(launch.memory.read(address, size)?);
        let new = adjust.apply([old, word(part)], |[old, new]| compute(old, new));
        launch.memory.write(address, &new.to_le_bytes()[..size])?;
    }
    Ok(())
}
