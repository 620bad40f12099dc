//! Rows of unlike lengths for a certificate: drawn inputs, and one row of them by itself.

use super::array::Array;
use super::engine::Batch;
use super::inputs::{batch_of, sequence_of};
use super::weights::Random;
use crate::fault::Environment;
use crate::model::{Input, Model};
use crate::tensor::{AxisId, DType};
use std::collections::BTreeMap;

/// The largest whole number that is drawn for an input that counts nothing in particular.
const SMALL: u64 = 4;

/// A batch whose inputs are drawn, defaults apart (what may be absent is there); rows are as long as `lengths` says for a sequence's name.
///
/// # Errors
/// If the number of distinct values of an index is not known.
pub fn padded(model: &Model, lengths: &dyn Fn(&str) -> [usize; 3], random: &mut Random) -> Result<Batch, Environment> {
    let rows = 3;
    let mut inputs = BTreeMap::new();
    for input in model.inputs.iter().filter(|input| input.default.is_none() || input.optional) {
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

/// The tokens of every row, without what stands past its end.
pub fn tokens_of(batch: &Batch, tokens: &str, sequence: &str) -> Vec<Vec<usize>> {
    let ids = &batch.inputs[tokens];
    let rows = ids.data.chunks(ids.shape[1].max(1)).zip(&batch.lengths[sequence]);
    rows.map(|(row, length)| row[..*length].iter().map(|id| *id as usize).collect()).collect()
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
