//! What the tests share: modules from a file or from a body, and numbers as bytes.

use archc_ptx::{Fault, Machine, Module, Parameter};

/// The head of a module for the Hopper machine.
pub const HEAD: &str = ".version 9.0\n.target sm_90a\n.address_size 64\n";

pub fn parse(text: &str) -> Module {
    Module::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A module with one kernel `k` of 64-bit parameters `p0`, `p1` …, some registers of each width, and a body.
pub fn kernel(parameters: usize, body: &str) -> Module {
    parse(&kernel_text(parameters, body))
}

pub fn kernel_text(parameters: usize, body: &str) -> String {
    let list = (0..parameters).map(|at| format!(".param .b64 p{at}")).collect::<Vec<_>>().join(", ");
    let registers = ".reg .pred %p<8>; .reg .b16 %h<16>; .reg .b32 %r<64>; .reg .b64 %d<32>;";
    format!("{HEAD}.visible .entry k({list}) {{ {registers}\n{body}\n ret; }}")
}

/// Runs kernel `k` on one block.
pub fn run(machine: &mut Machine, module: &Module, threads: u32, parameters: &[u64]) -> Result<(), Fault> {
    launch(machine, module, [1, 1, 1], threads, parameters)
}

pub fn launch(
    machine: &mut Machine,
    module: &Module,
    grid: [u32; 3],
    threads: u32,
    parameters: &[u64],
) -> Result<(), Fault> {
    let parameters: Vec<Parameter> = parameters.iter().map(|value| Parameter::from(*value)).collect();
    machine.launch(module, "k", grid, [threads, 1, 1], 0, &parameters)
}

pub fn words(values: impl IntoIterator<Item = u32>) -> Vec<u8> {
    values.into_iter().flat_map(u32::to_le_bytes).collect()
}

pub fn floats(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

pub fn to_words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|chunk| u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]])).collect()
}

pub fn to_floats(bytes: &[u8]) -> Vec<f32> {
    to_words(bytes).into_iter().map(f32::from_bits).collect()
}
