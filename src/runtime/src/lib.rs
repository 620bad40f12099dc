//! What a compiled model runs on: memory, threads, weights, tokenizers, training and decoding.
//!
//! Free of LLVM and small: `archc build` links it into every executable, and archc itself uses it to
//! run the programs that it has compiled. [`abi`] is the one place that both sides agree in. The modules stand in
//! dependency order.

pub mod abi;
pub mod error;
pub mod files;
pub mod memory;
pub mod device;
pub mod random;
pub mod threads;
pub mod model;
pub mod weights;
pub mod tokenizer;
pub mod data;
pub mod recipe;
pub mod optimizer;
pub mod checkpoint;
pub mod evaluate;
pub mod reading;
pub mod source;
pub mod interrupt;
pub mod train;
pub mod generate;
pub mod bench;
pub mod process;
pub mod command;

pub use error::{Error, Result};
