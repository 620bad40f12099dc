//! The machine: buffers, and launches of kernels on them.
//!
//! In: a module, a kernel's name, a grid and parameters. Out: what the kernel wrote, or the first fault.
//! The same seed gives the same run; another seed another order of blocks, warps, copies and lanes.

use std::collections::HashMap;

use crate::fault::{Fault, Rule};
use crate::launch::{Launch, Shape};
use crate::memory::Memory;
use crate::module::{Function, Module};
use crate::syntax::Home;

/// A parameter of a kernel, as its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter(Vec<u8>);

impl Parameter {
    /// The bytes of the parameter, of which there are as many as the kernel declares.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Parameter {
        Parameter(bytes.into())
    }
}

macro_rules! parameter_from {
    ($($type:ty),*) => {
        $(impl From<$type> for Parameter {
            fn from(value: $type) -> Parameter {
                Parameter(value.to_le_bytes().to_vec())
            }
        })*
    };
}

parameter_from!(u8, u16, u32, u64, i16, i32, i64, f32, f64);

impl From<crate::TensorMap> for Parameter {
    fn from(map: crate::TensorMap) -> Parameter {
        Parameter(map.bytes().into())
    }
}

/// Memory that lives across launches, and the chance that orders them.
pub struct Machine {
    memory: Memory,
    seed: u64,
    launches: u64,
    executed: u64,
    /// Addresses of a module's global variables, by name: they live as long as the machine.
    globals: HashMap<String, u64>,
}

/// Shared memory of a block at most, in bytes (CUDA Programming Guide, compute capability 9.0).
const SHARED_LIMIT: usize = 227 * 1024;

impl Machine {
    /// A machine whose order of everything follows from the seed.
    pub fn new(seed: u64) -> Machine {
        Machine { memory: Memory::new(seed), seed, launches: 0, executed: 0, globals: HashMap::new() }
    }

    /// A buffer with these bytes; its device address.
    pub fn buffer(&mut self, bytes: &[u8]) -> u64 {
        self.memory.add(bytes.to_vec(), true, false)
    }

    /// A buffer that nobody has written yet: a kernel that reads it first is at fault.
    pub fn uninitialised(&mut self, bytes: usize) -> u64 {
        self.memory.add(vec![crate::shared::POISON; bytes], false, false)
    }

    /// Gives a buffer back: a kernel that touches it later is at fault.
    pub fn release(&mut self, buffer: u64) {
        self.memory.release(buffer);
    }

    /// Replaces the content of a buffer by as many bytes.
    pub fn write(&mut self, buffer: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.memory.replace(buffer, bytes).map_err(|trouble| launch_fault(trouble.message))
    }

    /// Writes a part of a buffer; what else nobody has written stays so.
    pub fn write_at(&mut self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.memory.write_unaligned(address, bytes).map_err(|trouble| launch_fault(trouble.message))
    }

    /// A part of a buffer, which somebody has written.
    pub fn read_at(&self, address: u64, bytes: usize) -> Result<Vec<u8>, Fault> {
        let found = self.memory.read_unaligned(address, bytes);
        found.map(<[u8]>::to_vec).map_err(|trouble| Fault { rule: trouble.rule, line: 0, message: trouble.message })
    }

    /// The content of a buffer; empty for an address that is no buffer's.
    pub fn read(&self, buffer: u64) -> Vec<u8> {
        self.memory.buffer(buffer).map_or(Vec::new(), |(data, _)| data.to_vec())
    }

    /// Places of a buffer that no kernel and no host has written.
    pub fn unwritten(&self, buffer: u64) -> Vec<usize> {
        let Some((_, Some(written))) = self.memory.buffer(buffer) else { return Vec::new() };
        written.iter().enumerate().filter(|(_, known)| !**known).map(|(at, _)| at).collect()
    }

    /// Instructions that threads have executed so far.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// Runs a kernel. Blocks run a few at a time in any order, as on a machine that others use too.
    pub fn launch(
        &mut self,
        module: &Module,
        kernel: &str,
        grid: [u32; 3],
        block: [u32; 3],
        dynamic_shared: usize,
        parameters: &[Parameter],
    ) -> Result<(), Fault> {
        self.start(module, kernel, (grid, block, dynamic_shared), parameters, false)
    }

    /// Runs a kernel whose blocks wait for each other: all of them are resident.
    pub fn launch_cooperative(
        &mut self,
        module: &Module,
        kernel: &str,
        grid: [u32; 3],
        block: [u32; 3],
        dynamic_shared: usize,
        parameters: &[Parameter],
    ) -> Result<(), Fault> {
        self.start(module, kernel, (grid, block, dynamic_shared), parameters, true)
    }

