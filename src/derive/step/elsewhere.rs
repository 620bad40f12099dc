//! Old values at other positions: read from a state, or made again there from what is.

use super::reach::Reach;
use super::rewrite::Rewrite;
use super::rows;
use crate::graph::{NodeId, Op, Typed, Value};
use crate::tensor::{Affine, AxisId, Presence, Relation, Scalar, ScalarStep, TensorType};

impl Rewrite<'_> {
    /// What an index reads at other positions, as an operation and what that is of.
    pub(super) fn read_elsewhere(&mut self, id: NodeId, places: &[(AxisId, Affine<Value>)]) -> (Op, Vec<Value>) {
        let (source, chunk) = (self.old.node(id).operands[0], self.shared.chunk);
        if let Some(&Reach::Shifts(back)) = self.reaches.get(&source) {
            return self.read_back(id, places, back);
        }
        let along = places.iter().find(|(axis, _)| *axis == chunk).and_then(|(_, place)| place.as_axis());
        let (operand, home) = match along {
            Some(along) if self.remade.contains(&source) => (self.elsewhere(source, along), None),
            _ => {
                let (state, home) = self.whole(source);
                (state, Some(home))
            }
        };
        let mut moved = Vec::with_capacity(places.len());
        for (axis, place) in places {
            match (*axis == chunk, home) {
                (true, Some(home)) => moved.push((home, self.place_in(home, place))),
                (true, None) => {}
                (false, _) => moved.push((*axis, self.place(place))),
            }
        }
        let op = if moved.is_empty() { Op::Map(Scalar::identity()) } else { Op::Index(moved) };
        (op, vec![operand])
    }

    /// An old value at the positions of `along`.
    fn elsewhere(&mut self, value: Value, along: AxisId) -> Value {
        if !self.old.typed(value).ty.has(self.shared.chunk) {
            return self.own[&value];
        }
        if let Some(&known) = self.elsewhere.get(&(value, along)) {
            return known;
        }
        let made = if self.remade.contains(&value) { self.remake(value, along) } else { self.read_kept(value, along) };
        self.elsewhere.insert((value, along), made);
        made
    }

    fn read_kept(&mut self, value: Value, along: AxisId) -> Value {
        let (state, home) = self.whole(value);
        let places = vec![(home, self.place_in(home, &Affine::axis(along)))];
        let typed = self.typed_along(value, along, true);
        let path = self.old.node(value.node).path.clone();
        self.new.add_one(Op::Index(places), [state], typed, path)
    }

    /// The same operation on operands at those positions.
    fn remake(&mut self, value: Value, along: AxisId) -> Value {
        let node = self.old.node(value.node).clone();
        let operands = node.operands.iter().map(|operand| self.elsewhere(*operand, along)).collect::<Vec<_>>();
        let chunk = self.shared.chunk;
        let op = match node.op {
            Op::Coordinate(axis) if axis == chunk => Op::Coordinate(along),
            Op::Map(mut scalar) => {
                let reads = scalar.steps.iter_mut().filter(|step| **step == ScalarStep::Coordinate(chunk));
                reads.for_each(|step| *step = ScalarStep::Coordinate(along));
                Op::Map(scalar)
            }
            Op::Index(places) => {
                let moved = places.iter().map(|(axis, place)| (*axis, self.affine_along(place, along)));
                Op::Index(moved.collect())
            }
            op => op,
        };
        let by_row = self.is_by_row(&op, &operands);
        let typed = self.typed_along(value, along, by_row);
        self.new.add_one(op, operands, typed, node.path)
    }

    fn typed_along(&mut self, value: Value, along: AxisId, by_row: bool) -> Typed {
        let old = self.old.typed(value).clone();
        let moved = |axis: &AxisId| if *axis == self.shared.chunk { along } else { *axis };
        let ty = TensorType::new(old.ty.axes.iter().map(moved).collect::<Vec<_>>(), old.ty.dtype);
        let ty = if by_row { rows::by_row(ty) } else { ty };
        let mut presence = Presence::always();
        for relation in &old.presence.relations {
            let relation = match relation {
                Relation::AtLeastZero(affine) => Relation::AtLeastZero(self.affine_along(affine, along)),
                Relation::Equal(axis, read) => {
                    Relation::Equal(moved_axis(*axis, self.shared.chunk, along), self.elsewhere(*read, along))
                }
                other => other.map_values(|read| self.elsewhere(*read, along)),
            };
            presence.require(relation);
        }
        Typed { ty, presence }
    }

    fn affine_along(&mut self, affine: &Affine<Value>, along: AxisId) -> Affine<Value> {
        let chunk = self.shared.chunk;
        affine.map_axes(|axis| moved_axis(axis, chunk, along)).map_values(|read| self.elsewhere(*read, along))
    }
}

fn moved_axis(axis: AxisId, chunk: AxisId, along: AxisId) -> AxisId {
    if axis == chunk { along } else { axis }
}
