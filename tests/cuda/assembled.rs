//! What NVIDIA's assembler says of the code: `make ptxas` fetches it, `ARCHC_PTXAS` names another one.

use super::operations::compiled;
use crate::compiled::{graphs, model_with, programs};
use archc::driver::{self, Session};
use archc::gpu::{Arch, Gpu, Precision};
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

/// Assembles code and gives what the assembler says, if it is here; spills, local memory and every other warning are
/// faults.
pub fn assemble(code: &str, arch: Arch) -> Result<Option<String>, String> {
    let Some(assembler) = assembler() else {
        eprintln!("not assembled: there is no ptxas here (`make ptxas` fetches it)");
        return Ok(None);
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("code.ptx");
    std::fs::write(&source, code).expect("the folder can be written");
    let strict = ["-v", "--warn-on-spills", "--warn-on-local-memory-usage", "--warning-as-error"];
    let mut command = Command::new(assembler);
    command.arg("-arch").arg(arch.name()).args(strict).arg(&source).arg("-o").arg(folder.path().join("code.cubin"));
    let output = command.output().expect("the assembler runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let faults = said.lines().filter(|line| !line.contains("ptxas info") && !line.starts_with(' '));
    if output.status.success() { Ok(Some(said)) } else { Err(faults.collect::<Vec<_>>().join("\n")) }
}

/// The same for code that must be sound.
pub fn assembled(code: &str, arch: Arch) -> Option<String> {
    assemble(code, arch).unwrap_or_else(|faults| panic!("{faults}\n{code}"))
}

/// Each function with its registers and its bytes of shared memory.
pub fn used(said: &str) -> Vec<(String, usize, usize)> {
    let mut all = Vec::new();
    let mut function = "";
    for line in said.lines() {
        if let Some((_, rest)) = line.split_once("entry function '") {
            function = rest.split('\'').next().unwrap_or_default();
        } else if let Some((_, used)) = line.split_once("Used ") {
            all.push((function.to_string(), amount(used, " registers"), amount(used, " bytes smem")));
        }
    }
    all
}

/// The number before a unit, or 0.
fn amount(text: &str, unit: &str) -> usize {
    let before = text.split_once(unit).map_or("0", |(before, _)| before);
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A line for each function, in the order of their names.
pub fn resources(said: &str) -> String {
    let line = |(name, registers, shared)| format!("{name}: {registers} registers, {shared} bytes shared");
    let mut table = used(said).into_iter().map(line).collect::<Vec<_>>();
    table.sort();
    table.join("\n")
}

fn ptx(example: &str, settings: &[(&str, &str)], gpu: impl Into<Gpu>) -> String {
    let text = embedded(&format!("examples/{example}.arch")).expect("an example");
    let graphs = graphs(&model_with(text, settings));
    let device = driver::device(&graphs, None, gpu, &mut Session::default());
    device.unwrap_or_else(|failure| panic!("{failure:?}")).ptx
}

#[test]
fn a_decoder_assembles_for_every_gpu_without_spills() {
    for arch in [Arch::Sm80, Arch::Sm89, Arch::Sm90a, Arch::Sm100] {
        assembled(&ptx("llama-tiny", &[], arch), arch);
    }
}

#[test]
fn products_on_tensor_cores_assemble_for_every_gpu_without_spills() {
    let mut table = Vec::new();
    for precision in [Precision::Tf32, Precision::Bf16] {
        for arch in [Arch::Sm80, Arch::Sm89, Arch::Sm90a, Arch::Sm100] {
            let code = ptx("llama-tiny", &[], Gpu { arch, precision });
            let by_warpgroups = precision == Precision::Bf16 && arch == Arch::Sm90a;
            assert!(code.contains(if by_warpgroups { "wgmma" } else { "mma.sync" }), "{}", precision.name());
            let Some(said) = assembled(&code, arch) else { return };
            let products = used(&said)
                .into_iter()
                .filter(|(name, ..)| name.ends_with("fragments") || name.ends_with("warpgroups"));
            table.extend(products.map(|used| (precision.name(), arch.name(), used)));
        }
    }
    let line = |(precision, arch, (name, registers, shared))| {
        format!("{precision} {arch} {name}: {registers} registers, {shared} bytes shared")
    };
    insta::assert_snapshot!(table.into_iter().map(line).collect::<Vec<_>>().join("\n"));
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
    let (plan, code) = compiled(&programs, Precision::F32);
    let kernels = programs.iter().map(|program| program.kernels.len()).sum::<usize>();
    assert!(plan.entries.len() < kernels, "{} entries of {kernels} kernels", plan.entries.len());
    assert_eq!(code.matches(".visible .entry").count(), plan.entries.len());
}

#[test]
fn registers_and_shared_memory_of_a_decode_step() {
    let graphs = graphs(&model_with(embedded("examples/llama-tiny.arch").expect("an example"), &[]));
    let device = driver::device(&graphs, Some("step"), Arch::Sm90a, &mut Session::default());
    let device = device.unwrap_or_else(|failure| panic!("{failure:?}"));
    if let Some(said) = assembled(&device.ptx, Arch::Sm90a) {
        insta::assert_snapshot!(resources(&said));
    }
}
