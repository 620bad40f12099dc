//! The one crossing from MLIR to LLVM.
#![expect(unsafe_code, reason = "melior does not wrap the translation to LLVM IR")]

use crate::mlir;
use inkwell::context::Context;
use inkwell::module::Module;

/// Translates a module that is wholly in the `llvm` dialect; `None` if MLIR declines.
pub fn to_llvm<'ctx>(module: &mlir::Module<'_>, llvm: &'ctx Context) -> Option<Module<'ctx>> {
    let operation = module.as_operation().to_raw();
    // SAFETY: the operation lives for this call, and `llvm` outlives the result.
    let raw = unsafe { mlir_sys::mlirTranslateModuleToLLVMIR(operation, llvm.raw().cast()) };
    // SAFETY: a non-null result is a module built in `llvm`, owned by us from here on.
    (!raw.is_null()).then(|| unsafe { Module::new(raw.cast()) })
}
