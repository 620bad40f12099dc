//! What a turn expects the next one to choose: what it asks of a model about the sequence that holds its own choice.
//!
//! `ids = next where t == |p| + n; draft = f(ids[t: t + 1], …)[t: |p| + n - 1]`
//!   →  `f(follower, …)[t: |t| - 1]`, where `follower` is `next` at the newest position and what is known at the others
//!
//! At known positions the longer sequence is the one before; so whatever is computed from it there is what the choice
//! was computed from, and computed once. What is read one position ahead of its own depends on the new id alone, if it is
//! made at each position by itself. Anything else of the new position would take the model another time, and is
//! refused. The caller says what is known: [`names::FOLLOWER`].

use super::Opening;
use super::written::Written;
use crate::derive::NotIncremental;
use crate::graph::{Node, NodeId, Op, Typed, Value};
use crate::tensor::{Affine, AxisId, DType, Function, Relation, Scalar, ScalarStep, Term};
use archc_runtime::abi::names;
use std::collections::{HashMap, HashSet};

/// What is known while a draft is copied.
#[derive(Default)]
pub(super) struct Ahead {
    /// Nodes of the body that read what the turn has written.
    late: HashSet<NodeId>,
    /// Values of the body one position ahead.
    moved: HashMap<Value, Value>,
    /// What holds where the position ahead lies inside of the sequence: always, as far as turns go.
    inside: Vec<Affine<Value>>,
    /// The id after each known position.
    follower: Option<Value>,
    /// What cannot be known before the new position has been seen.
    refused: Option<NotIncremental>,
}

