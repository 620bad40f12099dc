//! A block with a shape.

use super::Block;
use crate::abi::Element;
use crate::error::{Error, Result};

/// A Rust type that a tensor's elements can be seen as.
pub trait Number: bytemuck::Pod {
    /// Its element type.
    const ELEMENT: Element;
}

impl Number for f32 {
    const ELEMENT: Element = Element::F32;
}

impl Number for f64 {
    const ELEMENT: Element = Element::F64;
}

impl Number for i32 {
    const ELEMENT: Element = Element::I32;
}

impl Number for u8 {
    const ELEMENT: Element = Element::Bool;
}

/// A dense row-major tensor.
#[derive(Debug)]
pub struct Tensor {
    element: Element,
    shape: Vec<i64>,
    block: Block,
}

impl Tensor {
    /// A tensor of zeros.
    ///
    /// # Errors
    /// If there is not enough memory, or a size is negative or beyond the address space.
    pub fn zeros(element: Element, shape: &[i64]) -> Result<Tensor> {
        let count = shape.iter().try_fold(1usize, |count, size| count.checked_mul(usize::try_from(*size).ok()?));
        let bytes = count.and_then(|count| count.checked_mul(element.bytes()));
        let Some(bytes) = bytes else {
            return Err(Error::request(format!("a tensor of shape {shape:?} cannot exist")));
        };
        Ok(Tensor { element, shape: shape.to_vec(), block: Block::zeroed(bytes)? })
    }

    /// A tensor of the given elements.
    ///
    /// # Errors
    /// If their number does not fit the shape, or as in [`Tensor::zeros`].
    pub fn of<N: Number>(shape: &[i64], values: &[N]) -> Result<Tensor> {
        let mut tensor = Tensor::zeros(N::ELEMENT, shape)?;
        if tensor.len() != values.len() {
            return Err(Error::request(format!("{} numbers do not fill the shape {shape:?}", values.len())));
        }
        tensor.slice_mut::<N>().copy_from_slice(values);
        Ok(tensor)
    }

    /// The type of its elements.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Its sizes, outermost first.
    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// The number of its elements.
    pub fn len(&self) -> usize {
        self.block.len() / self.element.bytes()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its memory.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Its bytes, in the machine's order.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.block.bytes_mut()
    }

    /// Its elements, row-major.
    ///
    /// # Panics
    /// If they are of another type: the caller has checked [`Tensor::element`].
    pub fn slice<N: Number>(&self) -> &[N] {
        assert_eq!(self.element, N::ELEMENT, "a tensor is read as what it holds");
        bytemuck::cast_slice(self.block.bytes())
    }

    /// Its elements, to be changed.
    ///
    /// # Panics
    /// As [`Tensor::slice`].
    pub fn slice_mut<N: Number>(&mut self) -> &mut [N] {
        assert_eq!(self.element, N::ELEMENT, "a tensor is written as what it holds");
        bytemuck::cast_slice_mut(self.block.bytes_mut())
    }

    /// A copy in memory of its own.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn duplicate(&self) -> Result<Tensor> {
        let mut copy = Tensor::zeros(self.element, &self.shape)?;
        copy.bytes_mut().copy_from_slice(self.block.bytes());
        Ok(copy)
    }
}
