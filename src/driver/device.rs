//! The second half of the pipeline for a GPU: graphs to PTX and a plan of launches.

use super::{Failure, Graphs, Session};
use crate::gpu::{self, Entries, Gpu};
use crate::llvm;
use crate::mlir;
use crate::plan::Program;
use archc_runtime::abi::DevicePlan;

/// Code for a GPU with its plan.
#[derive(Debug, Clone)]
pub struct Device {
    /// What is launched.
    pub plan: DevicePlan,
    /// The functions of the plan's entries.
    pub ptx: String,
}

/// Compiles all programs for a GPU, or the one of a name.
///
/// # Errors
/// If a kernel cannot run there, or a bug of a stage.
pub fn device(
    graphs: &Graphs,
    program: Option<&str>,
    gpu: impl Into<Gpu>,
    session: &mut Session,
) -> Result<Device, Failure> {
    let programs = super::programs(graphs, session)?;
    device_of(&wanted(&programs, program), gpu.into(), session)
}

/// The same for programs that are planned already.
///
/// # Errors
/// As [`device`].
pub fn device_of(programs: &[&Program], gpu: Gpu, session: &mut Session) -> Result<Device, Failure> {
    let narrowed = gpu::narrowed(programs, gpu);
    let programs = narrowed.iter().collect::<Vec<_>>();
    let entries = Entries::of(&programs, gpu)?;
    let plan = gpu::plan(&programs, &entries, gpu);
    let text = session.stage("mlir", |_| mlir::gpu::write(&entries))?;
    session.dump("mlir", || text.clone())?;
    let ptx = session.stage("ptx", |_| {
        let context = mlir::context();
        let module = mlir::lower(&context, &text)?;
        llvm::ptx(&module, gpu.arch)
    })??;
    Ok(Device { plan, ptx })
}

/// What all programs launch, or the one of a name.
///
/// # Errors
/// As [`device`].
pub fn launches(
    graphs: &Graphs,
    program: Option<&str>,
    gpu: impl Into<Gpu>,
    session: &mut Session,
) -> Result<String, Failure> {
    let gpu = gpu.into();
    let programs = super::programs(graphs, session)?;
    let narrowed = gpu::narrowed(&wanted(&programs, program), gpu);
    let wanted = narrowed.iter().collect::<Vec<_>>();
    let entries = Entries::of(&wanted, gpu)?;
    Ok(gpu::text(&gpu::plan(&wanted, &entries, gpu), &wanted))
}

fn wanted<'p>(programs: &'p [Program], name: Option<&str>) -> Vec<&'p Program> {
    programs.iter().filter(|program| name.is_none_or(|name| name == program.name)).collect()
}
