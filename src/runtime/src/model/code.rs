//! Compiled code as the runtime sees it.
#![expect(unsafe_code, reason = "compiled programs are functions behind addresses")]

use crate::abi::{DevicePlan, Element, Frame, Manifest, ProgramFunction, ProgramInfo};
use crate::error::{Error, Result};
use crate::threads::{Pool, parallel_for};
use std::any::Any;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;

/// A manifest and the functions that it lists, or code for a GPU, or both.
pub struct Code {
    manifest: Manifest,
    /// None where the code is for GPUs alone.
    functions: Vec<ProgramFunction>,
    device: Option<DeviceCode>,
    /// Keeps a shared library loaded.
    _owner: Option<Box<dyn Any + Send + Sync>>,
}

/// Code for a GPU.
#[derive(Debug, Clone)]
pub struct DeviceCode {
    /// What is launched when.
    pub plan: DevicePlan,
    /// PTX.
    pub text: CString,
}

impl DeviceCode {
    /// The code behind the symbols of [`crate::abi`]; none if the plan is empty.
    ///
    /// # Errors
    /// If the plan cannot be read.
    ///
    /// # Safety
    /// `plan` must be valid for `length` bytes, `code` up to its zero byte.
    pub unsafe fn from_symbols(plan: *const u8, length: u64, code: *const c_char) -> Result<Option<DeviceCode>> {
        if length == 0 {
            return Ok(None);
        }
        // SAFETY: promised by the caller.
        let (plan, code) = unsafe { (std::slice::from_raw_parts(plan, length as usize), CStr::from_ptr(code)) };
        let plan = serde_json::from_slice(plan)
            .map_err(|cause| Error::bug(format!("the plan for GPUs cannot be read: {cause}")))?;
        Ok(Some(DeviceCode { plan, text: code.to_owned() }))
    }
}

impl Code {
    /// Code at hand. `owner` is kept as long as the functions may be called.
    ///
    /// # Errors
    /// If there are functions, and not one for each of the manifest's programs.
    ///
    /// # Safety
    /// Each function must do what its program's entry in the manifest says, and touch nothing else.
    pub unsafe fn new(
        manifest: Manifest,
        functions: Vec<ProgramFunction>,
        owner: Option<Box<dyn Any + Send + Sync>>,
    ) -> Result<Code> {
        if !functions.is_empty() && manifest.programs.len() != functions.len() {
            let (programs, functions) = (manifest.programs.len(), functions.len());
            return Err(Error::bug(format!("the manifest lists {programs} programs, the code has {functions}")));
        }
        Ok(Code { manifest, functions, device: None, _owner: owner })
    }

    /// Code behind the three symbols of [`crate::abi`].
    ///
    /// # Errors
    /// If the manifest cannot be read.
    ///
    /// # Safety
    /// `manifest` must be valid for `length` bytes and `programs` for as many entries as the manifest lists programs (zeros
    /// where the code is for GPUs alone), both while `owner` lives; each function as in [`Code::new`].
    pub unsafe fn from_symbols(
        manifest: *const u8,
        length: u64,
        programs: *const Option<ProgramFunction>,
        owner: Option<Box<dyn Any + Send + Sync>>,
    ) -> Result<Code> {
        // SAFETY: promised by the caller.
        let text = unsafe { std::slice::from_raw_parts(manifest, length as usize) };
        let manifest: Manifest = serde_json::from_slice(text)
            .map_err(|cause| Error::bug(format!("the manifest cannot be read: {cause}")))?;
        // SAFETY: promised by the caller.
        let functions = unsafe { std::slice::from_raw_parts(programs, manifest.programs.len()) };
        let functions = functions.iter().copied().collect::<Option<Vec<_>>>().unwrap_or_default();
        // SAFETY: promised by the caller.
        unsafe { Code::new(manifest, functions, owner) }
    }

    /// Code for a GPU alone.
    pub fn for_device(manifest: Manifest, device: DeviceCode) -> Code {
        Code { manifest, functions: Vec::new(), device: Some(device), _owner: None }
    }

    /// Adds code for a GPU, if there is any.
    #[must_use]
    pub fn with_device(self, device: Option<DeviceCode>) -> Code {
        Code { device, ..self }
    }

    /// The code for a GPU.
    pub fn device(&self) -> Option<&DeviceCode> {
        self.device.as_ref()
    }

    /// The code for a GPU, of a model that is to run on one.
    ///
    /// # Errors
    /// If there is none.
    pub fn for_gpu(&self) -> Result<&DeviceCode> {
        self.device.as_ref().ok_or_else(|| {
            Error::environment(format!("`{}` was built for CPUs alone", self.manifest.model))
                .help("build it with `archc build --target cuda`")
        })
    }

    /// The same, of which the manifest says how buffers lie on a GPU.
    pub(super) fn narrowed(mut self) -> Code {
        let plans = self.device.iter().flat_map(|device| &device.plan.programs);
        for (info, plan) in self.manifest.programs.iter_mut().zip(plans) {
            plan.narrow.iter().for_each(|place| info.buffers[*place].element = Element::Bf16);
        }
        self
    }

    /// Whether there is code for the CPU.
    pub fn runs_on_cpu(&self) -> bool {
        !self.functions.is_empty()
    }

    /// What the model says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The place of a program in the manifest.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.manifest.programs.iter().position(|program| program.name == name)
    }

    /// A program's entry in the manifest.
    pub fn program(&self, index: usize) -> &ProgramInfo {
        &self.manifest.programs[index]
    }

    /// Runs a program over its buffers.
    ///
    /// # Safety
    /// There must be one address for each buffer of the program, valid for reads and writes of the size that it has
    /// under these sizes and used by nobody else meanwhile (parameters may be read), and one size for each symbol.
    pub(super) unsafe fn run(
        &self,
        index: usize,
        buffers: &[*mut u8],
        sizes: &[i64],
        pool: &Pool,
        mut watcher: Watcher<'_>,
        tally: &mut i64,
    ) {
        let frame = Frame {
            buffers: buffers.as_ptr(),
            sizes: sizes.as_ptr(),
            pool: pool.context(),
            parallel_for,
            watch,
            watcher: (&raw mut watcher).cast(),
            tally,
        };
        // SAFETY: the function does what its entry says (promised in `new`) within the buffers promised here.
        unsafe { (self.functions[index])(&raw const frame) }
    }
}

/// Looks at the turns of a program's loop; answers whether the turn runs.
pub(super) type Watcher<'w> = &'w mut dyn FnMut(i64) -> bool;

unsafe extern "C" fn watch(watcher: *const c_void, turn: i64) -> i64 {
    // SAFETY: a frame's watcher is the `Watcher` that `run` holds until the program returns, and nobody else uses it.
    let watcher = unsafe { &mut *watcher.cast_mut().cast::<Watcher<'_>>() };
    i64::from(watcher(turn))
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Code({}, {} programs)", self.manifest.model, self.functions.len())
    }
}
