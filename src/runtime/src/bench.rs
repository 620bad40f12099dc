//! What this machine can do, and how near a model comes.
//!
//! The limits (multiply-adds in registers, reading memory, on a GPU copying it) are measured in the same run, turn about
//! with the work, on the same threads and pages or the same GPU; a figure is the median over at least nine such pairs, with
//! the middle half as its spread.

mod forward;
mod lengths;
mod machine;
mod measure;
mod probe;
mod whole;
mod work;

pub use forward::{Pass, forward};
pub use lengths::{Cost, Length, Work, measure_lengths};
pub use machine::{Machine, Memory};
pub use measure::{Beside, Figure, Limit, measure};
pub use whole::{ForwardCost, WholeCost, whole};
pub use work::{decode, prefill, train};
