//! Calls of compiled programs by names, through the runtime: plain numbers in, plain numbers out.

use super::super::array::Array;
use super::library;
use crate::driver::{Compiled, Failure};
use crate::fault::{Bug, Environment};
use crate::link::shared;
use archc_runtime::abi::{Element, names};
use archc_runtime::error::{Error, Kind};
use archc_runtime::generate::longest_piece;
use archc_runtime::memory::Tensor;
use archc_runtime::model::{Call, Loaded, States};
use std::collections::BTreeMap;

/// The programs of one model, and what rows have seen.
pub struct Calls {
    loaded: Loaded,
    states: States,
}

/// Results by name, with the role that their buffers have.
pub struct Results<'c> {
    call: &'c Call,
}

impl Calls {
    /// Links the object to a shared library and loads it.
    pub fn load(compiled: &Compiled, threads: usize) -> Result<Calls, Failure> {
        Ok(Calls::of(load(compiled, threads)?))
    }

    /// Calls of a model that is in memory.
    pub fn of(loaded: Loaded) -> Calls {
        Calls { loaded, states: States::new() }
    }

    /// Whether there is a program of this name.
    pub fn has(&self, program: &str) -> bool {
        self.loaded.has(program)
    }

    /// What rows have seen so far.
    pub fn copy_states(&self) -> Result<States, Failure> {
        self.states.duplicate().map_err(failure)
    }

    /// Goes back to what rows had seen.
    pub fn set_states(&mut self, states: States) {
        self.states = states;
    }

    /// Most new positions of one call of the step program.
    pub fn longest_piece(&self) -> Result<usize, Failure> {
        Ok(longest_piece(self.loaded.program(names::STEP).map_err(failure)?))
    }

    /// Gives all parameters new numbers, in the order of the model.
    pub fn set_parameters(&mut self, numbers: &[Array]) -> Result<(), Failure> {
        let (_, tensors, _) = self.loaded.parameters_mut();
        for (tensor, array) in tensors.iter_mut().zip(numbers) {
            let slots = tensor.slice_mut::<f32>();
            if slots.len() != array.data.len() {
                return Err(Bug::new("program", "parameters have the sizes of the model").into());
            }
            slots.iter_mut().zip(&array.data).for_each(|(slot, number)| *slot = *number as f32);
        }
        Ok(())
    }

    /// Forgets all states; the next call begins with none.
    pub fn clear_states(&mut self) {
        self.states = States::new();
    }

    /// Makes room for a program's inputs and outputs under these sizes, and fills the inputs.
    pub fn prepare(
        &self,
        program: &str,
        inputs: &BTreeMap<String, Vec<f64>>,
        sizes: &[(&str, i64)],
    ) -> Result<Call, Failure> {
        let mut call = self.loaded.prepare_call(program, sizes).map_err(failure)?;
        for (name, numbers) in inputs.iter().filter(|(name, _)| call_has(&self.loaded, program, name)) {
            fill(&mut call, name, numbers)?;
        }
        Ok(call)
    }

    /// Runs it.
    pub fn run<'c>(&mut self, call: &'c mut Call) -> Result<Results<'c>, Failure> {
        self.loaded.run(call, &mut self.states).map_err(failure)?;
        Ok(Results { call })
    }
}

/// The runtime's model of compiled programs, in this process. Its parameters are not set.
///
/// # Errors
/// If there is no linker, or the system cannot load the library.
pub fn load(compiled: &Compiled, threads: usize) -> Result<Loaded, Failure> {
    let folder =
        tempfile::tempdir().map_err(|error| Environment::new(format!("cannot make a temporary folder: {error}")))?;
    let code = library::open(&shared(&compiled.object, folder.path())?)?;
    Loaded::new(code, threads).map_err(failure)
}

impl Results<'_> {
    /// All outputs by name.
    pub fn outputs(&self) -> BTreeMap<String, Array> {
        let outputs =
            self.call.outputs().filter_map(|name| Some((name.to_string(), array(self.call.output(name).ok()?))));
        outputs.collect()
    }

    /// The gradient of a parameter, if the program computes it.
    pub fn gradient(&self, path: &str) -> Option<Array> {
        self.call.gradient(path).map(array)
    }
}

/// A forward program that does not read an input has no buffer for it.
fn call_has(loaded: &Loaded, program: &str, input: &str) -> bool {
    let buffers = loaded.program(program).map(|info| info.buffers.as_slice()).unwrap_or_default();
    buffers.iter().any(|buffer| buffer.name == input)
}

fn fill(call: &mut Call, name: &str, numbers: &[f64]) -> Result<(), Failure> {
    if let Some(slots) = call.input_mut::<i32>(name) {
        return copy(name, slots, numbers, |number| number as i32);
    }
    if let Some(slots) = call.input_mut::<f32>(name) {
        return copy(name, slots, numbers, |number| number as f32);
    }
    match call.input_mut::<u8>(name) {
        Some(slots) => copy(name, slots, numbers, |number| u8::from(number != 0.0)),
        None => Err(Bug::new("program", format!("`{name}` is an input of a plain type")).into()),
    }
}

fn copy<N>(name: &str, slots: &mut [N], numbers: &[f64], narrow: impl Fn(f64) -> N) -> Result<(), Failure> {
    if slots.len() != numbers.len() {
        let counts = format!("`{name}` has {} elements, and {} are given", slots.len(), numbers.len());
        return Err(Bug::new("program", counts).into());
    }
    slots.iter_mut().zip(numbers).for_each(|(slot, number)| *slot = narrow(*number));
    Ok(())
}

fn array(tensor: &Tensor) -> Array {
    let data = match tensor.element() {
        Element::F64 => tensor.slice::<f64>().to_vec(),
        Element::I32 => tensor.slice::<i32>().iter().map(|number| f64::from(*number)).collect(),
        Element::Bool => tensor.slice::<u8>().iter().map(|number| f64::from(*number)).collect(),
        _ => tensor.slice::<f32>().iter().map(|number| f64::from(*number)).collect(),
    };
    Array { shape: tensor.shape().iter().map(|size| *size as usize).collect(), data }
}

/// An error of the runtime as the compiler reports it.
pub fn failure(error: Error) -> Failure {
    match error.kind() {
        Kind::Bug => Bug::new("program", error.message()).into(),
        _ => Environment::new(error.to_string()).into(),
    }
}
