//! What the turns of a `for` have slices of, and along which axis: its own, or that of a track.

use super::{For, Region, Track};
use crate::tensor::{AxisId, TensorType};

impl For {
    /// Turns along an axis that all run one body, whose operands are all captured and whose results are all yielded.
    pub fn of_one(axis: AxisId, body: Region, label: impl Into<String>) -> For {
        For {
            axis,
            reverse: false,
            carried: 0,
            sliced: 0,
            bodies: vec![body],
            turns: None,
            tracks: Vec::new(),
            stacks: Vec::new(),
            until: false,
            label: label.into(),
        }
    }

    /// The axis along which an operand of this type is sliced, or a result stacked.
    pub fn slice_axis(&self, ty: &TensorType) -> Option<AxisId> {
        self.slice_axis_where(|axis| ty.has(axis))
    }

    /// The same of something that lies along the axes for which this holds.
    pub fn slice_axis_where(&self, has: impl Fn(AxisId) -> bool) -> Option<AxisId> {
        let tracks = self.tracks.iter().map(|track| track.axis);
        std::iter::once(self.axis).chain(tracks).find(|axis| has(*axis))
    }

    /// What a turn sees of a sliced operand.
    pub fn slice_of(&self, ty: &TensorType) -> TensorType {
        self.slice_axis(ty).map_or_else(|| ty.clone(), |axis| ty.without(&[axis]))
    }

    /// The axis that a yield gains.
    pub fn stack_axis(&self, yielded: usize) -> AxisId {
        self.stacks.get(yielded).copied().unwrap_or(self.axis)
    }

    /// Says which axes the yields gain that come after the first so many.
    pub fn stack_along(&mut self, before: usize, axes: impl IntoIterator<Item = AxisId>) {
        self.stacks.resize(before, self.axis);
        self.stacks.extend(axes);
        while self.stacks.last() == Some(&self.axis) {
            self.stacks.pop();
        }
    }

    /// The track of an axis, if it is one.
    pub fn track(&self, axis: AxisId) -> Option<&Track> {
        self.tracks.iter().find(|track| track.axis == axis)
    }

    /// The slice that a turn has along an axis, if it has one.
    pub fn slice_at(&self, axis: AxisId, turn: usize) -> Option<usize> {
        self.track(axis).map_or(Some(turn), |track| track.slices[turn].map(|slice| slice as usize))
    }

    /// Whether the turns of a body have slices along an axis.
    pub fn has_slices(&self, axis: AxisId, body: usize) -> bool {
        let Some((track, turns)) = self.track(axis).zip(self.turns.as_ref()) else { return true };
        turns.iter().zip(&track.slices).any(|(own, slice)| *own as usize == body && slice.is_some())
    }

    /// For each turn its number among those whose body is one of the chosen; nothing if all turns are.
    pub fn numbered(&self, chosen: impl Fn(usize) -> bool) -> Option<Vec<Option<u32>>> {
        let mut next = 0;
        let number = |body: &u32| {
            let here = chosen(*body as usize);
            next += u32::from(here);
            here.then(|| next - 1)
        };
        let slices = self.turns.as_ref()?.iter().map(number).collect::<Vec<_>>();
        slices.contains(&None).then_some(slices)
    }
}

impl Track {
    /// How many slices there are, if each is that of one turn.
    pub fn size(&self) -> Option<usize> {
        let mut slices = self.slices.iter().flatten().copied().collect::<Vec<_>>();
        slices.sort_unstable();
        slices.iter().enumerate().all(|(place, slice)| *slice as usize == place).then_some(slices.len())
    }
}
