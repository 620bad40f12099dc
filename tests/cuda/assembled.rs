//! What NVIDIA's assembler says of the code: `make ptxas` fetches it, `ARCHC_PTXAS` names another one.

use super::operations::compiled;
use crate::compiled::{graphs, model_with, programs};
use archc::driver::{self, Session};
use archc::gpu::Arch;
use archc::model::library::embedded;
use std::path::PathBuf;
use std::process::Command;

/// The assembler, if it is on this machine. Where `ARCHC_PTXAS` names one, it must be.
fn assembler() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ARCHC_PTXAS").map(PathBuf::from) {
        assert!(path.is_file(), "ARCHC_PTXAS is no file: {}", path.display());
        return Some(path);
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/ptxas/nvidia/cu13/bin/ptxas");
    path.is_file().then_some(path)
}

/// Assembles code and gives what the assembler says; spills, local memory and every other warning are errors.
fn assemble(code: &str, arch: Arch) -> Option<String> {
    let Some(assembler) = assembler() else {
        eprintln!("not assembled: there is no ptxas here (`make ptxas` fetches it)");
        return None;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("code.ptx");
    std::fs::write(&source, code).expect("the folder can be written");
    let strict = ["-v", "--warn-on-spills", "--warn-on-local-memory-usage", "--warning-as-error"];
    let mut command = Command::new(assembler);
    command.arg("-arch").arg(arch.name()).args(strict).arg(&source).arg("-o").arg(folder.path().join("code.cubin"));
    let output = command.output().expect("the assembler runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{code}");
    Some(said)
}

/// Registers, barriers and shared memory of each function, in the order of their names.
fn resources(said: &str) -> String {
    let mut table = Vec::new();
    let mut function = "";
    for line in said.lines() {
        if let Some((_, rest)) = line.split_once("entry function '") {
            function = rest.split('\'').next().unwrap_or_default();
        } else if let Some((_, used)) = line.split_once("Used ") {
            table.push(format!("{function}: {used}"));
        }
    }
    table.sort();
    table.join("\n")
}

fn ptx(example: &str, settings: &[(&str, &str)], arch: Arch) -> String {
    let text = embedded(&format!("examples/{example}.arch")).expect("an example");
    let graphs = graphs(&model_with(text, settings));
    let device = driver::device(&graphs, None, arch, &mut Session::default());
    device.unwrap_or_else(|failure| panic!("{failure:?}")).ptx
}

#[test]
fn a_decoder_assembles_for_every_gpu_without_spills() {
    for arch in [Arch::Sm80, Arch::Sm89, Arch::Sm90a, Arch::Sm100] {
        assemble(&ptx("llama-tiny", &[], arch), arch);
    }
}

#[test]
fn more_layers_need_no_more_code() {
    let [few, many] = ["12", "48"].map(|layers| ptx("llama-tiny", &[("layers", layers)], Arch::Sm90a));
    // Their number may stand in the code, with more digits.
    assert_eq!(few.lines().count(), many.lines().count());
}

#[test]
fn equal_kernels_of_unlike_programs_are_one() {
    let graphs = graphs(&model_with(embedded("examples/llama-tiny.arch").expect("an example"), &[]));
    let programs = programs(&graphs);
    let (plan, code) = compiled(&programs);
    let kernels = programs.iter().map(|program| program.kernels.len()).sum::<usize>();
    assert!(plan.entries.len() < kernels, "{} entries of {kernels} kernels", plan.entries.len());
    assert_eq!(code.matches(".visible .entry").count(), plan.entries.len());
}

#[test]
fn registers_and_shared_memory_of_a_decode_step() {
    let graphs = graphs(&model_with(embedded("examples/llama-tiny.arch").expect("an example"), &[]));
    let device = driver::device(&graphs, Some("step"), Arch::Sm90a, &mut Session::default());
    let device = device.unwrap_or_else(|failure| panic!("{failure:?}"));
    if let Some(said) = assemble(&device.ptx, Arch::Sm90a) {
        insta::assert_snapshot!(resources(&said));
    }
}
