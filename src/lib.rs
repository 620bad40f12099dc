//! archc: a declarative model-graph compiler.
//!
//! One `.arch` declaration becomes every program that a language model needs: training step, whole sequences, and the
//! decode step with its caches. This page is the architecture document; each module's own doc says what comes in, what
//! goes out, and what is guaranteed from there on.
//!
//! # The walk
//!
//! | step | function | from → to | guaranteed from here on |
//! |---|---|---|---|
//! | 1 | [`syntax::parse`] | text → [`syntax::ast::File`] | every node has a span; a bad line is one message, the rest is parsed |
//! | 2 | [`model::check`] | tree → [`model::Model`] | names, axes, sizes, types, presence settled: the last user mistake |
//! | 3 | `graph::build` | model → [`graph::Graph`] | about a dozen operations; a `for` stays a region |
//! | 4 | `derive` | graph → graphs | gradients, and the step program from the same source |
//! | 5 | `passes` | graph → graph | verified after every pass |
//! | 6 | [`plan`] | graph → [`plan::Program`] | kernels in order, buffers with lifetimes, costs |
//! | 7 | `mlir` | program → MLIR module | wholly in the llvm dialect (and nvvm, for the entries of [`gpu`]) |
//! | 8 | `llvm` | module → object | machine code, PTX |
//! | 9 | `link` | object → artifact | an executable that needs no compiler |
//!
//! [`driver`] is this table as code, on one screen. The names in it are the names everywhere: `archc emit --stage …`,
//! `--dump DIR`, `--timings`, the folders of the tests.
//!
//! # Three ideas
//!
//! **A value is a function of its axes, present or absent at each position** ([`tensor`]). Masks, windows, padding, the
//! end of a row are relations that travel beside the value as data, from the checker to the plan; there they become
//! bounds of loops and sizes of caches. What is absent needs no work.
//!
//! **The compiler knows operations, not layers** ([`ops`]). Attention, norms and objectives are text in `stdlib/`. An
//! operation is one file with its type rule, its plain meaning, its gradient and its lowering.
//!
//! **The meaning is executable** ([`interpret`]). The interpreter runs a graph in double precision by each operation's
//! definition and shares nothing with native code. [`verify`] measures every program against it and against numbers
//! that other people's code computed.
//!
//! # Laws
//!
//! - Modules stand in dependency order below, and each uses only what stands above it.
//! - Only [`syntax`] and [`model`] speak to the user about the program ([`diagnostics`]). After them there is a
//!   [`fault::Environment`] (the machine) and a [`fault::Bug`] (us, with the stage and a repro file).
//! - melior stays behind `mlir`, inkwell behind `llvm`; one file crosses. `unsafe` has a short list of doors.
//! - No silent fallback: a slow path, an unused weight, a flag without effect is a message.
//! - What compiled code and runtime share is declared once, in `archc_runtime::abi`.
//!
//! `tests/tidy.rs` holds these laws.

pub mod source;
pub mod diagnostics;
pub mod fault;
pub mod tensor;
pub mod syntax;
pub mod model;
pub mod graph;
pub mod ops;
pub mod interpret;
pub mod derive;
pub mod passes;
pub mod kernel;
pub mod target;
pub mod plan;
pub mod gpu;
pub mod mlir;
pub mod llvm;
pub mod link;
pub mod driver;
pub mod verify;
pub mod cli;
