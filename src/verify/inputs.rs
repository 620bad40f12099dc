//! The inputs of a case as the model takes them: which tensor of the case is which input.
//!
//! `input_ids` is the model's token input, the first that is an index and has no default. `labels` become the input
//! `keep`: a label of -100 is not counted, every other must be the token itself, since a model's target is its own
//! input, shifted. A tensor that is named like an input is that input.

use super::array::Array;
use super::case::Case;
use super::engine::Batch;
use crate::fault::Environment;
use crate::model::{Input, Model};
use std::collections::BTreeMap;

/// The label of a token that is not counted.
const IGNORED: f64 = -100.0;
/// The input that says which tokens are counted.
const KEEP: &str = "keep";

/// The inputs, and the names of the case's tensors that they were made of.
pub struct Inputs {
    /// What programs are given.
    pub batch: Batch,
    /// Tensors of the case that are inputs.
    pub used: Vec<String>,
}

/// The model's token input.
///
/// # Errors
/// If it has none.
pub fn token_input(model: &Model) -> Result<&Input, Environment> {
    let tokens = |input: &&Input| input.index_of.is_some() && input.default.is_none() && !input.axes.is_empty();
    model.inputs.iter().find(tokens).ok_or_else(|| {
        Environment::new(format!("the model {} has no input of tokens, such as `input ids[t] : v`", model.name))
    })
}

/// A batch of token rows of one length; other inputs over the same positions get their defaults.
///
/// # Errors
/// If the model has no input of tokens.
pub fn token_batch(model: &Model, ids: Array) -> Result<Batch, Environment> {
    let input = token_input(model)?;
    let (rows, positions) = (ids.shape[0], ids.shape[1]);
    let like = |other: &&Input| other.axes == input.axes;
    let default = |other: &Input| Some((other.name.clone(), Array::filled(&ids.shape, other.default?)));
    let mut inputs: BTreeMap<String, Array> = model.inputs.iter().filter(like).filter_map(default).collect();
    inputs.insert(input.name.clone(), ids);
    Ok(Batch { rows, lengths: vec![positions; rows], inputs })
}

/// Takes the inputs out of a case.
///
/// # Errors
/// If the case has no `input_ids`, or its labels are not its tokens.
pub fn inputs(model: &Model, case: &Case) -> Result<Inputs, Environment> {
    let ids = case.tensors.get("input_ids").filter(|ids| ids.shape.len() == 2).ok_or_else(|| {
        Environment::new(format!("the case {} has no `input_ids` of rows and positions", case.name()))
            .help("`archc verify --against` reads cases of models over tokens")
    })?;
    let mut batch = token_batch(model, ids.clone())?;
    let mut used = vec!["input_ids".to_string()];
    if let Some(labels) = case.tensors.get("labels") {
        let keep = kept(ids, labels)?;
        let all = keep.data.iter().all(|kept| *kept == 1.0);
        if model.inputs.iter().any(|input| input.name == KEEP) {
            batch.inputs.insert(KEEP.into(), keep);
        } else if !all {
            return Err(Environment::new("some labels are -100, and the model has no input that leaves them out")
                .help("add `input keep[t] : bool = true` and give it to the objective"));
        }
        used.push("labels".into());
    }
    for input in model.inputs.iter().filter(|input| input.name != KEEP) {
        if let Some(tensor) = case.tensors.get(&input.name) {
            batch.inputs.insert(input.name.clone(), tensor.clone());
            used.push(input.name.clone());
        }
    }
    Ok(Inputs { batch, used })
}

fn kept(ids: &Array, labels: &Array) -> Result<Array, Environment> {
    let pairs = ids.data.iter().zip(&labels.data);
    if labels.shape != ids.shape || pairs.clone().any(|(id, label)| *label != IGNORED && label != id) {
        return Err(Environment::new("the labels of the case are not its own tokens")
            .help("archc derives the target from the tokens; such a case needs a model with an input of labels"));
    }
    let data = pairs.map(|(_, label)| f64::from(*label != IGNORED)).collect();
    Ok(Array { shape: ids.shape.clone(), data })
}
