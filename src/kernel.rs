//! Kernels as plain data: what runs between two synchronisation points, without a word about MLIR.
//!
//! A [`Kernel`] gets addresses and whole numbers, and is one of a few [`Form`]s. [`Nest`] is general: a tree of loops with
//! scalar statements; every operation can be lowered to it. The other forms are the schedules that matter for speed.
//! Nothing here depends on a machine: tile sizes and vector widths are chosen where code is emitted.

mod apart;
mod attend;
pub mod choice;
mod joined;
mod matrix;
mod nest;
pub mod numbers;
pub mod varying;

pub use apart::is_apart;
pub use attend::*;
pub use joined::joined;
pub use matrix::*;
pub use nest::*;

use archc_runtime::abi::Element;

/// A piece of work on buffers. Two equal kernels are compiled once.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// For symbols, profiles and reports: `map_add_multiply`, `contract_gemm`; not unique.
    pub name: String,
    /// The buffers that it is given, in order.
    pub buffers: Vec<KernelBuffer>,
    /// How many whole numbers (extents, strides, offsets) it is given.
    pub sizes: usize,
    /// What it does.
    pub form: Form,
}

impl Kernel {
    /// What equal kernels agree in; the name is for people.
    pub fn identity(&self) -> String {
        format!("{:?} {} {:?}", self.buffers, self.sizes, self.form)
    }
}

/// One buffer of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KernelBuffer {
    /// The element type in memory.
    pub element: Element,
    /// Whether the kernel writes it. A buffer that is written is not read by the same kernel under another number, unless
    /// element by element at the same address.
    pub written: bool,
}

/// The forms.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// Loops and scalar statements.
    Nest(Nest),
    /// A matrix product with an epilogue.
    Gemm(Gemm),
    /// Copies a matrix into panels for [`Gemm`].
    Pack(Pack),
    /// Streamed attention.
    Attend(Box<Attend>),
    /// The gradient of streamed attention.
    AttendGradient(Box<AttendGradient>),
}

/// A whole number that a kernel uses: written into its code, or given at each launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Amount {
    /// The same at every launch.
    Constant(i64),
    /// The launch's size of that place.
    Size(usize),
}
