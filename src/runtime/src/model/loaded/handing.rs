//! What one call hands to the next: values that it gives under the names under which the next one takes them.
//!
//! They lie with the states ([`names::CARRIED`]), on a device if programs run there, and no one else sees them.
//!
//! [`names::CARRIED`]: crate::abi::names::CARRIED

use super::Loaded;
use crate::error::Result;
use crate::model::{Call, States};
use std::ops::Range;

impl Loaded {
    /// Keeps what a call hands on of those rows that took part in it; what has no rows, whole. What no call takes is not
    /// kept.
    ///
    /// # Errors
    /// If the device declines.
    pub fn hand_on(&self, call: &Call, states: &mut States, took_part: &[bool]) -> Result<()> {
        for (name, address) in call.handed_on() {
            let output = call.output(name)?;
            let parts = parts(output.block().len(), output.shape(), took_part);
            if let Some(state) = states.get_mut(name) {
                let (from, to) = (output.block().bytes(), state.bytes_mut());
                parts.into_iter().for_each(|part| to[part.clone()].copy_from_slice(&from[part]));
            } else if let (Some(device), Some(from), Some(to)) = (&self.device, address, states.on_device(name)) {
                device.hand_on(from, to, &parts)?;
            }
        }
        Ok(())
    }
}

/// The bytes of some rows: neighbours are one part.
fn parts(bytes: usize, shape: &[i64], rows: &[bool]) -> Vec<Range<usize>> {
    let has_rows = shape.first().is_some_and(|first| usize::try_from(*first) == Ok(rows.len()));
    let rows = if has_rows { rows } else { &[true] };
    let part = bytes / rows.len().max(1);
    let mut parts = Vec::<Range<usize>>::new();
    for row in (0..rows.len()).filter(|row| rows[*row]) {
        match parts.last_mut() {
            Some(last) if last.end == row * part => last.end += part,
            _ => parts.push(row * part..(row + 1) * part),
        }
    }
    parts
}
