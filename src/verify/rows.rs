//! Rows of unlike lengths for a certificate: drawn inputs, and one row of them by itself.

use super::array::Array;
use super::engine::Batch;
use super::inputs::{batch_of, is_along, sequence_of};
use super::weights::{Random, one_step_away};
use crate::fault::Environment;
use crate::model::{Input, Model};
use crate::tensor::{AxisId, DType};
use std::collections::BTreeMap;

/// The largest whole number that is drawn for an input that counts nothing in particular.
const SMALL: u64 = 4;

/// A batch whose inputs are drawn, defaults of data apart (what may be absent is there); rows are as long as `lengths` says for a sequence's name.
///
/// # Errors
/// If the number of distinct values of an index is not known.
pub fn padded(model: &Model, lengths: &dyn Fn(&str) -> [usize; 3], random: &mut Random) -> Result<Batch, Environment> {
    let rows = 3;
    let mut inputs = BTreeMap::new();
    let number = |input: &Input| input.dtype == DType::Int && input.index_of.is_none() && input.axes.is_empty();
    let drawn = |input: &&Input| input.default.is_none() || input.optional || number(input);
    for input in model.inputs.iter().filter(drawn) {
        let size = |axis: &AxisId| match (model.axes.fixed(*axis), sequence_of(model, *axis)) {
            (Some(size), _) => size as usize,
            (None, name) => name.map_or(1, |name| lengths(name).into_iter().max().unwrap_or(1)),
        };
        let shape: Vec<usize> = std::iter::once(rows).chain(input.axes.iter().map(size)).collect();
        let count = shape.iter().product::<usize>();
        let data = (0..count).map(|_| draw(model, input, random)).collect::<Result<Vec<f64>, _>>()?;
        inputs.insert(input.name.clone(), Array { shape, data });
    }
    let mut batch = batch_of(model, inputs)?;
    batch.lengths.iter_mut().for_each(|(name, own)| *own = lengths(name).to_vec());
    Ok(batch)
}

fn draw(model: &Model, input: &Input, random: &mut Random) -> Result<f64, Environment> {
    let Some(axis) = input.index_of else {
        return Ok(match input.dtype {
            DType::Bool => 1.0,
            DType::Int => (random.bits() % SMALL) as f64,
            _ => f64::from(random.normal() as f32),
        });
    };
    let size = model.axes.fixed(axis).ok_or_else(|| {
        Environment::new(format!("the number of distinct `{}` is not known", input.name))
            .help("give the axis a size, or use --set")
    })?;
    Ok((random.bits() % size as u64) as f64)
}

/// The batch with every real number of it one rounding step of f32 up or down.
pub fn moved(model: &Model, batch: &Batch) -> Batch {
    let mut moved = batch.clone();
    for input in model.inputs.iter().filter(|input| input.dtype.is_real()) {
        if let Some(array) = moved.inputs.get_mut(&input.name) {
            *array = one_step_away(std::slice::from_ref(array), 2).remove(0);
        }
    }
    moved
}

/// Some positions of each row along a sequence, `counts` of them from `from` on, padded at the end; all else as it is.
///
/// # Errors
/// If an input lies along the sequence twice.
pub fn part_of(
    model: &Model,
    batch: &Batch,
    sequence: Option<&str>,
    from: &[usize],
    counts: &[usize],
) -> Result<Batch, Environment> {
    let mut part = batch.clone();
    for input in &model.inputs {
        let Some(array) = batch.inputs.get(&input.name) else { continue };
        let along = input.axes.iter().enumerate().filter(|(_, axis)| is_along(model, **axis, sequence));
        match along.map(|(place, _)| place + 1).collect::<Vec<_>>().as_slice() {
            [] => {}
            [place] => drop(part.inputs.insert(input.name.clone(), positions(array, *place, from, counts))),
            _ => {
                let message = format!("`{}` lies along one sequence twice, so it cannot be given in parts", input.name);
                return Err(Environment::new(message));
            }
        }
    }
    sequence.into_iter().for_each(|name| drop(part.lengths.insert(name.to_string(), counts.to_vec())));
    Ok(part)
}

/// The elements of each row with places `from` to `from + count` along an axis; 0 past them.
fn positions(array: &Array, axis: usize, from: &[usize], counts: &[usize]) -> Array {
    let (size, most) = (array.shape[axis], counts.iter().copied().max().unwrap_or(0));
    let inner: usize = array.shape[axis + 1..].iter().product();
    let outer: usize = array.shape[1..axis].iter().product();
    let mut shape = array.shape.clone();
    shape[axis] = most;
    let mut part = Array::filled(&shape, 0.0);
    for (row, (from, count)) in from.iter().zip(counts).enumerate() {
        for block in row * outer..(row + 1) * outer {
            let old = &array.data[(block * size + from) * inner..][..count * inner];
            part.data[block * most * inner..][..count * inner].copy_from_slice(old);
        }
    }
    part
}

/// One row of a batch, as long as it is itself.
pub fn row_alone(model: &Model, batch: &Batch, row: usize) -> Batch {
    let lengths: BTreeMap<String, Vec<usize>> =
        batch.lengths.iter().map(|(name, lengths)| (name.clone(), vec![lengths[row]])).collect();
    let own = |input: &Input| {
        let array = batch.inputs.get(&input.name)?;
        let size = |(place, axis): (usize, &AxisId)| {
            let length = sequence_of(model, *axis).and_then(|name| lengths.get(name));
            length.map_or(array.shape[place + 1], |own| own[0])
        };
        let kept: Vec<usize> = input.axes.iter().enumerate().map(size).collect();
        Some((input.name.clone(), cut(array, row, &kept)))
    };
    Batch { rows: 1, inputs: model.inputs.iter().filter_map(own).collect(), lengths }
}

/// The first elements of one row along every axis.
fn cut(array: &Array, row: usize, kept: &[usize]) -> Array {
    let whole = &array.shape[1..];
    let mut data = Vec::with_capacity(kept.iter().product());
    for flat in 0..kept.iter().product::<usize>() {
        let (mut rest, mut at, mut stride) = (flat, 0, 1);
        for (kept, whole) in kept.iter().zip(whole).rev() {
            at += rest % kept * stride;
            rest /= kept;
            stride *= whole;
        }
        data.push(array.data[row * whole.iter().product::<usize>() + at]);
    }
    Array { shape: std::iter::once(1).chain(kept.iter().copied()).collect(), data }
}
