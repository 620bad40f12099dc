//! `wgmma`: issued at once, done at the wait, and nothing it reads or writes may be touched in between.

use super::{together, value};
use crate::block::Block;
use crate::fault::{Fault, Outcome, Rule, Trouble, broken};
use crate::instruction::Operation;
use crate::launch::Launch;
use crate::matrix;
use crate::shared::{Access, POISON};
use crate::thread::State;
use crate::types::truncate;
use crate::warpgroup::{GroupMultiply, GroupOperation, Left, Pending, ROWS, THREADS, Tile, pieces};

/// What a register holds between the issue of its product and the wait.
const POISONED: u64 = u32::from_le_bytes([POISON, POISON, POISON, POISON]) as u64;

/// Performs the instruction if all threads of the warpgroup are there.
pub(super) fn attempt(
    launch: &mut Launch,
    block: &mut Block,
    number: usize,
    operation: &GroupOperation,
) -> Outcome<()> {
    let first = number / THREADS * THREADS;
    if first + THREADS > block.threads.len() {
        return broken(Rule::Divergence, "a warpgroup has 128 threads");
    }
    let threads = &block.threads[first..first + THREADS];
    if threads.iter().any(|thread| thread.state == State::Done) {
        return broken(Rule::Divergence, "a thread of the warpgroup has ended");
    }
    if !threads.iter().all(|thread| together::is_beside(&block.threads[number], thread)) {
        return Ok(());
    }
    match operation {
        GroupOperation::Fence => block.groups[number / THREADS].fenced = true,
        GroupOperation::Commit => {
            let group = &mut block.groups[number / THREADS];
            let issued = std::mem::take(&mut group.issued);
            group.committed.push_back(issued);
        }
        GroupOperation::Wait { left } => wait(launch, block, first, *left)?,
        GroupOperation::Multiply(multiply) => issue(launch, block, first, multiply)?,
    }
    for thread in &mut block.threads[first..first + THREADS] {
        thread.state = State::Ready;
        thread.at += 1;
    }
    Ok(())
}

fn read_registers(launch: &Launch, block: &Block, first: usize, multiply: &GroupMultiply) -> Vec<Vec<u64>> {
    let Left::Registers(sources) = &multiply.left else { return Vec::new() };
    let of = |source| block.threads[first..first + THREADS].iter().map(move |thread| (thread, source));
    sources
        .iter()
        .map(|source| of(*source).map(|(thread, source)| value(launch, block, thread, source)).collect())
        .collect()
}

fn read_sums(block: &Block, first: usize, multiply: &GroupMultiply) -> Vec<Vec<u64>> {
    let threads = &block.threads[first..first + THREADS];
    multiply.to.iter().map(|to| threads.iter().map(|thread| thread.register(*to)).collect()).collect()
}

fn issue(launch: &mut Launch, block: &mut Block, first: usize, multiply: &GroupMultiply) -> Outcome<()> {
    let leader = &block.threads[first];
    let (function, at, line) = (leader.frame.function, leader.at, launch.line(leader));
    let (predicate, negated) = multiply.accumulates;
    let accumulates = (value(launch, block, leader, predicate) & 1 == 1) != negated;
    let right = value(launch, block, leader, multiply.right);
    let left = match &multiply.left {
        Left::Registers(_) => None,
        Left::Tile(source) => Some(value(launch, block, leader, *source)),
    };
    let registers = read_registers(launch, block, first, multiply);
    let is_chained = is_chained(launch, block, first, multiply)?;
    let sums = (!is_chained).then(|| read_sums(block, first, multiply));
    check_fence(block, first, multiply, accumulates, sums.as_ref())?;
    let mut tiles = Vec::new();
    if let Some(left) = left {
        tiles.push(tile(block, first, pieces(left, ROWS, multiply.transposed[0])?)?);
    }
    tiles.push(tile(block, first, pieces(right, multiply.columns, multiply.transposed[1])?)?);
    for thread in &mut block.threads[first..first + THREADS] {
        multiply.to.iter().for_each(|to| thread.set(*to, POISONED));
    }
    let pending = Pending { function, at, line, registers, tiles, sums, accumulates };
    block.groups[first / THREADS].issued.push(pending);
    Ok(())
}

