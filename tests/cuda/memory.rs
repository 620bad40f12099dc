//! Memory on a device: what a call has there goes with the call, what calls share stays as large as the largest needs.

use super::launches::{Memory, Recorder};
use crate::runtime::fake;
use archc_runtime::abi::{DevicePlan, DeviceProgram, ProgramInfo, names};
use archc_runtime::device::Shared;
use archc_runtime::model::{Call, Code, DeviceCode, Loaded, States};
use std::ffi::CString;
use std::sync::{Arc, Mutex};

/// A model whose programs launch nothing, and the memory that it has taken.
fn model() -> (Loaded, Arc<Mutex<Memory>>) {
    let manifest = fake::manifest();
    let program = |info: &ProgramInfo| DeviceProgram {
        name: info.name.clone(),
        counters: 0,
        steps: Vec::new(),
        narrow: Vec::new(),
    };
    let programs = manifest.programs.iter().map(program).collect();
    let plan = DevicePlan {
        arch: "sm_90a".into(),
        precision: "f32".into(),
        entries: Vec::new(),
        programs,
        updates: None,
        probe: None,
    };
    let code = Code::for_device(manifest, DeviceCode { plan, text: CString::default() });
    let recorder = Recorder::default();
    let memory = recorder.memory.clone();
    (Loaded::on_device(code, 1, Shared::new(recorder)).expect("nothing declines"), memory)
}

/// A call over so many positions, after it has run.
fn run(model: &mut Loaded, positions: i64) -> Call {
    let mut call = model.prepare_call(names::FORWARD, &[(names::BATCH, 2), ("t", positions)]).expect("is a program");
    model.run(&mut call, &mut States::new()).expect("nothing declines");
    call
}

#[test]
fn what_a_call_has_on_a_device_goes_with_it() {
    let (mut model, memory) = model();
    let bytes = || memory.lock().expect("nobody panics").bytes();
    drop(run(&mut model, 4));
    let shared = bytes();
    for positions in 5..12 {
        let call = run(&mut model, positions);
        assert!(bytes() > shared, "{positions} positions");
        drop(call);
        assert_eq!(bytes(), shared, "{positions} positions");
    }
    drop(model);
    assert_eq!(bytes(), 0);
}

#[test]
fn a_call_that_runs_again_takes_no_memory_on_a_device() {
    let (mut model, memory) = model();
    let mut call = run(&mut model, 7);
    let taken = memory.lock().expect("nobody panics").taken;
    model.run(&mut call, &mut States::new()).expect("nothing declines");
    assert_eq!(memory.lock().expect("nobody panics").taken, taken);
}
