//! What is to be compiled: a file, and what is changed in it from outside.

use super::{Failure, read_json};
use crate::diagnostics::Diagnostics;
use crate::fault::Environment;
use crate::model::{self, Library, Overrides, Setting, Unread, library};
use crate::syntax::ast::Weights;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A model and what is changed in it from outside.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The .arch file; `examples/NAME.arch` is also found inside archc.
    pub file: PathBuf,
    /// Sizes and settings that take the place of those in the file.
    pub settings: Vec<(String, String)>,
    /// A Hugging Face configuration that sizes and settings are taken from.
    pub config: Option<PathBuf>,
    /// Which model of the file; absent: the first.
    pub model: Option<String>,
}

impl Request {
    /// The text of the file.
    ///
    /// # Errors
    /// If there is no such file, or it is not text.
    pub fn text(&self) -> Result<String, Environment> {
        let path = &self.file;
        let embedded = || library::embedded(&path.to_string_lossy().replace('\\', "/")).map(str::to_string);
        std::fs::read_to_string(path).or_else(|error| embedded().ok_or(error)).map_err(|error| {
            let reason = match error.kind() {
                std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_string(),
                _ => error.to_string(),
            };
            Environment::new(format!("cannot read {}: {reason}", path.display())).help("give the path of an .arch file")
        })
    }

    /// Sizes and settings from the configuration, then those that were written on the command line.
    ///
    /// # Errors
    /// If the configuration cannot be read, or the model has no map for its architecture.
    pub fn overrides(&self, library: &Library, sink: &mut Diagnostics) -> Result<Overrides, Failure> {
        let mut overrides = match &self.config {
            Some(path) => self.configured(path, library, sink)?,
            None => Overrides::default(),
        };
        for (name, text) in &self.settings {
            overrides.0.insert(name.clone(), setting(text)?);
        }
        Ok(overrides)
    }

    /// What the configuration says and the model does not read.
    ///
    /// # Errors
    /// As [`Request::overrides`].
    pub fn unread(&self, library: &Library) -> Result<Unread, Environment> {
        let Some(path) = &self.config else { return Ok(Unread::default()) };
        let config = read_config(path)?;
        Ok(model::unread(self.map_for(&config, library)?, &config))
    }

    fn configured(&self, path: &Path, library: &Library, sink: &mut Diagnostics) -> Result<Overrides, Environment> {
        let config = read_config(path)?;
        Ok(model::configure(self.map_for(&config, library)?, &config, sink))
    }

    /// The weight map for a configuration.
    fn map_for<'l>(&self, config: &Value, library: &'l Library) -> Result<&'l Weights, Environment> {
        let architecture = config.pointer("/architectures/0").and_then(Value::as_str);
        let maps = library.models.first().map(|model| library.maps_of(model)).unwrap_or_default();
        // A configuration that names no architecture is of the only one that the model knows.
        let named = match (architecture, maps.as_slice()) {
            (None, [only]) => Some(*only),
            _ => maps.into_iter().find(|map| Some(map.architecture.0.as_str()) == architecture),
        };
        named.ok_or_else(|| {
            let wanted = architecture.unwrap_or("(none)");
            Environment::new(format!("{} has no weight map for the architecture {wanted}", self.file.display()))
                .help("write `weights huggingface \"…\" { config … }` in the file, or leave the file out")
        })
    }
}

/// The file of a folder that states a model's sizes: `config.json`, or in a folder with reference numbers alone, `case.json`.
pub fn configuration_in(folder: &Path) -> PathBuf {
    let (own, stated) = (folder.join("config.json"), folder.join("case.json"));
    if !own.exists() && stated.exists() { stated } else { own }
}

/// Reads a Hugging Face configuration.
///
/// # Errors
/// If there is none, or it is not JSON.
pub fn read_config(path: &Path) -> Result<Value, Environment> {
    read_json(path, "published models have a config.json beside their weights")
}

/// A setting as it is written: a number, a truth value, a word, or in brackets a list of these.
///
/// # Errors
/// If a list is not closed, or nothing stands between two of its commas.
pub fn setting(text: &str) -> Result<Setting, Environment> {
    if text.starts_with('[') {
        return list(text).map(Setting::List).ok_or_else(|| {
            let help = "write a list as it stands in a file: --set 'kind=[near, near, far]'";
            Environment::new(format!("`{text}` is no list")).help(help)
        });
    }
    let plain = text.replace('_', "");
    if let Ok(number) = plain.parse::<i64>() {
        return Ok(Setting::Integer(number));
    }
    Ok(match (text, plain.parse::<f64>()) {
        ("true", _) => Setting::Truth(true),
        ("false", _) => Setting::Truth(false),
        (_, Ok(number)) => Setting::Real(number),
        _ => Setting::Word(text.to_string()),
    })
}

/// What stands between brackets; a comma inside of inner brackets parts those.
fn list(text: &str) -> Option<Vec<Setting>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, letter) in inner.char_indices() {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                parts.push(&inner[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    // One comma after the last is as good as none.
    let last = &inner[begin..];
    parts.extend((!last.trim().is_empty()).then_some(last));
    let all = parts.into_iter().map(str::trim).map(|part| match part.is_empty() {
        true => None,
        false => setting(part).ok(),
    });
    all.collect::<Option<Vec<_>>>().filter(|_| depth == 0)
}
