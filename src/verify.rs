//! Compares what archc computes with what somebody else's code computed.
//!
//! In: a model and a folder with a reference case. Out: a [`Report`] with a line for every number of the case; one that
//! nothing computes is a failure too. Order: [`array`] and [`case`] read, [`layout`] and [`inputs`] bring the data
//! into the model's form, [`engine`] says what computes, [`judge`] what is differentiated, [`compare`] goes through the case, [`tolerance`] judges.

pub mod array;
pub mod case;
pub mod tolerance;
pub mod report;
pub mod layout;
pub mod optimizer;
pub mod engine;
pub mod inputs;
pub mod judge;
pub mod compare;
mod runs;
pub mod interpreted;
pub mod native;
pub mod weights;
pub mod rows;
pub mod certificate;
mod machine;
mod run;

pub use array::Array;
pub use case::Case;
pub use certificate::Certificate;
pub use compare::Comparison;
pub use engine::{Batch, Decoded, Engine, Gradients};
pub use interpreted::Interpreted;
pub use machine::Machine;
pub use native::Native;
pub use report::Report;
pub use run::{By, against, certify, certify_far, compare};
