//! Launches as plain data, and a driver that only writes down what it is asked for.

use crate::compiled::{graphs, model_with};
use crate::native::attention;
use crate::native::compiled::program;
use archc::driver::{self, Session};
use archc::gpu::{Arch, Entries};
use archc::kernel::Form;
use archc::model::library::embedded;
use archc::plan::{Program, Step};
use archc_runtime::abi::{DeviceArgument, DeviceLaunch, DevicePlan, DeviceProgram, DeviceStep, Size};
use archc_runtime::device::{self, Driver};
use archc_runtime::error::Result;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

fn launches(example: &str, program: &str) -> String {
    let text = embedded(&format!("examples/{example}.arch")).expect("an example");
    let graphs = graphs(&model_with(text, &[]));
    let text = driver::launches(&graphs, Some(program), Arch::Sm90a, &mut Session::default());
    text.unwrap_or_else(|failure| panic!("{failure:?}"))
}

#[test]
fn a_decode_step_as_launches() {
    insta::assert_snapshot!(launches("llama-tiny", "step"));
}

#[test]
fn a_training_step_as_launches() {
    insta::assert_snapshot!(launches("llama-tiny", "train"));
}

/// Writes down what is launched, and what memory is taken. Memory is what `number` says, everywhere.
#[derive(Debug, Default)]
pub struct Recorder {
    launched: Vec<(usize, u32, Vec<u64>, Vec<i64>)>,
    number: i32,
    /// For who wants to know after the runtime has taken the driver over.
    pub memory: Arc<Mutex<Memory>>,
}

/// Memory of a device as a list.
#[derive(Debug, Default)]
pub struct Memory {
    /// Bytes of the blocks that nobody has given back, by address.
    blocks: BTreeMap<u64, usize>,
    /// How many blocks were ever taken.
    pub taken: u64,
}

impl Memory {
    /// Bytes that are taken.
    pub fn bytes(&self) -> usize {
        self.blocks.values().sum()
    }
}

