//! One parallel loop at a time, handed out chunk by chunk.
//!
//! The ticket word holds the loop's number and the next chunk. A worker copies the loop's data, then takes a chunk by
//! compare-and-swap on the word that it read before: only if the same loop is still open does it get one, so a worker
//! that comes late, or not at all, is never waited for and never runs stale work (a sequence lock, with the swap as
//! its second look).

use std::ffi::c_void;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// The chunk number that says "being changed, come back later".
const CLOSED: u64 = u32::MAX as u64;

/// The loop that is open.
#[derive(Debug, Default)]
pub struct Ticket {
    word: AtomicU64,
    done: AtomicU32,
    body: AtomicUsize,
    context: AtomicPtr<c_void>,
    count: AtomicI64,
    grain: AtomicI64,
}

/// A loop's data. `body` is the address of a [`crate::abi::ParallelBody`].
#[derive(Debug, Clone, Copy)]
pub struct Loop {
    /// The address of the body.
    pub body: usize,
    /// What the body gets.
    pub context: *mut c_void,
    /// The number of turns.
    pub count: i64,
    /// Turns of a chunk; at least 1.
    pub grain: i64,
}

impl Loop {
    /// How many chunks it has.
    pub fn chunks(&self) -> i64 {
        (self.count - 1) / self.grain + 1
    }

    /// Where a chunk begins and ends.
    pub fn borders(&self, chunk: i64) -> (i64, i64) {
        let begin = chunk * self.grain;
        (begin, begin.saturating_add(self.grain).min(self.count))
    }
}

impl Ticket {
    /// Opens a loop. Only the owner of the pool may, and only when all chunks of the last loop are done.
    pub fn open(&self, data: Loop) {
        let number = (self.word.load(Ordering::Relaxed) >> 32).wrapping_add(1) << 32;
        self.word.store(number | CLOSED, Ordering::Relaxed);
        fence(Ordering::Release);
        self.done.store(0, Ordering::Relaxed);
        self.body.store(data.body, Ordering::Relaxed);
        self.context.store(data.context, Ordering::Relaxed);
        self.count.store(data.count, Ordering::Relaxed);
        self.grain.store(data.grain, Ordering::Relaxed);
        self.word.store(number, Ordering::Release);
    }

    /// Takes the next chunk of the open loop, if there is one.
    pub fn take(&self) -> Option<(Loop, i64)> {
        loop {
            let word = self.word.load(Ordering::Acquire);
            let data = Loop {
                body: self.body.load(Ordering::Relaxed),
                context: self.context.load(Ordering::Relaxed),
                count: self.count.load(Ordering::Relaxed),
                grain: self.grain.load(Ordering::Relaxed).max(1),
            };
            fence(Ordering::Acquire);
            let next = word & CLOSED;
            if next == CLOSED || data.count <= 0 || next as i64 >= data.chunks() {
                return None;
            }
            if self.word.compare_exchange_weak(word, word + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Some((data, next as i64));
            }
        }
    }

    /// Reports a chunk as done; returns how many are done now.
    pub fn finish(&self) -> u32 {
        self.done.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// How many chunks of the open loop are done; also the word to sleep on.
    pub fn done(&self) -> &AtomicU32 {
        &self.done
    }
}
