//! Rewrites one region: every value at its own new positions, states for what is read elsewhere.

use super::keep::remade;
use super::reach::{Reaches, reaches};
use super::window::Window;
use super::{NotIncremental, Shared, causality, rows};
use crate::graph::{For, NodeId, Op, Region, Typed, Value};
use crate::ops::stacked;
use crate::tensor::{Affine, AxisId, BATCH, DType, Function, Presence, Relation, Scalar, ScalarStep, TensorType, Term};
use std::collections::{HashMap, HashSet};

/// A region on its way from whole sequences to new positions.
pub(super) struct Rewrite<'a> {
    /// Axes and state names.
    pub shared: &'a mut Shared,
    /// The region as it was.
    pub old: &'a Region,
    /// The region as it will be.
    pub new: Region,
    /// Old values at their own new positions.
    pub own: HashMap<Value, Value>,
    /// How many positions each row had before.
    pub start: Value,
    /// The axis of the `for` whose body this is; its states are arguments. At the top they are inputs.
    pub turns: Option<AxisId>,
    /// The states of this region, in order.
    pub slots: Vec<Slot>,
    /// What arguments are now: what depends on positions belongs to a row, since rows start at different ones.
    pub arguments: Vec<Typed>,
    /// How far back each old value is read that is read at other positions.
    pub reaches: Reaches,
    /// Old values that are made again at other positions.
    pub remade: HashSet<Value>,
    /// Old values at the positions of another index.
    pub elsewhere: HashMap<(Value, AxisId), Value>,
    /// Old values at other positions: the state that they are read from, and its axis of positions.
    pub whole: HashMap<Value, (Value, AxisId)>,
    /// Arguments of this body that look ahead, and the values outside of all bodies that they are.
    pub sights: HashMap<Value, Value>,
    /// What the positions of the block are called in this region, if the new positions are one.
    pub window: Option<Window>,
    /// The position of each new place, once asked for.
    position: Option<Value>,
}

/// A state of a region.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// Its name among the inputs and outputs of the program.
    pub name: String,
    /// What it holds before.
    pub held: Value,
    /// What it holds after.
    pub written: Value,
}

impl<'a> Rewrite<'a> {
    /// A rewrite of `old` into `new`, which holds `start`.
    pub fn new(shared: &'a mut Shared, old: &'a Region, new: Region, start: Value, turns: Option<AxisId>) -> Self {
        Rewrite {
            shared,
            old,
            new,
            own: HashMap::new(),
            start,
            turns,
            slots: Vec::new(),
            arguments: Vec::new(),
            reaches: Reaches::new(),
            remade: HashSet::new(),
            elsewhere: HashMap::new(),
            whole: HashMap::new(),
            sights: HashMap::new(),
            window: None,
            position: None,
        }
    }

    /// Rewrites everything that the wanted old values need.
    pub fn run(&mut self, wanted: &[Value]) -> Result<(), NotIncremental> {
        let needed = needed(self.old, wanted);
        self.remade = remade(self.shared, self.old, &needed);
        if self.shared.block.is_none() {
            self.reaches = reaches(self.shared, self.old, &needed, &self.remade);
        }
        let order = self.old.order();
        order.into_iter().filter(|id| needed.contains(id)).try_for_each(|id| self.node(id))
    }

    fn node(&mut self, id: NodeId) -> Result<(), NotIncremental> {
        let old = self.old;
        let node = old.node(id);
        causality::check(self, node)?.into_iter().for_each(|sight| self.rely_on(sight));
        match &node.op {
            Op::Length(axis) if self.shared.is_position(*axis) => {
                self.emit(id, Op::Length(self.shared.context), Vec::new());
            }
            Op::Coordinate(axis) if *axis == self.shared.chunk => {
                let position = self.position();
                self.own.insert(Value::of(id), position);
            }
            Op::Map(scalar) if scalar.coordinates().contains(&self.shared.chunk) => self.map(id, scalar),
            Op::Argument(place) if *place < self.arguments.len() => {
                let typed = self.arguments[*place].clone();
                let whole = node.results[0].ty.has(self.shared.chunk) && !typed.ty.has(self.shared.chunk);
                let argument = self.new.add_one(node.op.clone(), [], typed, node.path.clone());
                let argument = if whole { self.in_block(argument, id) } else { argument };
                self.own.insert(Value::of(id), argument);
            }
            Op::Draw(..) if self.shared.block.is_some() && node.results[0].ty.has(self.shared.chunk) => {
                return self.draw_in_block(id);
            }
            Op::Index(places) => self.index(id, places),
            Op::For(region) => return self.region(id, region),
            op => {
                let operands = self.operands(id);
                self.emit(id, op.clone(), operands);
            }
        }
        Ok(())
    }

