//! A reference case: a folder with a configuration, weights, inputs, and the answers of somebody else's code.

use super::array::{Array, read_tensors};
use crate::driver::{configuration_in, read_json};
use crate::fault::Environment;
use crate::model::WeightMap;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Everything that the folder holds.
#[derive(Debug, Clone)]
pub struct Case {
    /// The folder.
    pub folder: PathBuf,
    /// `config.json`; empty where there is none.
    pub config: Value,
    /// `model.safetensors`, by name; empty where there is none.
    pub weights: BTreeMap<String, Array>,
    /// `case.safetensors`, by name.
    pub tensors: BTreeMap<String, Array>,
    /// `case.json`.
    pub answers: Answers,
}

/// What `case.json` says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Answers {
    /// The family's name.
    pub family: String,
    /// What gradients are of, in words, if not of the loss.
    pub grad_of: Option<String>,
    /// The L2 norm of the gradient of every weight.
    pub grad_l2: BTreeMap<String, f64>,
    /// Weights that the optimizer skips altogether.
    pub params_without_grad: Vec<String>,
    /// The loss before and after each plain step.
    pub sgd: Option<Trajectory>,
    /// The loss before and after each step of AdamW.
    pub adamw: Option<Trajectory>,
    /// How far the answer moves by itself.
    pub noise: Noise,
    /// The closest call among all choices by rank.
    pub min_selection_gap: Option<f64>,
    /// What the tensors that begin with `decode_` are of.
    pub decode: Value,
    /// Runs of a sampler by what the names of their tensors begin with, and how each was made.
    pub runs: BTreeMap<String, Value>,
}

/// An optimizer's settings and the losses that it reached.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Trajectory {
    /// The learning rate.
    pub lr: f64,
    /// The decay of both moments.
    pub betas: [f64; 2],
    /// What keeps the root from zero.
    pub eps: f64,
    /// The decoupled decay.
    pub weight_decay: f64,
    /// Before step 1, then after each step.
    pub losses: Vec<f64>,
}

/// Honesty figures.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Noise {
    /// The change of the logits when every weight moves by about one rounding step of f32.
    pub one_ulp_weights: f64,
}

impl Case {
    /// Reads a folder.
    ///
    /// # Errors
    /// If a file is missing or damaged.
    pub fn read(folder: &Path) -> Result<Case, Environment> {
        if !folder.is_dir() {
            return Err(Environment::new(format!("{} is not a folder", folder.display())).help(FORM));
        }
        let answers = read_json(&folder.join(ANSWERS), FORM)?;
        let answers = serde_json::from_value(answers)
            .map_err(|error| Environment::new(format!("{}: {error}", folder.join(ANSWERS).display())).help(FORM))?;
        let weights = folder.join("model.safetensors");
        let config = match folder.join(CONFIG) {
            file if file.exists() => read_json(&file, FORM)?,
            _ => Value::Object(serde_json::Map::new()),
        };
        Ok(Case {
            folder: folder.to_path_buf(),
            config,
            weights: if weights.exists() { read_tensors(&weights)? } else { BTreeMap::new() },
            tensors: read_tensors(&folder.join("case.safetensors"))?,
            answers,
        })
    }

    /// The case with all data in the order of the model's own axes.
    ///
    /// # Errors
    /// If a tensor has other axes than its line of the map says.
    pub fn in_order_of(&self, map: &WeightMap) -> Result<Case, Environment> {
        let mut case = self.clone();
        for (name, places) in &map.orders {
            let named =
                |tensor: &&String| ["", "in.", "grad."].iter().any(|mark| tensor.strip_prefix(mark) == Some(name));
            let stored = self.tensors.keys().filter(named);
            for tensor in stored {
                let ordered = self.tensors[tensor].reordered(places).ok_or_else(|| {
                    Environment::new(format!("`{tensor}` has the shape {:?}", self.tensors[tensor].shape))
                        .help(format!("the weight map gives it {} axes", places.len()))
                })?;
                case.tensors.insert(tensor.clone(), ordered);
            }
        }
        Ok(case)
    }

    /// The architecture that `config.json` names, if it names one.
    pub fn architecture(&self) -> Option<&str> {
        self.config.get("architectures")?.get(0)?.as_str()
    }

    /// Where its sizes are said.
    pub fn config_file(&self) -> PathBuf {
        configuration_in(&self.folder)
    }

    /// The folder's own name.
    pub fn name(&self) -> String {
        let whole = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// The answers of a case beside its tensors.
const ANSWERS: &str = "case.json";
/// The sizes of a case.
const CONFIG: &str = "config.json";
const FORM: &str = "a case is a folder with case.json and case.safetensors, config.json where it has sizes, and \
                    model.safetensors for a model with weights";
