//! Builds the runtime as a static library, which archc embeds and links into every executable that it makes.
//!
//! The library is built by the same cargo in a target folder of its own, beside the outer build's, so that the two do
//! not wait for each other's lock. `ARCHC_RUNTIME_LIBRARY` names a library that is there already.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=src/runtime");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rerun-if-env-changed=ARCHC_RUNTIME_LIBRARY");
    let out = variable("OUT_DIR");
    let library = env::var_os("ARCHC_RUNTIME_LIBRARY").map_or_else(|| build(&out), PathBuf::from);
    if let Err(error) = fs::copy(&library, out.join("libarchc_start.a")) {
        fail(&format!("cannot copy {}: {error}", library.display()));
    }
}

/// Runs the inner build and returns the library's path.
fn build(out: &Path) -> PathBuf {
    // OUT_DIR is TARGET/PROFILE/build/archc-…/out.
    let Some(target) = out.ancestors().nth(4) else { fail("OUT_DIR is not where cargo puts it") };
    let folder = target.join("embedded");
    let profile = if variable("PROFILE").as_os_str() == "release" { "embedded" } else { "dev" };
    let status = Command::new(variable("CARGO"))
        .args(["build", "--quiet", "--package", "archc-start", "--profile", profile, "--target-dir"])
        .arg(&folder)
        .current_dir(variable("CARGO_MANIFEST_DIR"))
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CLIPPY_ARGS")
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("the runtime does not build ({status})")),
        Err(error) => fail(&format!("cannot run cargo: {error}")),
    }
    let name = if profile == "dev" { "debug" } else { profile };
    folder.join(name).join("libarchc_start.a")
}

fn variable(name: &str) -> PathBuf {
    env::var_os(name).map_or_else(|| fail(&format!("{name} is not set")), PathBuf::from)
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(1)
}
