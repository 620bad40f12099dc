//! Work that may take long, of which somebody who waits is told.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Does some work; `say` hears a first line if it takes longer than `after`, and a last one then.
pub fn patiently<T>(
    after: Duration,
    (first, last): (&str, &str),
    say: &(dyn Fn(&str) + Sync),
    work: impl FnOnce() -> T,
) -> T {
    let start = Instant::now();
    thread::scope(|scope| {
        let (done, is_done) = channel::<()>();
        let teller = scope.spawn(move || {
            let is_late = is_done.recv_timeout(after) == Err(RecvTimeoutError::Timeout);
            if is_late {
                say(first);
            }
            is_late
        });
        let result = work();
        drop(done);
        if teller.join().unwrap_or(false) {
            say(&format!("{last} after {:.0} s", start.elapsed().as_secs_f64()));
        }
        result
    })
}
