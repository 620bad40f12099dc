//! PTX becomes code of the GPU at hand: of an earlier start ([`Cubins`]), or by the driver now.

use super::Gpu;
use super::library::{Module, Status};
use crate::device::{Cubins, Found, Origin, patiently};
use crate::error::{Error, Result};
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::time::Duration;

/// `CU_JIT_INPUT_PTX`.
const PTX: c_int = 1;
/// `CU_JIT_ERROR_LOG_BUFFER` and `CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES`.
const COMPLAINTS: [c_int; 2] = [5, 6];
/// Bytes of the driver's complaints at most.
const COMPLAINT: usize = 4096;
/// After so long one who waits is told why.
const PATIENCE: Duration = Duration::from_secs(2);

impl Gpu {
    /// The code, loaded. What the driver has compiled once is not compiled again.
    pub(super) fn compiled(&self, code: &CStr) -> Result<Module> {
        let mut driver = 0;
        // SAFETY: the driver writes one number.
        unsafe { self.library.check("asking the GPU's driver", (self.library.version)(&raw mut driver))? };
        let (capability, bytes) = (self.capability, code.to_bytes());
        let origin = Origin { name: &self.name, capability, driver, code: bytes };
        let cubins = Cubins::of_user();
        if let Some(module) = cubins.as_ref().and_then(|cubins| self.kept(cubins, &origin)) {
            return Ok(module);
        }
        let made = match self.slowly(|| self.link(code)) {
            Ok(made) => made,
            // What cannot be compiled by itself may still be loaded, which is asked last.
            Err(error) => {
                let module = self.slowly(|| self.loaded(code.to_bytes_with_nul())).map_err(|_| error.clone())?;
                eprintln!("note: the code for the GPU is compiled at each start: {}", error.message());
                return Ok(module);
            }
        };
        if let Some(Err(error)) = cubins.map(|cubins| cubins.keep(&origin, &made)) {
            eprintln!("note: the code for the GPU is compiled again at the next start: {}", error.message());
        }
        self.loaded(&made)
    }

    /// The code of an earlier start, if it is there and the driver still takes it.
    fn kept(&self, cubins: &Cubins, origin: &Origin<'_>) -> Option<Module> {
        let trouble = match cubins.find(origin) {
            Found::Nothing => return None,
            Found::Damaged(path) => format!("{} is damaged", path.display()),
            Found::Code(kept) => match self.loaded(&kept) {
                Ok(module) => return Some(module),
                Err(error) => format!("{}: {}", cubins.path(origin).display(), error.message()),
            },
        };
        eprintln!("note: {trouble}; the code for the GPU is compiled again");
        None
    }

    /// Compiles, and says so if that takes long.
    fn slowly<T>(&self, work: impl FnOnce() -> T) -> T {
        let first = format!("the driver compiles the code for the GPU {} …", self.name);
        patiently(PATIENCE, (&first, "… it has"), &|line| eprintln!("{line}"), work)
    }

    /// Loads compiled code, or PTX that ends with a zero byte.
    fn loaded(&self, code: &[u8]) -> Result<Module> {
        self.enter()?;
        let mut module = ptr::null_mut();
        // SAFETY: the code tells its own length, which has been checked or is the driver's, and is read during the call.
        let status = unsafe { (self.library.load)(&raw mut module, code.as_ptr().cast()) };
        self.library.check("loading the code for the GPU", status)?;
        Ok(module)
    }

    /// Compiles PTX.
    fn link(&self, code: &CStr) -> Result<Vec<u8>> {
        self.enter()?;
        let mut complaint = [0u8; COMPLAINT];
        let mut options = COMPLAINTS;
        let mut values = [complaint.as_mut_ptr().cast::<c_void>(), ptr::without_provenance_mut(COMPLAINT - 1)];
        let mut state = ptr::null_mut();
        // SAFETY: two options with two values: room for a text that lives until the work ends below, and its size.
        let status = unsafe { (self.library.begin_link)(2, options.as_mut_ptr(), values.as_mut_ptr(), &raw mut state) };
        self.library.check("compiling the code for the GPU", status)?;
        let made = self.link_in(state, code);
        // SAFETY: the work was begun above, and nobody has what it owns any more.
        unsafe { (self.library.end_link)(state) };
        made.map_err(|status| {
            let error = self.library.check("compiling the code for the GPU", status).err();
            let error = error.unwrap_or_else(|| Error::bug("the driver compiled the code to nothing"));
            let text = CStr::from_bytes_until_nul(&complaint).map(CStr::to_string_lossy).unwrap_or_default();
            let first = text.lines().find(|line| !line.trim().is_empty()).map(|line| format!(" ({})", line.trim()));
            Error::environment(format!("{}{}", error.message(), first.unwrap_or_default()))
        })
    }

    fn link_in(&self, state: *mut c_void, code: &CStr) -> std::result::Result<Vec<u8>, Status> {
        let (mut made, mut length) = (ptr::null_mut(), 0);
        let bytes = code.to_bytes_with_nul();
        // SAFETY: the driver reads the text during the call, and writes no more than an address and a length.
        let status = unsafe {
            let data = bytes.as_ptr().cast::<c_void>().cast_mut();
            let none = (ptr::null_mut(), ptr::null_mut());
            match (self.library.add_code)(state, PTX, data, bytes.len(), c"code".as_ptr(), 0, none.0, none.1) {
                0 => (self.library.complete_link)(state, &raw mut made, &raw mut length),
                status => status,
            }
        };
        if status != 0 || made.is_null() {
            return Err(status);
        }
        // SAFETY: the driver's memory of that length, until the work ends.
        Ok(unsafe { std::slice::from_raw_parts(made.cast::<u8>(), length) }.to_vec())
    }
}
