//! Reads a model's parameters from a file.

use super::boxes;
use super::file::{Stored, WeightFile};
use crate::abi::{Manifest, ParameterInfo, WeightPart};
use crate::error::{Error, Result, nearest};
use crate::model::Loaded;
use std::path::Path;

/// Tensors with this first letter are the runtime's own notes, such as an optimizer's state.
pub(crate) const PRIVATE: char = '@';

/// How a file names its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// By parameter path.
    Native,
    /// As the manifest's weight map says.
    Published,
}

/// Fills all parameters from a file of either form.
///
/// # Errors
/// If the file is damaged, or lacks a tensor, or has one of another shape or type, or one that nothing explains, or a
/// number that is not finite. The parameters are then unchanged.
pub fn load(model: &mut Loaded, path: &Path) -> Result<Form> {
    let file = WeightFile::open(path)?;
    let form = form_of(&file, model.manifest())?;
    match form {
        Form::Native => load_native(model, &file)?,
        Form::Published => load_published(model, &file)?,
    }
    Ok(form)
}

/// The form whose names the file has more of.
fn form_of(file: &WeightFile, manifest: &Manifest) -> Result<Form> {
    let native = manifest.parameters.iter().filter(|info| file.has(&info.path)).count();
    let published = manifest.weights.iter().filter(|source| file.has(&source.tensor)).count();
    if native == 0 && published == 0 {
        let name = &manifest.model;
        let have: Vec<&str> = file.names().take(3).collect();
        let want = manifest.weights.first().map(|source| &source.tensor);
        let want = want.or(manifest.parameters.first().map(|info| &info.path));
        let message = format!("{} holds no weight of the model {name}", file.path().display());
        let wanted = want.map(|want| format!(", the model looks for `{want}`, …")).unwrap_or_default();
        return Err(Error::environment(message).help(format!("it has `{}`, …{wanted}", have.join("`, `"))));
    }
    Ok(if native >= published { Form::Native } else { Form::Published })
}

fn load_native(model: &mut Loaded, file: &WeightFile) -> Result<()> {
    let manifest = model.manifest();
    let known = |name: &str| name.starts_with(PRIVATE) || manifest.parameters.iter().any(|info| info.path == name);
    refuse_unknown(file, known, manifest.parameters.iter().map(|info| info.path.as_str()))?;
    // All is looked at before anything is written: a bad file changes nothing, and no second copy is held.
    for info in &manifest.parameters {
        look(file, &info.path, &info.shape, |stored| stored.for_each(&info.path, |_| {}))?;
    }
    let (manifest, parameters, _) = model.parameters_mut();
    for (tensor, info) in parameters.iter_mut().zip(&manifest.parameters) {
        let mut places = tensor.slice_mut::<f32>().iter_mut();
        let fill = |value| {
            if let Some(place) = places.next() {
                *place = value;
            }
        };
        look(file, &info.path, &info.shape, |stored| stored.for_each(&info.path, fill))?;
    }
    Ok(())
}

/// Looks at a tensor that has the shape which the model wants, and gives the memory back that it was seen in.
fn look<T>(file: &WeightFile, name: &str, shape: &[i64], see: impl FnOnce(&Stored<'_>) -> Result<T>) -> Result<T> {
    let stored = file.tensor(name)?;
    check_shape(&stored, name, shape)?;
    let seen = see(&stored);
    file.forget(name);
    seen
}

fn load_published(model: &mut Loaded, file: &WeightFile) -> Result<()> {
    let manifest = model.manifest();
    let known = |name: &str| {
        manifest.weights.iter().any(|source| source.tensor == name)
            || manifest.ignored.iter().any(|pattern| matches(pattern, name))
    };
    refuse_unknown(file, known, manifest.weights.iter().map(|source| source.tensor.as_str()))?;
    check_complete(manifest)?;
    for source in manifest.weights.iter().filter(|source| !source.copy) {
        look(file, &source.tensor, &source.shape, |stored| stored.for_each(&source.tensor, |_| {}))?;
        let (count, sizes) = (source.shape.iter().product::<i64>() as usize, model.parameters());
        let fits = |part: &WeightPart| boxes::check(part, &source.tensor, count, sizes[part.parameter].len());
        source.parts.iter().try_for_each(fits)?;
    }
    let (manifest, parameters, _) = model.parameters_mut();
    for source in manifest.weights.iter().filter(|source| !source.copy) {
        let values = look(file, &source.tensor, &source.shape, |stored| stored.widen(&source.tensor))?;
        for part in &source.parts {
            let target = parameters[part.parameter].slice_mut::<f32>();
            boxes::for_each(part, |from, to| target[to] = values[from]);
        }
    }
    Ok(())
}

/// Every trained parameter must come wholly from the file.
fn check_complete(manifest: &Manifest) -> Result<()> {
    let mut covered = vec![0i64; manifest.parameters.len()];
    for part in manifest.weights.iter().filter(|source| !source.copy).flat_map(|source| &source.parts) {
        covered[part.parameter] += part.extents.iter().product::<i64>();
    }
    let lacks = |(info, covered): &(&ParameterInfo, i64)| info.trained && *covered < info.shape.iter().product::<i64>();
    match manifest.parameters.iter().zip(covered).find(lacks) {
        None => Ok(()),
        Some((info, _)) => {
            let message = format!("the weight map does not say where `{}` is found", info.path);
            Err(Error::request(message).help("add a line for it to the model's `weights` block"))
        }
    }
}

/// A tensor that nothing explains is more likely a wrong file than a spare part.
fn refuse_unknown<'names>(
    file: &WeightFile,
    known: impl Fn(&str) -> bool,
    names: impl Iterator<Item = &'names str>,
) -> Result<()> {
    let Some(name) = file.names().find(|name| !known(name)) else { return Ok(()) };
    let message = format!("{} has a tensor `{name}` that the model does not know", file.path().display());
    Err(Error::environment(message).help(match nearest(name, names) {
        Some(near) => format!("the model has `{near}`; to pass over it, write `ignore \"{name}\"` in the weight map"),
        None => format!("to pass over it, write `ignore \"{name}\"` in the model's weight map"),
    }))
}

fn check_shape(stored: &Stored<'_>, name: &str, shape: &[i64]) -> Result<()> {
    if stored.shape.iter().map(|size| *size as i64).eq(shape.iter().copied()) {
        return Ok(());
    }
    let message = format!("the tensor `{name}` has shape {:?}, the model wants {shape:?}", stored.shape);
    Err(Error::environment(message).help("are these weights of a model with other sizes?"))
}

/// Whether a name fits a pattern, in which `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|name| {
            (0..=name.len()).filter(|at| name.is_char_boundary(*at)).any(|at| matches(rest, &name[at..]))
        }),
    }
}
