//! The driver of NVIDIA's GPUs, looked for when the program starts to use one: nothing of it is needed before.
#![expect(unsafe_code, reason = "functions of the driver's library")]

mod compiling;
mod library;
mod recording;

use super::Driver;
use crate::abi::DevicePlan;
use crate::error::{Error, Result};
use library::{Context, Executable, Function, Graphs, Library, Module, Stream};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_void};
use std::ptr;

/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `_MINOR`.
const CAPABILITY: [i32; 2] = [75, 76];
/// `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`.
const MOST_SHARED: i32 = 8;

/// The first GPU of this machine, with the code of a plan loaded: the driver compiles it for the GPU at hand.
///
/// # Errors
/// If there is no driver, no GPU, or none that runs the code.
pub fn open(plan: &DevicePlan, code: &CStr) -> Result<impl Driver + use<>> {
    let library = Library::open()?;
    let mut gpu = Gpu::first(library)?;
    gpu.check(&plan.arch)?;
    gpu.load(plan, code)?;
    Ok(gpu)
}

/// A GPU.
#[derive(Debug)]
struct Gpu {
    library: Library,
    name: String,
    capability: [i32; 2],
    context: Context,
    module: Module,
    /// For each entry of the plan: the function, the threads of a block and the bytes of shared memory it is given.
    entries: Vec<(Function, u32, u32)>,
    /// None if the driver is too old for them.
    graphs: Option<Graphs>,
    /// Where launches go: the default stream, or one from which they are captured.
    stream: Stream,
    /// Graphs that are ready to run.
    recordings: BTreeMap<u64, Executable>,
    /// How many there have been.
    recorded: u64,
}

// SAFETY: the handles are the driver's, which any thread may use once it has made the context its own.
unsafe impl Send for Gpu {}

impl Gpu {
    fn first(library: Library) -> Result<Gpu> {
        let (mut count, mut device) = (0, 0);
        // SAFETY: the driver writes one number through each pointer.
        unsafe {
            library.check("starting the GPU's driver", (library.init)(0))?;
            library.check("counting GPUs", (library.device_count)(&raw mut count))?;
        }
        if count == 0 {
            return Err(Error::environment("there is no NVIDIA GPU in this machine"));
        }
        let mut name = [0; 128];
        let mut capability = [0; 2];
        let mut context = ptr::null_mut();
        // SAFETY: each pointer is valid for what the driver writes; the name's room is given with it.
        unsafe {
            library.check("opening the GPU", (library.device)(&raw mut device, 0))?;
            library.check("naming the GPU", (library.device_name)(name.as_mut_ptr(), 127, device))?;
            for (value, attribute) in capability.iter_mut().zip(CAPABILITY) {
                library.check("asking the GPU", (library.attribute)(value, attribute, device))?;
            }
            library.check("opening the GPU", (library.retain_context)(&raw mut context, device))?;
            library.check("opening the GPU", (library.set_context)(context))?;
        }
        // SAFETY: the driver ends the name with a zero byte, and so does the array.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        Ok(Gpu {
            library,
            name,
            capability,
            context,
            module: ptr::null_mut(),
            entries: Vec::new(),
            graphs: Graphs::open(),
            stream: ptr::null_mut(),
            recordings: BTreeMap::new(),
            recorded: 0,
        })
    }

    /// Code for `sm_90a` runs on 9.0 alone, code for `sm_80` on 8.0 and all that came after it.
    fn check(&self, arch: &str) -> Result<()> {
        let digits = arch.trim_start_matches("sm_").trim_end_matches('a');
        let wanted = digits.parse::<i32>().unwrap_or(0);
        let here = 10 * self.capability[0] + self.capability[1];
        let fits = if arch.ends_with('a') { here == wanted } else { here >= wanted };
        if fits {
            return Ok(());
        }
        let [major, minor] = self.capability;
        let message = format!("the GPU {} has compute capability {major}.{minor}, the code is for {arch}", self.name);
        Err(Error::environment(message).help("build it again with another --gpu-arch, or run it with --device cpu"))
    }

    fn load(&mut self, plan: &DevicePlan, code: &CStr) -> Result<()> {
        self.module = self.compiled(code)?;
        for entry in &plan.entries {
            let symbol = CString::new(entry.symbol.as_str())
                .map_err(|_| Error::bug(format!("`{}` is no symbol", entry.symbol)))?;
            let mut function = ptr::null_mut();
            // SAFETY: the module is loaded, the symbol ends with a zero byte.
            unsafe {
                let status = (self.library.function)(&raw mut function, self.module, symbol.as_ptr());
                self.library.check(&format!("looking for `{}`", entry.symbol), status)?;
            }
            if entry.shared > 0 {
                // SAFETY: the function is loaded.
                let status = unsafe { (self.library.set_attribute)(function, MOST_SHARED, entry.shared.cast_signed()) };
                self.library.check(&format!("giving shared memory to `{}`", entry.symbol), status)?;
            }
            self.entries.push((function, entry.threads, entry.shared));
        }
        Ok(())
    }

    /// Makes the context this thread's own.
    fn enter(&self) -> Result<()> {
        // SAFETY: the context lives as long as `self`.
        let status = unsafe { (self.library.set_context)(self.context) };
        self.library.check("using the GPU", status)
    }
}

