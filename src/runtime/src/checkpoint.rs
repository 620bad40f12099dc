//! A training on disk: parameters, optimizer state, and how far it has come, in one safetensors file.
//!
//! Written whole or not at all, so a kill at any moment leaves the last one. A checksum over all numbers and the place
//! in the training makes damage an error instead of another curve. Parameters stand under their own names, so a
//! checkpoint is a weights file too.

use crate::error::{Error, Result};
use crate::model::Loaded;
use crate::optimizer::Optimizer;
use crate::weights::{Notes, Saved, WeightFile, write_tensors};
use std::path::Path;

/// How far a training has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Optimizer steps taken.
    pub step: u64,
    /// The recipe, as YAML.
    pub recipe: String,
    /// Length and hash of the data, so that a resumed training reads the same.
    pub data: String,
}

/// Writes a checkpoint.
///
/// # Errors
/// If the file cannot be written; the old one is then still there.
pub fn save(path: &Path, model: &mut Loaded, optimizer: &Optimizer, progress: &Progress) -> Result<()> {
    model.bring_back()?;
    let infos = &model.manifest().parameters;
    let mut tensors: Vec<(String, Saved<'_>)> = crate::weights::native(model);
    tensors.extend(optimizer.state(infos)?);
    let mut notes = Notes::from([
        ("model".to_owned(), model.manifest().model.clone()),
        ("step".to_owned(), progress.step.to_string()),
        ("recipe".to_owned(), progress.recipe.clone()),
        ("data".to_owned(), progress.data.clone()),
    ]);
    tensors.sort_by(|left, right| left.0.cmp(&right.0));
    let sum = checksum(&notes, tensors.iter().map(|(name, saved)| (name.as_str(), saved.bytes())));
    notes.insert("checksum".to_owned(), sum);
    write_tensors(path, &tensors, &notes)
}

/// What a checkpoint says about its training, without its numbers.
///
/// # Errors
/// If the file is missing, damaged, or not a checkpoint.
pub fn peek(path: &Path) -> Result<Progress> {
    read_progress(&WeightFile::open(path)?)
}

/// Reads a checkpoint into a model and its optimizer.
///
/// # Errors
/// If the file is missing, damaged, or belongs to another model or optimizer.
pub fn load(path: &Path, model: &mut Loaded, optimizer: &mut Optimizer) -> Result<Progress> {
    let file = WeightFile::open(path)?;
    let progress = read_progress(&file)?;
    check_sum(&file)?;
    crate::weights::load(model, path)?;
    optimizer.restore(&model.manifest().parameters, progress.step, |name, count| {
        let values = file.tensor(name)?.widen(name)?;
        if values.len() != count {
            let message = format!("{} holds `{name}` with {} numbers", path.display(), values.len());
            return Err(Error::environment(message).help("it was saved by a training of another model"));
        }
        Ok(values)
    })?;
    Ok(progress)
}

fn read_progress(file: &WeightFile) -> Result<Progress> {
    let mut notes = file.notes();
    let (step, recipe) = (notes.remove("step").and_then(|step| step.parse().ok()), notes.remove("recipe"));
    match (step, recipe) {
        (Some(step), Some(recipe)) => Ok(Progress { step, recipe, data: notes.remove("data").unwrap_or_default() }),
        _ => Err(Error::environment(format!("{} is a weights file, not a checkpoint", file.path().display()))
            .help("a training continues from the checkpoint.safetensors of its folder")),
    }
}

/// Refuses a file whose numbers are not those that were written.
fn check_sum(file: &WeightFile) -> Result<()> {
    let mut notes = file.notes();
    let written = notes.remove("checksum");
    let tensors = file.names().map(|name| file.tensor(name).map(|stored| (name, stored.bytes)));
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    if written.as_deref() == Some(checksum(&notes, tensors.into_iter()).as_str()) {
        return Ok(());
    }
    let message = format!("the checkpoint {} is damaged: its checksum does not fit", file.path().display());
    Err(Error::environment(message).help("restore it from a copy, or train again with --overwrite"))
}

/// A checksum over names, numbers and notes, in order of name.
fn checksum<'all>(notes: &Notes, tensors: impl Iterator<Item = (&'all str, &'all [u8])>) -> String {
    let mut hasher = crc32fast::Hasher::new();
    for (key, value) in notes {
        hasher.update(key.as_bytes());
        hasher.update(value.as_bytes());
    }
    for (name, bytes) in tensors {
        hasher.update(name.as_bytes());
        hasher.update(bytes);
    }
    format!("{:08x}", hasher.finalize())
}
