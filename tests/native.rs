//! Machine code of kernels against what they say in plain Rust.

mod attention;
pub mod compiled;
mod functions;
mod gemms;
mod levels;
mod nests;
mod visits;
