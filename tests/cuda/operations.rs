//! Every operation of the catalogue, its gradient, and every scalar function, as PTX against the plain meaning.

use super::emulated::Emulated;
use crate::conformance::feed_of;
use crate::conformance::native::{disagreements, every_function, every_operation, planned};
use archc::gpu::{Arch, Entries, Gpu, Precision, plan};
use archc::graph::Graph;
use archc::link::Block;
use archc::plan::Program;
use archc::{llvm, mlir};
use archc_runtime::abi::DevicePlan;
use archc_runtime::device::{self, Driver};

/// The plan and the PTX of some programs.
pub fn compiled(programs: &[Program], precision: Precision) -> (DevicePlan, String) {
    compiled_for(programs, Gpu { arch: Arch::Sm90a, precision })
}

/// The same for some GPU.
pub fn compiled_for(programs: &[Program], gpu: Gpu) -> (DevicePlan, String) {
    let all = programs.iter().collect::<Vec<_>>();
    let entries = Entries::of(&all, gpu).unwrap_or_else(|error| panic!("{}", error.message));
    let plan = plan(&all, &entries, gpu);
    let text = mlir::gpu::write(&entries);
    let context = mlir::context();
    let module = mlir::lower(&context, &text).unwrap_or_else(|bug| panic!("{}\n{}", bug.guarantee, bug.detail));
    let ptx = llvm::ptx(&module, gpu.arch).unwrap_or_else(|bug| panic!("{}", bug.detail));
    (plan, ptx)
}

/// Runs a program on blocks of memory of their own, so that an access beside one is found.
pub fn run(plan: &DevicePlan, place: usize, machine: &mut Emulated, blocks: &mut [&mut Block], symbols: &[i64]) {
    let addresses = blocks.iter().map(|block| {
        let address = machine.allocate(block.bytes().len().max(1)).expect("memory");
        machine.upload(address, block.bytes()).expect("it is that large");
        address
    });
    let addresses = addresses.collect::<Vec<_>>();
    let result = device::run(plan, place, &addresses, symbols, machine, &mut |_, _| Ok(true));
    result.unwrap_or_else(|error| panic!("{error}"));
    for (block, &address) in blocks.iter_mut().zip(&addresses) {
        machine.download(address, block.bytes_mut()).expect("it is that large");
    }
}

/// Compiles all graphs in one module and compares each with the interpreter, in several orders of events.
fn assert_in_ptx(graphs: &[Graph]) {
    let programs = planned(graphs);
    let (plan, ptx) = compiled(&programs, Precision::F32);
    let mut wrong = Vec::new();
    for (place, graph) in graphs.iter().enumerate() {
        let (feed, program) = (feed_of(graph), &programs[place]);
        for seed in [1, 2, 3] {
            wrong.extend(disagreements(graph, &feed, program, |blocks, symbols| {
                let mut blocks = blocks.iter_mut().collect::<Vec<_>>();
                run(&plan, place, &mut Emulated::new(&plan, &ptx, seed), &mut blocks, symbols);
            }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ptx_means_what_eval_means_for_every_operation_and_its_gradient() {
    assert_in_ptx(&every_operation());
}

#[test]
fn ptx_computes_every_scalar_function() {
    assert_in_ptx(&[every_function()]);
}
