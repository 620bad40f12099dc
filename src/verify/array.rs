//! Numbers with a shape, as cases and weight files hold them, all widened to f64.

use crate::fault::Environment;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::BTreeMap;
use std::path::Path;

/// Row-major numbers. Whole numbers and truth values are numbers too.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Vec<f64>,
}

impl Array {
    /// The same number everywhere.
    pub fn filled(shape: &[usize], value: f64) -> Array {
        Array { shape: shape.to_vec(), data: vec![value; shape.iter().product()] }
    }

    /// The same numbers with the axis at `places[n]` as axis n. Absent if those are not its axes.
    pub fn reordered(&self, places: &[usize]) -> Option<Array> {
        if places.len() != self.shape.len() {
            return None;
        }
        let stride = |place: &usize| self.shape[place + 1..].iter().product::<usize>();
        let shape = places.iter().map(|place| self.shape[*place]).collect::<Vec<_>>();
        let strides = places.iter().map(stride).collect::<Vec<_>>();
        let element = |flat: usize| {
            let (mut rest, mut at) = (flat, 0);
            for (size, stride) in shape.iter().zip(&strides).rev() {
                at += rest % size * stride;
                rest /= size;
            }
            self.data[at]
        };
        Some(Array { data: (0..self.data.len()).map(element).collect(), shape: shape.clone() })
    }

    /// The largest absolute element.
    pub fn largest(&self) -> f64 {
        self.data.iter().fold(0.0, |largest, element| element.abs().max(largest))
    }

    /// The root of the sum of squares.
    pub fn norm(&self) -> f64 {
        self.data.iter().map(|element| element * element).sum::<f64>().sqrt()
    }
}

/// Reads a whole safetensors file.
///
/// # Errors
/// If it cannot be read, is damaged, or holds elements that are no plain numbers.
pub fn read_tensors(path: &Path) -> Result<BTreeMap<String, Array>, Environment> {
    let bytes =
        std::fs::read(path).map_err(|error| Environment::new(format!("cannot read {}: {error}", path.display())))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| {
        Environment::new(format!("{} is not a whole safetensors file: {error}", path.display()))
            .help("fetch or write it again; it may have been cut off")
    })?;
    let tensors = file.tensors().into_iter();
    tensors
        .map(|(name, view)| widen(&view).map(|array| (name.clone(), array)).ok_or_else(|| strange(path, &name, &view)))
        .collect()
}

fn strange(path: &Path, name: &str, view: &TensorView<'_>) -> Environment {
    Environment::new(format!(
        "{}: `{name}` has elements of type {:?}, which archc does not read",
        path.display(),
        view.dtype()
    ))
    .help("store it as F32, F16 or BF16")
}

fn widen(view: &TensorView<'_>) -> Option<Array> {
    let bytes = view.data();
    let data = match view.dtype() {
        Dtype::F64 => numbers(bytes, f64::from_le_bytes),
        Dtype::F32 => numbers(bytes, |bytes| f64::from(f32::from_le_bytes(bytes))),
        Dtype::BF16 => numbers(bytes, |bytes| half::bf16::from_le_bytes(bytes).to_f64()),
        Dtype::F16 => numbers(bytes, |bytes| half::f16::from_le_bytes(bytes).to_f64()),
        Dtype::I64 => numbers(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
        Dtype::I32 => numbers(bytes, |bytes| f64::from(i32::from_le_bytes(bytes))),
        Dtype::U8 | Dtype::BOOL => bytes.iter().map(|byte| f64::from(*byte)).collect(),
        _ => return None,
    };
    Some(Array { shape: view.shape().to_vec(), data })
}

fn numbers<const WIDTH: usize>(bytes: &[u8], read: impl Fn([u8; WIDTH]) -> f64) -> Vec<f64> {
    let (elements, _) = bytes.as_chunks::<WIDTH>();
    elements.iter().map(|element| read(*element)).collect()
}
