//! Where the states of the bodies of a `for` over layers live.
//!
//! A turn runs one body, so states of several bodies that are alike are slices of one. What only some layers have is kept
//! for these alone: a model of 4 layers with attention among 32 keeps keys and values of 4.

use super::rewrite::Slot;
use crate::graph::{For, Op, Region, Track, Typed, Value};
use crate::ops::yields_of;
use crate::tensor::{Axes, AxisId, Extent, TensorType};

/// The states of all bodies in one order.
#[derive(Default)]
pub(super) struct Homes {
    /// A state at each place: the first that lives there.
    pub slots: Vec<Slot>,
    /// What a turn has of each.
    pub types: Vec<TensorType>,
    /// The places of each body's states.
    places: Vec<Vec<usize>>,
}

impl Homes {
    pub fn of(bodies: &[(Region, Vec<Slot>)]) -> Homes {
        let mut homes = Homes::default();
        for (body, slots) in bodies {
            let mut places = Vec::with_capacity(slots.len());
            for slot in slots {
                let ty = &body.typed(slot.held).ty;
                let free = |place: &usize| homes.types[*place] == *ty && !places.contains(place);
                let place = (0..homes.types.len()).find(free).unwrap_or(homes.types.len());
                if place == homes.types.len() {
                    homes.slots.push(slot.clone());
                    homes.types.push(ty.clone());
                }
                places.push(place);
            }
            homes.places.push(places);
        }
        homes
    }

    /// The axis of turns of each state: that of the `for`, or that of the turns whose bodies have it.
    pub fn axes(&self, region: &mut For, axes: &mut Axes) -> Vec<AxisId> {
        (0..self.types.len()).map(|place| self.axis(place, region, axes)).collect()
    }

    fn axis(&self, place: usize, region: &mut For, axes: &mut Axes) -> AxisId {
        let Some(slices) = region.numbered(|body| self.places[body].contains(&place)) else { return region.axis };
        if let Some(known) = region.tracks.iter().find(|track| track.slices == slices) {
            return known.axis;
        }
        let size = Extent::Fixed(slices.iter().flatten().count() as i64);
        let axis = axes.add(axes[region.axis].name.clone(), size);
        region.tracks.push(Track { axis, slices });
        axis
    }

    /// Gives the states of all bodies their places among arguments and yields.
    pub fn settle(&self, bodies: Vec<(Region, Vec<Slot>)>, region: &For) -> Vec<Region> {
        let count = self.types.len();
        let border = region.carried + region.sliced - count;
        let first = yields_of(region);
        let mut settled = Vec::new();
        for (number, ((mut body, slots), places)) in bodies.into_iter().zip(&self.places).enumerate() {
            place_states(&mut body, &slots, border, (places, count));
            let mut states = Vec::new();
            for (place, ty) in self.types.iter().enumerate() {
                let own = places.iter().position(|own| *own == place);
                states.push(match own {
                    Some(slot) => Some(slots[slot].written),
                    None if region.has_slices(region.stack_axis(first + place), number) => {
                        Some(handed_through(&mut body, border + place, ty))
                    }
                    None => None,
                });
            }
            let end = body.results.len() - usize::from(region.until);
            body.results.splice(end..end, states);
            settled.push(body);
        }
        settled
    }
}

/// A state that a body leaves as it is.
fn handed_through(body: &mut Region, place: usize, ty: &TensorType) -> Value {
    body.add_one(Op::Argument(place), [], Typed::always(ty.clone()), "state")
}

/// Arguments from `border` on make room for so many states, among which a body's own have these places.
pub(super) fn place_states(body: &mut Region, slots: &[Slot], border: usize, (places, states): (&[usize], usize)) {
    for id in body.ids() {
        let state = slots.iter().position(|slot| slot.held.node == id);
        body.edit(id, |node| {
            if let Op::Argument(argument) = &mut node.op {
                match state {
                    Some(number) => *argument = border + places[number],
                    None if *argument >= border => *argument += states,
                    None => {}
                }
            }
        });
    }
}
