//! Models whose programs run as PTX: logits, loss and every gradient are the interpreter's, all forms of a program are one
//! program, and a row alone is bit for bit the same row in a batch.

use super::emulated::Emulated;
use crate::compiled::{graphs, model_with, programs};
use crate::random_models::disagreements;
use archc::driver::{self, Graphs, Request, Session, manifest};
use archc::gpu::Arch;
use archc::model::Model;
use archc::model::library::embedded;
use archc::verify::certificate::LENGTHS;
use archc::verify::{Case, Certificate, Interpreted, Native, Report};
use archc_runtime::device::Shared;
use archc_runtime::model::{Code, DeviceCode, Loaded};
use std::ffi::CString;
use std::path::PathBuf;

/// The model in the memory of a machine of this seed.
pub fn loaded(model: &Model, graphs: &Graphs, seed: u64) -> Loaded {
    let device = driver::device(graphs, None, Arch::Sm90a, &mut Session::default());
    let device = device.unwrap_or_else(|failure| panic!("{failure:?}"));
    let manifest = manifest(model, &programs(graphs), Vec::new());
    let driver = Shared::new(Emulated::new(&device.plan, &device.ptx, seed));
    let text = CString::new(device.ptx).expect("PTX has no zero bytes");
    let code = Code::for_device(manifest, DeviceCode { plan: device.plan, text });
    Loaded::on_device(code, 1, driver).unwrap_or_else(|error| panic!("{error}"))
}

/// Everything that the certificate of a model holds, on the machine.
fn report(model: &Model, graphs: &Graphs) -> Report {
    let mut native = Native::of(model, loaded(model, graphs, 11));
    let mut interpreter = Interpreted::new(model, graphs);
    let certificate = Certificate::new(model, &mut interpreter, 5, LENGTHS);
    let report = certificate.and_then(|certificate| certificate.without_step(graphs.refused.as_ref()).run(&mut native));
    report.unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn certified(example: &str, settings: &[(&str, &str)]) {
    let text = embedded(&format!("examples/{example}.arch")).expect("an example");
    let model = model_with(text, settings);
    let report = report(&model, &graphs(&model));
    assert!(report.passed(), "{report}");
}

/// Logits, loss and gradients of a model over tokens.
fn trained(example: &str, settings: &[(&str, &str)]) {
    let text = embedded(&format!("examples/{example}.arch")).expect("an example");
    let model = model_with(text, settings);
    let graphs = graphs(&model);
    let mut native = Native::of(&model, loaded(&model, &graphs, 12));
    let wrong = disagreements(&model, &graphs, &mut native, 3);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A llama of two layers with grouped heads, of sizes that no tile divides.
const LLAMA: [(&str, &str); 6] =
    [("layers", "2"), ("heads", "4"), ("kv_heads", "2"), ("hidden", "44"), ("d", "40"), ("v", "61")];

#[test]
fn a_decoder_reads_decodes_and_goes_on_from_snapshots_in_ptx() {
    certified("llama", &LLAMA);
}

#[test]
fn a_decoder_learns_in_ptx() {
    trained("llama", &LLAMA);
}

/// The certificate of a family at the sizes of a reference case, on the machine; what is wrong with it.
fn of_case(name: &str) -> Option<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(name);
    let case = Case::read(&folder).unwrap_or_else(|error| panic!("{error:?}"));
    let file = driver::find_family(case.architecture(), &[name]).unwrap_or_else(|error| panic!("{error:?}"));
    let request = Request { file, config: Some(case.config_file()), ..Request::default() };
    let model = driver::check(&request, &mut Session::default()).unwrap_or_else(|failure| panic!("{failure:?}"));
    let report = report(&model, &graphs(&model));
    (!report.passed()).then(|| report.to_string())
}

/// Which cases: `ARCHC_CASES` names others, with blanks between them.
fn cases() -> Vec<String> {
    let given = std::env::var("ARCHC_CASES").ok();
    given.as_deref().unwrap_or("gpt2").split_whitespace().map(String::from).collect()
}

#[test]
fn families_of_reference_cases_run_in_ptx() {
    let mut wrong = Vec::new();
    for name in cases() {
        let start = std::time::Instant::now();
        let found = std::panic::catch_unwind(|| of_case(&name)).unwrap_or_else(|_| Some("it panics".into()));
        let verdict =
            found.as_ref().map_or("in PTX as by the interpreter".to_string(), |text| format!("WRONG\n{text}"));
        println!("{name}: {verdict} ({:.0} s)", start.elapsed().as_secs_f64());
        wrong.extend(found.map(|text| format!("{name}: {text}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
