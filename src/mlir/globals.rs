//! What a module says about itself: the manifest, its length, and the table of program functions.

use super::program::symbol;
use super::text::Writer;
use crate::plan::Program;
use archc_runtime::abi::{MANIFEST_LENGTH_SYMBOL, MANIFEST_SYMBOL, Manifest, PROGRAMS_SYMBOL};
use std::fmt::Write;

/// Writes the globals.
pub fn write(writer: &mut Writer, programs: &[&Program], manifest: &Manifest) {
    let json = serde_json::to_string(manifest).unwrap_or_default();
    let length = json.len();
    writer.declare(&format!("llvm.mlir.global external constant @{MANIFEST_SYMBOL}(\"{}\") {{addr_space = 0 : i32}} : !llvm.array<{length} x i8>", escaped(&json)));
    writer.declare(&format!("llvm.mlir.global external constant @{MANIFEST_LENGTH_SYMBOL}({length} : i64) : i64"));
    let count = programs.len();
    let table = format!("!llvm.array<{count} x ptr>");
    writer.declare(&format!("llvm.mlir.global external constant @{PROGRAMS_SYMBOL}() : {table} {{"));
    writer.declare(&format!("%t0 = llvm.mlir.undef : {table}"));
    for (place, program) in programs.iter().enumerate() {
        writer.declare(&format!("%f{place} = llvm.mlir.addressof @{} : !llvm.ptr", symbol(&program.name)));
        writer.declare(&format!("%t{} = llvm.insertvalue %f{place}, %t{place}[{place}] : {table}", place + 1));
    }
    writer.declare(&format!("llvm.return %t{count} : {table}\n}}"));
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
