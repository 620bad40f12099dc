//! The pool: workers that wait for loops, and the owner that opens them.
#![expect(unsafe_code, reason = "loop bodies are functions of compiled code")]

use super::cpus;
use super::futex;
use super::ticket::{Loop, Ticket};
use crate::abi::ParallelBody;
use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread spins before it sleeps: longer than the gaps between the loops of a program, shorter than
/// anything that a person or another process would notice.
const SPIN: Duration = Duration::from_micros(40);
/// Most chunks that one loop may have: the ticket counts them in 32 bits.
const MOST_CHUNKS: i64 = u32::MAX as i64 - 1;

thread_local! {
    /// Whether this thread is inside a loop of some pool: loops inside loops run in place.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// What workers share with the owner.
#[derive(Debug, Default)]
struct Shared {
    ticket: Ticket,
    /// Changes with every loop: what idle workers watch and sleep on.
    signal: AtomicU32,
    /// How many workers sleep.
    asleep: AtomicUsize,
    /// Whether the owner sleeps until the last chunk is done.
    owner_waits: AtomicBool,
    /// Whether somebody owns the pool: loops of others run in place.
    owned: AtomicBool,
    closing: AtomicBool,
    workers: Vec<Worker>,
}

/// What others may know of a worker.
#[derive(Debug, Default)]
struct Worker {
    thread: AtomicI32,
    /// Inside a chunk at this moment.
    busy: AtomicBool,
    /// Sent to another CPU by the owner, who waited for it.
    moved: AtomicBool,
}

/// A pool of pinned threads. The thread that runs a loop takes part, so a pool of one has no workers.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of so many threads, the caller included; no more than the CPUs that the process may use.
    pub fn new(threads: usize) -> Pool {
        let here = cpus::current();
        let others: Vec<usize> = cpus::allowed().iter().copied().filter(|&cpu| cpu != here).collect();
        let count = threads.saturating_sub(1).min(others.len());
        let workers = (0..count).map(|_| Worker::default()).collect();
        let shared = Arc::new(Shared { workers, ..Shared::default() });
        let handles = (0..count).zip(others).filter_map(|(index, cpu)| spawn(&shared, index, cpu)).collect::<Vec<_>>();
        if !handles.is_empty() {
            cpus::pin(here);
        }
        Pool { shared, handles }
    }

    /// How many threads run its loops, the caller included.
    pub fn threads(&self) -> usize {
        self.handles.len() + 1
    }

    /// Runs `body(begin, end)` over `0..count` in chunks of `grain`.
    pub fn run<F: Fn(i64, i64) + Sync>(&self, count: i64, grain: i64, body: F) {
        unsafe extern "C" fn call<F: Fn(i64, i64)>(context: *const c_void, begin: i64, end: i64) {
            // SAFETY: the context is the closure below, which lives until the loop has ended.
            unsafe { (*context.cast::<F>())(begin, end) }
        }
        // SAFETY: `call::<F>` takes a pointer to an `F`, which may be shared with other threads.
        unsafe { self.run_raw(call::<F>, (&raw const body).cast(), count, grain) }
    }

    /// The address that compiled code hands back to [`parallel_for`].
    pub fn context(&self) -> *const c_void {
        std::ptr::from_ref(self).cast()
    }

    /// # Safety
    /// `body` must be fit to be called with `context` for any part of `0..count`, from any thread, at once.
    unsafe fn run_raw(&self, body: ParallelBody, context: *const c_void, count: i64, grain: i64) {
        if count <= 0 {
            return;
        }
        let grain = grain.max(1).max(count / MOST_CHUNKS + 1);
        let data = Loop { body: body as usize, context: context.cast_mut(), count, grain };
        let alone = self.handles.is_empty() || data.chunks() == 1 || INSIDE.get();
        if alone || self.shared.owned.swap(true, Ordering::Acquire) {
            return (0..data.chunks()).for_each(|chunk| run_chunk(&data, chunk));
        }
        INSIDE.set(true);
        self.shared.run_shared(data);
        INSIDE.set(false);
        self.shared.owned.store(false, Ordering::Release);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.call_workers(usize::MAX);
        for handle in self.handles.drain(..) {
            // A worker cannot panic: it runs nothing but compiled code.
            let _ = handle.join();
        }
    }
}

/// Runs a loop of compiled code: [`crate::abi::ParallelFor`].
///
/// # Safety
/// `pool` must come from [`Pool::context`] of a living pool, and `body` as [`crate::abi::ParallelFor`] says.
pub unsafe extern "C" fn parallel_for(
    pool: *const c_void,
    body: ParallelBody,
    context: *const c_void,
    count: i64,
    grain: i64,
) {
    // SAFETY: promised by the caller.
    unsafe { (*pool.cast::<Pool>()).run_raw(body, context, count, grain) }
}

