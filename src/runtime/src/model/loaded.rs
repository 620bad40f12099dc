//! A model with its parameters in memory, ready to run.
#![expect(unsafe_code, reason = "running compiled code over raw addresses")]

mod handing;
mod moving;
mod packing;

use super::call::shape_of;
use super::code::Watcher;
use super::on_device::{Layout, OnDevice};
use super::start;
use super::{Call, Code, States, missing_features};
use crate::abi::{BufferInfo, Element, Manifest, ProgramInfo, Role, names};
use crate::device::{Limits, Shared};
use crate::error::{Error, Result, nearest};
use crate::memory::{Arena, Lifetime, Tensor, pack};
use crate::threads::Pool;
use std::collections::{BTreeMap, HashMap};

/// A model in memory.
#[derive(Debug)]
pub struct Loaded {
    code: Code,
    pool: Pool,
    /// In the order of the manifest.
    parameters: Vec<Tensor>,
    packed: BTreeMap<String, Tensor>,
    /// Parameters have changed since they were packed.
    stale: bool,
    arena: Arena,
    /// Offsets of temporaries and the arena's size, by program and sizes.
    plans: HashMap<(usize, Vec<i64>), Layout>,
    /// Where programs run, if not here.
    device: Option<OnDevice>,
    /// Parameters have changed here since they were copied to the device.
    moved: bool,
    /// They have changed there since.
    ahead: bool,
}

impl Loaded {
    /// A model whose parameters are all zero. `threads` as in [`Pool::new`].
    ///
    /// # Errors
    /// If this CPU cannot run the code, or there is not enough memory.
    pub fn new(code: Code, threads: usize) -> Result<Loaded> {
        if !code.runs_on_cpu() {
            let message = format!("`{}` was built for GPUs alone", code.manifest().model);
            return Err(Error::environment(message).help("build it with `archc build --target cpu,cuda`"));
        }
        let missing = missing_features(&code.manifest().features);
        if !missing.is_empty() {
            let message = format!("this CPU lacks {}, which the model was built for", missing.join(", "));
            return Err(Error::environment(message).help("build it again with `archc build --cpu baseline`"));
        }
        Loaded::anywhere(code, threads, None)
    }

    /// A model that runs on a GPU, with the code of which the driver has been opened. The threads are for everything else.
    ///
    /// # Errors
    /// If there is no such code, or not enough memory.
    pub fn on_device(code: Code, threads: usize, driver: Shared) -> Result<Loaded> {
        let device = code.for_gpu()?;
        let device = OnDevice::new(device.plan.clone(), driver);
        Loaded::anywhere(code.narrowed(), threads, Some(device))
    }

    fn anywhere(code: Code, threads: usize, device: Option<OnDevice>) -> Result<Loaded> {
        let shapes = code.manifest().parameters.iter().map(|info| &info.shape);
        let parameters = shapes.map(|shape| Tensor::zeros(Element::F32, shape)).collect::<Result<_>>()?;
        let (packed, plans, arena) = (BTreeMap::new(), HashMap::new(), Arena::empty()?);
        let pool = Pool::new(threads);
        Ok(Loaded { code, pool, parameters, packed, stale: true, arena, plans, device, moved: true, ahead: false })
    }

    /// What the model says about itself.
    pub fn manifest(&self) -> &Manifest {
        self.code.manifest()
    }

    /// The threads that it runs on.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Runs on so many threads from now on, as in [`Pool::new`].
    pub fn set_threads(&mut self, threads: usize) {
        self.pool = Pool::new(threads);
    }

    /// All parameters and buffers of the model, in the manifest's order; after steps on a device, what they were before
    /// until [`Loaded::bring_back`].
    pub fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    /// The parameters, to be changed, and the pool to do it with. What stands here counts from now on: where a device may
    /// be ahead, and not all of it is overwritten, [`Loaded::bring_back`] comes first.
    pub fn parameters_mut(&mut self) -> (&Manifest, &mut [Tensor], &Pool) {
        (self.stale, self.moved, self.ahead) = (true, true, false);
        (self.code.manifest(), &mut self.parameters, &self.pool)
    }

    /// Gives every parameter its initial value.
    ///
    /// # Errors
    /// If the manifest contradicts itself.
    pub fn initialize(&mut self, seed: u64) -> Result<()> {
        let (manifest, parameters, pool) = self.parameters_mut();
        parameters
            .iter_mut()
            .zip(&manifest.parameters)
            .try_for_each(|(tensor, info)| start::fill(tensor, info, seed, pool))
    }

