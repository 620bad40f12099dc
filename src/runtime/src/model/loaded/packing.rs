//! Parameters in the layouts that programs read, and what is left of the others.
//!
//! In: parameters, and the programs that write their packed forms, one for each parameter. Out: packed forms that are
//! renewed when parameters have changed; of a model that only reads, each number once in memory: a parameter whose packed
//! forms are all that anybody reads goes as soon as they are written, before those of the next are.

use super::Loaded;
use crate::abi::{Element, Role, names};
use crate::error::Result;
use crate::memory::Tensor;
use crate::model::States;

impl Loaded {
    /// From now on runs programs of these names alone, and changes no parameter: gives back the memory of all that they do
    /// not read. Running another program, or changing parameters, is an error from here on.
    ///
    /// # Errors
    /// As [`Loaded::run`].
    pub fn read_only(&mut self, programs: &[&str]) -> Result<()> {
        self.move_parameters()?;
        for place in 0..self.parameters.len() {
            let path = self.manifest().parameters[place].path.clone();
            if self.reads(programs, Role::Packed, |packed| self.writes(&path, packed)) {
                self.pack(&path)?;
            }
            let is_read = self.reads(programs, Role::Parameter, |name| name == path);
            if let Some(device) = self.device.as_mut().filter(|_| !is_read) {
                device.drop_parameter(&path);
            }
            if !is_read || self.device.is_some() {
                self.parameters[place] = Tensor::zeros(Element::F32, &[0])?;
            }
        }
        self.stale = false;
        Ok(())
    }

    /// Packs what has been packed before the last change of parameters, or never.
    pub(super) fn renew_packed(&mut self) -> Result<()> {
        if !self.stale {
            return Ok(());
        }
        for place in 0..self.parameters.len() {
            let path = self.manifest().parameters[place].path.clone();
            self.pack(&path)?;
        }
        self.stale = false;
        Ok(())
    }

    /// Writes the packed forms of a parameter, if it has any.
    fn pack(&mut self, path: &str) -> Result<()> {
        let program = packer(path);
        if !self.has(&program) {
            return Ok(());
        }
        let mut call = self.prepare_call(&program, &[])?;
        self.run_as_is(&mut call, &mut States::new(), &mut |_| true)
    }

    /// Whether one of some programs has a buffer of a role and a fitting name.
    fn reads(&self, programs: &[&str], role: Role, fits: impl Fn(&str) -> bool) -> bool {
        let infos = self.manifest().programs.iter().filter(|info| programs.contains(&info.name.as_str()));
        infos.flat_map(|info| &info.buffers).any(|buffer| buffer.role == role && fits(&buffer.name))
    }

    /// Whether a packed form is written from a parameter.
    fn writes(&self, path: &str, packed: &str) -> bool {
        self.reads(&[&packer(path)], Role::Packed, |name| name == packed)
    }
}

/// The program that packs a parameter.
fn packer(path: &str) -> String {
    format!("{}{path}", names::PREPARE)
}
