//! What programs keep from call to call.

use crate::abi::BufferInfo;
use crate::device::{Block, Shared};
use crate::error::{Error, Result};
use crate::memory::Tensor;
use std::collections::BTreeMap;

/// Caches and recurrent states, by name. They come into being, zeroed, when a call first needs them.
#[derive(Debug, Default)]
pub struct States {
    tensors: BTreeMap<String, Tensor>,
    /// Those that are on a GPU.
    resident: BTreeMap<String, Block>,
}

impl States {
    /// No state yet.
    pub fn new() -> States {
        States::default()
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.block().len()).sum::<usize>()
            + self.resident.values().map(Block::bytes).sum::<usize>()
    }

    /// The same states in memory of their own: to come back to, or to go on from in two ways.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn duplicate(&self) -> Result<States> {
        let copy = |(name, tensor): (&String, &Tensor)| Ok((name.clone(), tensor.duplicate()?));
        let copy_block = |(name, block): (&String, &Block)| Ok((name.clone(), block.duplicate()?));
        let tensors = self.tensors.iter().map(copy).collect::<Result<_>>()?;
        Ok(States { tensors, resident: self.resident.iter().map(copy_block).collect::<Result<_>>()? })
    }

    /// One state.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The same on a GPU: its address.
    pub(super) fn provide_on(&mut self, driver: &Shared, name: &str, bytes: usize) -> Result<u64> {
        if !self.resident.contains_key(name) {
            self.resident.insert(name.to_string(), Block::zeroed(driver, bytes)?);
        }
        let block = &self.resident[name];
        if block.bytes() < bytes {
            let have = block.bytes();
            return Err(Error::bug(format!("the state {name} has {have} bytes, a program wants {bytes}")));
        }
        Ok(block.address())
    }

    /// The same, if there is one.
    pub(super) fn on_device(&self, name: &str) -> Option<&Block> {
        self.resident.get(name)
    }

    /// One state, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Tensor> {
        self.tensors.get_mut(name)
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
