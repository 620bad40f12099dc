//! What the type rules share: types of values, the union of axes, errors in words.

use crate::graph::{Region, Value};
use crate::tensor::{Affine, Axes, AxisId, DType, TensorType, Term};

/// Why operands do not fit an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeError(pub String);

/// Where a type rule looks things up.
#[derive(Debug, Clone, Copy)]
pub struct Typing<'a> {
    /// The table of axes.
    pub axes: &'a Axes,
    /// The region whose values are read.
    pub region: &'a Region,
}

impl<'a> Typing<'a> {
    /// The type of a value.
    pub fn of(&self, value: Value) -> &'a TensorType {
        &self.region.typed(value).ty
    }

    /// The axes that a place reads: coordinates, and all axes of the values in it.
    pub fn axes_of(&self, place: &Affine<Value>) -> Vec<AxisId> {
        let mut read = Vec::new();
        for (term, _) in &place.terms {
            match term {
                Term::Axis(axis) | Term::Quotient(axis, _) | Term::Remainder(axis, _) => add_axes(&mut read, &[*axis]),
                Term::Value(value) => add_axes(&mut read, &self.of(*value).axes),
            }
        }
        read
    }

    /// Places read whole numbers, each indexed axis is named once.
    pub(super) fn check_places(&self, places: &[(AxisId, Affine<Value>)]) -> Result<(), TypeError> {
        for (number, (axis, place)) in places.iter().enumerate() {
            if places[..number].iter().any(|(earlier, _)| earlier == axis) {
                return fail("an axis is indexed twice");
            }
            if place.values().any(|value| self.of(*value).dtype.is_real()) {
                return fail("a place reads a real number");
            }
        }
        Ok(())
    }
}

/// A type error.
pub(super) fn fail<T>(text: impl Into<String>) -> Result<T, TypeError> {
    Err(TypeError(text.into()))
}

/// Adds the axes that are not there yet.
pub fn add_axes(axes: &mut Vec<AxisId>, more: &[AxisId]) {
    for axis in more {
        if !axes.contains(axis) {
            axes.push(*axis);
        }
    }
}

/// The axes of all types, each once, in the order in which they are met; the type with most axes is met first.
pub fn union_of(types: &[&TensorType]) -> Vec<AxisId> {
    let mut union = Vec::new();
    if let Some(widest) = types.iter().rev().max_by_key(|ty| ty.axes.len()) {
        add_axes(&mut union, &widest.axes);
    }
    for ty in types {
        add_axes(&mut union, &ty.axes);
    }
    union
}

/// The element type of arithmetic on all operands.
pub(super) fn joined(types: &[&TensorType]) -> DType {
    types.iter().map(|ty| ty.dtype).reduce(DType::join).unwrap_or(DType::REAL)
}

/// Exactly so many operands.
pub(super) fn exactly<'a, const COUNT: usize>(types: &[&'a TensorType]) -> Result<[&'a TensorType; COUNT], TypeError> {
    types.try_into().map_err(|_| TypeError(format!("{COUNT} operands are wanted, there are {}", types.len())))
}
