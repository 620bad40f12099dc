//! `bench` on a GPU: work stands beside that GPU's own limits, and every time that is taken ends after a wait.

use super::emulated::Emulated;
use super::launches::Recorder;
use crate::compiled::{graphs, model_with, programs};
use archc::driver::{self, Session, manifest};
use archc::gpu::{Arch, Entries, Gpu, Precision, plan};
use archc::model::library::embedded;
use archc::{llvm, mlir};
use archc_runtime::abi::{DevicePlan, Probe};
use archc_runtime::bench::{Limit, Machine, decode, forward, prefill, train};
use archc_runtime::device::{Driver, Shared};
use archc_runtime::error::Result;
use archc_runtime::model::{Code, DeviceCode, Loaded};
use std::ffi::CString;
use std::sync::{Arc, Mutex};

/// What a driver was asked for, in order. Neighbours that are alike are told once.
type Log = Arc<Mutex<Vec<&'static str>>>;

/// A recorder that tells the probe from all other launches.
#[derive(Debug)]
struct Logged {
    recorder: Recorder,
    probe: usize,
    log: Log,
}

impl Logged {
    fn note(&self, what: &'static str) {
        let mut log = self.log.lock().expect("nobody panics");
        if log.last() != Some(&what) {
            log.push(what);
        }
    }
}

impl Driver for Logged {
    fn name(&self) -> String {
        self.recorder.name()
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64> {
        self.recorder.allocate(bytes)
    }

    fn release(&mut self, address: u64) {
        self.recorder.release(address);
    }

    fn upload(&mut self, _: u64, _: &[u8]) -> Result<()> {
        self.note("up");
        Ok(())
    }

    fn download(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        self.note("down");
        self.recorder.download(address, bytes)
    }

    fn copy(&mut self, _: u64, _: u64, _: usize) -> Result<()> {
        self.note("copy");
        Ok(())
    }

    fn clear(&mut self, _: u64, _: usize) -> Result<()> {
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        self.note("wait");
        Ok(())
    }

    fn launch(&mut self, entry: usize, _: u32, _: &[u64], _: &[i64]) -> Result<()> {
        self.note(if entry == self.probe { "probe" } else { "launch" });
        Ok(())
    }

    fn record(&mut self, launches: &mut dyn FnMut(&mut dyn Driver) -> Result<()>) -> Result<Option<u64>> {
        self.recorder.record(launches)
    }

    fn replay(&mut self, recording: u64) -> Result<()> {
        self.recorder.replay(recording)
    }

    fn erase(&mut self, recording: u64) {
        self.recorder.erase(recording);
    }
}

/// A small model on such a driver.
fn logged(example: &str, settings: &[(&str, &str)]) -> (Loaded, Log) {
    let model = model_with(embedded(example).expect("an example"), settings);
    let graphs = graphs(&model);
    let device = driver::device(&graphs, None, Arch::Sm90a, &mut Session::default());
    let device = device.unwrap_or_else(|failure| panic!("{failure:?}"));
    let log = Log::default();
    let probe = device.plan.probe.expect("every model has one").entry;
    let driver = Logged { recorder: Recorder::default(), probe, log: log.clone() };
    let code = DeviceCode { plan: device.plan, text: CString::default() };
    let code = Code::for_device(manifest(&model, &programs(&graphs), Vec::new()), code);
    (Loaded::on_device(code, 1, Shared::new(driver)).expect("nothing declines"), log)
}

const LLAMA: [(&str, &str); 6] =
    [("layers", "1"), ("d", "16"), ("heads", "2"), ("kv_heads", "1"), ("hidden", "24"), ("v", "31")];

/// What is asked for while something is measured in two pairs, from the last limit on.
fn last_pair(log: &Log, limit: &str) -> Vec<&'static str> {
    let log = log.lock().expect("nobody panics");
    let measured = log.iter().filter(|what| **what == limit).count();
    assert_eq!(measured, 2, "the limit is measured before each pair, the first of which warms up: {log:?}");
    let from = log.iter().rposition(|what| *what == limit).expect("it is measured");
    assert_eq!(log[from - 1], "wait", "a limit begins when all before is done: {log:?}");
    log[from..].to_vec()
}

