//! Models whose programs run as PTX: logits, loss and every gradient are the interpreter's, all forms of a program are one
//! program, and a row alone is bit for bit the same row in a batch.

use super::coverage::Coverage;
use super::emulated::Emulated;
use super::traffic::Traffic;
use crate::compiled::{graphs, model_with, programs};
use crate::random_models::disagreements;
use archc::driver::{self, Graphs, Session, manifest};
use archc::gpu::{Arch, Gpu, Precision};
use archc::model::Model;
use archc::model::library::embedded;
use archc::verify::certificate::LENGTHS;
use archc::verify::{Certificate, Interpreted, Native, Report};
use archc_runtime::abi::DevicePlan;
use archc_runtime::device::Shared;
use archc_runtime::model::{Code, DeviceCode, Loaded};
use std::ffi::CString;

/// The model in the memory of a machine of this seed.
pub fn loaded(model: &Model, graphs: &Graphs, seed: u64, precision: Precision) -> Loaded {
    watched(model, graphs, seed, precision).0
}

/// The same, and what is launched on the machine.
pub fn watched(model: &Model, graphs: &Graphs, seed: u64, precision: Precision) -> (Loaded, Coverage) {
    let (loaded, coverage, _) = observed(model, graphs, seed, precision);
    (loaded, coverage)
}

/// The same, and what crosses to the machine and back.
pub fn observed(model: &Model, graphs: &Graphs, seed: u64, precision: Precision) -> (Loaded, Coverage, Traffic) {
    let gpu = Gpu { arch: Arch::Sm90a, precision };
    let device = driver::device(graphs, None, gpu, &mut Session::default());
    let device = device.unwrap_or_else(|failure| panic!("{failure:?}"));
    with_code(model, graphs, (device.plan, device.ptx), seed)
}

/// The same for a plan of a model's programs and its PTX.
pub fn with_code(
    model: &Model,
    graphs: &Graphs,
    (plan, ptx): (DevicePlan, String),
    seed: u64,
) -> (Loaded, Coverage, Traffic) {
    let manifest = manifest(model, &programs(graphs), Vec::new());
    let driver = Emulated::new(&plan, &ptx, seed);
    let (coverage, traffic) = (driver.coverage.clone(), driver.traffic.clone());
    let text = CString::new(ptx).expect("PTX has no zero bytes");
    let code = Code::for_device(manifest, DeviceCode { plan, text });
    let loaded = Loaded::on_device(code, 1, Shared::new(driver));
    (loaded.unwrap_or_else(|error| panic!("{error}")), coverage, traffic)
}

/// Everything that the certificate of a model holds, on a machine.
pub fn report(model: &Model, graphs: &Graphs, native: &mut Native<'_>) -> Report {
    let mut interpreter = Interpreted::new(model, graphs);
    let certificate = Certificate::new(model, &mut interpreter, 5, LENGTHS);
    let report = certificate.and_then(|certificate| certificate.without_step(graphs.refused.as_ref()).run(native));
    report.unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn certified(example: &str, settings: &[(&str, &str)]) {
    let text = embedded(&format!("examples/{example}.arch")).expect("an example");
    let model = model_with(text, settings);
    let graphs = graphs(&model);
    let mut native = Native::of(&model, loaded(&model, &graphs, 11, Precision::F32));
    let report = report(&model, &graphs, &mut native);
    assert!(report.passed(), "{report}");
}

/// Logits, loss and gradients of a model over tokens.
fn trained(example: &str, settings: &[(&str, &str)]) {
    let text = embedded(&format!("examples/{example}.arch")).expect("an example");
    let model = model_with(text, settings);
    let graphs = graphs(&model);
    let mut native = Native::of(&model, loaded(&model, &graphs, 12, Precision::F32));
    let wrong = disagreements(&model, &graphs, &mut native, 3);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A llama of two layers with grouped heads, of sizes that no tile divides.
pub const LLAMA: [(&str, &str); 6] =
    [("layers", "2"), ("heads", "4"), ("kv_heads", "2"), ("hidden", "44"), ("d", "40"), ("v", "61")];

#[test]
fn a_decoder_reads_decodes_and_goes_on_from_snapshots_in_ptx() {
    certified("llama", &LLAMA);
}

#[test]
fn a_decoder_learns_in_ptx() {
    trained("llama", &LLAMA);
}
