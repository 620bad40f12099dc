//! LLVM IR to machine code for a [`Target`].

use super::crossing::to_llvm;
use crate::fault::Bug;
use crate::mlir;
use crate::target::{Level, Target};
use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{CodeModel, FileType, InitializationConfig, RelocMode, TargetMachine, TargetTriple};

/// Loops come vectorised and unrolled; what is left is to simplify and to hoist. `default<O1>` takes three times as long
/// and makes code of the same speed. By name alone, instcombine ends the process where one round leaves something to do.
const PASSES: &str = "function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,\
                      loop-mssa(licm),early-cse<memssa>,simplifycfg)";

/// The bytes of an object file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object(pub Vec<u8>);

/// Compiles a lowered module.
///
/// # Errors
/// If LLVM declines it, which is a bug of an earlier stage.
pub fn compile(module: &mlir::Module<'_>, target: &Target) -> Result<Object, Bug> {
    emit(module, target, FileType::Object).map(Object)
}

/// The assembly of a lowered module.
///
/// # Errors
/// As for [`compile`].
pub fn assembly(module: &mlir::Module<'_>, target: &Target) -> Result<String, Bug> {
    let bytes = emit(module, target, FileType::Assembly)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The optimised LLVM IR of a lowered module.
///
/// # Errors
/// As for [`compile`].
pub fn text(module: &mlir::Module<'_>, target: &Target) -> Result<String, Bug> {
    let context = Context::create();
    let module = optimized(module, target, &context)?.0;
    Ok(module.print_to_string().to_string())
}

fn emit(module: &mlir::Module<'_>, target: &Target, kind: FileType) -> Result<Vec<u8>, Bug> {
    let context = Context::create();
    let (module, machine) = optimized(module, target, &context)?;
    let buffer = machine.write_to_memory_buffer(&module, kind).map_err(|error| bug(&error.to_string()))?;
    Ok(buffer.as_slice().to_vec())
}

fn optimized<'ctx>(
    module: &mlir::Module<'_>,
    target: &Target,
    context: &'ctx Context,
) -> Result<(Module<'ctx>, TargetMachine), Bug> {
    let module = to_llvm(module, context).ok_or_else(|| bug("the module does not translate"))?;
    let machine = machine(target)?;
    module.set_triple(&machine.get_triple());
    module.set_data_layout(&machine.get_target_data().get_data_layout());
    let options = PassBuilderOptions::create();
    module.run_passes(PASSES, &machine, options).map_err(|error| bug(&error.to_string()))?;
    Ok((module, machine))
}

fn machine(target: &Target) -> Result<TargetMachine, Bug> {
    inkwell::targets::Target::initialize_x86(&InitializationConfig::default());
    let triple = TargetTriple::create("x86_64-unknown-linux-gnu");
    let llvm = inkwell::targets::Target::from_triple(&triple).map_err(|error| bug(&error.to_string()))?;
    let cpu = match target.level {
        Level::Baseline => "x86-64",
        Level::Avx2 => "x86-64-v3",
        Level::Avx512 => "x86-64-v4",
    };
    let features = target.features().iter().map(|feature| format!("+{feature}")).collect::<Vec<_>>().join(",");
    let level = OptimizationLevel::Aggressive;
    llvm.create_target_machine(&triple, cpu, &features, level, RelocMode::PIC, CodeModel::Default)
        .ok_or_else(|| bug("there is no machine for the target"))
}

fn bug(detail: &str) -> Bug {
    Bug { stage: "llvm", guarantee: "a lowered module compiles".to_string(), detail: detail.to_string() }
}