#[test]
fn a_training_step_stands_beside_products_on_the_gpu_and_ends_when_the_gpu_does() {
    let (mut model, log) = logged("examples/llama.arch", &LLAMA);
    train(&mut model, (2, 5), 1, &mut Limit).unwrap_or_else(|error| panic!("{error}"));
    let pair = last_pair(&log, "probe");
    assert_eq!(pair[..2], ["probe", "wait"]);
    assert_eq!(pair[pair.len() - 2..], ["launch", "wait"]);
}

#[test]
fn decoding_stands_beside_copies_on_the_gpu() {
    let (mut model, log) = logged("examples/llama.arch", &LLAMA);
    decode(&mut model, 3, 1, &mut Limit).unwrap_or_else(|error| panic!("{error}"));
    let pair = last_pair(&log, "copy");
    assert_eq!(pair[..2], ["copy", "wait"]);
    assert_eq!(pair.last(), Some(&"wait"));
    assert!(!pair.contains(&"probe"), "{pair:?}");
}

#[test]
fn taking_in_a_prompt_ends_with_a_wait() {
    let (mut model, log) = logged("examples/llama.arch", &LLAMA);
    prefill(&mut model, 7, 1, &mut Limit).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(last_pair(&log, "probe").last(), Some(&"wait"));
}

/// A product's factors and its result may be larger than what crosses in the time that it takes.
#[test]
fn of_a_forward_pass_nothing_is_copied_to_the_gpu_or_back() {
    let (mut model, log) = logged("examples/ops/product.arch", &[("d", "24"), ("f", "40")]);
    let pass = forward(&mut model, (2, 5), 1, &mut Limit).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(last_pair(&log, "probe"), ["probe", "wait", "launch", "wait"]);
    assert!(!pass.limited, "what is no product has no limit there");
}

#[test]
fn a_gpu_is_named_with_its_own_limits() {
    let (model, _) = logged("examples/ops/product.arch", &[]);
    let machine = Machine::of(&model).expect("nothing declines");
    let text = machine.heading(2e12, 3e12).expect("it has a name").to_string();
    assert_eq!(text, "a recorder: 2000.0 GFLOP/s of f32 FMA, 3000.0 GB/s of copying, read and written");
}

/// The plan and the code of the probe alone.
fn probe(gpu: Gpu) -> (DevicePlan, String) {
    let mut entries = Entries::default();
    entries.probe = Some(gpu.precision);
    let text = mlir::gpu::write(&entries);
    let context = mlir::context();
    let module = mlir::lower(&context, &text).unwrap_or_else(|bug| panic!("{}\n{}", bug.guarantee, bug.detail));
    let ptx = llvm::ptx(&module, gpu.arch).unwrap_or_else(|bug| panic!("{}", bug.detail));
    (plan(&[], &entries, gpu), ptx)
}

/// What the threads of two blocks have after so many turns.
fn sums(precision: Precision, turns: i64) -> Vec<f32> {
    let (plan, ptx) = probe(Gpu { arch: Arch::Sm90a, precision });
    let mut machine = Emulated::new(&plan, &ptx, 3);
    let mut bytes = vec![0; 2 * Probe::THREADS * 4];
    let address = machine.allocate(bytes.len()).expect("memory");
    machine.launch(plan.probe.expect("it is there").entry, 2, &[address], &[turns]).expect("it runs");
    machine.download(address, &mut bytes).expect("it is that large");
    bytes.chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().expect("four bytes"))).collect()
}

#[test]
fn each_turn_of_the_probe_multiplies_and_none_is_left_out() {
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
        let [none, one, three] = [0, 1, 3].map(|turns| sums(precision, turns));
        for ((none, one), three) in none.iter().zip(&one).zip(&three) {
            let (step, steps) = (one - none, three - none);
            assert!(step != 0.0 && (3.0 * step - steps).abs() < 1e-3 * steps.abs().max(1.0), "{step} {steps}");
        }
        let ptx = probe(Gpu { arch: Arch::Sm90a, precision }).1;
        let products = if precision == Precision::F32 { "fma.rn.f32" } else { "mma.sync" };
        let least = Probe::CHAINS * Probe::STEPS;
        assert!(ptx.matches(products).count() >= least, "{ptx}");
        assert!(!ptx.contains("ld.local") && !ptx.contains(".shared"), "{ptx}");
    }
}
