//! The operand at other places: rename, shift, look-up, slice, split, merge.
//!
//! `y[rest, read] = x[rest, axis: place(read)]`: each listed axis is replaced by the axes that its place reads; an
//! axis that both have is aligned. Absent where a place is outside its axis or reads something absent.

use super::inverse::{in_range, inverse};
use super::window::windowed;
use super::{Reader, Scene, Tape, TypeError, Typing, add_axes, exactly, fail};
use crate::graph::{Node, Op, Typed, Value};
use crate::tensor::{Affine, Array, AxisId, BATCH, Presence, Relation, Shape, TensorType, Term, walk};

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

/// Goes the other way: hands every element of `x` that exists and is present, with the offset in `into` that an index
/// of these places would have read it from. Places outside are left out.
pub(super) fn for_each_placed(
    scene: &Scene,
    places: &[(AxisId, Affine<Value>)],
    x: &Array,
    into: &Shape,
    mut visit: impl FnMut(usize, f64),
) {
    let axes = &x.shape.axes;
    let row = x.shape.place(BATCH);
    let readings = places.iter().map(|(axis, place)| Reading {
        reader: scene.reader(place, axes),
        extent: scene.extent(*axis) as i64,
        lengths: row.and(scene.lengths(*axis)),
        stride: into.stride(*axis),
    });
    let readings = readings.collect::<Vec<_>>();
    let mut strides = into.strides(axes);
    for (stride, axis) in strides.iter_mut().zip(axes) {
        if places.iter().any(|(listed, _)| listed == axis) {
            *stride = 0;
        }
    }
    let existence = scene.existence(axes);
    let mut at = 0;
    walk(&x.shape.extents, &[strides], |coordinates, offsets| {
        let exists = existence.as_ref().is_none_or(|existence| existence.holds(coordinates));
        if exists && x.is_present(at) {
            let row = row.map(|place| coordinates[place]);
            let start = Some(offsets[0]);
            let to = readings.iter().fold(start, |sum, reading| Some(sum? + reading.offset(coordinates, row)?));
            if let Some(to) = to {
                visit(to, x.numbers[at]);
            }
        }
        at += 1;
    });
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

/// The inverse indexing where there is one, else upstream where the coordinate is the one picked, else a scatter.
pub(super) fn gradient(
    tape: &mut Tape,
    places: &[(AxisId, Affine<Value>)],
    node: &Node,
    upstream: Value,
) -> Result<(), TypeError> {
    let operand = node.operands[0];
    if !tape.is_active(operand) {
        return Ok(());
    }
    let ty = tape.forward.typed(operand).ty.clone();
    let places = places.iter().map(|(axis, place)| (*axis, place.map_values(|value| tape.read(*value))));
    let places = places.collect::<Vec<_>>();
    let (places, upstream) = match windowed(tape, &places, &ty, upstream)? {
        Some(narrower) => narrower,
        None => (places, upstream),
    };
    let part = match undone(tape, &places, &ty, upstream)? {
        Some(part) => part,
        None => match picked(tape, &places, &ty, upstream) {
            Some(part) => part,
            None => tape.infer(Op::Scatter(places), vec![upstream], Some(&ty))?,
        },
    };
    tape.give(operand, part);
    Ok(())
}

fn undone(
    tape: &mut Tape,
    places: &[(AxisId, Affine<Value>)],
    ty: &TensorType,
    upstream: Value,
) -> Result<Option<Value>, TypeError> {
    if !tape.typed(upstream).presence.is_always() && !is_rename(places) {
        // The relations would have to move along; zeros do as well.
        let total = tape.total(upstream);
        return undone(tape, places, ty, total);
    }
    let Some(back) = inverse(tape.axes, ty, places, |value| tape.typed(*value).ty.axes.clone()) else {
        return Ok(None);
    };
    let mut presence = tape.typed(upstream).presence.clone();
    for (axis, place) in &back {
        match in_range(tape, ty, *axis, place) {
            Some(range) => presence = presence.and(&range),
            None => return Ok(None),
        }
    }
    if is_rename(places) {
        for (axis, place) in places {
            let Some(from) = place.as_axis() else { continue };
            match renamed(tape, &presence, from, *axis) {
                Some(moved) => presence = moved,
                None => {
                    let total = tape.total(upstream);
                    return undone(tape, places, ty, total);
                }
            }
        }
    }
    let dtype = tape.ty(upstream).dtype;
    let typed = Typed { ty: TensorType { axes: ty.axes.clone(), dtype }, presence };
    Ok(Some(tape.add(Op::Index(back), vec![upstream], typed)))
}

fn is_rename(places: &[(AxisId, Affine<Value>)]) -> bool {
    places.iter().all(|(_, place)| place.as_axis().is_some())
}

/// Relations with one coordinate called by another name; nothing if a value in them has the axis.
fn renamed(tape: &Tape, presence: &Presence<Value>, from: AxisId, to: AxisId) -> Option<Presence<Value>> {
    let name = |axis: AxisId| if axis == from { to } else { axis };
    let mut moved = Presence::always();
    for relation in &presence.relations {
        if relation.values().iter().any(|value| tape.typed(**value).ty.has(from)) {
            return None;
        }
        moved.require(match relation {
            Relation::AtLeastZero(affine) => Relation::AtLeastZero(affine.map_axes(name)),
            Relation::Equal(axis, value) => Relation::Equal(name(*axis), *value),
            other => other.clone(),
        });
    }
    Some(moved)
}

fn picked(tape: &mut Tape, places: &[(AxisId, Affine<Value>)], ty: &TensorType, upstream: Value) -> Option<Value> {
    let mut presence = Presence::always();
    for (axis, place) in places {
        let reads_kept = |value: &Value| {
            let read = &tape.typed(*value).ty.axes;
            read.iter().all(|read| ty.has(*read) && places.iter().all(|(indexed, _)| indexed != read))
        };
        if place.axes().next().is_some() || !place.values().all(reads_kept) {
            return None;
        }
        match place.terms.as_slice() {
            [(Term::Value(value), 1)] if place.constant == 0 => presence.require(Relation::Equal(*axis, *value)),
            _ => {
                let gap = Affine::axis(*axis).plus(place, -1);
                presence.require(Relation::AtLeastZero(Affine::number(0).plus(&gap, -1)));
                presence.require(Relation::AtLeastZero(gap));
            }
        }
    }
    let spread = tape.spread(upstream, ty);
    Some(tape.narrow(spread, &presence))
}
