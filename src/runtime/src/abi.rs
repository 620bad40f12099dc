//! The one contract between compiled code and the runtime.
//!
//! A compiled model is an object file with two symbols: [`MANIFEST_SYMBOL`], a JSON [`Manifest`], and one function of
//! type [`ProgramFunction`] for each [`ProgramInfo`], under its own name. A function finds everything it touches
//! in its [`Frame`]: buffers and run-time sizes in the order in which the manifest lists them, and the thread pool.

mod device;
mod frame;
mod manifest;
pub mod names;
mod probe;
mod size;
mod start;
mod update;

pub use device::*;
pub use frame::*;
pub use manifest::*;
pub use probe::*;
pub use size::*;
pub use start::*;
pub use update::*;
