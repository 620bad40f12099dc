//! A safetensors file, or several that an index holds together, mapped and checked.

use crate::error::{Error, Result, nearest};
use crate::files;
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorInfo};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of the index that published sharded checkpoints carry.
const INDEX: &str = "model.safetensors.index.json";
/// The names of single files that a folder may hold: a published checkpoint, what a training leaves.
const SINGLE: [&str; 3] = ["model.safetensors", "weights.safetensors", "checkpoint.safetensors"];

/// Weights on disk.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    shards: Vec<Shard>,
    /// Which shard holds a tensor.
    places: BTreeMap<String, usize>,
}

/// One mapped file.
#[derive(Debug)]
struct Shard {
    map: Mmap,
    /// Where the data begins.
    start: usize,
    metadata: Metadata,
}

/// One tensor of a file.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'file> {
    /// Its sizes, outermost first.
    pub shape: &'file [usize],
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its bytes, little-endian.
    pub bytes: &'file [u8],
}

impl WeightFile {
    /// Opens a file, an index, or a folder that holds one of the two.
    ///
    /// # Errors
    /// If nothing is there, or it is not a whole safetensors file.
    pub fn open(path: &Path) -> Result<WeightFile> {
        let path = resolve(path)?;
        let shard_paths = if is_index(&path) { shard_paths(&path)? } else { vec![path.clone()] };
        let shards = shard_paths.iter().map(|path| Shard::open(path)).collect::<Result<Vec<_>>>()?;
        let mut places = BTreeMap::new();
        for (place, shard) in shards.iter().enumerate() {
            places.extend(shard.metadata.tensors().into_keys().map(|name| (name, place)));
        }
        Ok(WeightFile { path, shards, places })
    }

    /// Where it was found.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its tensors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Whether it has a tensor of that name.
    pub fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// A tensor.
    ///
    /// # Errors
    /// If the file has none of that name.
    pub fn tensor(&self, name: &str) -> Result<Stored<'_>> {
        let found = self.places.get(name).and_then(|place| self.shards[*place].tensor(name));
        found.ok_or_else(|| {
            let error = Error::environment(format!("{} has no tensor `{name}`", self.path.display()));
            match nearest(name, self.names()) {
                Some(near) => error.help(format!("it has `{near}`; are these the weights of this model?")),
                None => error.help("are these the weights of this model?"),
            }
        })
    }

    /// Gives the memory back that a tensor was seen in; the file still holds it.
    pub fn forget(&self, name: &str) {
        let shard = self.places.get(name).map(|place| &self.shards[*place]);
        let Some((shard, info)) = shard.and_then(|shard| Some((shard, shard.metadata.info(name)?))) else { return };
        let (begin, end) = info.data_offsets;
        files::forget(&shard.map, shard.start + begin..shard.start + end);
    }

    /// The free text entries of the first file's header.
    pub fn notes(&self) -> BTreeMap<String, String> {
        let notes = self.shards.first().and_then(|shard| shard.metadata.metadata().clone());
        notes.unwrap_or_default().into_iter().collect()
    }
}

impl Shard {
    fn open(path: &Path) -> Result<Shard> {
        let map = files::map(path)?;
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(|cause| broken(path, &cause.to_string()))?;
        let start = header + 8;
        let end = metadata.tensors().values().map(|info| info.data_offsets.1).max().unwrap_or(0);
        if start + end != map.len() {
            return Err(broken(path, &format!("it has {} bytes and its header speaks of {}", map.len(), start + end)));
        }
        Ok(Shard { map, start, metadata })
    }

    fn tensor(&self, name: &str) -> Option<Stored<'_>> {
        let TensorInfo { dtype, shape, data_offsets: (begin, end) } = self.metadata.info(name)?;
        let bytes = self.map.get(self.start + begin..self.start + end)?;
        Some(Stored { shape, dtype: *dtype, bytes })
    }
}

impl Stored<'_> {
    /// All elements as f32.
    ///
    /// # Errors
    /// If they are of a type that is not widened at load; `name` is for the message.
    pub fn widen(&self, name: &str) -> Result<Vec<f32>> {
        let mut values = Vec::with_capacity(self.shape.iter().product());
        self.for_each(name, |value| values.push(value))?;
        Ok(values)
    }

    /// All elements as f32, in order.
    ///
    /// # Errors
    /// As [`Stored::widen`]; or if one is not finite, after all were seen.
    pub fn for_each(&self, name: &str, mut see: impl FnMut(f32)) -> Result<()> {
        let (mut at, mut strange) = (0, None);
        let see = |value: f32| {
            if !value.is_finite() && strange.is_none() {
                strange = Some((at, value));
            }
            at += 1;
            see(value);
        };
        match self.dtype {
            Dtype::F32 => each(self.bytes, f32::from_le_bytes, see),
            Dtype::F16 => each(self.bytes, |bytes| f16::from_le_bytes(bytes).to_f32(), see),
            Dtype::BF16 => each(self.bytes, |bytes| bf16::from_le_bytes(bytes).to_f32(), see),
            Dtype::F64 => each(self.bytes, |bytes| f64::from_le_bytes(bytes) as f32, see),
            other => {
                let message = format!("the tensor `{name}` holds {other:?} elements, which are not weights");
                return Err(Error::environment(message).help("convert the file to f32, f16 or bf16 first"));
            }
        }
        let Some((at, value)) = strange else { return Ok(()) };
        let message = format!("the tensor `{name}` is {value} at element {at}");
        Err(Error::environment(message).help("the weights are damaged or diverged; take an earlier checkpoint"))
    }
}

/// Reads elements of `SIZE` bytes.
fn each<const SIZE: usize>(bytes: &[u8], read: impl Fn([u8; SIZE]) -> f32, see: impl FnMut(f32)) {
    bytes.as_chunks().0.iter().map(|chunk| read(*chunk)).for_each(see);
}

/// The message for a file that is not what its name says.
fn broken(path: &Path, cause: &str) -> Error {
    Error::environment(format!("{} is not a whole safetensors file: {cause}", path.display()))
        .help("copy or download it again; an interrupted transfer leaves such files")
}

fn is_index(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// The file that a path means.
fn resolve(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let inside = std::iter::once(INDEX).chain(SINGLE).map(|name| path.join(name)).find(|path| path.is_file());
    inside.ok_or_else(|| {
        let message = format!("the folder {} has none of {INDEX}, {}", path.display(), SINGLE.join(", "));
        Error::environment(message).help("name the .safetensors file itself")
    })
}

/// The files that an index names, each once.
fn shard_paths(index: &Path) -> Result<Vec<PathBuf>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text = std::fs::read(index).map_err(|cause| Error::file("read", index, &cause))?;
    let index_of: Index = serde_json::from_slice(&text).map_err(|cause| {
        Error::environment(format!("{} is not an index of safetensors files: {cause}", index.display()))
    })?;
    let mut names: Vec<String> = index_of.weight_map.into_values().collect();
    names.sort();
    names.dedup();
    Ok(names.iter().map(|name| index.with_file_name(name)).collect())
}
