//! A compiled model and its memory.
//!
//! In: the manifest and the program functions, linked in or loaded by archc ([`Code`]). Out: [`Loaded`], which holds the
//! parameters and runs programs: a [`Call`] carries the inputs and outputs of one program for fixed sizes, [`States`]
//! what is kept from call to call. Packed parameters are renewed before the next call whenever parameters change.

mod call;
mod code;
mod features;
mod loaded;
mod on_device;
mod resident;
mod start;
mod states;

pub use call::Call;
pub use code::{Code, DeviceCode};
pub use features::missing_features;
pub use loaded::Loaded;
pub use states::States;
