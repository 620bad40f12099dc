//! A loop inside of lanes combines in the order in which it would if its own turns ran in lanes.
//!
//! `s = ((x0 + x1) + x2) + x3`  →  `s = 0 + ((x0 + x2) + (x1 + x3))` for four lanes
//!
//! In: a marked loop of a known number of turns. Out: as many partial results as there are lanes, which then are combined
//! halves with halves. No partial result waits for another, which also suits a CPU.

use super::Emitter;
use crate::kernel::{Carried, Loop};
use crate::mlir::text::Value;
use crate::model::Combine;

impl Emitter<'_> {
    /// Writes the loop so; false if it is not of this kind.
    pub(super) fn as_in_lanes(&mut self, inner: &Loop, from: Value, to: Value) -> bool {
        let combines = self.alike && inner.lanes && !inner.carried.is_empty() && !inner.reverse;
        let turns = self.numbers.turns(inner).filter(|turns| combines && *turns > 0);
        let (Some(turns), true) = (turns, self.varying.is_some()) else { return false };
        let width = self.width() as i64;
        let rest = self.writer.int(turns % width);
        let end = self.writer.subtract(to, rest);
        let initial = self.carried_values(&inner.carried);
        let starts = self.starts(&inner.carried, &initial, self.lanes.count);
        let mut parts = vec![starts; width as usize].concat();
        if turns < 2 * width && turns >= width {
            parts = self.parts(inner, from, &parts);
        } else if turns > width {
            let step = self.writer.int(width);
            let (open, counter, values) = self.writer.begin_for(from, end, step, &parts);
            let next = self.parts(inner, counter, &values);
            parts = self.writer.end(open, &next);
        }
        let some = (turns % width) as usize * inner.carried.len();
        let more = self.parts(inner, end, &parts[..some]);
        parts.splice(..some, more);
        self.combine_parts(&inner.carried, parts, &initial);
        true
    }

    /// One turn more for each of some partial results, from a counter on.
    fn parts(&mut self, inner: &Loop, counter: Value, parts: &[Value]) -> Vec<Value> {
        let mut next = Vec::new();
        for (place, values) in parts.chunks(inner.carried.len()).enumerate() {
            let place = self.writer.int(place as i64);
            let own = self.writer.add(counter, place);
            self.indices.insert(inner.index, own);
            next.extend(self.turn(&inner.carried, values, &inner.body));
        }
        next
    }

    /// Halves with halves, and at last what was there before.
    fn combine_parts(&mut self, carried: &[Carried], mut parts: Vec<Value>, initial: &[Value]) {
        let combine = |own: &Carried| own.combine.unwrap_or(Combine::Sum);
        while parts.len() > carried.len() {
            let right = parts.split_off(parts.len() / 2);
            let pairs = parts.into_iter().zip(right).zip(carried.iter().cycle());
            parts = pairs.map(|((left, right), own)| self.writer.combine(combine(own), left, right)).collect();
        }
        for ((own, part), &initial) in carried.iter().zip(parts).zip(initial) {
            let value = self.writer.combine(combine(own), initial, part);
            self.registers.insert(own.register, value);
        }
    }
}
