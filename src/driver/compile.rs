//! The second half of the pipeline: graphs to machine code for one target.

use super::device::device_of;
use super::manifest::manifest;
use super::{Failure, Graphs, Request, Session};
use crate::gpu::Gpu;
use crate::link;
use crate::llvm::{self, Object};
use crate::mlir;
use crate::model::Model;
use crate::plan::Program;
use crate::target::Target;
use archc_runtime::abi::Manifest;
use std::path::Path;

/// Machine code with its manifest.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// What the code says about itself.
    pub manifest: Manifest,
    /// An object file.
    pub object: Object,
}

/// What the stages after the plan print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The lowered module.
    Mlir,
    /// Optimised LLVM IR.
    Llvm,
    /// Assembly.
    Assembly,
}

/// Compiles all programs of a model.
///
/// # Errors
/// A bug of a stage.
pub fn compile(model: &Model, graphs: &Graphs, target: &Target, session: &mut Session) -> Result<Compiled, Failure> {
    let programs = super::programs(graphs, session)?;
    let manifest = manifest(model, &programs, features(target));
    let text = write(&programs, &manifest, target, session)?;
    let object = object(&text, target, session)?;
    Ok(Compiled { manifest, object })
}

/// The text of a stage after the plan.
///
/// # Errors
/// A bug of a stage.
pub fn print(
    model: &Model,
    graphs: &Graphs,
    target: &Target,
    code: Code,
    session: &mut Session,
) -> Result<String, Failure> {
    let programs = super::programs(graphs, session)?;
    let manifest = manifest(model, &programs, features(target));
    let text = write(&programs, &manifest, target, session)?;
    let printed = session.stage("mlir", |_| {
        let context = mlir::context();
        let module = mlir::lower(&context, &text)?;
        match code {
            Code::Mlir => Ok(format!("{}\n", module.as_operation())),
            Code::Llvm => llvm::text(&module, target),
            Code::Assembly => llvm::assembly(&module, target),
        }
    })??;
    Ok(printed)
}

fn write(programs: &[Program], manifest: &Manifest, target: &Target, session: &mut Session) -> Result<String, Failure> {
    let all: Vec<&Program> = programs.iter().collect();
    let text = session.stage("mlir", |_| mlir::write(&all, manifest, target))?;
    session.dump("mlir", || text.clone())?;
    Ok(text)
}

fn features(target: &Target) -> Vec<String> {
    target.features().into_iter().map(String::from).collect()
}

/// Compiles a file to one executable, for a CPU, a GPU, or both.
///
/// # Errors
/// If the program is wrong, a GPU cannot run it, the linker is missing, or the path cannot be written.
pub fn build(
    request: &Request,
    target: &Target,
    places: Places,
    output: &Path,
    session: &mut Session,
) -> Result<(), Failure> {
    let model = super::check(request, session)?;
    let graphs = super::graphs(&model, session)?;
    let programs = super::programs(&graphs, session)?;
    let all: Vec<&Program> = programs.iter().collect();
    let device = match places.gpu {
        Some(gpu) => Some(device_of(&all, gpu, session)?),
        None => None,
    };
    let features = if places.cpu { features(target) } else { Vec::new() };
    let manifest = manifest(&model, &programs, features);
    let code = device.as_ref().map(|device| (&device.plan, device.ptx.as_str()));
    let text = session.stage("mlir", |_| match code {
        Some((plan, code)) if !places.cpu => mlir::write_device(&manifest, plan, code),
        code => mlir::write_with(&all, &manifest, target, code),
    })?;
    session.dump("mlir", || text.clone())?;
    let object = object(&text, target, session)?;
    Ok(session.stage("link", |_| link::executable(&object, output))??)
}

/// Where an executable runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// On the CPU.
    pub cpu: bool,
    /// On a GPU.
    pub gpu: Option<Gpu>,
}

impl Places {
    /// On the CPU alone.
    pub const CPU: Places = Places { cpu: true, gpu: None };
}

fn object(text: &str, target: &Target, session: &mut Session) -> Result<Object, Failure> {
    let object = session.stage("mlir", |session| {
        let context = mlir::context();
        let module = mlir::lower(&context, text)?;
        session.stage("asm", |_| llvm::compile(&module, target))?
    })??;
    Ok(object)
}