    /// Whether its programs run on a GPU.
    pub fn is_on_device(&self) -> bool {
        self.device.is_some()
    }

    /// What measures the limits of the device that programs run on; none if that is this CPU.
    ///
    /// # Errors
    /// If it has no memory left to measure with.
    pub fn limits(&self) -> Result<Option<Limits>> {
        self.device.as_ref().map(OnDevice::limits).transpose()
    }

    /// Waits until all that was run is done: a device is told what to do, and goes on by itself.
    ///
    /// # Errors
    /// If something that was run has failed.
    pub fn finish(&self) -> Result<()> {
        self.device.as_ref().map_or(Ok(()), OnDevice::finish)
    }

    /// Whether the model has a program of that name.
    pub fn has(&self, program: &str) -> bool {
        self.code.find(program).is_some()
    }

    /// A program's entry in the manifest.
    ///
    /// # Errors
    /// If the model has no such program.
    pub fn program(&self, name: &str) -> Result<&ProgramInfo> {
        self.find(name).map(|index| self.code.program(index))
    }

    /// Room for a call of a program under given sizes. Sizes that it does not have are ignored.
    ///
    /// # Errors
    /// If there is no such program, a size is missing, or there is not enough memory.
    pub fn prepare_call(&self, program: &str, sizes: &[(&str, i64)]) -> Result<Call> {
        let index = self.find(program)?;
        Call::new(index, self.code.program(index), sizes)
    }

    /// Runs a call. Its outputs are in it afterwards.
    ///
    /// # Errors
    /// If there is not enough memory, or code and manifest do not fit together.
    pub fn run(&mut self, call: &mut Call, states: &mut States) -> Result<()> {
        let packed = |buffer: &BufferInfo| buffer.role == Role::Packed;
        if self.code.program(call.program).buffers.iter().any(packed) {
            self.renew_packed()?;
        }
        self.run_as_is(call, states, &mut |_| true)
    }

    /// Runs a call, and shows an output of whole numbers before each turn of the loop that makes it, with the number of
    /// the turn; no turn runs after one that was refused.
    ///
    /// # Errors
    /// As [`Loaded::run`]; or if there is no such output.
    pub fn run_watched(
        &mut self,
        call: &mut Call,
        output: &str,
        mut look: impl FnMut(i64, &[i32]) -> bool,
    ) -> Result<()> {
        self.renew_packed()?;
        let tensor = call.output(output)?;
        if tensor.element() != Element::I32 {
            return Err(Error::bug(format!("the output `{output}` is not of whole numbers")));
        }
        let (address, length) = (tensor.block().address().cast::<i32>(), tensor.len());
        let mut goes_on = true;
        self.run_as_is(call, &mut States::new(), &mut |turn| {
            // SAFETY: the output has so many elements, and the program writes nothing until it is answered.
            goes_on = goes_on && look(turn, unsafe { std::slice::from_raw_parts(address, length) });
            goes_on
        })
    }

    fn find(&self, program: &str) -> Result<usize> {
        self.code.find(program).ok_or_else(|| {
            let known: Vec<&str> = self.manifest().programs.iter().map(|info| info.name.as_str()).collect();
            let message = format!("`{}` was built without the program `{program}`", self.manifest().model);
            let hint = nearest(program, known.iter().copied()).map(|near| format!("did you mean `{near}`? "));
            let hint = hint.unwrap_or_default();
            Error::request(message).help(format!("{hint}it has: {}", known.join(", ")))
        })
    }

    fn run_as_is(&mut self, call: &mut Call, states: &mut States, watcher: Watcher<'_>) -> Result<()> {
        if self.device.is_some() {
            return self.run_on_device(call, states, watcher);
        }
        let addresses = self.addresses(call, states)?;
        // SAFETY: `addresses` gives each buffer memory of its size: parameters and packed ones live in `self`, states in
        // `states`, inputs and outputs in `call`, all borrowed mutably; temporaries are apart in the arena as long as
        // they live at the same time.
        let mut tally = 0;
        unsafe { self.code.run(call.program, &addresses, &call.sizes, &self.pool, watcher, &mut tally) };
        call.tally = tally;
        Ok(())
    }

