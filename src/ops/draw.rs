//! A counter-based random number for each position; its parameters repeat along axes that they lack.
//!
//! The number depends on seed, path, row, turns and coordinates alone. No gradient flows through a draw. Two further
//! operands are the turn of a `for` around the program, and what counts as the number of the row. Along axes of the turn
//! that number tells draws apart, not the coordinate.

use super::{Scene, TypeError, exactly, fail, union_of};
use crate::model::Law;
use crate::tensor::random::{self, Stream};
use crate::tensor::{Array, AxisId, BATCH, DType, Shape, TensorType, walk};

/// How many operands the law has.
pub fn parameters_of(law: Law) -> usize {
    match law {
        Law::Uniform | Law::Normal => 2,
        Law::Bernoulli | Law::Categorical(_) => 1,
        Law::UniformIndex(_) => 0,
    }
}

/// How many of them, the first, are weights: drawn from where they are present.
pub fn weights_of(law: Law) -> usize {
    usize::from(matches!(law, Law::Categorical(_)))
}

pub(super) fn infer(law: Law, operands: &[&TensorType], wanted: Option<&TensorType>) -> Result<TensorType, TypeError> {
    let (operands, outside) = operands.split_at(parameters_of(law).min(operands.len()));
    let whole = outside.iter().all(|ty| ty.dtype == DType::Int);
    let by_row = outside.get(1).is_none_or(|row| row.axes.iter().all(|axis| *axis == BATCH));
    if !(outside.is_empty() || outside.len() == 2 && whole && by_row) {
        return fail("a draw's further operands are a turn and a row");
    }
    let dtype = match law {
        Law::Uniform | Law::Normal => exactly::<2>(operands).map(|_| DType::REAL)?,
        Law::Bernoulli => exactly::<1>(operands).map(|_| DType::Bool)?,
        Law::UniformIndex(_) => exactly::<0>(operands).map(|_| DType::Int)?,
        Law::Categorical(_) => exactly::<1>(operands).map(|_| DType::Int)?,
    };
    let mut axes = union_of(operands);
    if let Law::Categorical(axis) = law {
        if !axes.contains(&axis) {
            return fail("categorical weights have the axis that is drawn from");
        }
        axes.retain(|other| *other != axis);
    }
    let turns = outside.first().map(|turn| turn.axes.clone()).unwrap_or_default();
    axes.extend(turns.into_iter().filter(|axis| *axis != BATCH && !axes.contains(axis)).collect::<Vec<_>>());
    match wanted {
        Some(wanted) if axes.iter().all(|axis| wanted.has(*axis)) => {
            Ok(TensorType { axes: wanted.axes.clone(), dtype })
        }
        _ => Ok(TensorType { axes, dtype }),
    }
}

/// What the caller fed for the path, or the numbers of the path's stream.
pub(super) fn eval(scene: &Scene, law: Law, path: &str, operands: &[&Array], shape: Shape) -> Array {
    if let Some(fed) = scene.world.draws.get(path) {
        return fed.reshaped(&shape);
    }
    let stream = Stream::new(scene.world.seed, path, scene.turns);
    let strides = operands.iter().map(|operand| operand.shape.strides(&shape.axes)).collect::<Vec<_>>();
    let row = shape.place(BATCH);
    let count = parameters_of(law);
    let turns = operands.get(count).map(|turn| turn.shape.axes.clone()).unwrap_or_default();
    let mut numbers = Vec::with_capacity(shape.len());
    let mut present = Vec::with_capacity(shape.len());
    walk(&shape.extents, &strides, |coordinates, offsets| {
        let counted = |place: usize| Some(place) != row && !turns.contains(&shape.axes[place]);
        let others = coordinates.iter().enumerate().filter(|(place, _)| counted(*place));
        let others = others.map(|(_, coordinate)| *coordinate);
        let parameter = |place: usize| operands[place].numbers[offsets[place]];
        let outside = (operands.len() > count).then(|| [count, count + 1].map(|place| parameter(place) as i64));
        let own = row.map_or(0, |place| coordinates[place]);
        let (stream, own) = outside.map_or((stream, own), |[turn, row]| {
            let turns = [scene.turns, &[turn as usize]].concat();
            (Stream::new(scene.world.seed, path, &turns), row as u32 as usize)
        });
        let word = |others| stream.words(own, others)[0];
        numbers.push(match law {
            Law::Uniform => parameter(0) + (parameter(1) - parameter(0)) * random::unit(word(others)),
            Law::Normal => parameter(0) + parameter(1) * stream.normal(own, others),
            Law::Bernoulli => f64::from(u8::from(random::unit(word(others)) < parameter(0))),
            Law::UniformIndex(axis) => random::below(word(others), scene.extent(axis)) as f64,
            Law::Categorical(axis) => choose(operands[0], offsets[0], axis, random::unit(word(others))),
        });
        let weights = weights_of(law);
        present.push(operands.iter().zip(offsets).skip(weights).all(|(operand, offset)| operand.is_present(*offset)));
    });
    Array { shape, numbers, present: Some(present) }.tidy()
}

/// The first index at which the running sum of the present weights exceeds the drawn part of their whole sum.
fn choose(weights: &Array, base: usize, axis: AxisId, part: f64) -> f64 {
    let (Some(place), stride) = (weights.shape.place(axis), weights.shape.stride(axis)) else { return 0.0 };
    let offsets = (0..weights.shape.extents[place]).map(|index| (index, base + index * stride));
    let present = offsets.filter(|(_, offset)| weights.is_present(*offset)).collect::<Vec<_>>();
    let bar = part * present.iter().map(|(_, offset)| weights.numbers[*offset]).sum::<f64>();
    let mut sum = 0.0;
    let mut chosen = 0;
    for (index, offset) in present {
        let weight = weights.numbers[offset];
        if weight > 0.0 {
            chosen = index;
        }
        sum += weight;
        if sum > bar {
            break;
        }
    }
    chosen as f64
}
