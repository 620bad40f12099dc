//! Values read at the places of the chosen: `u[e: who]`, pushed through what u is made of.

use super::{Found, comes_from_turns, is_independent};
use crate::graph::{For, Node, Op, Region, Typed, Value};
use crate::ops::{Typing, infer};
use crate::tensor::{Affine, Axes, AxisId, DType, Presence, Relation, Scalar, ScalarStep, TensorType};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A body whose nodes become nodes of the region around: which one, and what its arguments are out there.
#[derive(Clone)]
struct Frame {
    number: usize,
    axis: AxisId,
    body: Rc<Region>,
    operands: Vec<Value>,
}

pub(super) struct Translation<'a> {
    axes: &'a Axes,
    region: &'a mut Region,
    /// The rank that chooses; read at a place of a slot it is the slot's number.
    rank: Value,
    slot: AxisId,
    /// For each ranked axis the place that is read.
    who: Vec<(AxisId, Value)>,
    frames: usize,
    known: HashMap<(usize, Value), Value>,
    /// What holds wherever something is ranked, at the chosen places.
    implied: Vec<Relation<Value>>,
}

impl<'a> Translation<'a> {
    pub fn new(
        axes: &'a Axes,
        region: &'a mut Region,
        found: &Found,
        slot: AxisId,
        who: Vec<(AxisId, Value)>,
    ) -> Translation<'a> {
        let ranked = region.typed(found.rank).presence.clone();
        let (frames, known, implied) = (0, HashMap::new(), Vec::new());
        let mut translation = Translation { axes, region, rank: found.rank, slot, who, frames, known, implied };
        translation.implied = translation.presence(&[], &ranked).unwrap_or_default().relations;
        translation
    }

    /// A value of the region at the places of the chosen.
    pub fn of(&mut self, value: Value) -> Option<Value> {
        self.at(&[], value)
    }

    fn at(&mut self, frames: &[Frame], value: Value) -> Option<Value> {
        let key = (frames.last().map_or(0, |frame| frame.number), value);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let new = self.made(frames, value)?;
        self.known.insert(key, new);
        Some(new)
    }

    fn made(&mut self, frames: &[Frame], value: Value) -> Option<Value> {
        let node = match frames.last() {
            Some(frame) => frame.body.node(value.node).clone(),
            None => self.region.node(value.node).clone(),
        };
        let typed = node.results[value.result as usize].clone();
        if let Some((frame, outer)) = frames.split_last() {
            match node.op {
                Op::Argument(place) => return self.at(outer, frame.operands[place]),
                Op::Turn => return self.who_is(frame.axis),
                _ => {}
            }
        } else {
            if !self.is_ranked(&typed.ty) {
                return Some(value);
            }
            if value == self.rank {
                return Some(self.number_of_slot());
            }
            let axes = self.who.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
            if !comes_from_turns(self.region, value, &axes, &mut HashSet::new()) {
                return self.read(value, &typed);
            }
        }
        match &node.op {
            Op::Index(places) => self.looked_up(frames, &node, places, &typed),
            Op::For(own) if self.who_is(own.axis).is_some() && is_independent(own) => {
                self.inside(frames, own, &node.operands, value)
            }
            op if self.can_copy(op) => self.copied(frames, &node, &typed),
            _ => None,
        }
    }

    /// An index: of a value from outside it is one out there, before the chosen places are read.
    fn looked_up(
        &mut self,
        frames: &[Frame],
        node: &Node,
        places: &[(AxisId, Affine<Value>)],
        typed: &Typed,
    ) -> Option<Value> {
        let Some(outer) = self.outside(frames, node.operands[0]) else {
            return self.can_copy(&node.op).then(|| self.copied(frames, node, typed)).flatten();
        };
        let mut kept = Vec::new();
        for (axis, place) in places {
            let values = place.values().copied().collect::<Vec<_>>();
            let mut moved = HashMap::new();
            for value in values {
                moved.insert(value, self.at(frames, value)?);
            }
            let place = place.map_values(|value| moved[value]);
            match self.who_is(*axis) {
                Some(who) if place == Affine::value(who) => {}
                Some(_) => return None,
                None => kept.push((*axis, place)),
            }
        }
        if kept.is_empty() {
            return self.at(&[], outer);
        }
        let free = |value: &Value| {
            let axes = &self.region.typed(*value).ty.axes;
            !axes.contains(&self.slot) && axes.iter().all(|axis| self.who_is(*axis).is_none())
        };
        if !kept.iter().all(|(_, place)| place.values().all(free)) || !self.region.typed(outer).presence.is_always() {
            return None;
        }
        let op = Op::Index(kept);
        let typing = Typing { axes: self.axes, region: self.region };
        let ty = infer(&typing, &op, &[outer], None).ok()?.swap_remove(0);
        let typed = Typed { ty, presence: self.presence(frames, &typed.presence)? };
        let indexed = self.region.add_one(op, [outer], typed, node.path.clone());
        self.at(&[], indexed)
    }

    /// The value outside of all bodies that an argument is (of a slice, what it is cut from).
    fn outside(&self, frames: &[Frame], value: Value) -> Option<Value> {
        let Some((frame, outer)) = frames.split_last() else { return Some(value) };
        match frame.body.node(value.node).op {
            Op::Argument(place) => self.outside(outer, frame.operands[place]),
            _ => None,
        }
    }

    /// What the body yields.
    fn inside(&mut self, frames: &[Frame], own: &For, operands: &[Value], value: Value) -> Option<Value> {
        self.frames += 1;
        let body = Rc::new(own.bodies[0].clone());
        let result = body.results[value.result as usize]?;
        let frame = Frame { number: self.frames, axis: own.axis, body, operands: operands.to_vec() };
        let mut deeper = frames.to_vec();
        deeper.push(frame);
        self.at(&deeper, result)
    }

    fn who_is(&self, axis: AxisId) -> Option<Value> {
        self.who.iter().find(|(own, _)| *own == axis).map(|(_, who)| *who)
    }

    fn is_ranked(&self, ty: &TensorType) -> bool {
        self.who.iter().any(|(axis, _)| ty.has(*axis))
    }

    /// Whether an operation at the chosen places is the same operation on its operands there.
    fn can_copy(&self, op: &Op) -> bool {
        let free = |axes: &[AxisId]| axes.iter().all(|axis| self.who_is(*axis).is_none());
        match op {
            Op::Map(scalar) => free(&scalar.coordinates()),
            Op::Else | Op::Stop | Op::Peek | Op::Constant(_) => true,
            Op::Coordinate(axis) => free(&[*axis]),
            Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) => free(axes),
            Op::Index(places) => places.iter().all(|(axis, place)| {
                self.who_is(*axis).is_none() && place.axes().all(|read| self.who_is(read).is_none())
            }),
            _ => false,
        }
    }

    fn copied(&mut self, frames: &[Frame], node: &Node, typed: &Typed) -> Option<Value> {
        let mut operands = Vec::with_capacity(node.operands.len());
        for operand in &node.operands {
            operands.push(self.at(frames, *operand)?);
        }
        let op = self.op(frames, &node.op)?;
        let presence = self.presence(frames, &typed.presence)?;
        let typing = Typing { axes: self.axes, region: self.region };
        let repeats = match op {
            Op::Map(_) | Op::Constant(_) | Op::Coordinate(_) => typed.ty.axes.clone(),
            _ => Vec::new(),
        };
        let natural = match op {
            Op::Constant(_) | Op::Coordinate(_) => typed.ty.clone(),
            _ => infer(&typing, &op, &operands, None).ok()?.swap_remove(0),
        };
        let kept = repeats.into_iter().filter(|axis| self.who_is(*axis).is_none());
        let read = presence.relations.iter().flat_map(|relation| self.axes_of(relation));
        let axes = self.axes.ordered(natural.axes.iter().copied().chain(kept).chain(read.collect::<Vec<_>>()));
        let new = Typed { ty: TensorType { axes, dtype: typed.ty.dtype }, presence };
        Some(self.region.add_one(op, operands, new, node.path.clone()))
    }

    /// The axes of the values that a relation reads.
    fn axes_of(&self, relation: &Relation<Value>) -> Vec<AxisId> {
        relation.values().into_iter().flat_map(|value| self.region.typed(*value).ty.axes.clone()).collect()
    }

    fn op(&mut self, frames: &[Frame], op: &Op) -> Option<Op> {
        let Op::Index(places) = op else { return Some(op.clone()) };
        let mut moved = Vec::with_capacity(places.len());
        for (axis, place) in places {
            moved.push((*axis, self.place(frames, place)?));
        }
        Some(Op::Index(moved))
    }

    fn place(&mut self, frames: &[Frame], place: &Affine<Value>) -> Option<Affine<Value>> {
        let values = place.values().copied().collect::<Vec<_>>();
        for value in values {
            self.at(frames, value)?;
        }
        let number = frames.last().map_or(0, |frame| frame.number);
        let moved = place.map_values(|value| self.known.get(&(number, *value)).copied().unwrap_or(*value));
        Some(Affine::number(0).plus(&moved, 1))
    }

    /// The same relations over values at the chosen places; that these are chosen need not be said.
    fn presence(&mut self, frames: &[Frame], presence: &Presence<Value>) -> Option<Presence<Value>> {
        let mut moved = Presence::always();
        for relation in &presence.relations {
            let mut values = HashMap::new();
            for value in relation.values() {
                values.insert(*value, self.at(frames, *value)?);
            }
            let relation = relation.map_values(|value| values[value]);
            let reads_ranked = match &relation {
                Relation::AtLeastZero(affine) => affine.axes().any(|axis| self.who_is(axis).is_some()),
                Relation::Equal(axis, _) => self.who_is(*axis).is_some(),
                _ => false,
            };
            if reads_ranked {
                return None;
            }
            if !self.is_known(&relation) && !self.implied.contains(&relation) {
                moved.require(relation);
            }
        }
        Some(moved)
    }

    /// Whether it says that the number of a slot is below a number that is no less than how many there are.
    fn is_known(&self, relation: &Relation<Value>) -> bool {
        let Relation::Below { rank, bound } = relation else { return false };
        let Op::Constant(numbers) = &self.region.node(bound.node).op else { return false };
        let count = self.axes.fixed(self.slot).unwrap_or(i64::MAX) as f64;
        self.known.get(&(0, self.rank)) == Some(rank) && numbers.first().is_some_and(|bound| *bound >= count)
    }

    fn number_of_slot(&mut self) -> Value {
        let scalar = Scalar { steps: vec![ScalarStep::Coordinate(self.slot)] };
        let typed = Typed::always(TensorType { axes: vec![self.slot], dtype: DType::Int });
        let path = self.region.node(self.rank.node).path.clone();
        self.region.add_one(Op::Map(scalar), [], typed, path)
    }

    /// An element of a value that is made elsewhere.
    fn read(&mut self, value: Value, typed: &Typed) -> Option<Value> {
        let listed = self.who.iter().filter(|(axis, _)| typed.ty.has(*axis));
        let places = listed.map(|(axis, who)| (*axis, Affine::value(*who))).collect::<Vec<_>>();
        let mut presence = self.presence(&[], &typed.presence)?;
        for (_, who) in &self.who {
            presence = presence.and(&self.region.typed(*who).presence.clone());
        }
        let op = Op::Index(places);
        let typing = Typing { axes: self.axes, region: self.region };
        let natural = infer(&typing, &op, &[value], None).ok()?.swap_remove(0);
        let ty = TensorType { axes: self.axes.ordered(natural.axes), dtype: typed.ty.dtype };
        let path = self.region.node(value.node).path.clone();
        Some(self.region.add_one(op, [value], Typed { ty, presence }, path))
    }
}
