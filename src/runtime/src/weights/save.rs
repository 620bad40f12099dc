//! Writes a model's parameters to a file.

use super::boxes;
use super::load::Form;
use crate::abi::{Element, Manifest, WeightSource};
use crate::error::{Error, Result};
use crate::files;
use crate::memory::Tensor;
use crate::model::Loaded;
use safetensors::tensor::{Dtype, View};
use safetensors::{SafeTensorError, serialize_to_file};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// Something that can be written as a tensor.
#[derive(Debug)]
pub struct Saved<'data> {
    shape: Vec<usize>,
    values: Cow<'data, [f32]>,
}

impl<'data> Saved<'data> {
    /// A tensor of f32 in memory.
    ///
    /// # Panics
    /// If its elements are not f32.
    pub fn of(tensor: &'data Tensor) -> Saved<'data> {
        assert_eq!(tensor.element(), Element::F32, "parameters and optimizer states are f32");
        let shape = tensor.shape().iter().map(|size| *size as usize).collect();
        Saved { shape, values: Cow::Borrowed(tensor.slice()) }
    }

    /// Its bytes, as the file will hold them.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.values)
    }
}

impl View for Saved<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.bytes())
    }

    fn data_len(&self) -> usize {
        self.values.len() * 4
    }
}

/// Writes all parameters, in f32.
///
/// # Errors
/// If the file cannot be written (there is then none, or the old one), or the model has no weight map for
/// [`Form::Published`].
pub fn save(model: &Loaded, path: &Path, form: Form) -> Result<()> {
    let manifest = model.manifest();
    let notes = HashMap::from([("model".to_owned(), manifest.model.clone()), ("format".to_owned(), "pt".to_owned())]);
    match form {
        Form::Native => write_tensors(path, native(model), notes),
        Form::Published => write_tensors(path, published(manifest, model.parameters())?, notes),
    }
}

/// Writes tensors under names, with free text entries, at once or not at all.
///
/// # Errors
/// If the file cannot be written.
pub fn write_tensors(path: &Path, tensors: Vec<(String, Saved<'_>)>, notes: HashMap<String, String>) -> Result<()> {
    files::replace(path, |part| {
        serialize_to_file(tensors, Some(notes), part).map_err(|cause| match cause {
            SafeTensorError::IoError(cause) => Error::file("write", path, &cause),
            other => Error::bug(format!("cannot write {}: {other}", path.display())),
        })
    })
}

/// All parameters by path.
pub(crate) fn native(model: &Loaded) -> Vec<(String, Saved<'_>)> {
    let infos = model.manifest().parameters.iter();
    infos.zip(model.parameters()).map(|(info, tensor)| (info.path.clone(), Saved::of(tensor))).collect()
}

/// All tensors of the published form.
fn published(manifest: &Manifest, parameters: &[Tensor]) -> Result<Vec<(String, Saved<'static>)>> {
    if manifest.weights.is_empty() {
        let message = format!("the model {} has no weight map, so no published form", manifest.model);
        return Err(
            Error::request(message).help("save it without `--published`, or add a `weights` block to the model")
        );
    }
    manifest.weights.iter().map(|source| gather(source, parameters)).collect()
}

/// One file tensor, gathered from parameters.
fn gather(source: &WeightSource, parameters: &[Tensor]) -> Result<(String, Saved<'static>)> {
    let shape: Vec<usize> = source.shape.iter().map(|size| *size as usize).collect();
    let mut values = vec![0.0; shape.iter().product()];
    for part in &source.parts {
        let parameter = parameters[part.parameter].slice::<f32>();
        boxes::check(part, &source.tensor, values.len(), parameter.len())?;
        boxes::for_each(part, |to, from| values[to] = parameter[from]);
    }
    Ok((source.tensor.clone(), Saved { shape, values: Cow::Owned(values) }))
}
