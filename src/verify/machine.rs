//! The machine whose code is verified: this CPU, or the GPU of this computer.

use super::Native;
use super::native::failure;
use crate::driver::{self, Failure, Graphs, Session};
use crate::fault::{Bug, Environment};
use crate::gpu::Gpu;
use crate::model::Model;
use crate::target::Target;
use archc_runtime::abi::DevicePlan;
use archc_runtime::device::{self, Shared};
use archc_runtime::model::{Code, DeviceCode, Loaded};
use std::ffi::CString;

/// What runs the code.
#[derive(Debug, Clone)]
pub enum Machine {
    /// A CPU, with as many threads as there are processors.
    Cpu(Target),
    /// The first NVIDIA GPU.
    Gpu(Gpu),
}

impl From<Target> for Machine {
    fn from(target: Target) -> Machine {
        Machine::Cpu(target)
    }
}

impl Machine {
    /// A model's programs, compiled and in the machine's memory.
    ///
    /// # Errors
    /// If a program cannot be made or loaded; for a GPU also if there is no driver, or no GPU that the code is for.
    pub fn native<'m>(&self, model: &'m Model, graphs: &Graphs, session: &mut Session) -> Result<Native<'m>, Failure> {
        match self {
            Machine::Cpu(target) => Native::new(model, &driver::compile(model, graphs, target, session)?, 0),
            Machine::Gpu(gpu) => Ok(Native::of(model, on_gpu(model, graphs, *gpu, session)?)),
        }
    }
}

fn on_gpu(model: &Model, graphs: &Graphs, gpu: Gpu, session: &mut Session) -> Result<Loaded, Failure> {
    let programs = driver::programs(graphs, session)?;
    let manifest = driver::manifest(model, &programs, Vec::new());
    let made = driver::device_of(&programs.iter().collect::<Vec<_>>(), gpu, session)?;
    let text = CString::new(made.ptx).map_err(|_| Bug::new("ptx", "the text has a zero byte"))?;
    let driver = open(&made.plan, &text)?;
    let code = Code::for_device(manifest, DeviceCode { plan: made.plan, text });
    Loaded::on_device(code, archc_runtime::threads::allowed_cpus().len(), driver).map_err(failure)
}

fn open(plan: &DevicePlan, text: &CString) -> Result<Shared, Environment> {
    let driver = device::open(plan, text);
    driver.map(Shared::new).map_err(|error| {
        Environment::new(error.message().to_string()).help("`--device cpu` verifies the code of this CPU")
    })
}
