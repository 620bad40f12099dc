//! The few functions of the driver's library that are used, and its messages.

use crate::error::{Error, Result};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;

/// A context of the driver.
pub type Context = *mut c_void;
/// Code that is being compiled.
pub type Linking = *mut c_void;
/// Loaded code.
pub type Module = *mut c_void;
/// A function of a module.
pub type Function = *mut c_void;
/// An order in which things are done.
pub type Stream = *mut c_void;
/// Launches in their order.
pub type Graph = *mut c_void;
/// The same, ready to run.
pub type Executable = *mut c_void;
/// What every function of the library returns; 0 is success.
pub type Status = c_int;

/// `CUDA_ERROR_OUT_OF_MEMORY`.
pub const OUT_OF_MEMORY: Status = 2;

macro_rules! functions {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $function:ident = $symbol:literal ($($argument:ty),*);)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name {
            $($(#[$doc])* pub $function: unsafe extern "C" fn($($argument),*) -> Status,)*
        }

        impl $name {
            fn find(handle: *mut c_void) -> Result<$name> {
                Ok($name {
                    $($function: {
                        let symbol = address(handle, $symbol)?;
                        // SAFETY: the driver API declares a function of this name with these types.
                        unsafe {
                            std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*) -> Status>(symbol)
                        }
                    },)*
                })
            }
        }
    };
}

functions! {
/// What every driver has. The library stays loaded until the process ends.
Library {
    /// Before everything else.
    init = c"cuInit" (c_uint);
    /// How many devices.
    device_count = c"cuDeviceGetCount" (*mut c_int);
    /// The device of a number.
    device = c"cuDeviceGet" (*mut c_int, c_int);
    /// Its name.
    device_name = c"cuDeviceGetName" (*mut c_char, c_int, c_int);
    /// One of its attributes.
    attribute = c"cuDeviceGetAttribute" (*mut c_int, c_int, c_int);
    /// The context of a device.
    retain_context = c"cuDevicePrimaryCtxRetain" (*mut Context, c_int);
    /// Makes a context the thread's own.
    set_context = c"cuCtxSetCurrent" (Context);
    /// The driver's version: 13000 is 13.0.
    version = c"cuDriverGetVersion" (*mut c_int);
    /// Starts to compile: options, their values, the work begun.
    begin_link = c"cuLinkCreate_v2" (c_uint, *mut c_int, *mut *mut c_void, *mut Linking);
    /// Adds code: its kind, bytes, name, options.
    add_code = c"cuLinkAddData_v2" (
        Linking, c_int, *mut c_void, usize, *const c_char, c_uint, *mut c_int, *mut *mut c_void
    );
    /// Compiles: the code and its bytes, which the work owns.
    complete_link = c"cuLinkComplete" (Linking, *mut *mut c_void, *mut usize);
    /// Ends the work.
    end_link = c"cuLinkDestroy" (Linking);
    /// Loads compiled code; compiles and loads PTX.
    load = c"cuModuleLoadData" (*mut Module, *const c_void);
    /// A function of a module.
    function = c"cuModuleGetFunction" (*mut Function, Module, *const c_char);
    /// Changes an attribute of a function.
    set_attribute = c"cuFuncSetAttribute" (Function, c_int, c_int);
    /// Free and all memory.
    memory = c"cuMemGetInfo_v2" (*mut usize, *mut usize);
    /// Takes memory.
    allocate = c"cuMemAlloc_v2" (*mut u64, usize);
    /// Gives it back.
    release = c"cuMemFree_v2" (u64);
    /// Copies to the device.
    to_device = c"cuMemcpyHtoD_v2" (u64, *const c_void, usize);
    /// Copies from the device.
    from_device = c"cuMemcpyDtoH_v2" (*mut c_void, u64, usize);
    /// Copies on the device: to, from.
    on_device = c"cuMemcpyDtoD_v2" (u64, u64, usize);
    /// Sets bytes.
    clear = c"cuMemsetD8_v2" (u64, u8, usize);
    /// Waits for all that the context was asked for.
    synchronize = c"cuCtxSynchronize" ();
    /// Launches: grid, block, shared bytes, stream, parameters.
    launch = c"cuLaunchKernel" (
        Function, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, *mut c_void, *mut *mut c_void,
        *mut *mut c_void
    );
    /// The text of a status.
    text = c"cuGetErrorString" (Status, *mut *const c_char);
}
}

functions! {
/// Launches as a graph, which an old driver may lack.
Graphs {
    /// A stream, with flags.
    create_stream = c"cuStreamCreate" (*mut Stream, c_uint);
    /// Gives it back.
    destroy_stream = c"cuStreamDestroy_v2" (Stream);
    /// From here on what is launched in a stream becomes a graph: what other threads do meanwhile is checked, or not.
    begin_capture = c"cuStreamBeginCapture_v2" (Stream, c_int);
    /// The graph.
    end_capture = c"cuStreamEndCapture" (Stream, *mut Graph);
    /// Makes a graph ready to run, with flags.
    instantiate = c"cuGraphInstantiateWithFlags" (*mut Executable, Graph, u64);
    /// Gives a graph back.
    destroy = c"cuGraphDestroy" (Graph);
    /// Launches one that is ready.
    launch = c"cuGraphLaunch" (Executable, Stream);
    /// Gives it back.
    destroy_executable = c"cuGraphExecDestroy" (Executable);
}
}

impl Library {
    /// Looks for the library.
    ///
    /// # Errors
    /// If it is not there, or too old.
    pub fn open() -> Result<Library> {
        let handle = handle();
        if handle.is_null() {
            let message = "there is no driver of an NVIDIA GPU on this machine (libcuda.so.1)";
            return Err(Error::environment(message));
        }
        Library::find(handle)
    }

    /// An error with the driver's own words, unless all is well.
    ///
    /// # Errors
    /// If the status says so.
    pub fn check(&self, doing: &str, status: Status) -> Result<()> {
        if status == 0 {
            return Ok(());
        }
        let mut text = ptr::null();
        // SAFETY: the driver writes a pointer to a text that lives as long as the library.
        let words = unsafe {
            (self.text)(status, &raw mut text);
            if text.is_null() { None } else { Some(CStr::from_ptr(text).to_string_lossy().into_owned()) }
        };
        let words = words.unwrap_or_else(|| format!("error {status}"));
        Err(Error::environment(format!("{doing} failed: {words}")))
    }
}

impl Graphs {
    /// Looks for them in the library; none if it is too old.
    pub fn open() -> Option<Graphs> {
        let handle = handle();
        if handle.is_null() { None } else { Graphs::find(handle).ok() }
    }
}

/// The library, which stays loaded; nothing if it is not there.
fn handle() -> *mut c_void {
    // SAFETY: the driver's library may be loaded by any process; its initialisers do nothing to us.
    unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) }
}

fn address(handle: *mut c_void, symbol: &CStr) -> Result<*mut c_void> {
    // SAFETY: the handle is that of a loaded library, the name ends with a zero byte.
    let found = unsafe { libc::dlsym(handle, symbol.as_ptr()) };
    if found.is_null() {
        let name = symbol.to_string_lossy();
        return Err(Error::environment(format!("the driver of the GPU is too old: it has no `{name}`")));
    }
    Ok(found)
}