impl Driver for Gpu {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64> {
        self.enter()?;
        let (mut address, mut free, mut total) = (0, 0, 0);
        // SAFETY: the driver writes one number through each pointer.
        unsafe {
            let status = (self.library.allocate)(&raw mut address, bytes);
            if status == library::OUT_OF_MEMORY {
                (self.library.memory)(&raw mut free, &raw mut total);
                let message = format!(
                    "the GPU {} has no room for {} MB more: {} of {} MB are free",
                    self.name,
                    bytes >> 20,
                    free >> 20,
                    total >> 20
                );
                return Err(Error::environment(message).help("use a smaller --batch or --context"));
            }
            self.library.check("taking memory on the GPU", status)?;
        }
        Ok(address)
    }

    fn release(&mut self, address: u64) {
        // SAFETY: the address is one that `allocate` gave, and nobody uses it any more.
        if self.enter().is_ok() {
            unsafe { (self.library.release)(address) };
        }
    }

    fn upload(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        self.enter()?;
        // SAFETY: the slice is valid for its length; the device's side is the driver's to check.
        let status = unsafe { (self.library.to_device)(address, bytes.as_ptr().cast(), bytes.len()) };
        self.library.check("copying to the GPU", status)
    }

    fn download(&mut self, address: u64, bytes: &mut [u8]) -> Result<()> {
        self.enter()?;
        // SAFETY: as for `upload`, and the slice is ours to write.
        let status = unsafe { (self.library.from_device)(bytes.as_mut_ptr().cast(), address, bytes.len()) };
        self.library.check("copying from the GPU", status)
    }

    fn copy(&mut self, from: u64, to: u64, bytes: usize) -> Result<()> {
        self.enter()?;
        // SAFETY: addresses of the device, which the driver checks.
        let status = unsafe { (self.library.on_device)(to, from, bytes) };
        self.library.check("copying on the GPU", status)
    }

    fn clear(&mut self, address: u64, bytes: usize) -> Result<()> {
        self.enter()?;
        // SAFETY: an address of the device, which the driver checks.
        let status = unsafe { (self.library.clear)(address, 0, bytes) };
        self.library.check("clearing memory of the GPU", status)
    }

    fn wait(&mut self) -> Result<()> {
        self.enter()?;
        // SAFETY: it takes nothing.
        let status = unsafe { (self.library.synchronize)() };
        self.library.check("waiting for the GPU", status)
    }

    fn launch(&mut self, entry: usize, blocks: u32, addresses: &[u64], sizes: &[i64]) -> Result<()> {
        self.enter()?;
        let (function, threads, shared) = self.entries[entry];
        let addresses = addresses.iter().map(|address| ptr::from_ref(address).cast::<c_void>().cast_mut());
        let sizes = sizes.iter().map(|size| ptr::from_ref(size).cast::<c_void>().cast_mut());
        let mut parameters = addresses.chain(sizes).collect::<Vec<_>>();
        // SAFETY: the entry takes as many addresses and sizes of 64 bits as its place in the plan says, and the driver
        // copies them before it returns; it may have so much shared memory; the stream is the default one or there.
        let status = unsafe {
            let list = parameters.as_mut_ptr();
            (self.library.launch)(function, blocks, 1, 1, threads, 1, 1, shared, self.stream, list, ptr::null_mut())
        };
        self.library.check("launching on the GPU", status)
    }

    fn record(&mut self, launches: &mut dyn FnMut(&mut dyn Driver) -> Result<()>) -> Result<Option<u64>> {
        let Some(executable) = self.captured(launches)? else { return Ok(None) };
        self.recorded += 1;
        self.recordings.insert(self.recorded, executable);
        Ok(Some(self.recorded))
    }

    fn replay(&mut self, recording: u64) -> Result<()> {
        self.enter()?;
        let (Some(graphs), Some(executable)) = (self.graphs, self.recordings.get(&recording)) else {
            return Err(Error::bug("nothing is recorded under this number"));
        };
        // SAFETY: the graph is ready to run; the default stream.
        let status = unsafe { (graphs.launch)(*executable, ptr::null_mut()) };
        self.library.check("launching on the GPU", status)
    }

    fn erase(&mut self, recording: u64) {
        if let (Some(graphs), Some(executable), Ok(())) =
            (self.graphs, self.recordings.remove(&recording), self.enter())
        {
            // SAFETY: it was made here, and nobody launches it any more; the driver waits where it still runs.
            unsafe { (graphs.destroy_executable)(executable) };
        }
    }
}