impl Opening<'_> {
    /// The draft as an output, and the id after each position that it was made from.
    ///
    /// # Errors
    /// What it reads of the new position beside its id.
    pub(super) fn draft(&mut self, draft: Value) -> Result<(Value, Option<Value>), NotIncremental> {
        let late = self.late();
        self.known.retain(|(inside, value), _| !*inside || !late.contains(&value.node));
        self.ahead = Some(Ahead { late, ..Ahead::default() });
        let output = self.output(draft, -1.0, names::DRAFT);
        let ahead = self.ahead.take().unwrap_or_default();
        ahead.refused.map_or(Ok((output, ahead.follower)), Err)
    }

    /// The nodes of the body that read what the turn has written.
    fn late(&self) -> HashSet<NodeId> {
        let body = self.own.body;
        let mut late = HashSet::new();
        for id in body.order() {
            let reads = body.node(id).reads();
            if reads.iter().any(|read| late.contains(&read.node) || self.own.written(*read).is_some()) {
                late.insert(id);
            }
        }
        late
    }

    /// A value of the body, if it is another one while a draft is copied.
    pub(super) fn foreseen(&mut self, value: Value) -> Option<Value> {
        let late = self.ahead.as_ref()?.late.contains(&value.node);
        match self.own.written(value) {
            Some(Written::Sequence) => return Some(self.known_sequence(value)),
            Some(Written::Flag) => return Some(self.always(value)),
            None => {}
        }
        let node = late.then(|| self.own.body.node(value.node).clone())?;
        match &node.op {
            Op::Index(places) => {
                let next = |(axis, place): &(AxisId, Affine<Value>)| *axis == self.own.along && self.is_next(place);
                let rest = places.iter().filter(|place| !next(place)).cloned().collect::<Vec<_>>();
                if rest.iter().any(|(axis, place)| *axis == self.own.along && self.is_beyond(place)) {
                    return self.refuse(&node, "the draft reads further than one position ahead of its own");
                }
                (rest.len() < places.len()).then(|| self.read_ahead(&node, rest))
            }
            Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) if axes.contains(&self.own.along) => {
                self.refuse(&node, "the draft combines all positions, the new one with them")
            }
            Op::For(repeat) if repeat.axis == self.own.along && (value.result as usize) < repeat.carried => {
                self.refuse(&node, "the draft reads what a recurrence has come to at the new position")
            }
            _ => None,
        }
    }

    /// The sequence at the known positions: as the turn found it.
    fn known_sequence(&mut self, value: Value) -> Value {
        let body = self.own.body;
        let argument = |id: &NodeId| matches!(body.node(*id).op, Op::Argument(own) if own == self.own.place);
        let found = body.ids().into_iter().find(argument);
        found.map_or(value, |id| self.copy(true, Value::of(id)))
    }

    /// A bool that holds at every known position, and at the new one.
    fn always(&mut self, value: Value) -> Value {
        let ty = self.own.body.typed(value).ty.clone();
        let yes = self.constant(1.0, DType::Bool);
        self.new.add_one(Op::Map(Scalar::identity()), [yes], Typed::always(ty), "known")
    }

    fn refuse(&mut self, node: &Node, reason: &str) -> Option<Value> {
        let refused = NotIncremental { path: node.path.clone(), reason: reason.into() };
        self.ahead.as_mut()?.refused.get_or_insert(refused);
        None
    }

    /// Whether a place is the position after its own.
    fn is_next(&self, place: &Affine<Value>) -> bool {
        place.constant == 1 && place.terms.as_slice() == [(Term::Axis(self.own.along), 1)]
    }

    /// Whether a place is further ahead than that.
    fn is_beyond(&self, place: &Affine<Value>) -> bool {
        place.constant > 1 && place.terms.as_slice() == [(Term::Axis(self.own.along), 1)]
    }

    /// An index that reads one position ahead, and at `rest` along other axes.
    fn read_ahead(&mut self, node: &Node, rest: Vec<(AxisId, Affine<Value>)>) -> Value {
        let inside = node.results[0].presence.relations.iter().filter_map(|relation| match relation {
            Relation::AtLeastZero(form) => Some(form.clone()),
            _ => None,
        });
        let inside = inside.collect::<Vec<_>>();
        if let Some(ahead) = &mut self.ahead {
            ahead.inside.extend(inside);
        }
        let moved = self.moved(node.operands[0]);
        if rest.is_empty() {
            return moved;
        }
        let mut inner = Node { op: Op::Index(rest), ..node.clone() };
        let source = inner.operands[0];
        inner.results[0].presence.relations.retain(|relation| !self.is_inside(relation));
        let reads = inner.reads().into_iter().filter(|read| *read != source).collect::<Vec<_>>();
        let copied = reads.into_iter().map(|read| (read, self.copy(true, read))).collect::<HashMap<_, _>>();
        inner.map_reads(|read| copied.get(&read).copied().unwrap_or(moved));
        self.expand_node(&mut inner);
        Value::of(self.new.insert(inner))
    }

    /// A value of the body one position ahead of each known one.
    fn moved(&mut self, value: Value) -> Value {
        if let Some(&known) = self.ahead.as_ref().and_then(|ahead| ahead.moved.get(&value)) {
            return known;
        }
        let made = self.make_moved(value);
        if let Some(ahead) = &mut self.ahead {
            ahead.moved.insert(value, made);
        }
        made
    }

    fn make_moved(&mut self, value: Value) -> Value {
        let body = self.own.body;
        let along = self.own.along;
        match self.own.written(value) {
            Some(Written::Sequence) => return self.follower(),
            Some(Written::Flag) => return self.always(value),
            None => {}
        }
        let node = body.node(value.node).clone();
        let late = self.ahead.as_ref().is_some_and(|ahead| ahead.late.contains(&value.node));
        let moves = node.results.iter().any(|typed| typed.ty.has(along));
        let by_itself = match &node.op {
            Op::Map(_) | Op::Else | Op::Stop | Op::Peek | Op::Coordinate(_) => true,
            Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) => !axes.contains(&along),
            Op::Index(places) => {
                places.iter().all(|(axis, place)| *axis != along && place.axes().all(|own| own != along))
            }
            _ => false,
        };
        if !late && !moves {
            return self.copy(true, value);
        }
        let placed = |typed: &Typed| typed.presence.relations.iter().any(|relation| is_tied(relation, along));
        if !by_itself || node.results.iter().any(placed) {
            self.refuse(
                &node,
                "the draft reads more of the new position than its token: the model had to see it first",
            );
            return self.copy(true, value);
        }
        self.remake(node)
    }

    /// The same operation on operands one position ahead.
    fn remake(&mut self, mut node: Node) -> Value {
        let along = self.own.along;
        node.op_reads().into_iter().for_each(|read| _ = self.moved(read));
        match &mut node.op {
            Op::Coordinate(axis) if *axis == along => {
                let mut scalar = Scalar::default();
                push_next(&mut scalar, along);
                node.op = Op::Map(scalar);
            }
            Op::Map(scalar) => *scalar = coordinates_moved(scalar, along),
            _ => {}
        }
        for typed in &mut node.results {
            typed.presence.relations.retain(|relation| !self.is_inside(relation));
            for relation in &mut typed.presence.relations {
                if let Relation::AtLeastZero(form) = relation {
                    let factor = form.terms.iter().find(|(term, _)| *term == Term::Axis(along));
                    form.constant += factor.map_or(0, |(_, factor)| *factor);
                }
            }
        }
        let reads = node.reads().into_iter().map(|read| (read, self.moved(read))).collect::<HashMap<_, _>>();
        node.map_reads(|read| reads[&read]);
        self.expand_node(&mut node);
        Value::of(self.new.insert(node))
    }

    /// Whether a relation only keeps what is read ahead to the sequence.
    pub(super) fn is_inside(&self, relation: &Relation<Value>) -> bool {
        let Relation::AtLeastZero(form) = relation else { return false };
        let along = |axis: AxisId| if self.axes.alike(axis, self.own.along) { self.own.along } else { axis };
        let same = |known: &Affine<Value>| known.plus(&form.map_axes(along), -1) == Affine::number(0);
        self.ahead.as_ref().is_some_and(|ahead| ahead.inside.iter().any(same))
    }

    /// The id after each known position: what the caller knows, else what the turn chooses.
    fn follower(&mut self) -> Value {
        if let Some(known) = self.ahead.as_ref().and_then(|ahead| ahead.follower) {
            return known;
        }
        let ty = self.own.body.typed(self.own.body.results[self.own.place].unwrap_or(self.own.next)).ty.clone();
        let known = self.input(names::FOLLOWER, ty.clone());
        let next = self.output(self.own.next, 0.0, names::NEXT);
        let mut scalar = Scalar::default();
        let [known_step, next_step] = [0, 1].map(|place| scalar.push(ScalarStep::Operand(place)));
        let zero = scalar.push(ScalarStep::Number(0.0, DType::Int));
        let unknown = scalar.push(ScalarStep::Call(Function::Less, vec![known_step, zero]));
        scalar.push(ScalarStep::Call(Function::Select, vec![unknown, next_step, known_step]));
        let follower = self.new.add_one(Op::Map(scalar), [known, next], Typed::always(ty), names::FOLLOWER);
        if let Some(ahead) = &mut self.ahead {
            ahead.follower = Some(follower);
        }
        follower
    }
}