    /// The new operands of an old node.
    pub fn operands(&mut self, id: NodeId) -> Vec<Value> {
        let operands: Vec<Value> = self.old.node(id).operands.iter().map(|operand| self.own[operand]).collect();
        if self.combines_block(id) { self.of_the_row(operands) } else { operands }
    }

    /// A node in the place of an old one: same types, presence at the new positions.
    pub fn emit(&mut self, id: NodeId, op: Op, operands: Vec<Value>) -> NodeId {
        let old = self.old;
        let node = old.node(id);
        let by_row = self.is_by_row(&op, &operands);
        let mut results = Vec::with_capacity(node.results.len());
        for (place, typed) in node.results.iter().enumerate() {
            let presence = self.presence(&typed.presence);
            let mut ty = match &op {
                Op::For(region) => self.type_of_turns(region, &operands, place, &typed.ty),
                _ => typed.ty.clone(),
            };
            // Rows start at different positions, and so are present at different new ones.
            let reads_row = presence.relations.iter().flat_map(Relation::values).any(|read| self.has_rows(*read));
            if by_row || reads_row {
                ty = rows::by_row(ty);
            }
            results.push(Typed { ty, presence });
        }
        let count = results.len() as u32;
        let new = self.new.add(op, operands, results, node.path.clone());
        for result in 0..count {
            self.own.insert(Value { node: id, result }, Value { node: new, result });
        }
        new
    }

    /// The type of a result of a rewritten `for`: as its operand, or as its bodies make it.
    fn type_of_turns(&self, region: &For, operands: &[Value], place: usize, old: &TensorType) -> TensorType {
        if place < region.carried {
            return self.new.typed(operands[place]).ty.clone();
        }
        let made = region.bodies.iter().find_map(|body| body.results[place].map(|value| body.typed(value).ty.clone()));
        made.map_or_else(|| old.clone(), |ty| stacked(&ty, region.stack_axis(place - region.carried)))
    }

    fn has_rows(&self, value: Value) -> bool {
        self.new.typed(value).ty.has(BATCH)
    }

    /// Whether the results of a node belong to a row.
    pub fn is_by_row(&self, op: &Op, operands: &[Value]) -> bool {
        let row = |value: &Value| self.has_rows(*value);
        match op {
            Op::Contract(axes) | Op::Reduce(_, axes) if axes.contains(&BATCH) => false,
            Op::For(_) => false,
            _ => operands.iter().any(row) || op.places().iter().any(|(_, place)| place.values().any(row)),
        }
    }

    /// A map that reads the coordinate of the growing sequence reads the position instead.
    fn map(&mut self, id: NodeId, scalar: &Scalar) {
        let mut operands = self.operands(id);
        let mut scalar = scalar.clone();
        let chunk = self.shared.chunk;
        for step in scalar.steps.iter_mut().filter(|step| **step == ScalarStep::Coordinate(chunk)) {
            *step = ScalarStep::Operand(operands.len());
        }
        operands.push(self.position());
        self.emit(id, Op::Map(scalar), operands);
    }

    /// What is read at other positions of the growing sequence is read from a state, or made again from one; at the
    /// last position, it is what the last new position has.
    fn index(&mut self, id: NodeId, places: &[(AxisId, Affine<Value>)]) {
        let source = self.old.node(id).operands[0];
        let is_last = |(axis, place): &(AxisId, Affine<Value>)| {
            *axis == self.shared.chunk && self.shared.is_last(self.old, place)
        };
        if places.iter().any(is_last) {
            let rest = places.iter().filter(|place| !is_last(place)).cloned().collect::<Vec<_>>();
            let last = self.last(source);
            if rest.is_empty() {
                self.own.insert(Value::of(id), last);
            } else {
                let moved = rest.iter().map(|(axis, place)| (*axis, self.place(place))).collect();
                self.emit(id, Op::Index(moved), vec![last]);
            }
            return;
        }
        let (op, operands) = if places.iter().any(|(axis, _)| *axis == self.shared.chunk) {
            self.read_elsewhere(id, places)
        } else {
            let moved = places.iter().map(|(axis, place)| (*axis, self.place(place))).collect();
            (Op::Index(moved), vec![self.own[&source]])
        };
        self.emit(id, op, operands);
    }

