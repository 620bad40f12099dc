//! The vocabulary of values: axes, element types, relations and presence, scalar functions.
//!
//! A value is a function of its axes, present or absent at each position. Nothing here knows where a value comes
//! from; `V` stands for however a stage names its values.

mod axis;
mod element;
mod presence;
mod scalar;

pub use axis::*;
pub use element::*;
pub use presence::*;
pub use scalar::*;
