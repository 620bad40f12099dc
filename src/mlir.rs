//! Programs to MLIR, one writer for each kernel form; only the modules in here name melior.
//!
//! In: all programs of a model, its manifest, and a [`Target`]. Out: a module wholly in the `llvm` dialect with one
//! function for each program, one body function for each distinct kernel, the manifest, and the table of programs; for
//! GPUs a module of kernels alone ([`gpu`]).
//!
//! Writers emit text through [`text::Writer`], which knows the type of each value; MLIR parses and verifies it.
//! Order: [`program`] calls [`kernels`], which calls a form: [`nest`], [`gemm`], [`attend`].

pub mod text;
pub mod arithmetic;
pub mod memory;
pub mod mathematics;
mod doubles;
pub mod functions;
pub mod scalar;
pub mod random;
pub mod body;
pub mod nest;
pub mod gemm;
pub mod attend;
pub mod gpu;
pub mod kernels;
pub mod program;
mod globals;
mod pipeline;

pub use pipeline::{Context, Module, context, lower};

use crate::plan::Program;
use crate::target::{Level, Target};
use archc_runtime::abi::{DevicePlan, Manifest};

/// The text of the module of some programs for a CPU.
pub fn write(programs: &[&Program], manifest: &Manifest, target: &Target) -> String {
    write_with(programs, manifest, target, None)
}

/// The same, with code for GPUs beside it.
pub fn write_with(
    programs: &[&Program],
    manifest: &Manifest,
    target: &Target,
    device: Option<(&DevicePlan, &str)>,
) -> String {
    let mut writer = text::Writer::new(target.fused());
    writer.wide = target.level == Level::Avx512;
    writer.declare(functions::LIBRARY);
    let symbols = kernels::Symbols::write(&mut writer, programs, target);
    for program in programs {
        program::write(&mut writer, program, &symbols);
    }
    globals::write_functions(&mut writer, programs.len(), programs);
    globals::write_manifest(&mut writer, manifest);
    globals::write_device(&mut writer, device);
    writer.finish()
}

/// The text of a module of code for GPUs alone.
pub fn write_device(manifest: &Manifest, plan: &DevicePlan, code: &str) -> String {
    let mut writer = text::Writer::new(false);
    globals::write_functions(&mut writer, manifest.programs.len(), &[]);
    globals::write_manifest(&mut writer, manifest);
    globals::write_device(&mut writer, Some((plan, code)));
    writer.finish()
}
