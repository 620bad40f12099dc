//! The `main` of every executable that archc builds.
//!
//! A static library: the system's linker joins it with a model's object, which brings the symbols of the
//! contract, and the C library, which calls [`main`]. Everything else is in [`archc_runtime::command`].
#![expect(unsafe_code, reason = "the entry of a C program, and symbols of a compiled object")]

use archc_runtime::abi::ProgramFunction;
use archc_runtime::model::{Code, DeviceCode};
use archc_runtime::{command, process};
use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

unsafe extern "C" {
    /// The first byte of the manifest.
    safe static archc_manifest: u8;
    /// How many bytes it has.
    safe static archc_manifest_length: u64;
    /// The first program function; zero where the code is for GPUs alone.
    safe static archc_programs: Option<ProgramFunction>;
    /// The first byte of the plan for GPUs.
    safe static archc_device_plan: u8;
    /// How many bytes it has; 0 where there is no code for GPUs.
    safe static archc_device_plan_length: u64;
    /// The code for GPUs, a text that ends with a zero byte.
    safe static archc_device_code: c_char;
}

/// Called by the C library. Returns the exit status.
#[unsafe(no_mangle)]
pub extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    process::settle();
    let arguments =
        (0..usize::try_from(count).unwrap_or(0)).map(|place| argument(arguments, place)).collect::<Vec<_>>();
    // SAFETY: the linker has joined exactly one model's object, whose symbols are as the contract says and live as long
    // as the process.
    let code = unsafe {
        Code::from_symbols(&raw const archc_manifest, archc_manifest_length, &raw const archc_programs, None)
    };
    // SAFETY: as above.
    let device = unsafe {
        DeviceCode::from_symbols(&raw const archc_device_plan, archc_device_plan_length, &raw const archc_device_code)
    };
    match code.and_then(|code| Ok(code.with_device(device?))) {
        Ok(code) => c_int::from(command::main(code, arguments)),
        Err(error) => {
            eprintln!("error: {error}");
            1
        }
    }
}

/// One argument of the command line.
fn argument(arguments: *const *const c_char, place: usize) -> OsString {
    // SAFETY: the C library passes `count` texts that end with a zero byte and live as long as the process.
    let text = unsafe { CStr::from_ptr(*arguments.add(place)) };
    OsStr::from_bytes(text.to_bytes()).to_owned()
}
