//! LLVM IR to PTX for a GPU.

use super::crossing::to_llvm;
use crate::fault::Bug;
use crate::gpu::Arch;
use crate::mlir;
use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{CodeModel, FileType, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple};

/// The PTX of a module of kernels.
///
/// # Errors
/// If LLVM declines it, which is a bug of an earlier stage.
pub fn ptx(module: &mlir::Module<'_>, arch: Arch) -> Result<String, Bug> {
    let context = Context::create();
    let module = to_llvm(module, &context).ok_or_else(|| bug("the module does not translate"))?;
    let machine = machine(arch)?;
    module.set_triple(&machine.get_triple());
    module.set_data_layout(&machine.get_target_data().get_data_layout());
    let options = PassBuilderOptions::create();
    module.run_passes("default<O2>", &machine, options).map_err(|error| bug(&error.to_string()))?;
    let text = machine.write_to_memory_buffer(&module, FileType::Assembly).map_err(|error| bug(&error.to_string()))?;
    // The buffer ends with a zero byte.
    let text = String::from_utf8_lossy(text.as_slice());
    Ok(unrolled_once(text.trim_end_matches('\0')))
}

/// Loops come unrolled as far as it pays. Where a function may have all registers, NVIDIA's assembler would unroll again
/// until it spills: it is told not to.
fn unrolled_once(text: &str) -> String {
    let line = |line: &str| {
        let is_free = line.trim_start().starts_with(".maxnreg");
        format!("{line}\n{}", if is_free { ".pragma \"nounroll\";\n" } else { "" })
    };
    text.lines().map(line).collect()
}

fn machine(arch: Arch) -> Result<TargetMachine, Bug> {
    Target::initialize_nvptx(&InitializationConfig::default());
    let triple = TargetTriple::create("nvptx64-nvidia-cuda");
    let llvm = Target::from_triple(&triple).map_err(|error| bug(&error.to_string()))?;
    let features = format!("+ptx{}", arch.version());
    let level = OptimizationLevel::Aggressive;
    llvm.create_target_machine(&triple, arch.name(), &features, level, RelocMode::Default, CodeModel::Default)
        .ok_or_else(|| bug("there is no machine for the target"))
}

fn bug(detail: &str) -> Bug {
    Bug {
        stage: "ptx",
        guarantee: "a lowered module of kernels compiles to PTX".to_string(),
        detail: detail.to_string(),
    }
}
