//! The operand at other places: rename, shift, look-up, slice, split, merge.
//!
//! `y[rest, read] = x[rest, axis: place(read)]`: each listed axis is replaced by the axes that its place reads; an
//! axis that both have is aligned. Absent where a place is outside its axis or reads something absent.

use super::{Reader, Scene, TypeError, Typing, add_axes, exactly, fail};
use crate::graph::Value;
use crate::tensor::{Affine, Array, AxisId, BATCH, Shape, TensorType, walk};

pub(super) fn infer(
    typing: &Typing,
    places: &[(AxisId, Affine<Value>)],
    operands: &[&TensorType],
) -> Result<TensorType, TypeError> {
    let [x] = exactly(operands)?;
    typing.check_places(places)?;
    let mut axes = Vec::new();
    for axis in &x.axes {
        match places.iter().find(|(indexed, _)| indexed == axis) {
            Some((_, place)) => add_axes(&mut axes, &typing.axes_of(place)),
            None => add_axes(&mut axes, &[*axis]),
        }
    }
    if places.iter().any(|(axis, _)| !x.has(*axis)) {
        return fail("an axis is indexed that the operand lacks");
    }
    Ok(TensorType { axes, dtype: x.dtype })
}

pub(super) fn eval(scene: &Scene, places: &[(AxisId, Affine<Value>)], x: &Array, shape: Shape) -> Array {
    let row = shape.place(BATCH);
    let readers = places.iter().map(|(axis, place)| Reading {
        reader: scene.reader(place, &shape.axes),
        extent: scene.extent(*axis) as i64,
        lengths: row.and(scene.lengths(*axis)),
        stride: x.shape.stride(*axis),
    });
    let readers = readers.collect::<Vec<_>>();
    let mut strides = x.shape.strides(&shape.axes);
    for (stride, axis) in strides.iter_mut().zip(&shape.axes) {
        if places.iter().any(|(indexed, _)| indexed == axis) {
            *stride = 0;
        }
    }
    let mut result = Array::filled(shape.clone(), 0.0);
    let mut present = Vec::with_capacity(shape.len());
    walk(&shape.extents, &[strides], |coordinates, offsets| {
        let row = row.map(|place| coordinates[place]);
        let source = readers.iter().try_fold(offsets[0], |sum, reading| Some(sum + reading.offset(coordinates, row)?));
        if let Some(source) = source {
            result.numbers[present.len()] = x.numbers[source];
        }
        present.push(source.is_some_and(|source| x.is_present(source)));
    });
    result.present = Some(present);
    result.tidy()
}

/// One indexed axis.
pub(super) struct Reading<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) extent: i64,
    pub(super) lengths: Option<&'a [usize]>,
    pub(super) stride: usize,
}

impl Reading<'_> {
    /// How far from the start of the axis a position reads or writes; nothing outside of the axis.
    pub(super) fn offset(&self, coordinates: &[usize], row: Option<usize>) -> Option<usize> {
        let place = self.reader.at(coordinates)?;
        let extent = match (self.lengths, row) {
            (Some(lengths), Some(row)) => lengths[row] as i64,
            _ => self.extent,
        };
        (0..extent).contains(&place).then(|| place as usize * self.stride)
    }
}