    fn run_on_device(&mut self, call: &mut Call, states: &mut States, watcher: Watcher<'_>) -> Result<()> {
        let layout = self.plan(call);
        self.move_parameters()?;
        let Some(device) = &mut self.device else { return Ok(()) };
        device.run(self.code.program(call.program), call, states, &layout, watcher)
    }

    /// One address for each buffer of the call's program.
    fn addresses(&mut self, call: &Call, states: &mut States) -> Result<Vec<*mut u8>> {
        let (offsets, total) = self.plan(call);
        let base = self.arena.room(total)?;
        let program = self.code.program(call.program);
        let mut temporaries = offsets.iter();
        let mut addresses = Vec::with_capacity(program.buffers.len());
        for (place, buffer) in program.buffers.iter().enumerate() {
            let shape = shape_of(&buffer.shape, &call.sizes);
            addresses.push(match &buffer.role {
                Role::Parameter => parameter_address(&self.parameters, self.code.manifest(), buffer, &shape)?,
                Role::Packed => packed_address(&mut self.packed, buffer, &shape)?,
                Role::State => states.provide(buffer, &shape)?,
                Role::Input if names::is_carried(&buffer.name) => states.provide(buffer, &shape)?,
                Role::Temporary { .. } => base.wrapping_add(temporaries.next().copied().unwrap_or_default()),
                Role::Input | Role::Output | Role::Gradient | Role::Update => {
                    call.tensors[place].as_ref().map_or(base, |tensor| tensor.block().address())
                }
            });
        }
        Ok(addresses)
    }

    /// Where the temporaries of a call lie in the arena, and how large it must be. Worked out once for the same sizes.
    fn plan(&mut self, call: &Call) -> Layout {
        let program = self.code.program(call.program);
        let key = (call.program, call.sizes.clone());
        self.plans.entry(key).or_insert_with(|| pack(&lifetimes(program, &call.sizes))).clone()
    }

    /// How many bytes of scratch memory a program needs under given sizes.
    ///
    /// # Errors
    /// As [`Loaded::prepare_call`].
    pub fn scratch(&self, program: &str, sizes: &[(&str, i64)]) -> Result<usize> {
        let info = self.program(program)?;
        let value = |name: &String| sizes.iter().find(|(other, _)| other == name).map_or(1, |(_, value)| *value);
        let sizes: Vec<i64> = info.sizes.iter().map(value).collect();
        Ok(pack(&lifetimes(info, &sizes)).1)
    }
}

/// Sizes and lifetimes of a program's temporaries.
fn lifetimes(program: &ProgramInfo, sizes: &[i64]) -> Vec<Lifetime> {
    let lifetime = |buffer: &BufferInfo| match buffer.role {
        Role::Temporary { first, last } => {
            let count: i64 = buffer.shape.iter().map(|size| size.evaluate(sizes)).product();
            let bytes = usize::try_from(count).unwrap_or(0).saturating_mul(buffer.element.bytes());
            Some(Lifetime { bytes, first, last })
        }
        _ => None,
    };
    program.buffers.iter().filter_map(lifetime).collect()
}

/// Where a parameter lies.
fn parameter_address(
    parameters: &[Tensor],
    manifest: &Manifest,
    buffer: &BufferInfo,
    shape: &[i64],
) -> Result<*mut u8> {
    let place = manifest.parameters.iter().position(|info| info.path == buffer.name);
    let tensor = place.map(|place| &parameters[place]);
    let count: i64 = shape.iter().product();
    match tensor {
        Some(tensor) if tensor.len() as i64 == count => Ok(tensor.block().address()),
        Some(_) => Err(Error::bug(format!("a program sees the parameter {} with shape {shape:?}", buffer.name))),
        None => Err(Error::bug(format!("a program reads the parameter {}, which is not listed", buffer.name))),
    }
}

/// Where a packed parameter lies; made when first needed.
fn packed_address(packed: &mut BTreeMap<String, Tensor>, buffer: &BufferInfo, shape: &[i64]) -> Result<*mut u8> {
    if !packed.contains_key(&buffer.name) {
        packed.insert(buffer.name.clone(), Tensor::zeros(buffer.element, shape)?);
    }
    let tensor = &packed[&buffer.name];
    if tensor.shape() != shape {
        return Err(Error::bug(format!("programs do not agree on the shape of the packed {}", buffer.name)));
    }
    Ok(tensor.block().address())
}
