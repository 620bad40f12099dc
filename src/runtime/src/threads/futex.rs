//! Sleeping until a word changes.
#![expect(unsafe_code, reason = "the standard library has no wait on an address")]

use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while the word holds `value`, at most for `limit`. May return early.
pub fn wait(word: &AtomicU32, value: u32, limit: Option<Duration>) {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(limit.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the word lives for the call, and `limit` is null or points at a local that does.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, value, limit) };
}

/// Wakes up to `count` threads that sleep on the word.
pub fn wake(word: &AtomicU32, count: usize) {
    let count = libc::c_int::try_from(count).unwrap_or(libc::c_int::MAX);
    // SAFETY: the word lives for the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, count) };
}
