//! The inputs and outputs of one program for fixed sizes. Made once, run as often as one likes.

use super::resident::Resident;
use crate::abi::{BufferInfo, Element, ProgramInfo, Role, Size, names};
use crate::device::{Driver, Repeated};
use crate::error::{Error, Result, nearest};
use crate::memory::{Number, Tensor};

/// One program's own buffers.
#[derive(Debug)]
pub struct Call {
    pub(super) program: usize,
    pub(super) sizes: Vec<i64>,
    /// By the place of the buffer; none for buffers that others own.
    pub(super) tensors: Vec<Option<Tensor>>,
    /// The same on a GPU; none until the call first runs there.
    pub(super) resident: Option<Resident>,
    /// What it has launched there.
    pub(super) repeated: Repeated,
    names: Vec<(String, Role)>,
    /// Multiply-adds of the last run, as far as the program told.
    pub(super) tally: i64,
}

impl Call {
    /// Room for one program's inputs and outputs. Inputs start as the model's defaults; without one numbers are zero, bools
    /// true (data is there unless somebody says otherwise), lengths whole sequences.
    pub(super) fn new(program: usize, info: &ProgramInfo, sizes: &[(&str, i64)]) -> Result<Call> {
        let sizes = ordered_sizes(info, sizes)?;
        let tensors = info.buffers.iter().map(|buffer| own_tensor(buffer, &sizes)).collect::<Result<_>>()?;
        let names = info.buffers.iter().map(|buffer| (buffer.name.clone(), buffer.role.clone())).collect();
        let mut call = Call { program, sizes, tensors, resident: None, repeated: Repeated::default(), names, tally: 0 };
        call.fill_lengths(info);
        call.fill_bools(info);
        call.fill_defaults(info);
        Ok(call)
    }

    fn fill_defaults(&mut self, info: &ProgramInfo) {
        for (name, default) in info.inputs.iter().filter_map(|input| Some((&input.name, input.default?))) {
            if let Some(numbers) = self.input_mut::<i32>(name) {
                numbers.fill(default as i32);
            } else if let Some(numbers) = self.input_mut::<f32>(name) {
                numbers.fill(default as f32);
            } else if let Some(flags) = self.input_mut::<u8>(name) {
                flags.fill(u8::from(default != 0.0));
            }
        }
    }

    fn fill_bools(&mut self, info: &ProgramInfo) {
        for buffer in info.buffers.iter().filter(|buffer| buffer.element == Element::Bool) {
            if let Some(flags) = self.input_mut::<u8>(&buffer.name) {
                flags.fill(1);
            }
        }
    }

    /// Sequences are whole unless somebody says otherwise.
    fn fill_lengths(&mut self, info: &ProgramInfo) {
        for (place, axis) in info.sizes.iter().enumerate() {
            let size = self.sizes[place];
            if let Some(lengths) = self.input_mut::<i32>(&names::length(axis)) {
                lengths.fill(i32::try_from(size).unwrap_or(i32::MAX));
            }
        }
    }

    /// The values of the program's sizes, in its order.
    pub fn sizes(&self) -> &[i64] {
        &self.sizes
    }

    /// How many multiply-adds the last run did, of a program that may leave turns out.
    pub fn tally(&self) -> i64 {
        self.tally
    }

    /// The elements of an input, to be filled; none if there is no such input of that type.
    pub fn input_mut<N: Number>(&mut self, name: &str) -> Option<&mut [N]> {
        let place = self.place(name, |role| *role == Role::Input)?;
        let tensor = self.tensors[place].as_mut()?;
        (tensor.element() == N::ELEMENT).then(|| tensor.slice_mut())
    }

    /// What the program draws from, if it draws: two halves of a seed.
    pub fn seed(&mut self, halves: [i32; 2]) {
        if let Some(seed) = self.input_mut::<i32>(names::SEED) {
            seed[..2].copy_from_slice(&halves);
        }
    }

    /// The number of the first row among those that draws tell apart, if the program draws: 0 unless somebody says otherwise.
    pub fn first_row(&mut self, number: i32) {
        if let Some(seed) = self.input_mut::<i32>(names::SEED) {
            seed[2] = number;
        }
    }

    /// An input as it stands; none if there is no such input.
    pub fn input(&self, name: &str) -> Option<&Tensor> {
        self.find(name, &Role::Input)
    }

    /// Copies a tensor into an input.
    ///
    /// # Errors
    /// If there is no such input, or it has another type or shape.
    pub fn set_input(&mut self, name: &str, value: &Tensor) -> Result<()> {
        let Some(place) = self.place(name, |role| *role == Role::Input) else {
            let known = self.names.iter().filter(|(_, role)| *role == Role::Input).map(|(name, _)| name.as_str());
            let hint = nearest(name, known).map(|near| format!(" (there is `{near}`)")).unwrap_or_default();
            return Err(Error::request(format!("the program has no input `{name}`{hint}")));
        };
        let Some(tensor) = self.tensors[place].as_mut() else { return Ok(()) };
        if tensor.element() != value.element() || tensor.shape() != value.shape() {
            let (have, want) = (value.shape(), tensor.shape());
            let (had, wanted) = (value.element(), tensor.element());
            let message = format!("input `{name}` is {had:?} {have:?}, the program wants {wanted:?} {want:?}");
            return Err(Error::request(message));
        }
        tensor.bytes_mut().copy_from_slice(value.block().bytes());
        Ok(())
    }

