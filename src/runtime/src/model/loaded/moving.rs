//! Parameters that change: here, or on the device that programs run on, and how the one follows the other.

use super::Loaded;
use crate::device::{Numbers, Updates};
use crate::error::{Error, Result};
use crate::model::Call;

impl Loaded {
    /// What moves parameters where programs run; none if that is here.
    pub fn updates(&self) -> Option<Updates> {
        self.device.as_ref()?.updates()
    }

    /// Where the parameter of a place is on the device, to be changed there.
    ///
    /// # Errors
    /// If there is no device, or the parameter was given back.
    pub fn parameter_on_device(&mut self, place: usize) -> Result<u64> {
        self.move_parameters()?;
        let path = &self.code.manifest().parameters[place].path;
        let address = self.device.as_ref().and_then(|device| device.parameter(path));
        (self.stale, self.ahead) = (true, true);
        address.ok_or_else(|| Error::bug(format!("the parameter {path} is not on a device")))
    }

    /// Takes over the new values of the model's buffers that a training step has computed.
    ///
    /// # Errors
    /// If the device declines.
    pub fn apply_updates(&mut self, call: &Call) -> Result<()> {
        for place in 0..self.parameters.len() {
            let path = self.code.manifest().parameters[place].path.clone();
            if let Some(update) = call.update(&path) {
                self.bring_back()?;
                self.parameters[place].bytes_mut().copy_from_slice(update.block().bytes());
                (self.stale, self.moved) = (true, true);
            } else if let (Some(from), Some(updates)) = (call.update_on_device(&path), self.updates()) {
                let count = self.parameters[place].len();
                let to = self.parameter_on_device(place)?;
                updates.copy(Numbers { address: from, count }, to)?;
            }
        }
        Ok(())
    }

    /// Copies parameters from the device, if they have changed there.
    ///
    /// # Errors
    /// If the device declines, or something that was launched has failed.
    pub fn bring_back(&mut self) -> Result<()> {
        let Some(device) = self.device.as_ref().filter(|_| self.ahead) else { return Ok(()) };
        for (tensor, info) in self.parameters.iter_mut().zip(&self.code.manifest().parameters) {
            device.read_parameter(&info.path, tensor)?;
        }
        self.ahead = false;
        Ok(())
    }

    /// Copies parameters to the device, if programs run on one and these have changed.
    pub(super) fn move_parameters(&mut self) -> Result<()> {
        let Some(device) = &mut self.device else { return Ok(()) };
        if !std::mem::take(&mut self.moved) {
            return Ok(());
        }
        for (tensor, info) in self.parameters.iter().zip(&self.code.manifest().parameters) {
            if tensor.shape() != info.shape {
                return Err(Error::bug(format!("the parameter {} was changed after it was given back", info.path)));
            }
            device.set_parameter(&info.path, tensor)?;
        }
        Ok(())
    }
}
