//! Runs the PTX text that is shipped, without a GPU, as badly as the machine is allowed to.
//!
//! In: PTX of sm_80 to sm_90a, buffers, a launch. Out: the buffers afterwards, or a fault with its PTX line.
//! Registers and shared memory begin as NaN; asynchronous copies and `wgmma` happen as late as they may; the
//! order of blocks, warps and lanes follows a seed. Bounds, alignment, reads of what nobody wrote, races
//! between warps, missing proxy fences, misused mbarriers and deadlocks are faults.
//!
//! Not modelled: weak memory between blocks, clusters of several blocks, time, faults of `ptxas`.
//! Reading order: [`parse`] and [`decode`] make a [`Module`], [`launch`] runs it, [`execute`] is one step.

mod arithmetic;
mod assemble;
mod barrier;
mod block;
mod body;
mod clock;
mod decode;
mod execute;
mod fault;
mod instruction;
mod launch;
mod machine;
mod matrix;
mod mbarrier;
mod memory;
mod module;
mod opcode;
mod parse;
mod random;
mod shared;
mod special;
mod syntax;
mod tensor_map;
mod thread;
mod token;
mod transfer;
mod types;
mod warp;
mod warpgroup;

pub use assemble::{AssembleError, Resources, assemble, assembler};
pub use fault::{Fault, ParseError, Rule};
pub use machine::{Machine, Parameter};
pub use module::Module;
pub use tensor_map::{Swizzle, TensorMap};
