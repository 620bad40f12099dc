//! The runtime crate, without the compiler: fake programs are functions written here.

mod command;
mod cubins;
pub mod fake;
mod generation;
mod memory;
mod model;
mod optimizer;
mod threads;
mod tokenizer;
mod training;
mod weights;
