//! The thread pool that compiled loops run on.
//!
//! Workers are pinned to distinct CPUs of the process's mask. A loop is cut into chunks whose borders depend on its
//! length and grain alone; threads take chunks by an atomic ticket, so a slow or busy core takes fewer and results do
//! not depend on who ran what. Nobody waits for a worker that took no chunk. Idle workers spin briefly, then sleep.

mod cpus;
mod futex;
mod pool;
mod ticket;

pub use cpus::{allowed as allowed_cpus, pin as pin_to_cpu};
pub use pool::{Pool, parallel_for};
