//! Turns a graph into a [`Program`]: kernels in order, buffers with lifetimes, costs.
//!
//! Reading order: [`Program`] is what comes out; [`schedule`] walks the graph; `lowering` says how each operation
//! computes its value, `compute`, `needed`, `repeat` and `chunks` make kernels and loops of steps of it; `lifetimes` closes the books.

mod along;
mod builder;
mod chunks;
mod compute;
mod draws;
mod fusion;
mod grouped;
mod instructions;
mod lifetimes;
pub mod lowering;
mod needed;
mod place;
mod program;
mod ranking;
mod renewed;
mod repeat;
pub mod report;
mod scan;
mod scatter;
mod schedule;
mod selection;
mod sizes;
mod tally;
mod text;
mod unread;
mod updates;

pub use builder::*;
pub use place::*;
pub use program::*;
pub use schedule::{Interface, schedule, schedule_all};
pub use sizes::*;
pub use text::Names;
