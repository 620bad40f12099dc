//! Ctrl-C asks for a stop; the loops look between steps and save. A second one ends the process at once.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static WATCH: Once = Once::new();

/// The exit status of a process that a person has stopped.
pub const STOPPED: u8 = 130;

/// Watches for Ctrl-C from now on.
pub fn watch() {
    WATCH.call_once(|| {
        // Without a handler Ctrl-C simply ends the process; files are safe either way.
        let _ = ctrlc::set_handler(|| {
            if ASKED.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(STOPPED));
            }
        });
    });
}

/// Whether a stop was asked for.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