/// Calls a loop's body for one chunk.
fn run_chunk(data: &Loop, chunk: i64) {
    let (begin, end) = data.borders(chunk);
    // SAFETY: `body` was made from a `ParallelBody` in `run_raw`, whose caller vouches for body and context.
    unsafe {
        let body = std::mem::transmute::<usize, ParallelBody>(data.body);
        body(data.context, begin, end);
    }
}

impl Shared {
    /// Opens the loop, takes part, and waits for the chunks that others took.
    fn run_shared(&self, data: Loop) {
        let chunks = data.chunks();
        self.ticket.open(data);
        self.call_workers(usize::try_from(chunks - 1).unwrap_or(usize::MAX));
        while let Some((data, chunk)) = self.ticket.take() {
            run_chunk(&data, chunk);
            self.ticket.finish();
        }
        self.wait_for(chunks as u32);
    }

    /// Lets workers know that something has changed, and wakes some of those that sleep.
    fn call_workers(&self, most: usize) {
        self.signal.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) > 0 {
            futex::wake(&self.signal, most);
        }
    }

    /// Waits until so many chunks are done: spinning at first, then asleep.
    fn wait_for(&self, chunks: u32) {
        let done = self.ticket.done();
        if spin_until(|| done.load(Ordering::Acquire) == chunks) {
            return;
        }
        self.owner_waits.store(true, Ordering::SeqCst);
        self.fetch_stragglers();
        loop {
            let value = done.load(Ordering::SeqCst);
            if value == chunks {
                break;
            }
            futex::wait(done, value, Some(Duration::from_millis(1)));
        }
        self.owner_waits.store(false, Ordering::Relaxed);
    }

    /// A worker inside a chunk after all this time has probably lost its CPU to another process: the owner, about to
    /// sleep, gives it its own.
    fn fetch_stragglers(&self) {
        for worker in self.workers.iter().filter(|worker| worker.busy.load(Ordering::Relaxed)) {
            worker.moved.store(true, Ordering::Release);
            cpus::pin_thread(worker.thread.load(Ordering::Relaxed), cpus::current());
        }
    }

    /// A worker's life.
    fn work(&self, index: usize, cpu: usize) {
        let me = &self.workers[index];
        me.thread.store(cpus::thread_id(), Ordering::Relaxed);
        cpus::pin(cpu);
        INSIDE.set(true);
        let mut seen = 0;
        while !self.closing.load(Ordering::Acquire) {
            self.take_part(me, cpu);
            seen = self.next_signal(seen);
        }
    }

    /// Runs chunks until none is left.
    fn take_part(&self, me: &Worker, cpu: usize) {
        while let Some((data, chunk)) = self.ticket.take() {
            me.busy.store(true, Ordering::Relaxed);
            run_chunk(&data, chunk);
            me.busy.store(false, Ordering::Relaxed);
            let done = self.ticket.finish();
            if i64::from(done) == data.chunks() && self.owner_waits.load(Ordering::SeqCst) {
                futex::wake(self.ticket.done(), 1);
            }
            if me.moved.swap(false, Ordering::Acquire) {
                cpus::pin(cpu);
            }
        }
    }

    /// Waits for the signal to differ from the one seen last; returns the new one.
    fn next_signal(&self, seen: u32) -> u32 {
        if !spin_until(|| self.signal.load(Ordering::Acquire) != seen) {
            self.asleep.fetch_add(1, Ordering::SeqCst);
            while self.signal.load(Ordering::SeqCst) == seen {
                futex::wait(&self.signal, seen, None);
            }
            self.asleep.fetch_sub(1, Ordering::SeqCst);
        }
        self.signal.load(Ordering::Acquire)
    }
}

/// Spins for [`SPIN`] at most; whether the condition came true.
fn spin_until(condition: impl Fn() -> bool) -> bool {
    let mut until = None;
    loop {
        for _ in 0..64 {
            if condition() {
                return true;
            }
            std::hint::spin_loop();
        }
        if Instant::now() > *until.get_or_insert_with(|| Instant::now() + SPIN) {
            return false;
        }
    }
}

/// Starts one worker; none if the system has no thread left, and then the others do its work.
fn spawn(shared: &Arc<Shared>, index: usize, cpu: usize) -> Option<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name(format!("worker {index}")).spawn(move || shared.work(index, cpu)).ok()
}

impl Pool {
    /// Runs `body(first, chunk)` over all chunks of `grain` elements.
    pub fn for_chunks<T: Send>(&self, elements: &mut [T], grain: usize, body: impl Fn(usize, &mut [T]) + Sync) {
        let (start, count) = (elements.as_mut_ptr() as usize, elements.len());
        self.run(count as i64, grain as i64, |begin, end| {
            let (begin, end) = (begin as usize, end as usize);
            // SAFETY: chunks do not overlap, lie within the slice, and the slice is borrowed until the loop has ended.
            let chunk = unsafe { std::slice::from_raw_parts_mut((start as *mut T).add(begin), end - begin) };
            body(begin, chunk);
        });
    }
}
