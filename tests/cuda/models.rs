//! Models whose programs run as PTX: logits, loss and every gradient are the interpreter's, all forms of a program are one
//! program, and a row alone is bit for bit the same row in a batch.

use super::emulated::Emulated;
use crate::compiled::{graphs, model_with, programs};
use crate::random_models::disagreements;
use archc::driver::{self, Graphs, Request, Session, manifest};
use archc::gpu::{Arch, Gpu, Precision};
use archc::model::Model;
use archc::model::library::embedded;
use archc::tensor::BATCH;
use archc::verify::certificate::LENGTHS;
use archc::verify::inputs::grown_sequence;
use archc::verify::{By, Case, Certificate, Interpreted, Native, Report, compare};
use archc_runtime::device::Shared;
use archc_runtime::model::{Code, DeviceCode, Loaded};
use std::ffi::CString;
use std::path::PathBuf;

/// The model in the memory of a machine of this seed.
pub fn loaded(model: &Model, graphs: &Graphs, seed: u64, precision: Precision) -> Loaded {
    let gpu = Gpu { arch: Arch::Sm90a, precision };
    let device = driver::device(graphs, None, gpu, &mut Session::default());
    let device = device.unwrap_or_else(|failure| panic!("{failure:?}"));
    let manifest = manifest(model, &programs(graphs), Vec::new());
    let driver = Shared::new(Emulated::new(&device.plan, &device.ptx, seed));
    let text = CString::new(device.ptx).expect("PTX has no zero bytes");
    let code = Code::for_device(manifest, DeviceCode { plan: device.plan, text });
    Loaded::on_device(code, 1, driver).unwrap_or_else(|error| panic!("{error}"))
}

/// Everything that the certificate of a model holds, on the machine.
fn report(model: &Model, graphs: &Graphs) -> Report {
    let mut native = Native::of(model, loaded(model, graphs, 11, Precision::F32));
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
    let mut native = Native::of(&model, loaded(&model, &graphs, 12, Precision::F32));
    let wrong = disagreements(&model, &graphs, &mut native, 3);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The cases of every run: a decoder, and operators of all kinds, of which each takes a second or a few.
const USUAL: &str = "gpt2 op_gla op_retention op_delta_rule op_gated_delta_rule op_kda op_rwkv6 op_simple_gla \
                     op_linear_attn op_dsa rwkv5_mix rwkv6_mix rwkv7_mix gru lstm hyena_operator";

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

fn by_machine(model: &Model, graphs: &Graphs) -> Loaded {
    loaded(model, graphs, 14, Precision::F32)
}

/// A family at the sizes of a reference case, on the machine: the certificate of what grows token by token, else the
/// numbers of the case. What is wrong with it.
fn of_case(name: &str) -> Option<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(name);
    let case = Case::read(&folder).unwrap_or_else(|error| panic!("{error:?}"));
    let file = driver::find_family(case.architecture(), &[name, &case.answers.family]);
    let file = file.unwrap_or_else(|error| panic!("{error:?}"));
    let request = Request { file, config: Some(case.config_file()), ..Request::default() };
    let mut session = Session::default();
    let model = driver::check(&request, &mut session).unwrap_or_else(|failure| panic!("{failure:?}"));
    let first = model.forward.outputs.first().map(|(_, value)| &model.forward.values[value.0 as usize].ty);
    let has_rows = first.is_some_and(|ty| ty.axes.contains(&BATCH));
    let report = if has_rows && grown_sequence(&model).is_some() {
        report(&model, &graphs(&model))
    } else {
        let compared = compare(&case, &request, &By::Loaded(by_machine), &mut session);
        compared.unwrap_or_else(|failure| panic!("{failure:?}"))
    };
    (!report.passed()).then(|| report.to_string())
}

/// Which cases: `ARCHC_CASES` names others, with blanks between them, or is `all`.
fn cases() -> Vec<String> {
    let given = std::env::var("ARCHC_CASES").unwrap_or_else(|_| USUAL.to_string());
    if given != "all" {
        return given.split_whitespace().map(String::from).collect();
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracles");
    let entries = std::fs::read_dir(folder).expect("the cases are there").flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>();
    names.sort();
    names
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