/// Whether a relation says something of places along an axis that is no sum with them.
fn is_tied(relation: &Relation<Value>, along: AxisId) -> bool {
    match relation {
        Relation::Equal(axis, _) => *axis == along,
        Relation::AtLeastZero(form) => form.terms.iter().any(|(term, _)| match term {
            Term::Quotient(axis, _) | Term::Remainder(axis, _) => *axis == along,
            _ => false,
        }),
        _ => false,
    }
}

/// `coordinate + 1`.
fn push_next(scalar: &mut Scalar, along: AxisId) -> usize {
    let own = scalar.push(ScalarStep::Coordinate(along));
    let one = scalar.push(ScalarStep::Number(1.0, DType::Int));
    scalar.push(ScalarStep::Call(Function::Add, vec![own, one]))
}

/// An expression with `t + 1` in the place of `t`.
fn coordinates_moved(scalar: &Scalar, along: AxisId) -> Scalar {
    let mut moved = Scalar::default();
    let mut places = Vec::with_capacity(scalar.steps.len());
    for step in &scalar.steps {
        places.push(match step {
            ScalarStep::Coordinate(axis) if *axis == along => push_next(&mut moved, along),
            ScalarStep::Call(function, arguments) => {
                let arguments = arguments.iter().map(|argument| places[*argument]).collect();
                moved.push(ScalarStep::Call(*function, arguments))
            }
            other => moved.push(other.clone()),
        });
    }
    moved
}
