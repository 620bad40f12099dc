//! Parameters in and out of safetensors files.
//!
//! Two forms: the native one, whose tensors are named by parameter path, and that of published checkpoints, which the
//! manifest's weight map describes as strided boxes. Single and sharded files; f32, f16 and bf16, widened at load.
//! Everything is checked before the first parameter changes, so a refused file leaves the model as it was.

mod boxes;
mod file;
mod load;
mod save;

pub use file::{Stored, WeightFile};
pub use load::{Form, load};
pub(crate) use save::native;
pub use save::{Notes, Saved, save, write_tensors};
