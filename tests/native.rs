//! Machine code of kernels against what they say in plain Rust.

pub mod attention;
pub mod compiled;
mod functions;
pub mod gemms;
mod levels;
mod nests;
mod visits;