impl Driver for Recorder {
    fn name(&self) -> String {
        "a recorder".to_string()
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64> {
        let mut memory = self.memory.lock().expect("nobody panics");
        memory.taken += 1;
        let address = memory.taken << 32;
        memory.blocks.insert(address, bytes);
        Ok(address)
    }

    fn release(&mut self, address: u64) {
        let known = self.memory.lock().expect("nobody panics").blocks.remove(&address);
        assert!(known.is_some(), "{address:#x} is given back, and nobody has it");
    }

    fn upload(&mut self, _: u64, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn download(&mut self, _: u64, bytes: &mut [u8]) -> Result<()> {
        let number = self.number.to_le_bytes();
        bytes.iter_mut().zip(number.iter().cycle()).for_each(|(byte, own)| *byte = *own);
        Ok(())
    }

    fn copy(&mut self, _: u64, _: u64, _: usize) -> Result<()> {
        Ok(())
    }

    fn clear(&mut self, _: u64, _: usize) -> Result<()> {
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        Ok(())
    }

    fn launch(&mut self, entry: usize, blocks: u32, addresses: &[u64], sizes: &[i64]) -> Result<()> {
        self.launched.push((entry, blocks, addresses.to_vec(), sizes.to_vec()));
        Ok(())
    }

    fn record(&mut self, _: &mut dyn FnMut(&mut dyn Driver) -> Result<()>) -> Result<Option<u64>> {
        Ok(None)
    }

    fn replay(&mut self, recording: u64) -> Result<()> {
        panic!("nobody has recorded {recording}")
    }

    fn erase(&mut self, recording: u64) {
        panic!("nobody has recorded {recording}")
    }
}

/// A program of one buffer and the size `n`, with these steps.
pub fn plan_of(steps: Vec<DeviceStep>, counters: usize) -> DevicePlan {
    let program = DeviceProgram { name: "test".into(), counters, steps, narrow: Vec::new() };
    DevicePlan {
        arch: "sm_90a".into(),
        precision: "f32".into(),
        entries: Vec::new(),
        programs: vec![program],
        updates: None,
        probe: None,
    }
}

/// A launch on that buffer.
pub fn launch(entry: usize, blocks: Size, bytes: Size) -> DeviceStep {
    let argument = DeviceArgument { buffer: 0, bytes };
    DeviceStep::Launch(DeviceLaunch {
        entry,
        blocks: blocks.clone(),
        arguments: vec![argument],
        sizes: vec![blocks],
        path: String::new(),
    })
}

fn recorded(plan: &DevicePlan, size: i64, number: i32) -> Vec<(usize, u32, Vec<u64>, Vec<i64>)> {
    let mut recorder = Recorder { number, ..Recorder::default() };
    device::run(plan, 0, &[4096], &[size], &mut recorder, &mut |turn, _| Ok(turn != 1)).expect("nothing declines");
    recorder.launched
}

#[test]
fn loops_run_backwards_count_in_addresses_and_may_be_refused() {
    let moved = Size::Product(vec![Size::Symbol(1), Size::Constant(8)]);
    let turn = |reverse, watched| {
        let body = vec![launch(0, Size::Symbol(0), moved.clone())];
        let body = if watched { vec![DeviceStep::Ask { counter: 1, body }] } else { body };
        plan_of(vec![DeviceStep::Loop { counter: 1, turns: Size::Constant(3), reverse, body }], 1)
    };
    let addresses =
        |plan| recorded(&plan, 5, 0).into_iter().map(|(_, _, addresses, _)| addresses[0]).collect::<Vec<_>>();
    assert_eq!(addresses(turn(false, false)), [4096, 4104, 4112]);
    assert_eq!(addresses(turn(true, false)), [4112, 4104, 4096]);
    assert_eq!(addresses(turn(false, true)), [4096, 4112]);
}

#[test]
fn a_number_on_the_device_chooses_an_arm() {
    let from = DeviceArgument { buffer: 0, bytes: Size::Constant(4) };
    let arms = vec![vec![launch(7, Size::Constant(1), 0.into())], vec![launch(8, Size::Constant(1), 0.into())]];
    let steps =
        vec![DeviceStep::Count { counter: 1, from }, DeviceStep::Switch { counter: 1, table: vec![1, 0], arms }];
    let plan = plan_of(steps, 1);
    let entries = |number| recorded(&plan, 1, number).into_iter().map(|(entry, ..)| entry).collect::<Vec<_>>();
    assert_eq!((entries(0), entries(1), entries(2)), (vec![8], vec![7], vec![]));
}

#[test]
fn a_table_says_which_slice_a_turn_has() {
    let table = vec![2, 0, 1];
    let moved = Size::Product(vec![Size::Symbol(2), Size::Constant(8)]);
    let body = vec![DeviceStep::Lookup { counter: 2, of: 1, table }, launch(0, Size::Symbol(0), moved)];
    let plan = plan_of(vec![DeviceStep::Loop { counter: 1, turns: Size::Constant(3), reverse: false, body }], 2);
    let addresses = recorded(&plan, 5, 0).into_iter().map(|(_, _, addresses, _)| addresses[0]).collect::<Vec<_>>();
    assert_eq!(addresses, [4112, 4096, 4104]);
}

#[test]
fn nothing_is_launched_for_no_blocks_and_too_many_are_refused() {
    let plan = plan_of(vec![launch(0, Size::Symbol(0), 0.into())], 0);
    assert!(recorded(&plan, 0, 0).is_empty());
    let run = |blocks| device::run(&plan, 0, &[0], &[blocks], &mut Recorder::default(), &mut |_, _| Ok(true));
    let message = run(1 << 40).expect_err("it is too large").to_string();
    assert!(message.contains("blocks"), "{message}");
}

/// The gradient of an attention that keeps a ring of keys, launched for a place in the source.
fn gradient_of_a_ring() -> Program {
    let mut gradient =
        attention::gradient(attention::Case { causal: true, window: None, masked: false, listed: false });
    gradient.forward.ring = Some(64);
    let kernel = attention::kernel(Form::AttendGradient(Box::new(gradient)));
    let mut program = program(kernel, &vec![1.into(); 12], 1);
    if let Some(Step::Launch(launch)) = program.steps.first_mut() {
        launch.path = "layers.angle".to_string();
    }
    program
}

#[test]
fn what_a_gpu_cannot_run_is_named_with_its_place() {
    let error = Entries::of(&[&gradient_of_a_ring()], Arch::Sm90a.into()).expect_err("there is no such entry");
    let message = "`--target cuda` cannot run `attend` in `layers.angle` of the program `test`: it has further \
                   products, or a ring of keys";
    assert_eq!((error.message.as_str(), error.help.as_deref()), (message, Some("`--target cpu` runs it")));
}
