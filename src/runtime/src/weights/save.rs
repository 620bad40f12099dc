//! Writes a model's parameters to a file.

use super::boxes;
use super::load::Form;
use crate::abi::{Element, Manifest, WeightSource};
use crate::error::{Error, Result};
use crate::files;
use crate::memory::Tensor;
use crate::model::Loaded;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
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
        Saved::new(tensor.shape(), Cow::Borrowed(tensor.slice()))
    }

    /// Numbers in a shape.
    pub fn new(shape: &[i64], values: Cow<'data, [f32]>) -> Saved<'data> {
        Saved { shape: shape.iter().map(|size| *size as usize).collect(), values }
    }

    /// Its bytes, as the file will hold them.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.values)
    }
}

/// Writes all parameters, in f32.
///
/// # Errors
/// If the file cannot be written (there is then none, or the old one), or the model has no weight map for
/// [`Form::Published`].
pub fn save(model: &mut Loaded, path: &Path, form: Form) -> Result<()> {
    model.bring_back()?;
    let manifest = model.manifest();
    // Hugging Face's loader demands the note on the format.
    let notes = Notes::from([("model".to_owned(), manifest.model.clone()), ("format".to_owned(), "pt".to_owned())]);
    match form {
        Form::Native => write_tensors(path, &native(model), &notes),
        Form::Published => write_tensors(path, &published(manifest, model.parameters())?, &notes),
    }
}

/// Free text entries of a file's header, in order, so that equal contents are equal files.
pub type Notes = BTreeMap<String, String>;

/// Writes tensors under names, with notes, at once or not at all. The same bytes as the safetensors crate would write,
/// but into the file that [`files::replace`] looks after.
///
/// # Errors
/// If the file cannot be written.
pub fn write_tensors(path: &Path, tensors: &[(String, Saved<'_>)], notes: &Notes) -> Result<()> {
    files::replace(path, |part| {
        let failed = |cause: io::Error| Error::file("write", path, &cause);
        let mut file = BufWriter::with_capacity(1 << 20, File::create(part).map_err(failed)?);
        let header = header(tensors, notes).map_err(|cause| failed(cause.into()))?;
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
        file.write_all(header.as_bytes()).map_err(failed)?;
        tensors.iter().try_for_each(|(_, saved)| file.write_all(saved.bytes())).map_err(failed)?;
        file.flush().map_err(failed)
    })
}

/// The JSON header, with spaces at the end so that the data is aligned.
fn header(tensors: &[(String, Saved<'_>)], notes: &Notes) -> serde_json::Result<String> {
    let mut header = format!("{{\"__metadata__\":{}", serde_json::to_string(notes)?);
    let mut begin = 0;
    for (name, saved) in tensors {
        let end = begin + saved.bytes().len();
        let (name, shape) = (serde_json::to_string(name)?, serde_json::to_string(&saved.shape)?);
        header += &format!(",{name}:{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[{begin},{end}]}}");
        begin = end;
    }
    header.push('}');
    let padded = header.len().next_multiple_of(8);
    Ok(format!("{header:padded$}"))
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
