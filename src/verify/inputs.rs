//! The inputs of a case as the model takes them: which tensor of the case is which input.
//!
//! An `input` line of the weight map says which tensor an input is; without one it is the tensor of the input's own
//! name, with or without `in.` before it, and for the tokens `input_ids`. `labels` that are no input become the input `keep`: a label of -100 is not
//! counted, every other must be the token itself, since such a model's target is its own input, shifted. Inputs that
//! the case does not bring get their defaults.

use super::array::Array;
use super::case::Case;
use super::engine::Batch;
use crate::driver::{grown_axis, grown_input};
use crate::fault::Environment;
use crate::model::{Input, Model, WeightMap};
use crate::tensor::{AxisId, Extent};
use std::collections::BTreeMap;

/// The label of a token that is not counted.
const IGNORED: f64 = -100.0;
/// The input that says which tokens are counted.
const KEEP: &str = "keep";
/// The tokens of a case.
const TOKENS: &str = "input_ids";
/// What a case may write before the name of an input.
pub const INPUT: &str = "in.";
/// What is to be predicted.
const LABELS: &str = "labels";

/// The inputs, and the names of the case's tensors that they were made of.
pub struct Inputs {
    /// What programs are given.
    pub batch: Batch,
    /// What programs with a loss are given: the same, where the map does not say otherwise, and the draws of the case.
    pub training: Batch,
    /// Tensors of the case that are inputs.
    pub used: Vec<String>,
}

/// The model's token input: the one that decoding makes longer.
///
/// # Errors
/// If it has none.
pub fn token_input(model: &Model) -> Result<&Input, Environment> {
    grown_input(model).ok_or_else(|| {
        Environment::new(format!("the model {} has no input of tokens, such as `input ids[t] : v`", model.name))
    })
}

/// The gradients of the model's inputs, by name, as far as a program has them.
pub fn input_gradients(model: &Model, of: impl Fn(&str) -> Option<Array>) -> BTreeMap<String, Array> {
    let named = |input: &Input| Some((input.name.clone(), of(&input.name)?));
    model.inputs.iter().filter_map(named).collect()
}

/// The name of the sequence that an axis counts positions of; absent: its size is fixed.
pub fn sequence_of(model: &Model, axis: AxisId) -> Option<&str> {
    let class = &model.axes[model.axes[axis].class];
    (!matches!(class.extent, Extent::Fixed(_) | Extent::Batch)).then_some(class.name.as_str())
}

/// A batch of these inputs, rows of one length; the other inputs get their defaults as far as their sizes are known.
///
/// # Errors
/// If an input has other axes than the model says, or its size is another elsewhere.
pub fn batch_of(model: &Model, given: BTreeMap<String, Array>) -> Result<Batch, Environment> {
    let mut rows = None;
    let mut extents: BTreeMap<String, usize> = BTreeMap::new();
    for input in &model.inputs {
        let Some(array) = given.get(&input.name) else { continue };
        if array.shape.len() != input.axes.len() + 1 || *rows.get_or_insert(array.shape[0]) != array.shape[0] {
            return Err(unfit(model, input, array));
        }
        for (axis, size) in input.axes.iter().zip(&array.shape[1..]) {
            let known = match (model.axes.fixed(*axis), sequence_of(model, *axis)) {
                (None, Some(name)) => *extents.entry(name.to_string()).or_insert(*size),
                (fixed, _) => fixed.map_or(*size, |fixed| fixed as usize),
            };
            if known != *size {
                return Err(unfit(model, input, array));
            }
        }
    }
    let rows = rows.unwrap_or(1);
    let lengths = extents.iter().map(|(name, extent)| (name.clone(), vec![*extent; rows])).collect();
    let mut batch = Batch { rows, lengths, inputs: given };
    add_defaults(model, &mut batch);
    Ok(batch)
}

fn unfit(model: &Model, input: &Input, array: &Array) -> Environment {
    let axes = input.axes.iter().map(|axis| model.axes[*axis].name.clone()).collect::<Vec<_>>().join(", ");
    Environment::new(format!("the input `{}[{axes}]` is given with the shape {:?}", input.name, array.shape))
        .help("rows come first, then the axes in the order of the declaration")
}

fn add_defaults(model: &Model, batch: &mut Batch) {
    for input in &model.inputs {
        let Some(default) = input.default.filter(|_| !batch.inputs.contains_key(&input.name)) else { continue };
        let size = |axis: &AxisId| match model.axes.fixed(*axis) {
            Some(size) => Some(size as usize),
            None => batch.lengths.get(sequence_of(model, *axis)?)?.iter().copied().max(),
        };
        let sizes = input.axes.iter().map(size).collect::<Option<Vec<usize>>>();
        if let Some(sizes) = sizes {
            let shape = [vec![batch.rows], sizes].concat();
            batch.inputs.insert(input.name.clone(), Array::filled(&shape, default));
        }
    }
}

