//! Turns a panic inside a stage into a [`Bug`] that names the stage.
//!
//! A stage after the checker panics only when a guarantee is broken. The message and place are kept for the repro file;
//! nothing is printed from inside the stage.

use crate::fault::Bug;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// The last panic of a guarded stage of this thread; `None` outside of one.
    static GUARDED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a stage.
///
/// # Errors
/// If it panics: a bug of that stage.
pub fn guard<T>(stage: &'static str, work: impl FnOnce() -> T) -> Result<T, Bug> {
    static HOOK: Once = Once::new();
    HOOK.call_once(keep_quiet_inside_stages);
    let outer = GUARDED.replace(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(work));
    let seen = GUARDED.replace(outer).unwrap_or_default();
    result.map_err(|_| Bug::new(stage, seen))
}

fn keep_quiet_inside_stages() {
    let usual = take_hook();
    set_hook(Box::new(move |panic| {
        let kept = GUARDED.with(|guarded| match guarded.try_borrow_mut() {
            Ok(mut seen) => seen.as_mut().map(|seen| *seen = panic.to_string().replace('\n', " ")).is_some(),
            Err(_) => false,
        });
        if !kept {
            usual(panic);
        }
    }));
}
