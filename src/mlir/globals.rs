//! What a module says about itself: the manifest, its length, and the table of program functions.

use super::program::symbol;
use super::text::Writer;
use crate::plan::Program;
use archc_runtime::abi::{
    DEVICE_CODE_SYMBOL, DEVICE_PLAN_LENGTH_SYMBOL, DEVICE_PLAN_SYMBOL, DevicePlan, MANIFEST_LENGTH_SYMBOL,
    MANIFEST_SYMBOL, Manifest, PROGRAMS_SYMBOL,
};
use std::fmt::Write;

/// Writes the manifest.
pub fn write_manifest(writer: &mut Writer, manifest: &Manifest) {
    let json = serde_json::to_string(manifest).unwrap_or_default();
    write_text(writer, MANIFEST_SYMBOL, &json);
    write_length(writer, MANIFEST_LENGTH_SYMBOL, json.len());
}

/// Writes the plan and the code for GPUs; without them, a plan of no bytes.
pub fn write_device(writer: &mut Writer, device: Option<(&DevicePlan, &str)>) {
    let plan = device.map(|(plan, _)| serde_json::to_string(plan).unwrap_or_default()).unwrap_or_default();
    let code = device.map_or("", |(_, code)| code);
    write_length(writer, DEVICE_PLAN_LENGTH_SYMBOL, plan.len());
    write_text(writer, DEVICE_PLAN_SYMBOL, &format!("{plan}\0"));
    write_text(writer, DEVICE_CODE_SYMBOL, &format!("{code}\0"));
}

fn write_text(writer: &mut Writer, symbol: &str, text: &str) {
    let (length, text) = (text.len(), escaped(text));
    writer.declare(&format!(
        "llvm.mlir.global external constant @{symbol}(\"{text}\") {{addr_space = 0 : i32}} : !llvm.array<{length} x i8>"
    ));
}

fn write_length(writer: &mut Writer, symbol: &str, length: usize) {
    writer.declare(&format!("llvm.mlir.global external constant @{symbol}({length} : i64) : i64"));
}

/// Writes the table of the functions of so many programs; what is not there is a null pointer.
pub fn write_functions(writer: &mut Writer, count: usize, programs: &[&Program]) {
    let table = format!("!llvm.array<{count} x ptr>");
    writer.declare(&format!("llvm.mlir.global external constant @{PROGRAMS_SYMBOL}() : {table} {{"));
    writer.declare(&format!("%t0 = llvm.mlir.zero : {table}"));
    for (place, program) in programs.iter().enumerate() {
        writer.declare(&format!("%f{place} = llvm.mlir.addressof @{} : !llvm.ptr", symbol(&program.name)));
        writer.declare(&format!("%t{} = llvm.insertvalue %f{place}, %t{place}[{place}] : {table}", place + 1));
    }
    writer.declare(&format!("llvm.return %t{} : {table}\n}}", programs.len()));
}

/// MLIR's string syntax: everything but plain characters in hexadecimal.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "\\{byte:02X}");
        }
    }
    out
}
