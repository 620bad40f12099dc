//! Text to a module in the `llvm` dialect: parse, verify, lower.

use crate::fault::Bug;
pub use melior::Context;
pub use melior::ir::Module;

use melior::dialect::DialectRegistry;
use melior::ir::operation::OperationLike;
use melior::pass::PassManager;
use melior::utility::{
    parse_pass_pipeline, register_all_dialects, register_all_llvm_translations, register_all_passes,
};
use std::sync::{Arc, Mutex, Once};

/// Vectors first: what is left of them after that has no conversion of its own in `convert-to-llvm`. No
/// canonicalization: it costs more than all the rest on wide vectors, and LLVM simplifies anyway.
const PIPELINE: &str = "builtin.module(cse,convert-scf-to-cf,convert-vector-to-llvm,convert-to-llvm,\
    reconcile-unrealized-casts,cse)";

/// A context that knows every dialect and translation in use.
pub fn context() -> Context {
    static PASSES: Once = Once::new();
    PASSES.call_once(register_all_passes);
    let registry = DialectRegistry::new();
    register_all_dialects(&registry);
    let context = Context::new();
    context.append_dialect_registry(&registry);
    context.load_all_available_dialects();
    register_all_llvm_translations(&context);
    context
}

/// Parses and lowers a module.
///
/// # Errors
/// If MLIR finds fault with it, which is a bug of the writer.
pub fn lower<'c>(context: &'c Context, text: &str) -> Result<Module<'c>, Bug> {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&messages);
    let handler = context.attach_diagnostic_handler(move |diagnostic| {
        if let Ok(mut messages) = heard.lock() {
            messages.push(format!("{}: {diagnostic}", diagnostic.location()));
        }
        true
    });
    let result = lowered(context, text);
    context.detach_diagnostic_handler(handler);
    result.map_err(|guarantee| {
        let messages = messages.lock().map(|messages| messages.join("\n")).unwrap_or_default();
        Bug { stage: "mlir", guarantee: guarantee.to_string(), detail: format!("{messages}\n\n{text}") }
    })
}

fn lowered<'c>(context: &'c Context, text: &str) -> Result<Module<'c>, &'static str> {
    let mut module = Module::parse(context, text).ok_or("the text that is written parses")?;
    let manager = PassManager::new(context);
    parse_pass_pipeline(manager.as_operation_pass_manager(), PIPELINE).map_err(|_| "the pass pipeline parses")?;
    manager.run(&mut module).map_err(|_| "every operation can be lowered to the llvm dialect")?;
    if module.as_operation().verify() { Ok(module) } else { Err("the lowered module is valid") }
}
