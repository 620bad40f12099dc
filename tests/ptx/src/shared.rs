//! The shared memory of one block, and for every byte who touched it last.
//!
//! In: accesses with what their warp knows. Out: bytes, or the race. Two accesses by different warps, one a
//! write, need an order by barriers; one by an asynchronous unit needs a proxy fence as well after a
//! generic write. While a copy is on its way, nobody may touch its bytes.

use std::collections::HashMap;
use std::ops::Range;

use crate::clock::{Actor, Clock, ENGINE, Knowledge};
use crate::fault::{Outcome, Rule, broken};

/// Where shared memory begins: 0 is no address of it, and a tile of 1024 bytes can start here.
pub(crate) const SHARED_BASE: u64 = 1024;
/// Bytes of registers and memory that nobody wrote: NaN in every format.
pub(crate) const POISON: u8 = 0x7f;

const TIME_BITS: u32 = 25;
/// Added to a warp that wrote by `cp.async`.
pub(crate) const COPIED: Actor = 64;
const NEVER: u32 = 126 << TIME_BITS;
const PENDING: u32 = 127 << TIME_BITS;

/// The last write of a byte (actor and time), and the set of reads since.
#[derive(Clone, Copy, PartialEq)]
struct Cell {
    writer: u32,
    readers: u32,
}

/// Sets of reads, each once: neighbouring bytes share theirs.
struct ReadSets {
    sets: Vec<Vec<(u8, u32)>>,
    known: HashMap<(u32, u32), u32>,
    last: ((u32, u32), u32),
}

pub(crate) struct Shared {
    data: Vec<u8>,
    cells: Vec<Cell>,
    reads: ReadSets,
}

fn stamp(actor: Actor, time: u32) -> u32 {
    ((actor as u32) << TIME_BITS) | (time & ((1 << TIME_BITS) - 1))
}

fn unstamp(stamp: u32) -> (u32, u32) {
    (stamp >> TIME_BITS, stamp & ((1 << TIME_BITS) - 1))
}

impl ReadSets {
    fn new() -> ReadSets {
        ReadSets { sets: vec![Vec::new()], known: HashMap::new(), last: ((u32::MAX, 0), 0) }
    }

    /// The set with one more read.
    fn with(&mut self, set: u32, read: u32) -> u32 {
        let key = (set, read);
        if self.last.0 == key {
            return self.last.1;
        }
        let next = match self.known.get(&key) {
            Some(next) => *next,
            None => self.grow(set, read),
        };
        self.last = (key, next);
        next
    }

    fn grow(&mut self, set: u32, read: u32) -> u32 {
        let (actor, time) = unstamp(read);
        let mut members = self.sets[set as usize].clone();
        match members.iter_mut().find(|(known, _)| u32::from(*known) == actor) {
            Some(member) if member.1 >= time => {
                self.known.insert((set, read), set);
                return set;
            }
            Some(member) => member.1 = time,
            None => members.push((actor as u8, time)),
        }
        let next = self.sets.len() as u32;
        self.sets.push(members);
        self.known.insert((set, read), next);
        next
    }

    /// A read of the set that is not ordered before.
    fn unordered(&self, set: u32, actor: Actor, clock: &Clock) -> Option<u8> {
        let late = |(reader, time): &&(u8, u32)| *reader as usize != actor && *time > clock.of(*reader as usize);
        self.sets[set as usize].iter().find(late).map(|(reader, _)| *reader)
    }
}

/// Who accesses: a warp through the generic proxy, or an asynchronous unit on its behalf.
#[derive(Clone, Copy)]
pub(crate) struct Access<'a> {
    pub warp: Actor,
    pub knowledge: &'a Knowledge,
    pub is_asynchronous: bool,
}

impl Shared {
    pub fn new(bytes: usize) -> Shared {
        let cell = Cell { writer: NEVER, readers: 0 };
        Shared { data: vec![POISON; bytes], cells: vec![cell; bytes], reads: ReadSets::new() }
    }

    /// The place of an access in the arrays.
    pub fn range(&self, address: u64, bytes: usize) -> Outcome<Range<usize>> {
        let start = address.wrapping_sub(SHARED_BASE);
        if start > self.data.len() as u64 || start as usize + bytes > self.data.len() {
            let size = self.data.len();
            let distance = address as i64 - SHARED_BASE as i64;
            return broken(Rule::Bounds, format!("{bytes} bytes at {distance} of shared memory, which has {size}"));
        }
        Ok(start as usize..start as usize + bytes)
    }

