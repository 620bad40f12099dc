//! The one test binary of this crate: kernels of our own that must run, and faults that must be found.

mod arithmetic;
mod basics;
mod faults;
mod peers;
mod pipelines;
mod support;
mod together;
