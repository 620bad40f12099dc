//! Copies between a tensor of a file and a parameter: strided boxes on both sides.

use crate::abi::WeightPart;
use crate::error::{Error, Result};

/// Calls `visit(source, target)` with the element places of every pair of a part, innermost extent fastest.
pub fn for_each(part: &WeightPart, mut visit: impl FnMut(usize, usize)) {
    if part.extents.iter().any(|extent| *extent <= 0) {
        return;
    }
    let rank = part.extents.len();
    let mut at = vec![0; rank];
    let (mut source, mut target) = (part.source_offset, part.target_offset);
    loop {
        visit(source as usize, target as usize);
        let mut axis = rank;
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            at[axis] += 1;
            source += part.source_strides[axis];
            target += part.target_strides[axis];
            if at[axis] < part.extents[axis] {
                break;
            }
            source -= part.source_strides[axis] * part.extents[axis];
            target -= part.target_strides[axis] * part.extents[axis];
            at[axis] = 0;
        }
    }
}

/// Proves that a part stays within a file tensor and a parameter of so many elements.
///
/// # Errors
/// If it does not: the weight map was compiled wrongly.
pub fn check(part: &WeightPart, tensor: &str, source: usize, target: usize) -> Result<()> {
    let ranks = [part.source_strides.len(), part.target_strides.len()];
    let fits = ranks.iter().all(|rank| *rank == part.extents.len())
        && within(part.source_offset, &part.source_strides, &part.extents, source)
        && within(part.target_offset, &part.target_strides, &part.extents, target);
    if fits {
        Ok(())
    } else {
        Err(Error::bug(format!("the weight map reads outside of the tensor `{tensor}` or its parameter")))
    }
}

/// Whether all places of a strided box are in `0..length`.
fn within(offset: i64, strides: &[i64], extents: &[i64], length: usize) -> bool {
    if extents.iter().any(|extent| *extent <= 0) {
        return true;
    }
    let reach = strides.iter().zip(extents).map(|(stride, extent)| stride * (extent - 1));
    let (low, high) = reach.fold((offset, offset), |(low, high), reach| (low + reach.min(0), high + reach.max(0)));
    low >= 0 && high < length as i64
}
