//! Programs on a GPU: memory there, and the plan of launches, followed step by step.
//!
//! In: a [`crate::abi::DevicePlan`] and a [`Driver`]. The driver is that of a GPU ([`cuda`]); in tests another stands in for
//! it. Reading order: [`Driver`] is what is asked of a GPU, [`Block`] is memory on it, [`run`] follows a program, and
//! [`Repeated`] one that is run again and again; [`Updates`] is what moves parameters, [`Kept`] what a training keeps beside
//! them, [`Limits`] what the device can do at most; [`Cubins`] keeps compiled code from start to start.

mod block;
mod counts;
mod cubins;
mod cuda;
mod driver;
mod kept;
mod limits;
mod patience;
mod repeated;
mod steps;
mod updates;

pub use block::{Block, Shared};
pub use cubins::{Cubins, Found, OFF, Origin, VARIABLE};
pub use cuda::open;
pub use driver::Driver;
pub use kept::Kept;
pub use limits::{Copies, Limits};
pub use patience::patiently;
pub use repeated::Repeated;
pub use steps::{Done, run};
pub use updates::{Numbers, Updates};
