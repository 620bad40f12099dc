//! Programs to MLIR, one writer for each kernel form; only the modules in here name melior.
//!
//! In: all programs of a model, its manifest, and a [`Target`]. Out: a module wholly in the `llvm` dialect with one
//! function for each program, one body function for each distinct kernel, the manifest, and the table of programs.
//!
//! Writers emit text through [`text::Writer`], which knows the type of each value; MLIR parses and verifies it.
//! Order: [`program`] calls [`kernels`], which calls a form: [`nest`], [`gemm`], [`attend`].

pub mod text;
pub mod arithmetic;
pub mod memory;
pub mod mathematics;
pub mod functions;
pub mod scalar;
pub mod random;
pub mod body;
pub mod nest;
pub mod gemm;
pub mod attend;
pub mod kernels;
pub mod program;
mod globals;
mod pipeline;

pub use pipeline::{Context, Module, context, lower};

use crate::plan::Program;
use crate::target::Target;
use archc_runtime::abi::Manifest;

/// The text of the module of some programs.
pub fn write(programs: &[&Program], manifest: &Manifest, target: &Target) -> String {
    let mut writer = text::Writer::new(target.fused());
    writer.declare(functions::LIBRARY);
    let symbols = kernels::Symbols::write(&mut writer, programs, target);
    for program in programs {
        program::write(&mut writer, program, &symbols);
    }
    globals::write(&mut writer, programs, manifest);
    writer.finish()
}
