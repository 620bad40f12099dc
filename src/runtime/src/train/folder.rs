//! Where a training keeps its files.

use crate::error::{Error, Result};
use crate::files;
use std::path::{Path, PathBuf};

/// A folder with the files of one training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at a path, made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(path: &Path) -> Result<Folder> {
        files::make_folder(path)?;
        Ok(Folder { path: path.to_owned() })
    }

    /// Refuses to start over where a training has already come to something.
    ///
    /// # Errors
    /// If there is a checkpoint.
    pub fn must_be_new(&self) -> Result<()> {
        if !self.checkpoint().exists() {
            return Ok(());
        }
        let message = format!("{} already holds a training", self.path.display());
        Err(Error::request(message)
            .help("--resume goes on with it, --overwrite starts anew, --out names another folder"))
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// The weights in the end.
    pub fn weights(&self) -> PathBuf {
        self.path.join("weights.safetensors")
    }

    /// The curve.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.csv")
    }

    /// The picture of the curve.
    pub fn picture(&self) -> PathBuf {
        self.path.join("curve.svg")
    }

    /// The recipe that was used.
    pub fn recipe(&self) -> PathBuf {
        self.path.join("recipe.yaml")
    }
}
