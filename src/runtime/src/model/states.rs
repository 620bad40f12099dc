//! What programs keep from call to call.

use crate::abi::BufferInfo;
use crate::error::{Error, Result};
use crate::memory::Tensor;
use std::collections::BTreeMap;

/// Caches and recurrent states, by name. They come into being, zeroed, when a call first needs them.
#[derive(Debug, Default)]
pub struct States {
    tensors: BTreeMap<String, Tensor>,
}

impl States {
    /// No state yet.
    pub fn new() -> States {
        States::default()
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.block().len()).sum()
    }

    /// The same states in memory of their own: to come back to, or to go on from in two ways.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn duplicate(&self) -> Result<States> {
        let copy = |(name, tensor): (&String, &Tensor)| Ok((name.clone(), tensor.duplicate()?));
        Ok(States { tensors: self.tensors.iter().map(copy).collect::<Result<_>>()? })
    }

    /// One state.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Makes the state that a program's buffer names, or checks that the present one has its size.
    pub(super) fn provide(&mut self, info: &BufferInfo, shape: &[i64]) -> Result<*mut u8> {
        if !self.tensors.contains_key(&info.name) {
            self.tensors.insert(info.name.clone(), Tensor::zeros(info.element, shape)?);
        }
        let tensor = &self.tensors[&info.name];
        if tensor.shape() != shape {
            let (name, old) = (&info.name, tensor.shape());
            return Err(Error::bug(format!("the state {name} has shape {old:?}, a program wants {shape:?}")));
        }
        Ok(tensor.block().address())
    }
}
