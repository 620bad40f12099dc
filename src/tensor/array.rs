//! Numbers over named axes, with a mask of what is present: the values of the interpreter.
//!
//! Storage is dense and row-major in the order of the axes. Views are strides over it: an axis that an array lacks
//! has stride 0, so repetition costs nothing.

use super::AxisId;

/// The axes of an array and how many positions each has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Distinct axes, outermost first.
    pub axes: Vec<AxisId>,
    /// One for each axis.
    pub extents: Vec<usize>,
}

/// A dense array.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its axes and extents.
    pub shape: Shape,
    /// The elements; truths are 0 and 1. What is absent has any number.
    pub numbers: Vec<f64>,
    /// Which elements are present; without it, all.
    pub present: Option<Vec<bool>>,
}

impl Shape {
    /// Without axes.
    pub fn scalar() -> Shape {
        Shape { axes: Vec::new(), extents: Vec::new() }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.extents.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where an axis stands.
    pub fn place(&self, axis: AxisId) -> Option<usize> {
        self.axes.iter().position(|own| *own == axis)
    }

    /// How many elements lie between neighbours along an axis; 0 if there is no such axis.
    pub fn stride(&self, axis: AxisId) -> usize {
        self.place(axis).map_or(0, |place| self.extents[place + 1..].iter().product())
    }

    /// The strides along other axes.
    pub fn strides(&self, axes: &[AxisId]) -> Vec<usize> {
        axes.iter().map(|axis| self.stride(*axis)).collect()
    }
}

impl Array {
    /// The same number everywhere.
    pub fn filled(shape: Shape, number: f64) -> Array {
        let numbers = vec![number; shape.len()];
        Array { shape, numbers, present: None }
    }

    /// One number.
    pub fn scalar(number: f64) -> Array {
        Array::filled(Shape::scalar(), number)
    }

    /// An array of these numbers in row-major order.
    pub fn new(shape: Shape, numbers: Vec<f64>) -> Array {
        debug_assert_eq!(shape.len(), numbers.len());
        Array { shape, numbers, present: None }
    }

    /// Whether the element at an offset is present.
    pub fn is_present(&self, offset: usize) -> bool {
        self.present.as_ref().is_none_or(|present| present[offset])
    }

    /// The mask, made if there is none.
    pub fn mask(&mut self) -> &mut Vec<bool> {
        let count = self.numbers.len();
        self.present.get_or_insert_with(|| vec![true; count])
    }

    /// Drops a mask that hides nothing.
    pub fn tidy(mut self) -> Array {
        if self.present.as_ref().is_some_and(|present| present.iter().all(|present| *present)) {
            self.present = None;
        }
        self
    }

    /// The same array stored in another order of axes, repeated along those that it lacks.
    pub fn reshaped(&self, shape: &Shape) -> Array {
        if self.shape == *shape {
            return self.clone();
        }
        let mut result = Array::filled(shape.clone(), 0.0);
        let mut present = self.present.as_ref().map(|_| Vec::with_capacity(shape.len()));
        let mut at = 0;
        walk(&shape.extents, &[self.shape.strides(&shape.axes)], |_, offsets| {
            result.numbers[at] = self.numbers[offsets[0]];
            if let Some(present) = &mut present {
                present.push(self.is_present(offsets[0]));
            }
            at += 1;
        });
        result.present = present;
        result
    }
}

/// Goes through all positions of a box, the last axis fastest, with the offset of each of several strided views.
pub fn walk(extents: &[usize], strides: &[Vec<usize>], mut visit: impl FnMut(&[usize], &[usize])) {
    if extents.contains(&0) {
        return;
    }
    let mut coordinates = vec![0; extents.len()];
    let mut offsets = vec![0; strides.len()];
    loop {
        visit(&coordinates, &offsets);
        let mut axis = extents.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            coordinates[axis] += 1;
            let wraps = coordinates[axis] == extents[axis];
            for (offset, strides) in offsets.iter_mut().zip(strides) {
                *offset += strides[axis];
                if wraps {
                    *offset -= strides[axis] * extents[axis];
                }
            }
            if !wraps {
                break;
            }
            coordinates[axis] = 0;
        }
    }
}
