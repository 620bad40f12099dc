//! The vocabulary of values: axes, element types, relations and presence, scalar functions.
//!
//! A value is a function of its axes, present or absent at each position. Nothing here knows where a value comes
//! from; `V` stands for however a stage names its values.

mod array;
mod axis;
mod element;
mod presence;
pub mod random;
mod scalar;

pub use array::*;
pub use axis::*;
pub use element::*;
pub use presence::*;
pub use scalar::*;
