//! A shared library of compiled programs, loaded into this process.
#![expect(unsafe_code, reason = "machine code is called here")]

use crate::fault::Environment;
use archc_runtime::abi::{BUFFER_ALIGNMENT, BufferInfo, Frame, PROGRAMS_SYMBOL, ParallelBody, ProgramFunction};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ffi::c_void;
use std::path::Path;

/// Memory for one buffer, zeroed and aligned as compiled code expects.
#[derive(Debug)]
pub struct Block {
    start: *mut u8,
    layout: Layout,
    bytes: usize,
}

impl Block {
    /// Room for some bytes.
    pub fn zeroed(bytes: usize) -> Block {
        let room = bytes.max(1).next_multiple_of(BUFFER_ALIGNMENT);
        let Ok(layout) = Layout::from_size_align(room, BUFFER_ALIGNMENT) else {
            handle_alloc_error(Layout::new::<u8>())
        };
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        Block { start, layout, bytes }
    }

    /// A copy of some numbers.
    pub fn of_f32(values: &[f32]) -> Block {
        let mut block = Block::zeroed(values.len() * 4);
        for (bytes, value) in block.bytes_mut().chunks_exact_mut(4).zip(values) {
            bytes.copy_from_slice(&value.to_ne_bytes());
        }
        block
    }

    /// The contents as 32-bit floats.
    pub fn to_f32(&self) -> Vec<f32> {
        let number = |bytes: &[u8]| f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        self.bytes().chunks_exact(4).map(number).collect()
    }

    /// The contents.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block owns at least this many initialised bytes.
        unsafe { std::slice::from_raw_parts(self.start, self.bytes) }
    }

    /// The contents, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the block is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and freed once.
        unsafe { dealloc(self.start, self.layout) }
    }
}

/// The programs of a loaded library.
#[derive(Debug)]
pub struct Loaded {
    library: libloading::Library,
}

impl Loaded {
    /// Loads a library that [`super::shared`] made.
    ///
    /// # Errors
    /// If the system cannot load it.
    pub fn open(path: &Path) -> Result<Loaded, Environment> {
        // SAFETY: a library of ours has no initialisers.
        let library = unsafe { libloading::Library::new(path) };
        let failed = |error| Environment::new(format!("cannot load {}: {error}", path.display()));
        library.map(|library| Loaded { library }).map_err(failed)
    }

    /// Runs a program, by its place in the module, on the calling thread.
    ///
    /// # Errors
    /// If there are not as many blocks as buffers or one of them is too small for the sizes.
    pub fn run(
        &self,
        program: usize,
        infos: &[BufferInfo],
        blocks: &mut [&mut Block],
        sizes: &[i64],
    ) -> Result<(), Environment> {
        if infos.len() != blocks.len() {
            return Err(Environment::new(format!("{} buffers are needed, {} are given", infos.len(), blocks.len())));
        }
        for (info, block) in infos.iter().zip(blocks.iter()) {
            let elements = info.shape.iter().map(|size| size.evaluate(sizes)).product::<i64>();
            let needed = elements.max(0) as usize * info.element.bytes();
            if block.bytes < needed {
                let message = format!("buffer `{}` needs {needed} bytes and has {}", info.name, block.bytes);
                return Err(Environment::new(message));
            }
        }
        let addresses = blocks.iter_mut().map(|block| block.start).collect::<Vec<_>>();
        let mut tally = 0;
        let frame = Frame {
            buffers: addresses.as_ptr(),
            sizes: sizes.as_ptr(),
            pool: std::ptr::null(),
            parallel_for: in_order,
            watch: let_run,
            watcher: std::ptr::null(),
            tally: &raw mut tally,
        };
        // SAFETY: the symbol is a table of at least `program + 1` functions of this type; each buffer is as large as
        // its shape says, is aligned, and is borrowed alone for the call.
        unsafe {
            let table = self.library.get::<*const ProgramFunction>(PROGRAMS_SYMBOL.as_bytes());
            let table = table.map_err(|error| Environment::new(format!("the library has no programs: {error}")))?;
            (*table.add(program))(&raw const frame);
        }
        Ok(())
    }
}

/// Every turn runs.
unsafe extern "C" fn let_run(_: *const c_void, _: i64) -> i64 {
    1
}

/// A parallel loop on one thread, in the chunks that any number of threads would get.
unsafe extern "C" fn in_order(_: *const c_void, body: ParallelBody, context: *const c_void, count: i64, grain: i64) {
    let mut begin = 0;
    while begin < count {
        let end = count.min(begin + grain);
        // SAFETY: the caller's body and context belong together.
        unsafe { body(context, begin, end) };
        begin = end;
    }
}
