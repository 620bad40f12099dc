//! What an evaluation sees besides its operands: sizes, rows' lengths, values in places, the seed, the turn.
//!
//! A position past a row's length does not exist: [`Scene::existence`] says which do, and every operation that sums
//! or chooses goes by it.

use crate::graph::Value;
use crate::tensor::{Affine, Array, Axes, AxisId, BATCH, Shape, TensorType, Term};
use std::collections::HashMap;
use std::rc::Rc;

/// What is fixed for one run of a program.
#[derive(Debug, Clone)]
pub struct World<'a> {
    /// The table of axes.
    pub axes: &'a Axes,
    /// The extent of every axis of the table.
    pub extents: Vec<usize>,
    /// For every axis: the rows' lengths, if any row is shorter than the extent.
    pub lengths: Vec<Option<Rc<Vec<usize>>>>,
    /// Run-time settings by name.
    pub settings: HashMap<String, f64>,
    /// The seed of all draws.
    pub seed: u64,
    /// Draws that the caller decides, by path.
    pub draws: HashMap<String, Array>,
}

/// One evaluation in one region.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// What is fixed for the run.
    pub world: &'a World<'a>,
    /// The values of the region so far, by node and result.
    pub values: &'a [Vec<Rc<Array>>],
    /// The turns of the enclosing `for`s, outermost first.
    pub turns: &'a [usize],
    /// The rows that take part in this turn; absent: all.
    pub active: Option<&'a [bool]>,
}

/// Which positions of a box exist.
pub struct Existence<'a> {
    batch: usize,
    sequences: Vec<(usize, &'a [usize])>,
    active: Option<&'a [bool]>,
}

impl Existence<'_> {
    /// Whether the position exists.
    pub fn holds(&self, coordinates: &[usize]) -> bool {
        let row = coordinates[self.batch];
        self.active.is_none_or(|active| active[row])
            && self.sequences.iter().all(|(place, lengths)| coordinates[*place] < lengths[row])
    }
}

/// The place of an axis among those of a box; what its coordinate is divided by, if it is (true: the quotient, else the
/// remainder); the factor.
type Coordinate = (usize, Option<(bool, i64)>, i64);

/// A place or an affine relation, ready to be read at many positions.
pub struct Reader<'a> {
    constant: i64,
    coordinates: Vec<Coordinate>,
    values: Vec<(&'a Array, Vec<usize>, i64)>,
}

impl Reader<'_> {
    /// The number at a position; nothing if a value in it is absent there.
    pub fn at(&self, coordinates: &[usize]) -> Option<i64> {
        let mut sum = self.constant;
        for (place, division, factor) in &self.coordinates {
            let coordinate = coordinates[*place] as i64;
            sum += factor
                * match division {
                    None => coordinate,
                    Some((true, by)) => coordinate.div_euclid(*by),
                    Some((false, by)) => coordinate.rem_euclid(*by),
                };
        }
        for (array, strides, factor) in &self.values {
            let offset = coordinates.iter().zip(strides).map(|(coordinate, stride)| coordinate * stride).sum();
            if !array.is_present(offset) {
                return None;
            }
            sum += factor * array.numbers[offset] as i64;
        }
        Some(sum)
    }
}

impl<'a> Scene<'a> {
    /// The shape that a type has in this run.
    pub fn shape(&self, ty: &TensorType) -> Shape {
        self.box_of(&ty.axes)
    }

    /// The box of some axes.
    pub fn box_of(&self, axes: &[AxisId]) -> Shape {
        let extents = axes.iter().map(|axis| self.extent(*axis)).collect();
        Shape { axes: axes.to_vec(), extents }
    }

    /// How many positions an axis has.
    pub fn extent(&self, axis: AxisId) -> usize {
        self.world.extents[axis.0 as usize]
    }

    /// The rows' lengths along an axis, if any is shorter than the extent.
    pub fn lengths(&self, axis: AxisId) -> Option<&'a [usize]> {
        self.world.lengths[axis.0 as usize].as_deref().map(Vec::as_slice)
    }

    /// The value of a node of the region.
    pub fn value(&self, value: Value) -> &'a Array {
        &self.values[value.node.index()][value.result as usize]
    }

    /// Which positions of a box exist; nothing if all do.
    pub fn existence(&self, axes: &[AxisId]) -> Option<Existence<'a>> {
        let batch = axes.iter().position(|axis| *axis == BATCH)?;
        let sequences = axes.iter().enumerate();
        let sequences = sequences.filter_map(|(place, axis)| self.lengths(*axis).map(|lengths| (place, lengths)));
        let existence = Existence { batch, sequences: sequences.collect(), active: self.active };
        (self.active.is_some() || !existence.sequences.is_empty()).then_some(existence)
    }

    /// A place or relation to be read at positions of a box of these axes.
    pub fn reader(&self, affine: &Affine<Value>, axes: &[AxisId]) -> Reader<'a> {
        let place = |axis: &AxisId| axes.iter().position(|own| own == axis).unwrap_or(usize::MAX);
        let mut reader = Reader { constant: affine.constant, coordinates: Vec::new(), values: Vec::new() };
        for (term, factor) in &affine.terms {
            match term {
                Term::Axis(axis) => reader.coordinates.push((place(axis), None, *factor)),
                Term::Quotient(axis, by) => reader.coordinates.push((place(axis), Some((true, *by)), *factor)),
                Term::Remainder(axis, by) => reader.coordinates.push((place(axis), Some((false, *by)), *factor)),
                Term::Value(value) => {
                    let array = self.value(*value);
                    reader.values.push((array, array.shape.strides(axes), *factor));
                }
            }
        }
        reader
    }
}