    fn start(
        &mut self,
        module: &Module,
        kernel: &str,
        (grid, block, dynamic_shared): ([u32; 3], [u32; 3], usize),
        parameters: &[Parameter],
        all_resident: bool,
    ) -> Result<(), Fault> {
        let place = module.functions.iter().position(|known| known.is_kernel && known.name == kernel);
        let Some(place) = place else { return Err(launch_fault(format!("there is no kernel `{kernel}`"))) };
        let function = &module.functions[place];
        check_threads(function, block)?;
        let bytes = parameter_bytes(function, parameters)?;
        let (symbols, shared_bytes) = self.lay_out(module, function, dynamic_shared)?;
        let shape = Shape { grid, block, shared_bytes, dynamic_shared, all_resident };
        self.launches += 1;
        let seed = self.seed ^ crate::random::mix(self.launches);
        let mut launch = Launch::new(module, place, shape, bytes, symbols, &mut self.memory, seed);
        let result = launch.run();
        self.executed += launch.executed;
        result
    }

    /// The address of every variable that the kernel may name, and the bytes of shared memory of a block.
    fn lay_out(&mut self, module: &Module, kernel: &Function, dynamic: usize) -> Result<(Vec<u64>, usize), Fault> {
        let mut symbols = vec![0; module.variables.len()];
        let named = module.reachable_variables(kernel);
        let mut shared = crate::shared::SHARED_BASE;
        let mut dynamic_align = 16;
        for at in &named {
            let variable = &module.variables[*at as usize];
            match variable.home {
                Home::Shared => {
                    shared = shared.next_multiple_of(u64::from(variable.align));
                    symbols[*at as usize] = shared;
                    shared += variable.bytes as u64;
                }
                Home::DynamicShared => dynamic_align = dynamic_align.max(variable.align),
                Home::Global | Home::Constant => symbols[*at as usize] = self.global(variable),
            }
        }
        let start = shared.next_multiple_of(u64::from(dynamic_align));
        for at in named {
            if module.variables[at as usize].home == Home::DynamicShared {
                symbols[at as usize] = start;
            }
        }
        let end = if dynamic > 0 { start + dynamic as u64 } else { shared };
        let bytes = (end - crate::shared::SHARED_BASE) as usize;
        match bytes <= SHARED_LIMIT {
            true => Ok((symbols, bytes)),
            false => Err(launch_fault(format!("{bytes} bytes of shared memory; a block has {SHARED_LIMIT}"))),
        }
    }

    fn global(&mut self, variable: &crate::syntax::Variable) -> u64 {
        if let Some(address) = self.globals.get(&variable.name) {
            return *address;
        }
        let mut data = variable.initial.clone().unwrap_or_default();
        data.resize(variable.bytes, 0);
        let address = self.memory.add(data, true, variable.home == Home::Constant);
        self.globals.insert(variable.name.clone(), address);
        address
    }
}

fn launch_fault(message: String) -> Fault {
    Fault { rule: Rule::Launch, line: 0, message }
}

fn check_threads(function: &Function, block: [u32; 3]) -> Result<(), Fault> {
    let count: u32 = block.iter().product();
    let fault = |message: String| Err(launch_fault(format!("kernel `{}`: {message}", function.name)));
    if count == 0 || count > 1024 {
        return fault(format!("a block has 1 to 1024 threads, not {count}"));
    }
    match function.threads {
        Some((required, true)) if required != block => fault(format!("{block:?} threads, {required:?} required")),
        Some((limit, false)) if count > limit.iter().product() => {
            fault(format!("{block:?} threads, at most {limit:?} allowed"))
        }
        _ => Ok(()),
    }
}

/// Parameters as they lie in parameter space.
fn parameter_bytes(function: &Function, parameters: &[Parameter]) -> Result<Vec<u8>, Fault> {
    let slots = &function.parameters;
    if slots.len() != parameters.len() {
        let message = format!("kernel `{}` takes {} parameters, not {}", function.name, slots.len(), parameters.len());
        return Err(launch_fault(message));
    }
    let mut bytes = Vec::new();
    for (slot, parameter) in slots.iter().zip(parameters) {
        if slot.bytes as usize != parameter.0.len() {
            let (wanted, given) = (slot.bytes, parameter.0.len());
            return Err(launch_fault(format!("parameter `{}` has {wanted} bytes, not {given}", slot.name)));
        }
        bytes.resize(slot.offset as usize, crate::shared::POISON);
        bytes.extend_from_slice(&parameter.0);
    }
    Ok(bytes)
}