    /// An output.
    ///
    /// # Errors
    /// If the program has none of that name.
    pub fn output(&self, name: &str) -> Result<&Tensor> {
        self.find(name, &Role::Output).ok_or_else(|| Error::request(format!("the program has no output `{name}`")))
    }

    /// The gradient of a parameter, if the program computes it.
    pub fn gradient(&self, path: &str) -> Option<&Tensor> {
        self.find(path, &Role::Gradient)
    }

    /// Leaves gradients and new values where they are computed, on a device: they are not copied back after a run, and there
    /// is no memory for them here.
    pub fn leave_gradients(&mut self) {
        for (tensor, (_, role)) in self.tensors.iter_mut().zip(&self.names) {
            if matches!(role, Role::Gradient | Role::Update) {
                *tensor = None;
            }
        }
    }

    /// Leaves everything on a device, of a call that has run there: its inputs stay as they were, and nothing is copied to it
    /// or back any more.
    pub fn leave_all(&mut self) {
        self.tensors.fill_with(|| None);
    }

    /// Where the gradient of a parameter is on a device, if the program has computed it there.
    pub fn gradient_on_device(&self, path: &str) -> Option<u64> {
        self.find_on_device(path, &Role::Gradient)
    }

    /// The same for the new value of a buffer of the model.
    pub fn update_on_device(&self, path: &str) -> Option<u64> {
        self.find_on_device(path, &Role::Update)
    }

    /// The new value of a buffer of the model, if the program computes it.
    pub fn update(&self, path: &str) -> Option<&Tensor> {
        self.find(path, &Role::Update)
    }

    /// The names of all outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter(|(_, role)| *role == Role::Output).map(|(name, _)| name.as_str())
    }

    fn find(&self, name: &str, role: &Role) -> Option<&Tensor> {
        self.tensors[self.place(name, |other| other == role)?].as_ref()
    }

    /// Copies its inputs to the device that it runs on.
    pub(super) fn upload(&mut self, info: &ProgramInfo, driver: &mut dyn Driver) -> Result<()> {
        self.resident.as_mut().map_or(Ok(()), |resident| resident.upload(info, &self.tensors, driver))
    }

    /// Copies from there what it gives back.
    pub(super) fn download(&mut self, info: &ProgramInfo, driver: &mut dyn Driver) -> Result<()> {
        self.resident.as_mut().map_or(Ok(()), |resident| resident.download(info, &mut self.tensors, driver))
    }

    /// What it hands to the next call: names, and where on a device they are.
    pub(super) fn handed_on(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        let outputs = self.outputs().filter(|name| names::is_carried(name));
        outputs.map(|name| (name, self.find_on_device(name, &Role::Output)))
    }

    fn find_on_device(&self, name: &str, role: &Role) -> Option<u64> {
        self.resident.as_ref()?.address(self.place(name, |other| other == role)?)
    }

    fn place(&self, name: &str, fits: impl Fn(&Role) -> bool) -> Option<usize> {
        self.names.iter().position(|(other, role)| other == name && fits(role))
    }
}

/// The sizes in the program's own order.
fn ordered_sizes(info: &ProgramInfo, given: &[(&str, i64)]) -> Result<Vec<i64>> {
    let value = |name: &String| {
        let found = given.iter().find(|(other, _)| other == name);
        let value = found.map(|(_, value)| *value).ok_or_else(|| {
            Error::bug(format!("the program `{}` needs the size `{name}`, which the caller does not know", info.name))
        })?;
        match info.limits.iter().find(|(other, most)| other == name && value > *most) {
            Some((_, most)) => Err(Error::request(format!(
                "the program `{}` takes {most} at most as `{name}`, not {value}",
                info.name
            ))),
            None => Ok(value),
        }
    };
    info.sizes.iter().map(value).collect()
}

/// Memory for the buffers that a call owns.
fn own_tensor(buffer: &BufferInfo, sizes: &[i64]) -> Result<Option<Tensor>> {
    match buffer.role {
        // It lies with the states.
        Role::Input if names::is_carried(&buffer.name) => Ok(None),
        Role::Input | Role::Output | Role::Gradient | Role::Update => {
            Tensor::zeros(buffer.element, &shape_of(&buffer.shape, sizes)).map(Some)
        }
        Role::Parameter | Role::State | Role::Packed | Role::Temporary { .. } => Ok(None),
    }
}

/// A shape under given sizes.
pub(super) fn shape_of(shape: &[Size], sizes: &[i64]) -> Vec<i64> {
    shape.iter().map(|size| size.evaluate(sizes)).collect()
}
