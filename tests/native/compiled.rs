//! Programs of one kernel, compiled and loaded.

use archc::kernel::{Amount, Form, Kernel, KernelBuffer};
use archc::link::{self, Block, Loaded};
use archc::plan::{Argument, Launch, Program, Step};
use archc::target::{Level, Target};
use archc::{llvm, mlir};
use archc_runtime::abi::{BufferInfo, Element, Manifest, Role, Size};

/// What runs one program.
pub trait Runs {
    /// Runs it on these buffers.
    fn run(&self, blocks: &mut [&mut Block], sizes: &[i64]);
}

/// A compiled program.
pub struct Compiled {
    loaded: Loaded,
    buffers: Vec<BufferInfo>,
    _folder: tempfile::TempDir,
}

/// The levels that this machine can run.
pub fn targets() -> Vec<Target> {
    let all = [Level::Baseline, Level::Avx2, Level::Avx512].map(Target::of);
    all.into_iter().filter(Target::runs_here).collect()
}

/// A program that launches one kernel; buffer i has `lengths[i]` elements, and size j is the program's symbol j.
pub fn program(kernel: Kernel, lengths: &[Size], work: i64) -> Program {
    let buffer = |(place, (buffer, length)): (usize, (&KernelBuffer, &Size))| BufferInfo {
        name: format!("b{place}"),
        role: if buffer.written { Role::Output } else { Role::Input },
        element: buffer.element,
        shape: vec![length.clone()],
    };
    let buffers = kernel.buffers.iter().zip(lengths).enumerate().map(buffer).collect::<Vec<_>>();
    let arguments = (0..buffers.len()).map(|buffer| Argument { buffer, offset: Size::Constant(0) }).collect();
    let sizes = (0..kernel.sizes).map(Size::Symbol).collect();
    let work = Size::Constant(work);
    let launch = Launch { kernel: 0, arguments, sizes, work, path: String::new() };
    Program {
        name: "test".to_string(),
        symbols: (0..kernel.sizes).map(|size| format!("n{size}")).collect(),
        limits: Vec::new(),
        counters: 0,
        buffers,
        kernels: vec![kernel],
        steps: vec![Step::Launch(launch)],
        multiply_adds: Size::Constant(0),
        aside: Size::Constant(0),
        elementwise: Size::Constant(0),
        powers: Size::Constant(0),
    }
}

/// A kernel on 32-bit floats; the last buffers are written.
pub fn kernel(read: usize, written: usize, sizes: usize, form: Form) -> Kernel {
    let buffer = |place| KernelBuffer { element: Element::F32, written: place >= read };
    Kernel { name: "test".to_string(), buffers: (0..read + written).map(buffer).collect(), sizes, form }
}

/// The k-th size.
pub fn size(place: usize) -> Amount {
    Amount::Size(place)
}

/// A manifest that says nothing.
pub fn manifest() -> Manifest {
    serde_json::from_str(
        r#"{"model": "test", "compiler": "", "features": [], "parameters": [], "programs": [], "generate": null,
            "weights": [], "longest": null, "vocabulary": null}"#,
    )
    .expect("the manifest is complete")
}

impl Compiled {
    /// Compiles a program for a target.
    pub fn new(program: &Program, target: &Target) -> Compiled {
        let text = mlir::write(&[program], &manifest(), target);
        let context = mlir::context();
        let module = mlir::lower(&context, &text).unwrap_or_else(|bug| panic!("{}\n{}", bug.guarantee, bug.detail));
        let object = llvm::compile(&module, target).unwrap_or_else(|bug| panic!("{}", bug.detail));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = link::shared(&object, folder.path()).unwrap_or_else(|error| panic!("{}", error.message));
        let loaded = Loaded::open(&path).unwrap_or_else(|error| panic!("{}", error.message));
        Compiled { loaded, buffers: program.buffers.clone(), _folder: folder }
    }
}

impl Runs for Compiled {
    fn run(&self, blocks: &mut [&mut Block], sizes: &[i64]) {
        self.loaded.run(0, &self.buffers, blocks, sizes).unwrap_or_else(|error| panic!("{}", error.message));
    }
}
