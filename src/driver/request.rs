//! What is to be compiled: a file, and what is changed in it from outside.

use super::Failure;
use crate::fault::Environment;
use crate::model::{Library, Overrides, Setting, library};
use std::path::PathBuf;

/// A model and what is changed in it from outside.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The .arch file; `examples/NAME.arch` is also found inside archc.
    pub file: PathBuf,
    /// Sizes and settings that take the place of those in the file.
    pub settings: Vec<(String, String)>,
    /// A Hugging Face configuration that sizes and settings are taken from.
    pub config: Option<PathBuf>,
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
    /// If the configuration cannot be read or does not fit.
    pub fn overrides(&self, _library: &Library) -> Result<Overrides, Failure> {
        let mut overrides = Overrides::default();
        overrides.0.extend(self.settings.iter().map(|(name, text)| (name.clone(), setting(text))));
        Ok(overrides)
    }
}

/// A setting as it is written: a number, a truth value, or a word.
pub fn setting(text: &str) -> Setting {
    let plain = text.replace('_', "");
    if let Ok(number) = plain.parse::<i64>() {
        return Setting::Integer(number);
    }
    match (text, plain.parse::<f64>()) {
        ("true", _) => Setting::Truth(true),
        ("false", _) => Setting::Truth(false),
        (_, Ok(number)) => Setting::Real(number),
        _ => Setting::Word(text.to_string()),
    }
}
