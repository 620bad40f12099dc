//! Keys and values of an attention that are read from rings: `key[s] = state[s % size]`.
//!
//! The kernel walks keys by their positions and finds them in the ring by itself, so that nothing is copied.

use super::softmax::Attention;
use crate::graph::{Op, Value};
use crate::kernel::KEY_BLOCK;
use crate::plan::lowering::Scope;
use crate::plan::place::View;
use crate::tensor::{AxisId, Term};

/// A value in a ring.
struct Held {
    state: Value,
    axis: AxisId,
    size: i64,
}

impl Scope<'_> {
    /// The size of the ring that keys and values lie in; nothing if they lie one after the other.
    pub fn ring_size(&self, found: &Attention) -> Option<i64> {
        let all = found.further.iter().map(|part| part.key).chain([found.key, found.value]);
        let sizes = all.map(|one| self.held(one, found.keys).map(|held| held.size)).collect::<Option<Vec<_>>>()?;
        sizes.iter().all(|size| *size == sizes[0]).then(|| sizes[0])
    }

    /// The value whose memory holds keys or values.
    pub fn memory_of(&self, found: &Attention, one: Value) -> Value {
        self.ring_size(found).and_then(|_| self.held(one, found.keys)).map_or(one, |held| held.state)
    }

    /// That memory, by the axis of the keys.
    pub fn view_of_keys(&self, found: &Attention, one: Value) -> Option<View> {
        match self.ring_size(found).and_then(|_| self.held(one, found.keys)) {
            Some(held) => Some(self.view(held.state)?.renamed(held.axis, found.keys)),
            None => self.view(one),
        }
    }

    fn held(&self, value: Value, keys: AxisId) -> Option<Held> {
        let node = self.region.node(value.node);
        let Op::Index(places) = &node.op else { return None };
        let [(axis, place)] = places.as_slice() else { return None };
        let [(Term::Remainder(read, size), 1)] = place.terms.as_slice() else { return None };
        let whole = self.sizes.axes().fixed(*axis) == Some(*size) && size % KEY_BLOCK == 0;
        let fits = *read == keys && place.constant == 0 && whole && self.is_always(value);
        fits.then(|| Held { state: node.operands[0], axis: *axis, size: *size })
    }
}
