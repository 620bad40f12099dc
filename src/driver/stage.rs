//! The stages of the compiler under the names that `emit`, `--timings` and the dump folder use.

use clap::ValueEnum;

/// What `archc emit` can print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Stage {
    /// The syntax tree
    Ast,
    /// The checked model: parameters and typed values
    Model,
    /// The optimised graph of each program
    Graph,
    /// Kernels in order, buffers with lifetimes
    Program,
    /// MLIR in the llvm dialect
    Mlir,
    /// LLVM IR
    Llvm,
    /// Machine code as assembly text
    Asm,
    /// Code for NVIDIA GPUs: the kernels of all programs, each once
    Ptx,
    /// What is launched on a GPU, in order
    Launches,
}
