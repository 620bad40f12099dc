//! The door to compiled code: a shared library of programs, opened for the runtime.
#![expect(unsafe_code, reason = "the symbols of a loaded library have no types")]

use crate::fault::Environment;
use archc_runtime::abi::{MANIFEST_LENGTH_SYMBOL, MANIFEST_SYMBOL, PROGRAMS_SYMBOL, ProgramFunction};
use archc_runtime::model::Code;
use libloading::Library;
use std::path::Path;

/// Opens a library that [`crate::link::shared`] made.
///
/// # Errors
/// If the system cannot load it, or it is not one of ours.
pub fn open(path: &Path) -> Result<Code, Environment> {
    let failed = |error: libloading::Error| Environment::new(format!("cannot load the compiled programs: {error}"));
    // SAFETY: a library that archc makes has no initialisers.
    let library = unsafe { Library::new(path) }.map_err(failed)?;
    let manifest = address(&library, MANIFEST_SYMBOL).map_err(failed)?;
    let length = address(&library, MANIFEST_LENGTH_SYMBOL).map_err(failed)?.cast::<u64>();
    let programs = address(&library, PROGRAMS_SYMBOL).map_err(failed)?.cast::<Option<ProgramFunction>>();
    // SAFETY: the three symbols are what the ABI says they are, and live as long as the library, which the code keeps.
    let code = unsafe { Code::from_symbols(manifest, *length, programs, Some(Box::new(library))) };
    code.map_err(|error| Environment::new(error.to_string()))
}

fn address(library: &Library, symbol: &str) -> Result<*const u8, libloading::Error> {
    // SAFETY: only the address is taken here.
    unsafe { library.get::<*const u8>(symbol.as_bytes()) }.map(|symbol| *symbol)
}
