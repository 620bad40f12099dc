//! What a compiled function receives when it is called.

use std::ffi::c_void;

/// A compiled program: runs once over everything that its frame names.
pub type ProgramFunction = unsafe extern "C" fn(frame: *const Frame);

/// The outlined body of a parallel loop: runs the turns `begin..end`. `context` is the kernel's own argument block.
pub type ParallelBody = unsafe extern "C" fn(context: *const c_void, begin: i64, end: i64);

/// Runs `body` over `0..count` in chunks of `grain` turns (the last may be shorter) and returns when all are done.
/// Chunk borders depend on `count` and `grain` alone, so results do not depend on the number of threads.
pub type ParallelFor =
    unsafe extern "C" fn(pool: *const c_void, body: ParallelBody, context: *const c_void, count: i64, grain: i64);

/// Told before each turn of a loop that the caller may look at, with the turn's number; answers whether the turn runs.
/// Until it answers, nothing is written.
pub type Watch = unsafe extern "C" fn(watcher: *const c_void, turn: i64) -> i64;

/// The arguments of one call of a compiled program.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// One address for each [`super::BufferInfo`] of the program, in order; each aligned to [`BUFFER_ALIGNMENT`].
    pub buffers: *const *mut u8,
    /// One value for each size symbol of the program, in order.
    pub sizes: *const i64,
    /// The thread pool, handed back to `parallel_for`.
    pub pool: *const c_void,
    /// Splits a loop over the pool's threads.
    pub parallel_for: ParallelFor,
    /// Looks at turns.
    pub watch: Watch,
    /// Handed back to `watch`.
    pub watcher: *const c_void,
    /// Multiply-adds done, of programs that may leave turns out: what they do is added.
    pub tally: *mut i64,
}

/// Every buffer starts at a multiple of this many bytes.
pub const BUFFER_ALIGNMENT: usize = 64;
