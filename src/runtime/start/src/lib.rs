//! The entry of every executable that `archc build` makes: finds the compiled model beside it and hands it to the runtime.
#![expect(unsafe_code, reason = "this is where compiled code and the runtime meet")]

use archc_runtime::abi::{Manifest, ProgramFunction};
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    static archc_manifest: u8;
    static archc_manifest_length: u64;
    static archc_programs: ProgramFunction;
}

/// The C entry point.
///
/// # Safety
/// Called once, by the C library, with its usual arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    // SAFETY: the compiled object defines both symbols; the bytes are as many as the length says.
    let bytes = unsafe { std::slice::from_raw_parts(&raw const archc_manifest, archc_manifest_length as usize) };
    let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) else {
        eprintln!("error: this program's description of itself is damaged; build it again");
        return 1;
    };
    // SAFETY: the object defines a table with one function for each program of the manifest.
    let programs = unsafe { std::slice::from_raw_parts(&raw const archc_programs, manifest.programs.len()) };
    println!("{}: {} programs", manifest.model, programs.len());
    0
}
