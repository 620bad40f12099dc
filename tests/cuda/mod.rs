//! Code for GPUs without a GPU: PTX that is run by an interpreter, assembled, and launched as planned.

mod assembled;
mod coverage;
pub mod emulated;
mod examples;
mod families;
mod kernels;
mod generation;
mod launches;
mod limits;
mod memory;
mod models;
mod narrow;
mod operations;
mod precision;
mod repeated;
mod traffic;
mod training;
mod updates;
mod warpgroups;
