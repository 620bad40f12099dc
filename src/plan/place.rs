//! Where an element is: positions along axes, and how buffers map them to memory.

use crate::kernel::{AddressTerm, Index, Register};
use crate::tensor::AxisId;
use archc_runtime::abi::{Element, Size};
use std::collections::BTreeMap;

/// A position along an axis: a linear form of loop counters and computed numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Terms and coefficients.
    pub terms: Vec<(AddressTerm, i64)>,
    /// A number.
    pub constant: i64,
}

impl Place {
    /// A fixed position.
    pub fn number(constant: i64) -> Place {
        Place { terms: Vec::new(), constant }
    }

    /// The counter of a loop.
    pub fn index(index: Index) -> Place {
        Place { terms: vec![(AddressTerm::Index(index), 1)], constant: 0 }
    }

    /// A computed number.
    pub fn register(register: Register) -> Place {
        Place { terms: vec![(AddressTerm::Register(register), 1)], constant: 0 }
    }

    /// `self + factor · other`.
    pub fn plus(mut self, other: &Place, factor: i64) -> Place {
        self.constant += factor * other.constant;
        for (term, coefficient) in &other.terms {
            match self.terms.iter_mut().find(|(known, _)| known == term) {
                Some((_, known)) => *known += factor * coefficient,
                None => self.terms.push((*term, factor * coefficient)),
            }
        }
        self.terms.retain(|(_, coefficient)| *coefficient != 0);
        self
    }
}

/// The position along each axis that is in scope.
pub type Places = BTreeMap<AxisId, Place>;

/// A tensor in a buffer: the element at places p is at `offset + sum of p[axis] · stride`.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The place in the program's buffers.
    pub buffer: usize,
    /// What an element is.
    pub element: Element,
    /// Elements before the first; may depend on counters of loops.
    pub offset: Size,
    /// Axes and strides in elements, outermost first.
    pub strides: Vec<(AxisId, Size)>,
    /// The slices of axes that it is, outermost first; the offset counts them in.
    pub slices: Vec<Slice>,
}

/// One position of an axis that a view was cut from.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// The position.
    pub at: Size,
    /// The axis' stride.
    pub stride: Size,
    /// The axis' size.
    pub extent: Size,
}

impl View {
    /// A whole buffer, row-major in the order of `axes`.
    pub fn dense(buffer: usize, element: Element, axes: &[(AxisId, Size)]) -> View {
        let mut stride = Size::Constant(1);
        let mut strides = Vec::with_capacity(axes.len());
        for (axis, extent) in axes.iter().rev() {
            strides.push((*axis, stride.clone()));
            stride = stride.times(extent.clone());
        }
        strides.reverse();
        View { buffer, element, offset: Size::Constant(0), strides, slices: Vec::new() }
    }

    /// The stride along an axis; absent if the tensor does not have it.
    pub fn stride(&self, axis: AxisId) -> Option<&Size> {
        self.strides.iter().find(|(known, _)| *known == axis).map(|(_, stride)| stride)
    }

    /// The slice at a position of one axis.
    pub fn slice(&self, axis: AxisId, at: Size, extent: Size) -> View {
        let mut slice = self.clone();
        if let Some(stride) = self.stride(axis) {
            slice.offset = self.offset.clone().plus(at.clone().times(stride.clone()));
            slice.slices.push(Slice { at, stride: stride.clone(), extent });
        }
        slice.strides.retain(|(known, _)| *known != axis);
        slice
    }

    /// The same memory with one axis under another name.
    pub fn renamed(&self, from: AxisId, to: AxisId) -> View {
        let mut view = self.clone();
        for (axis, _) in &mut view.strides {
            if *axis == from {
                *axis = to;
            }
        }
        view
    }
}
