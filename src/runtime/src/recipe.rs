//! What is not the model: data, batch, optimizer, schedule, seed, how often to look and to save.
//!
//! In: a YAML file and options of the command line, which win. Out: a checked [`Recipe`]. The key table is the one list of
//! keys: the options of `train`, their help and the hints for mistyped keys come from it.

mod keys;

pub use keys::{KEYS, Key};

use crate::error::{Error, Result, nearest};
use crate::tokenizer::BYTES;
use serde::{Deserialize, Serialize};
use serde_yaml::{Mapping, Value};
use std::path::{Path, PathBuf};

/// How parameters move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).
    AdamW,
    /// Stochastic gradient descent, with or without momentum.
    Sgd,
}

/// How the learning rate goes after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Half a cosine down to the minimum.
    Cosine,
    /// A straight line down to the minimum.
    Linear,
    /// Always the same.
    Constant,
}

/// Data that is made as it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// None: there is a text.
    None,
    /// Multi-query associative recall; see [`crate::source::Recall`].
    Mqar,
}

/// Everything that a training needs beside the model. Each field is a key of the same name; see [`KEYS`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the key table documents them, for the reader of --help too")]
pub struct Recipe {
    pub data: Paths,
    pub task: Task,
    pub pairs: usize,
    pub tokenizer: String,
    pub validation: f64,
    pub out: PathBuf,
    pub steps: u64,
    pub batch: usize,
    pub context: usize,
    pub accumulate: usize,
    pub seed: u64,
    pub optimizer: Method,
    pub learning_rate: f64,
    pub minimum_rate: f64,
    pub warmup: u64,
    pub schedule: Schedule,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    pub decay_vectors: bool,
    pub clip: f64,
    pub evaluate_every: u64,
    pub save_every: u64,
    pub log_every: u64,
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            data: Paths::default(),
            task: Task::None,
            pairs: 8,
            tokenizer: BYTES.to_owned(),
            validation: 0.1,
            out: PathBuf::from("run"),
            steps: 2000,
            batch: 12,
            context: 64,
            accumulate: 1,
            seed: 1,
            optimizer: Method::AdamW,
            learning_rate: 1e-3,
            minimum_rate: 1e-4,
            warmup: 100,
            schedule: Schedule::Cosine,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            momentum: 0.0,
            weight_decay: 0.1,
            decay_vectors: false,
            clip: 1.0,
            evaluate_every: 250,
            save_every: 500,
            log_every: 10,
        }
    }
}

/// One path or a list of paths.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Paths(pub Vec<PathBuf>);

/// The two ways to write paths in YAML.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(PathBuf),
    Many(Vec<PathBuf>),
}

impl From<OneOrMany> for Paths {
    fn from(paths: OneOrMany) -> Paths {
        match paths {
            OneOrMany::One(path) => Paths(vec![path]),
            OneOrMany::Many(paths) => Paths(paths),
        }
    }
}

impl Recipe {
    /// The recipe of a file, with the given keys set to other values (written as in YAML).
    ///
    /// # Errors
    /// If the file cannot be read, a key is unknown, or a value makes no sense.
    pub fn read(path: Option<&Path>, changes: &[(String, String)]) -> Result<Recipe> {
        let text = match path {
            None => String::new(),
            Some(path) => {
                std::fs::read_to_string(path).map_err(|cause| Error::file("read the recipe", path, &cause))?
            }
        };
        let name = path.map_or("the recipe".to_owned(), |path| path.display().to_string());
        Recipe::parse(&text, &name, changes)
    }

    /// [`Recipe::read`] for a text at hand; `name` is for messages.
    ///
    /// # Errors
    /// As [`Recipe::read`].
    pub fn parse(text: &str, name: &str, changes: &[(String, String)]) -> Result<Recipe> {
        let mut keys = parse_mapping(text, name)?;
        for (key, value) in changes {
            let value = serde_yaml::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
            keys.insert(Value::String(key.clone()), value);
        }
        check_keys(&keys, name)?;
        let recipe: Recipe = serde_yaml::from_value(Value::Mapping(keys.clone())).map_err(|_| blame(&keys, name))?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The recipe as a file holds it.
    pub fn to_yaml(&self) -> String {
        serde_yaml::to_string(self).unwrap_or_default()
    }

    /// Refuses what would only fail later.
    fn check(&self) -> Result<()> {
        let faults = [
            (self.steps == 0, "steps", "at least 1"),
            (self.batch == 0, "batch", "at least 1"),
            (self.context < 2, "context", "at least 2"),
            (self.pairs == 0, "pairs", "at least 1"),
            (self.accumulate == 0, "accumulate", "at least 1"),
            (self.log_every == 0, "log_every", "at least 1"),
            (!(0.0..1.0).contains(&self.validation), "validation", "from 0 to less than 1"),
            (!(self.learning_rate > 0.0 && self.learning_rate.is_finite()), "learning_rate", "more than 0"),
            (!(0.0..=self.learning_rate).contains(&self.minimum_rate), "minimum_rate", "from 0 to learning_rate"),
            (!(0.0..1.0).contains(&self.beta1), "beta1", "from 0 to less than 1"),
            (!(0.0..1.0).contains(&self.beta2), "beta2", "from 0 to less than 1"),
            (self.epsilon <= 0.0, "epsilon", "more than 0"),
            (!(0.0..1.0).contains(&self.momentum), "momentum", "from 0 to less than 1"),
            (self.weight_decay < 0.0, "weight_decay", "0 or more"),
            (self.clip < 0.0, "clip", "0 (off) or more"),
        ];
        match faults.iter().find(|(wrong, _, _)| *wrong) {
            None => Ok(()),
            Some((_, key, range)) => Err(Error::request(format!("the recipe's `{key}` must be {range}"))),
        }
    }
}

/// The top level of a recipe: keys and values.
fn parse_mapping(text: &str, name: &str) -> Result<Mapping> {
    let value: Value = serde_yaml::from_str(text).map_err(|cause| {
        Error::request(format!("{name} is not YAML: {cause}")).help("write one `key: value` a line")
    })?;
    match value {
        Value::Null => Ok(Mapping::new()),
        Value::Mapping(keys) => Ok(keys),
        _ => Err(Error::request(format!("{name} is not a list of keys")).help("write one `key: value` a line")),
    }
}

/// Refuses keys that do not exist.
fn check_keys(keys: &Mapping, name: &str) -> Result<()> {
    let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    let unknown = keys.keys().find(|key| !key.as_str().is_some_and(|key| names.contains(&key)));
    let Some(unknown) = unknown else { return Ok(()) };
    let written = unknown.as_str().map_or_else(|| format!("{unknown:?}"), str::to_owned);
    Err(Error::request(format!("{name} has a key `{written}` that does not exist")).help(
        match nearest(&written, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys are {}", names.join(", ")),
        },
    ))
}

/// Finds the key whose value does not fit, by trying each alone.
fn blame(keys: &Mapping, name: &str) -> Error {
    let alone = |key: &Value, value: &Value| {
        let mut one = Mapping::new();
        one.insert(key.clone(), value.clone());
        serde_yaml::from_value::<Recipe>(Value::Mapping(one)).err()
    };
    let fault = keys.iter().find_map(|(key, value)| alone(key, value).map(|cause| (key, cause)));
    let Some((key, cause)) = fault else { return Error::request(format!("{name} cannot be read")) };
    let key = key.as_str().unwrap_or_default();
    let doc = KEYS.iter().find(|known| known.name == key).map_or("", |known| known.doc);
    Error::request(format!("{name}: `{key}`: {cause}")).help(format!("{key} is: {doc}"))
}
