//! Which CPUs this process may use, and pinning a thread to one of them.
#![expect(unsafe_code, reason = "the standard library has no CPU affinity")]

use std::mem::{size_of, zeroed};
use std::sync::OnceLock;

/// The CPUs that this process may use, in rising order: those of the thread that asks first, before any is pinned.
pub fn allowed() -> &'static [usize] {
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    ALLOWED.get_or_init(affinity)
}

/// The CPUs that the calling thread may run on.
fn affinity() -> Vec<usize> {
    // SAFETY: `cpu_set_t` is plain bits, for which all zero is a valid value.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    // SAFETY: the set is valid for writes of its own size.
    let status = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    if status != 0 {
        return vec![0];
    }
    // SAFETY: the index is below the set's capacity.
    (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

/// The CPU that the calling thread runs on at this moment.
pub fn current() -> usize {
    // SAFETY: no arguments, no memory.
    usize::try_from(unsafe { libc::sched_getcpu() }).unwrap_or(0)
}

/// The kernel's number of the calling thread.
pub fn thread_id() -> i32 {
    // SAFETY: no arguments, no memory.
    unsafe { libc::gettid() }
}

/// Lets the calling thread run on this CPU only. Returns whether the system agreed.
pub fn pin(cpu: usize) -> bool {
    pin_thread(0, cpu)
}

/// Lets a thread of this process run on one CPU only; 0 is the calling thread.
pub fn pin_thread(thread: i32, cpu: usize) -> bool {
    // SAFETY: as in `allowed`.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    if cpu >= libc::CPU_SETSIZE as usize {
        return false;
    }
    // SAFETY: the index is below the set's capacity, and the set is valid for reads of its own size.
    unsafe {
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), &raw const set) == 0
    }
}
