//! archc: a declarative model-graph compiler.
//!
//! One `.arch` declaration becomes every program that a language model needs: training step, prefill, decode step.
//! The modules stand in dependency order, and each uses only what stands above it. A walk through the compiler:
//! [`syntax`] parses, [`model`] checks, [`graph`] is what the rest works on, [`derive`] makes new programs of one
//! graph, [`passes`] optimise, [`plan`] turns a graph into kernels and buffers, [`mlir`] and [`llvm`] make machine
//! code, [`link`] an executable. [`driver`] shows all of it on one screen, [`cli`] offers it to a person.

pub mod source;
pub mod diagnostics;
pub mod fault;
pub mod tensor;
pub mod syntax;
pub mod model;
pub mod graph;
pub mod ops;
pub mod interpret;
pub mod kernel;
pub mod target;
pub mod plan;
pub mod mlir;
pub mod llvm;
pub mod link;
pub mod driver;
pub mod verify;
pub mod cli;