    /// A new state as this region receives it. Arguments are numbered from 0 here, and put into the order of their
    /// `for` once all states are known.
    pub fn state(&mut self, path: &str, typed: Typed) -> (String, Value) {
        let name = self.shared.name_state(path);
        let held = self.receive(&name, typed, self.slots.len());
        (name, held)
    }

    /// The value of a state that has a name.
    pub fn receive(&mut self, name: &str, typed: Typed, place: usize) -> Value {
        let op = match self.turns {
            Some(_) => Op::Argument(place),
            None => Op::Input(name.into()),
        };
        self.new.add_one(op, [], typed, name)
    }

    /// The position of every new place: `start + coordinate`.
    pub fn position(&mut self) -> Value {
        if let Some(position) = self.position {
            return position;
        }
        let chunk = self.shared.chunk;
        let mut scalar = Scalar::default();
        let start = scalar.push(ScalarStep::Operand(0));
        let place = scalar.push(ScalarStep::Coordinate(chunk));
        scalar.push(ScalarStep::Call(Function::Add, vec![start, place]));
        let ty = Typed::always(TensorType::new([BATCH, chunk], DType::Int));
        let position = self.new.add_one(Op::Map(scalar), [self.start], ty, "position");
        self.position = Some(position);
        position
    }

    /// The position over a number, or what is left of it.
    fn divided(&mut self, function: Function, by: i64) -> Value {
        let position = self.position();
        let mut scalar = Scalar::default();
        let whole = scalar.push(ScalarStep::Operand(0));
        let number = scalar.push(ScalarStep::Number(by as f64, DType::Int));
        scalar.push(ScalarStep::Call(function, vec![whole, number]));
        let typed = self.new.typed(position).clone();
        self.new.add_one(Op::Map(scalar), [position], typed, "position")
    }

    /// A place in terms of new values: coordinates of the growing sequence begin at `start`.
    pub fn place(&mut self, place: &Affine<Value>) -> Affine<Value> {
        let chunk = self.shared.chunk;
        let mut moved = Affine::number(place.constant);
        for (term, factor) in &place.terms {
            if let Some(inside) = self.place_in_block(term, *factor) {
                moved = moved.plus(&inside, 1);
                continue;
            }
            let term = match term {
                Term::Axis(axis) if *axis == chunk => Affine::axis(chunk).plus(&Affine::value(self.start), 1),
                Term::Quotient(axis, by) if *axis == chunk => Affine::value(self.divided(Function::FloorDivide, *by)),
                Term::Remainder(axis, by) if *axis == chunk => Affine::value(self.divided(Function::Remainder, *by)),
                Term::Value(value) => Affine::value(self.own[value]),
                other => Affine::term(other.clone()),
            };
            moved = moved.plus(&term, *factor);
        }
        moved
    }

    fn presence(&mut self, presence: &Presence<Value>) -> Presence<Value> {
        let mut moved = Presence::always();
        for relation in &presence.relations {
            for relation in self.relation(relation) {
                moved.require(relation);
            }
        }
        moved
    }

    fn relation(&mut self, relation: &Relation<Value>) -> Vec<Relation<Value>> {
        match relation {
            Relation::AtLeastZero(affine) if self.is_block(affine) => Vec::new(),
            Relation::AtLeastZero(affine) => vec![Relation::AtLeastZero(self.place(affine))],
            Relation::Equal(axis, value) if *axis == self.shared.chunk => {
                let position = self.place(&Affine::axis(*axis));
                let value = Affine::value(self.own[value]);
                equal(&position, &value)
            }
            other => vec![other.map_values(|value| self.own[value])],
        }
    }
}

/// What holds where two places are the same: neither is beyond the other.
pub(super) fn equal(left: &Affine<Value>, right: &Affine<Value>) -> Vec<Relation<Value>> {
    vec![Relation::AtLeastZero(left.plus(right, -1)), Relation::AtLeastZero(right.plus(left, -1))]
}

/// The nodes that the wanted values need.
fn needed(region: &Region, wanted: &[Value]) -> HashSet<NodeId> {
    let mut needed = HashSet::new();
    let mut open = wanted.iter().map(|value| value.node).collect::<Vec<_>>();
    while let Some(id) = open.pop() {
        if needed.insert(id) {
            open.extend(region.node(id).reads().iter().map(|read| read.node));
        }
    }
    needed
}
