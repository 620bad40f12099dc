//! Values that are read a few positions back: from the run where they are new, from a state where they are older.
//!
//! `u[t: t - 3]`  →  `u[t: t - 3] else tail[(start + t - 3) % 3]`, and the last 3 of the run go into the tail.
//!
//! So the state is no longer than what is read, however long a run is. It is read as it was before the run: what is
//! written is for the next one.

use super::rewrite::Rewrite;
use super::rows::by_row;
use crate::graph::{NodeId, Op, Typed, Value};
use crate::tensor::{Affine, AxisId, BATCH, DType, Function, Presence, Relation, Scalar, ScalarStep, TensorType};

/// Which place of each axis an index reads.
type Places = [(AxisId, Affine<Value>)];

impl Rewrite<'_> {
    /// What an index reads of a value that is read up to `back` positions back, as an operation and what that is of.
    pub(super) fn read_back(&mut self, id: NodeId, places: &Places, back: i64) -> (Op, Vec<Value>) {
        let source = self.old.node(id).operands[0];
        let chunk = self.shared.chunk;
        let mut inside = Presence::always();
        for (_, place) in places.iter().filter(|(axis, _)| *axis == chunk) {
            inside.require(Relation::AtLeastZero(place.clone()));
        }
        let new = self.read_at(id, self.own[&source], places, |_, place| (chunk, place.clone()));
        self.new.edit(new.node, |node| node.results[0].presence = inside);
        if back == 0 {
            return (Op::Map(Scalar::identity()), vec![new]);
        }
        let (tail, home) = self.tail(source, back);
        let older = self.read_at(id, tail, places, |own, place| (home, own.place_in(home, place)));
        (Op::Else, vec![new, older])
    }

    /// What an old index reads, of an operand whose positions lie where `position` says.
    fn read_at(
        &mut self,
        id: NodeId,
        operand: Value,
        places: &Places,
        position: impl Fn(&mut Self, &Affine<Value>) -> (AxisId, Affine<Value>),
    ) -> Value {
        let node = self.old.node(id);
        let moved = places.iter().map(|(axis, place)| match *axis == self.shared.chunk {
            true => position(self, place),
            false => (*axis, self.place(place)),
        });
        let op = Op::Index(moved.collect());
        let ty = node.results[0].ty.clone();
        let ty = if self.is_by_row(&op, &[operand]) { by_row(ty) } else { ty };
        self.new.add_one(op, [operand], Typed::always(ty), node.path.clone())
    }

    /// The state that holds the latest positions of an old value as they were before the run, and its axis of positions.
    fn tail(&mut self, value: Value, back: i64) -> (Value, AxisId) {
        if let Some(&known) = self.whole.get(&value) {
            return known;
        }
        let size = back + self.shared.again;
        let home = self.shared.recent(size);
        let place = Affine::value(self.kept_slot(size));
        let slot = self.keep_along(value, home, place);
        self.whole.insert(value, (slot.held, home));
        (slot.held, home)
    }

    /// The place of every new position in a tail; none for those after which as many follow as it holds.
    fn kept_slot(&mut self, size: i64) -> Value {
        let chunk = self.shared.chunk;
        let slot = self.slot(&Affine::axis(chunk), size);
        let length = Typed::always(TensorType::new([BATCH], DType::Int));
        let length = self.new.add_one(Op::Length(chunk), [], length, "length");
        let mut scalar = Scalar::default();
        let [slot_step, length_step] = [0, 1].map(|place| scalar.push(ScalarStep::Operand(place)));
        let place = scalar.push(ScalarStep::Coordinate(chunk));
        let [size, none] = [size, -1].map(|number| scalar.push(ScalarStep::Number(number as f64, DType::Int)));
        let first = scalar.push(ScalarStep::Call(Function::Subtract, vec![length_step, size]));
        let stays = scalar.push(ScalarStep::Call(Function::LessEqual, vec![first, place]));
        scalar.push(ScalarStep::Call(Function::Select, vec![stays, slot_step, none]));
        let typed = self.new.typed(slot).clone();
        self.new.add_one(Op::Map(scalar), [slot, length], typed, "slot")
    }
}