/// The same batch with other tokens, all rows of one length: what else lies along their sequence gets its default.
///
/// # Errors
/// If the model has no input of tokens, or another input does not fit.
pub fn with_tokens(model: &Model, batch: &Batch, tokens: Array) -> Result<Batch, Environment> {
    let input = token_input(model)?;
    let mut longer = without_sequence(model, batch, sequence_of(model, input.axes[0]));
    longer.inputs.insert(input.name.clone(), tokens);
    let lengths = longer.lengths;
    let mut longer = batch_of(model, longer.inputs)?;
    longer.lengths.extend(lengths);
    Ok(longer)
}

/// The inputs that do not lie along a sequence, and the lengths of the other sequences.
pub fn without_sequence(model: &Model, batch: &Batch, sequence: Option<&str>) -> Batch {
    let along = |input: &&Input| input.axes.iter().any(|axis| is_along(model, *axis, sequence));
    let mut rest = batch.clone();
    model.inputs.iter().filter(along).for_each(|input| drop(rest.inputs.remove(&input.name)));
    rest.lengths.retain(|name, _| Some(name.as_str()) != sequence);
    rest
}

/// Whether an axis counts positions of a sequence.
pub fn is_along(model: &Model, axis: AxisId, sequence: Option<&str>) -> bool {
    sequence.is_some() && sequence_of(model, axis) == sequence
}

/// The sequence that steps make longer, if there is one.
pub fn grown_sequence(model: &Model) -> Option<&str> {
    sequence_of(model, grown_axis(model)?)
}

/// Takes the inputs out of a case.
///
/// # Errors
/// If the case lacks an input, or its labels are not its tokens.
pub fn inputs(model: &Model, map: &WeightMap, case: &Case) -> Result<Inputs, Environment> {
    let mut given = BTreeMap::new();
    let mut used = Vec::new();
    for input in &model.inputs {
        let name = tensor_name(model, map, input);
        let marked = format!("{INPUT}{name}");
        match case.tensors.get_key_value(name).or_else(|| case.tensors.get_key_value(&marked)) {
            Some((name, tensor)) => {
                given.insert(input.name.clone(), tensor.clone());
                used.push(name.clone());
            }
            None if input.default.is_some() => {}
            None => return Err(missing(case, input, name)),
        }
    }
    if let Some(labels) = case.tensors.get(LABELS).filter(|_| !used.iter().any(|name| name == LABELS)) {
        let tokens = &given[&token_input(model)?.name];
        let keep = kept(tokens, labels)?;
        let all = keep.data.iter().all(|kept| *kept == 1.0);
        if model.inputs.iter().any(|input| input.name == KEEP) {
            given.insert(KEEP.into(), keep);
        } else if !all {
            return Err(Environment::new("some labels are -100, and the model has no input that leaves them out")
                .help("add `input keep[t] : bool = true` and give it to the objective"));
        }
        used.push(LABELS.into());
    }
    let mut trained = given.clone();
    for (input, name) in &map.said.trained {
        trained.insert(input.clone(), stored(case, name)?.clone());
        used.push(name.clone());
    }
    let (mut batch, mut training) = (batch_of(model, given)?, batch_of(model, trained)?);
    for (path, name) in &map.said.draws {
        let numbers = stored(case, name)?;
        batch.inputs.insert(path.clone(), numbers.clone());
        training.inputs.insert(path.clone(), numbers.clone());
        used.push(name.clone());
    }
    Ok(Inputs { batch, training, used })
}

/// A tensor of a case.
///
/// # Errors
/// If the case has none of the name.
pub fn stored<'c>(case: &'c Case, name: &str) -> Result<&'c Array, Environment> {
    case.tensors.get(name).ok_or_else(|| {
        Environment::new(format!("the case {} has no tensor `{name}`, which the weight map names", case.name()))
    })
}

/// The tensor of a case that is an input.
pub fn tensor_name<'m>(model: &'m Model, map: &'m WeightMap, input: &'m Input) -> &'m str {
    let name = map.tensor_of(&input.name);
    let tokens = grown_input(model).is_some_and(|tokens| tokens.name == input.name);
    let said = map.inputs.iter().any(|(own, _)| *own == input.name);
    if tokens && !said && !map.inputs.iter().any(|(_, tensor)| tensor == TOKENS) { TOKENS } else { name }
}

fn missing(case: &Case, input: &Input, name: &str) -> Environment {
    Environment::new(format!("the case {} has no tensor `{name}` for the input `{}`", case.name(), input.name))
        .help("name it in the weight map, `input NAME = \"TENSOR\"`, or give the input a default")
}

fn kept(ids: &Array, labels: &Array) -> Result<Array, Environment> {
    let pairs = ids.data.iter().zip(&labels.data);
    if labels.shape != ids.shape || pairs.clone().any(|(id, label)| *label != IGNORED && label != id) {
        return Err(Environment::new("the labels of the case are not its own tokens")
            .help("declare `input labels[t] : v?` in the model, and give it to the objective"));
    }
    let data = pairs.map(|(_, label)| f64::from(*label != IGNORED)).collect();
    Ok(Array { shape: ids.shape.clone(), data })
}
