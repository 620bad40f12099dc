//! Linking by the system's C compiler driver.

use crate::fault::Environment;
use crate::llvm::Object;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The runtime with its `main`, as a static library; made by the build script.
static RUNTIME: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libarchc_start.a"));

/// Links an object to a shared library in a folder.
///
/// # Errors
/// If there is no C compiler or it fails.
pub fn shared(object: &Object, folder: &Path) -> Result<PathBuf, Environment> {
    let source = folder.join("model.o");
    let library = folder.join("libmodel.so");
    save(&source, &object.0)?;
    run(&["-shared".as_ref(), "-o".as_ref(), library.as_os_str(), source.as_os_str(), "-lm".as_ref()])?;
    Ok(library)
}

/// Links an object and the runtime to an executable.
///
/// # Errors
/// If there is no C compiler, it fails, or the path cannot be written.
pub fn executable(object: &Object, output: &Path) -> Result<(), Environment> {
    let folder = tempfile::tempdir().map_err(|error| Environment::new(format!("no temporary folder: {error}")))?;
    let source = folder.path().join("model.o");
    let library = folder.path().join("libarchc_start.a");
    save(&source, &object.0)?;
    save(&library, RUNTIME)?;
    let program = folder.path().join("program");
    run(&[
        "-o".as_ref(),
        program.as_os_str(),
        source.as_os_str(),
        library.as_os_str(),
        "-Wl,--gc-sections".as_ref(),
        "-Wl,--export-dynamic-symbol=archc_*".as_ref(),
        "-s".as_ref(),
        "-lm".as_ref(),
        "-lpthread".as_ref(),
        "-ldl".as_ref(),
    ])?;
    place(&program, output)
}

/// Moves the finished file into place, so that no half-written one is ever seen.
fn place(program: &Path, output: &Path) -> Result<(), Environment> {
    let failed = |error: std::io::Error| Environment::new(format!("cannot write {}: {error}", output.display()));
    let mut name = output.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let part = output.with_file_name(name);
    std::fs::copy(program, &part).and_then(|_| std::fs::rename(&part, output)).map_err(|error| {
        let _ = std::fs::remove_file(&part);
        failed(error)
    })
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), Environment> {
    std::fs::write(path, bytes).map_err(|error| Environment::new(format!("cannot write {}: {error}", path.display())))
}

fn run(arguments: &[&OsStr]) -> Result<(), Environment> {
    let output = Command::new("cc").args(arguments).output().map_err(|error| Environment {
        message: format!("cannot run `cc`, the system's C compiler, which links the program: {error}"),
        help: Some("install it; on Debian: apt-get install gcc libc6-dev".to_string()),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Environment::new(format!("`cc` could not link the program:\n{}", text.trim_end())))
}
