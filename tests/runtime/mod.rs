//! The runtime crate, without the compiler: fake programs are functions written here.

mod memory;
mod threads;
