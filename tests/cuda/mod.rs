//! Code for GPUs without a GPU: PTX that is run by an interpreter, assembled, and launched as planned.

mod assembled;
pub mod emulated;
mod examples;
mod kernels;
mod launches;
mod memory;
mod models;
mod operations;
mod precision;