    pub fn aligned(&self, address: u64, bytes: usize) -> Outcome<Range<usize>> {
        if !address.is_multiple_of(bytes as u64) {
            return broken(Rule::Alignment, format!("shared address {address:#x} is no multiple of {bytes}"));
        }
        self.range(address, bytes)
    }

    pub fn read(&mut self, range: Range<usize>, access: Access) -> Outcome<&[u8]> {
        self.order_read(range.clone(), access)?;
        Ok(&self.data[range])
    }

    /// Writes, and tells whether anything changed.
    pub fn write(&mut self, range: Range<usize>, bytes: &[u8], access: Access) -> Outcome<bool> {
        self.order_write(range.clone(), access)?;
        let place = &mut self.data[range];
        let changed = place != bytes;
        place.copy_from_slice(bytes);
        Ok(changed)
    }

    /// The bytes as they are, without a question.
    pub fn peek(&self, range: Range<usize>) -> &[u8] {
        &self.data[range]
    }

    /// Checks that a read is ordered after the last write, and remembers it.
    pub fn order_read(&mut self, range: Range<usize>, access: Access) -> Outcome<()> {
        let read = stamp(access.warp, access.knowledge.generic.of(access.warp));
        let mut last = None;
        for at in range {
            let cell = self.cells[at];
            if let Some((known, next)) = last
                && known == cell
            {
                self.cells[at] = next;
                continue;
            }
            check_writer(cell, at, access)?;
            let next = Cell { readers: self.reads.with(cell.readers, read), ..cell };
            self.cells[at] = next;
            last = Some((cell, next));
        }
        Ok(())
    }

    fn order_write(&mut self, range: Range<usize>, access: Access) -> Outcome<()> {
        let writer = stamp(access.warp, access.knowledge.generic.of(access.warp));
        self.replace_cells(range, access, writer)
    }

    fn replace_cells(&mut self, range: Range<usize>, access: Access, writer: u32) -> Outcome<()> {
        let mut last = None;
        for at in range {
            let cell = self.cells[at];
            if last != Some(cell) {
                check_writer(cell, at, access)?;
                if let Some(reader) = self.reads.unordered(cell.readers, access.warp, &access.knowledge.generic) {
                    return broken(Rule::Race, format!("shared byte {at} is written while warp {reader} may read it"));
                }
                last = Some(cell);
            }
            self.cells[at] = Cell { writer, readers: 0 };
        }
        Ok(())
    }

    /// A copy to these bytes is on its way: they are poison, and nobody may touch them until it is there.
    pub fn expect_copy(&mut self, range: Range<usize>, access: Access) -> Outcome<()> {
        self.replace_cells(range.clone(), access, PENDING)?;
        self.data[range].fill(POISON);
        Ok(())
    }

    /// A copy arrives, as a write of `actor` at `time`.
    pub fn deliver(&mut self, start: usize, bytes: &[u8], actor: Actor, time: u32) {
        self.data[start..start + bytes.len()].copy_from_slice(bytes);
        self.cells[start..start + bytes.len()].fill(Cell { writer: stamp(actor, time), readers: 0 });
    }
}

fn check_writer(cell: Cell, at: usize, access: Access) -> Outcome<()> {
    if cell.writer == NEVER {
        return Ok(());
    }
    if cell.writer >= PENDING {
        return broken(Rule::Pending, format!("shared byte {at} is touched while a copy to it is on its way"));
    }
    let (actor, time) = unstamp(cell.writer);
    let is_copied = actor as usize >= COPIED;
    let writer = if is_copied { actor as usize - COPIED } else { actor as usize };
    if writer != access.warp && time > access.knowledge.generic.of(writer) {
        let name = if writer == ENGINE { "a bulk copy".to_string() } else { format!("warp {writer}") };
        return broken(Rule::Race, format!("shared byte {at} was written by {name}, with no order between"));
    }
    // The ISA does not say which proxy `cp.async` belongs to; CUTLASS and Triton let `wgmma` read its bytes
    // after a barrier alone, and so may we.
    let is_generic = writer != ENGINE && !is_copied;
    if access.is_asynchronous && is_generic && time > access.knowledge.proxied.of(writer) {
        return broken(
            Rule::Proxy,
            format!("shared byte {at} was written by warp {writer} with no `fence.proxy.async` since"),
        );
    }
    Ok(())
}
