//! Moves numbers between the tensors of a weight file and the parameters of a model, both ways, by a weight map.
//!
//! Reading checks everything: a tensor that is missing or has another shape, one that no line names, a parameter
//! element that no tensor fills, and a stored copy that is not one. The way back gathers the gradient of a file tensor
//! from those of the parameters in it.

use super::array::Array;
use crate::fault::Environment;
use crate::model::{MappedPart, MappedTensor, Model, WeightMap};
use std::collections::BTreeMap;

/// The shape of a parameter.
pub fn parameter_shape(model: &Model, place: usize) -> Vec<usize> {
    let parameter = &model.parameters[place];
    parameter.axes.iter().map(|axis| model.axes.fixed(*axis).unwrap_or(0) as usize).collect()
}

/// Fills every parameter of the model from a file's tensors.
///
/// # Errors
/// If file and map do not fit; the message names the tensor and what is wrong with it.
pub fn parameters_of(
    model: &Model,
    map: &WeightMap,
    file: &BTreeMap<String, Array>,
) -> Result<Vec<Array>, Environment> {
    check_names(map, file)?;
    let shapes: Vec<Vec<usize>> = (0..model.parameters.len()).map(|place| parameter_shape(model, place)).collect();
    let mut parameters: Vec<Array> = shapes.iter().map(|shape| Array::filled(shape, 0.0)).collect();
    let mut filled: Vec<Vec<bool>> = parameters.iter().map(|parameter| vec![false; parameter.data.len()]).collect();
    for tensor in map.tensors.iter().filter(|tensor| !tensor.copy) {
        let source = tensor_of(tensor, file)?;
        for part in &tensor.parts {
            for (from, to) in places(part) {
                parameters[part.parameter].data[to] = source.data[from];
                filled[part.parameter][to] = true;
            }
        }
    }
    for (place, filled) in filled.iter().enumerate() {
        let missing = filled.iter().filter(|done| !**done).count();
        if missing > 0 {
            return Err(Environment::new(format!(
                "the weight map of {} leaves {missing} elements of `{}` without a value",
                map.architecture, model.parameters[place].path
            )));
        }
    }
    check_copies(map, file, &parameters)?;
    Ok(parameters)
}

fn check_names(map: &WeightMap, file: &BTreeMap<String, Array>) -> Result<(), Environment> {
    let known = |name: &String| map.tensors.iter().any(|tensor| tensor.name == *name) || is_ignored(map, name);
    let unknown = file.keys().filter(|name| !known(name)).collect::<Vec<_>>();
    match unknown.as_slice() {
        [] => Ok(()),
        [name] => Err(Environment::new(format!(
            "the file holds `{name}`, which no line of the weight map of {} names",
            map.architecture
        ))
        .help("add a line for it to the map, or `ignore` it there")),
        many => {
            let shown = many.iter().take(MOST_SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let more = if many.len() > MOST_SHOWN { ", …" } else { "" };
            let message = format!(
                "the file holds {} tensors that no line of the weight map of {} names: {shown}{more}",
                many.len(),
                map.architecture
            );
            Err(Environment::new(message).help("add lines for them to the map, or `ignore` them there"))
        }
    }
}

/// How many names a message lists.
const MOST_SHOWN: usize = 8;

/// Whether a map says that the model does not need a tensor.
pub fn is_ignored(map: &WeightMap, name: &str) -> bool {
    map.ignored.iter().any(|pattern| fits(pattern, name))
}

/// Whether a name fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| fits(after, &rest[at..]))
        }),
    }
}

fn tensor_of<'a>(tensor: &MappedTensor, file: &'a BTreeMap<String, Array>) -> Result<&'a Array, Environment> {
    let found = file.get(&tensor.name).ok_or_else(|| {
        Environment::new(format!("the file has no tensor `{}`, which the weight map reads", tensor.name))
            .help("check that the file is whole and of this architecture")
    })?;
    let same = found.shape.iter().map(|size| *size as i64).eq(tensor.shape.iter().copied());
    if !same {
        return Err(Environment::new(format!(
            "`{}` has shape {:?} in the file, and the model needs {:?}",
            tensor.name, found.shape, tensor.shape
        ))
        .help("compare the sizes of the model with config.json"));
    }
    Ok(found)
}

fn check_copies(map: &WeightMap, file: &BTreeMap<String, Array>, parameters: &[Array]) -> Result<(), Environment> {
    for tensor in map.tensors.iter().filter(|tensor| tensor.copy && file.contains_key(&tensor.name)) {
        let source = tensor_of(tensor, file)?;
        let same =
            |part: &MappedPart| places(part).all(|(from, to)| source.data[from] == parameters[part.parameter].data[to]);
        if !tensor.parts.iter().all(same) {
            return Err(Environment::new(format!("`{}` should be a copy of another tensor, and is not", tensor.name)));
        }
    }
    Ok(())
}

/// A file tensor made of parameters (or of their gradients); what no part covers is 0.
pub fn file_tensor(tensor: &MappedTensor, parameters: &[Array]) -> Array {
    let shape: Vec<usize> = tensor.shape.iter().map(|size| *size as usize).collect();
    let mut result = Array::filled(&shape, 0.0);
    for part in &tensor.parts {
        for (from, to) in places(part) {
            result.data[from] += parameters[part.parameter].data[to];
        }
    }
    result
}

/// The pairs of a box: the place in the file tensor, and the place in the parameter.
pub fn places(part: &MappedPart) -> impl Iterator<Item = (usize, usize)> + '_ {
    let count: i64 = part.extents.iter().product();
    (0..count).map(move |mut number| {
        let (mut from, mut to) = (part.source_offset, part.target_offset);
        for axis in (0..part.extents.len()).rev() {
            let at = number % part.extents[axis];
            number /= part.extents[axis];
            from += at * part.source_strides[axis];
            to += at * part.target_strides[axis];
        }
        (from as usize, to as usize)
    })
}