/// The multiply instruction of something pending.
fn multiply_of<'m>(launch: &Launch<'m>, pending: &Pending) -> Option<&'m GroupMultiply> {
    match &launch.module.functions[pending.function].code[pending.at].operation {
        Operation::Group(operation) => match &**operation {
            GroupOperation::Multiply(multiply) => Some(multiply),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an earlier product is still to write the same registers; sharing only some of them is a fault.
fn is_chained(launch: &Launch, block: &Block, first: usize, multiply: &GroupMultiply) -> Outcome<bool> {
    let group = &block.groups[first / THREADS];
    for pending in group.committed.iter().flatten().chain(&group.issued) {
        let Some(other) = multiply_of(launch, pending) else { continue };
        if other.to == multiply.to {
            return Ok(true);
        }
        if other.to.iter().any(|register| multiply.to.contains(register)) {
            return broken(Rule::Wgmma, format!("the sums overlap those of line {}, which is pending", pending.line));
        }
    }
    Ok(false)
}

/// Registers that other instructions touched need a `wgmma.fence` before a product uses them
/// (PTX ISA, "wgmma.fence"); sums that only products touched do not.
fn check_fence(
    block: &Block,
    first: usize,
    multiply: &GroupMultiply,
    accumulates: bool,
    sums: Option<&Vec<Vec<u64>>>,
) -> Outcome<()> {
    let group = &block.groups[first / THREADS];
    if group.fenced {
        return Ok(());
    }
    let settled = multiply.to.first().and_then(|to| group.settled.get(to));
    let is_touched = sums.is_some() && (settled.is_none() || accumulates && settled != sums);
    match is_touched || matches!(multiply.left, Left::Registers(_)) {
        true => broken(Rule::Wgmma, "registers are used without a `wgmma.fence` since they were free to change"),
        false => Ok(()),
    }
}

/// Notes a tile's bytes, and that all four warps may read them.
fn tile(block: &mut Block, first: usize, pieces: Vec<u64>) -> Outcome<Tile> {
    let mut bytes = Vec::with_capacity(16 * pieces.len());
    for address in &pieces {
        let range = block.shared.aligned(*address, 16)?;
        for warp in first / 32..first / 32 + 4 {
            let (shared, access) = block.shared_for_engine(warp);
            shared.order_read(range.clone(), access)?;
        }
        bytes.extend_from_slice(block.shared.peek(range));
    }
    Ok(Tile { pieces, bytes })
}

fn wait(launch: &mut Launch, block: &mut Block, first: usize, left: usize) -> Outcome<()> {
    while block.groups[first / THREADS].committed.len() > left {
        let Some(mut done) = block.groups[first / THREADS].committed.pop_front() else { break };
        while !done.is_empty() {
            let pending = done.remove(0);
            let is_chained = done.iter().any(|later| is_same(launch, later, &pending));
            finish(launch, block, first, &pending, is_chained).map_err(|trouble| Trouble {
                message: format!("the product of line {}: {}", pending.line, trouble.message),
                ..trouble
            })?;
        }
    }
    block.groups[first / THREADS].fenced = false;
    Ok(())
}

/// Does a product; its sums stay aside while a later one adds to them.
fn finish(launch: &mut Launch, block: &mut Block, first: usize, pending: &Pending, is_followed: bool) -> Outcome<()> {
    let Some(multiply) = multiply_of(launch, pending) else { return Ok(()) };
    check_untouched(launch, block, first, multiply, pending)?;
    let sums = results(multiply, pending, block.groups[first / THREADS].sums.get(&multiply.to[0]));
    let is_followed = is_followed || is_chained(launch, block, first, multiply)?;
    let group = &mut block.groups[first / THREADS];
    if is_followed {
        group.sums.insert(multiply.to[0], sums);
        return Ok(());
    }
    group.sums.remove(&multiply.to[0]);
    for (to, values) in multiply.to.iter().zip(&sums) {
        for (thread, value) in block.threads[first..first + THREADS].iter_mut().zip(values) {
            if thread.register(*to) != POISONED {
                return broken(Rule::Wgmma, "its sums were written before the wait");
            }
            thread.set(*to, *value);
        }
    }
    block.groups[first / THREADS].settled.insert(multiply.to[0], sums);
    Ok(())
}

/// Whether two products sum up in the same registers.
fn is_same(launch: &Launch, a: &Pending, b: &Pending) -> bool {
    let registers = |pending| multiply_of(launch, pending).map(|multiply| &multiply.to);
    registers(a) == registers(b)
}

/// Its factors are as they were at its issue, in shared memory and in registers.
fn check_untouched(
    launch: &Launch,
    block: &mut Block,
    first: usize,
    multiply: &GroupMultiply,
    pending: &Pending,
) -> Outcome<()> {
    if read_registers(launch, block, first, multiply) != pending.registers {
        return broken(Rule::Wgmma, "registers of its left factor were written before the wait");
    }
    for tile in &pending.tiles {
        for (address, bytes) in tile.pieces.iter().zip(tile.bytes.chunks_exact(16)) {
            let range = block.shared.aligned(*address, 16)?;
            if block.shared.peek(range.clone()) != bytes {
                return broken(Rule::Race, format!("shared byte {} was overwritten before the wait", range.start));
            }
            for warp in first / 32..first / 32 + 4 {
                let knowledge = &block.knowledge[warp];
                block.shared.order_read(range.clone(), Access { warp, knowledge, is_asynchronous: false })?;
            }
        }
    }
    Ok(())
}

/// A factor from its tile, line by line.
fn from_tile(tile: &Tile, multiply: &GroupMultiply, side: usize) -> Vec<f64> {
    let of = [multiply.a, multiply.b][side];
    let lines = [ROWS, multiply.columns][side];
    let size = of.bytes();
    let element = |at: usize| {
        let mut word = [0; 8];
        word[..size].copy_from_slice(&tile.bytes[at * size..(at + 1) * size]);
        matrix::number(of, u64::from_le_bytes(word)) * multiply.signs[side]
    };
    let depth = multiply.depth;
    let at = |line: usize, k: usize| if multiply.transposed[side] { k * lines + line } else { line * depth + k };
    (0..lines * depth).map(|place| element(at(place / depth, place % depth))).collect()
}

fn from_registers(multiply: &GroupMultiply, registers: &[Vec<u64>]) -> Vec<f64> {
    let of = multiply.a;
    let mut numbers = vec![0.0; ROWS * multiply.depth];
    for (at, words) in registers.iter().enumerate() {
        for (thread, word) in words.iter().enumerate() {
            let (row, start) = matrix::left_place(of, at, thread % 32);
            let row = 16 * (thread / 32) + row;
            for element in 0..matrix::packed(of) {
                let number = matrix::number(of, word >> (element as u32 * of.bits)) * multiply.signs[0];
                numbers[row * multiply.depth + start + element] = number;
            }
        }
    }
    numbers
}

/// The new sums, by register and thread.
fn results(multiply: &GroupMultiply, pending: &Pending, chained: Option<&Vec<Vec<u64>>>) -> Vec<Vec<u64>> {
    let left = match multiply.left {
        Left::Registers(_) => from_registers(multiply, &pending.registers),
        Left::Tile(_) => from_tile(&pending.tiles[0], multiply, 0),
    };
    let right = from_tile(&pending.tiles[pending.tiles.len() - 1], multiply, 1);
    let products = matrix::products(&left, &right, multiply.depth);
    let before = if pending.accumulates { pending.sums.as_ref().or(chained) } else { None };
    let parts = if multiply.sum.bits == 16 { 2 } else { 1 };
    let word = |at: usize, thread: usize| {
        (0..parts).fold(0, |word, part| {
            let (row, column) = sum_place(at * parts + part, thread);
            let shift = 16 * part as u32;
            let old = before.map_or(0.0, |sums| matrix::number(multiply.sum, sums[at][thread] >> shift));
            let sum = products[row * multiply.columns + column] + old;
            word | truncate(matrix::bits(multiply.sum, sum, false), multiply.sum.bits) << shift
        })
    };
    (0..multiply.to.len()).map(|at| (0..THREADS).map(|thread| word(at, thread)).collect()).collect()
}

/// Row and column of element `at` of a thread's sums (PTX ISA, "Register Fragments", matrix D).
fn sum_place(at: usize, thread: usize) -> (usize, usize) {
    let (row, column) = matrix::sum_place(at % 4, thread % 32);
    (16 * (thread / 32) + row, 8 * (at / 4) + column)
}

/// Products that nobody waited for: their block ends while they read its shared memory.
pub(super) fn check_ended(block: &Block) -> Result<(), Fault> {
    let pending = block.groups.iter().flat_map(|group| group.committed.iter().flatten().chain(&group.issued)).next();
    match pending {
        Some(pending) => Err(Fault {
            rule: Rule::Wgmma,
            line: pending.line,
            message: format!("block {:?} ended before this product was waited for", block.index),
        }),
        None => Ok(()),
    }
}
