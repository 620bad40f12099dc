//! Reads off a sampler's `for` what each turn writes: one position of a sequence, the one after the last known.
//!
//! `ids = prompt[p: t]; for n in new until end { …; ids = next where t == |p| + n }`
//!
//! Before it writes, a turn may put other rows in the place of rows: `ids = ids[b: from]`. What else it carries, it says
//! anew in every turn.

use crate::derive::NotIncremental;
use crate::graph::{For, Graph, NodeId, Op, Region, Value};
use crate::tensor::{Affine, AxisId, BATCH, DType, Relation, Scalar, Term};
use std::collections::{HashMap, HashSet};

/// Why a second result is none that a run could give.
const NO_DRAFT: &str = "its second result is not a token that each turn yields";

/// The loop of a sampler that writes position after position.
#[derive(Debug)]
pub(super) struct Loop<'a> {
    /// The sequence that grows.
    pub along: AxisId,
    /// The sequence that it begins with.
    pub prompt: AxisId,
    /// The input that it begins with.
    pub name: String,
    /// The carried place of the sequence, and that of where it is present.
    pub place: usize,
    pub flag_place: Option<usize>,
    /// What the loop is handed.
    pub operands: &'a [Value],
    /// One turn.
    pub body: &'a Region,
    /// The value that the turn writes.
    pub next: Value,
    /// Whether the row stops.
    pub until: Option<Value>,
    /// The axis of several texts of a row, and which of them each goes on from.
    pub fork: Option<(AxisId, Value)>,
    /// The `for`.
    pub node: NodeId,
    /// What the sampler gives, if that is not the sequence itself.
    pub answer: Option<Value>,
    /// What each turn expects the next to choose, if the sampler gives that beside its answer.
    pub draft: Option<Value>,
    /// A value of the top that stands at all positions which are not written yet; if turns read the position that they
    /// write, and not the one before.
    pub blank: Option<Value>,
    /// Values of the body that are what the turn has written, or where that is present.
    ends: HashMap<Value, Written>,
}

/// What of the sequence at the end of a turn a value of its body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Its tokens.
    Sequence,
    /// Where they are present.
    Flag,
}

impl<'a> Loop<'a> {
    /// The loop that writes what the graph gives, or what that follows from.
    pub fn find(graph: &'a Graph) -> Result<Loop<'a>, NotIncremental> {
        let root = &graph.root;
        let refuse = |reason: &str| NotIncremental { path: graph.name.clone(), reason: reason.into() };
        let (result, second) = match root.results.as_slice() {
            [Some(result)] => (result, None),
            [Some(result), Some(second)] => (result, Some(*second)),
            _ => return Err(refuse("it gives more than a text and a draft")),
        };
        let loops = root.order().into_iter().filter_map(|id| match &root.node(id).op {
            Op::For(repeat) => growing(graph, id, repeat).map(|found| (id, repeat, found)),
            _ => None,
        });
        let loops = loops.collect::<Vec<_>>();
        let [(id, repeat, (place, along, begins))] = loops.as_slice() else {
            return Err(refuse("there is no single `for` that goes on from an input of tokens"));
        };
        let (id, place, along) = (*id, *place, *along);
        if repeat.bodies.len() != 1 || repeat.reverse {
            return Err(refuse("its turns are not alike"));
        }
        let node = root.node(id);
        let (end, _) = strip(root, *result);
        let answer = (end != Value { node: id, result: place as u32 }).then_some(*result);
        let body = &repeat.bodies[0];
        let flag_place = flag_of(body, place, repeat.carried);
        let operands = node.operands.as_slice();
        let numbers = (0..operands.len()).filter(|place| alternatives(root, operands[*place], along).is_empty());
        let numbers = numbers.filter(|place| *place >= repeat.carried).collect::<HashSet<_>>();
        let written = written(body, place, along, &|place| numbers.contains(&place));
        let Step { next, position, fork } = written.ok_or_else(|| refuse("a turn writes more than one position"))?;
        let (prompt, name, until) = (begins.prompt, begins.name.clone(), until(repeat));
        let yielded = |second: Value| yielded(root, second, id, repeat, along);
        let draft = second.map(|second| yielded(second).ok_or_else(|| refuse(NO_DRAFT))).transpose()?;
        let (node, ends) = (id, ends(body, place, flag_place, &numbers));
        let own = Loop {
            along,
            prompt,
            name,
            place,
            flag_place,
            operands,
            body,
            next,
            until,
            fork,
            node,
            answer,
            draft,
            blank: None,
            ends,
        };
        own.checked(root, &position, begins.blank).map_err(refuse)
    }

    /// The loop, if what it writes at `position` comes after the last that is known; `blank` stands behind that.
    fn checked(
        mut self,
        root: &Region,
        position: &Affine<Value>,
        blank: Option<Value>,
    ) -> Result<Loop<'a>, &'static str> {
        if !self.is_after_the_last(root, position) {
            return Err("a turn does not write the position after the last known");
        }
        if self.draft.is_some() && self.fork.is_some() {
            return Err("several texts of a row have no draft");
        }
        if self.reads_what_it_writes(root) {
            if blank.is_none() || self.fork.is_some() {
                return Err("a turn reads the position that it writes, and no token stands there before");
            }
            self.blank = blank;
        }
        if self.blank.is_none() && self.goes_by_what_it_writes(root) {
            return Err("what a turn stops by or hands on follows from the position that it has just written");
        }
        if self.answers_with_all_turns(root) {
            return Err("what it gives in the end follows from all turns together");
        }
        let draws = |region: &Region| region.ids().into_iter().any(|id| has_draw(region, id));
        let inner = self.body.ids().into_iter().flat_map(|id| self.body.node(id).bodies());
        if inner.into_iter().any(draws) {
            return Err("something is drawn inside of a `for` of the turn");
        }
        Ok(self)
    }

    /// The places of what is carried beside the sequence.
    pub fn others(&self, root: &Region) -> Vec<usize> {
        let Op::For(repeat) = &root.node(self.node).op else { return Vec::new() };
        (0..repeat.carried).filter(|place| *place != self.place && Some(*place) != self.flag_place).collect()
    }

    /// What of the sequence at the end of the turn a value of the body is, if it is that.
    pub fn written(&self, value: Value) -> Option<Written> {
        self.ends.get(&value).copied()
    }

    /// Whether something that a turn says beside its choice is made of the sequence with that choice in it: the turn knows
    /// the positions before.
    fn goes_by_what_it_writes(&self, root: &Region) -> bool {
        let handed_on = self.others(root).into_iter().filter_map(|place| self.body.results[place]);
        let says = handed_on.chain(self.until).chain([self.next]).collect();
        is_made_of(self.body, says, &|value| self.written(value) == Some(Written::Sequence))
    }

    /// Whether the answer is made of the sequence in the end, or of what all turns yield: no turn knows these.
    fn answers_with_all_turns(&self, root: &Region) -> bool {
        let others = self.others(root);
        let of_all = |value: Value| value.node == self.node && !others.contains(&(value.result as usize));
        is_made_of(root, self.answer.into_iter().collect(), &of_all)
    }

    /// Whether turns read a value at the position that they write.
    fn reads_what_it_writes(&self, root: &Region) -> bool {
        let places = self.body.ids().into_iter().flat_map(|id| self.body.node(id).op.places());
        let mut along = places.filter(|(axis, _)| *axis == self.along);
        along.any(|(_, place)| self.is_after_the_last(root, place))
    }

    /// Whether a position is `|prompt| + turn`.
    fn is_after_the_last(&self, root: &Region, position: &Affine<Value>) -> bool {
        let is_turn = |value: &Value| matches!(self.body.node(value.node).op, Op::Turn);
        let is_length = |value: &Value| {
            let Op::Argument(place) = self.body.node(value.node).op else {
                return matches!(self.body.node(value.node).op, Op::Length(axis) if axis == self.prompt);
            };
            let (outside, _) = strip(root, self.operands[place]);
            matches!(root.node(outside.node).op, Op::Length(axis) if axis == self.prompt)
        };
        let [(Term::Value(left), 1), (Term::Value(right), 1)] = position.terms.as_slice() else { return false };
        position.constant == 0 && (is_turn(left) && is_length(right) || is_turn(right) && is_length(left))
    }
}

/// The values of a body that are what it leaves in a carried place, filled up with numbers or not, and those that say where
/// that is present.
fn ends(body: &Region, place: usize, flag_place: Option<usize>, numbers: &HashSet<usize>) -> HashMap<Value, Written> {
    let is_number = |value: &Value| {
        let (value, _) = strip(body, *value);
        match body.node(value.node).op {
            Op::Argument(own) => numbers.contains(&own),
            Op::Constant(_) => true,
            _ => false,
        }
    };
    let mut ends = HashMap::new();
    let flag = flag_place.map(|place| (place, Written::Flag));
    for (place, what) in std::iter::once((place, Written::Sequence)).chain(flag) {
        let mut end = body.results[place];
        while let Some(value) = end {
            ends.insert(value, what);
            let node = body.node(value.node);
            if what == Written::Sequence {
                let relations = &node.results[value.result as usize].presence.relations;
                let flags = relations.iter().filter_map(|relation| match relation {
                    Relation::Holds(flag) => Some((*flag, Written::Flag)),
                    _ => None,
                });
                ends.extend(flags);
            }
            end = match (&node.op, node.operands.as_slice()) {
                (Op::Map(scalar), [only]) if *scalar == Scalar::identity() => Some(*only),
                (Op::Else, [first, second]) if is_number(second) => Some(*first),
                _ => None,
            };
            // Under a flag stands a number.
            end = end.filter(|_| what == Written::Sequence);
        }
    }
    ends
}

/// The carried place of where a carried place is present: a turn reads the one where the other holds.
fn flag_of(body: &Region, place: usize, carried: usize) -> Option<usize> {
    let argument = |value: &Value| match body.node(value.node).op {
        Op::Argument(own) => Some(own),
        _ => None,
    };
    let holds = |relation: &Relation<Value>| match relation {
        Relation::Holds(flag) => argument(flag).filter(|own| *own < carried),
        _ => None,
    };
    body.ids().into_iter().find_map(|id| {
        let node = body.node(id);
        let restricts = node.operands.first().and_then(argument) == Some(place) && node.operands.len() == 1;
        restricts.then(|| node.results[0].presence.relations.iter().find_map(holds))?
    })
}

/// What turns yield, a token each, as one result.
fn yielded(root: &Region, result: Value, id: NodeId, repeat: &For, along: AxisId) -> Option<Value> {
    let (value, _) = strip(root, result);
    let place = value.result as usize;
    let yields = value.node == id && place >= repeat.carried;
    let ty = &root.typed(value).ty;
    let token = ty.dtype == DType::Int && ty.axes.iter().all(|axis| [BATCH, repeat.axis].contains(axis));
    if yields && token && repeat.axis != along { repeat.bodies[0].results[place] } else { None }
}

/// Whether any of some values is, or is made of, one of a kind.
fn is_made_of(region: &Region, mut open: Vec<Value>, kind: &dyn Fn(Value) -> bool) -> bool {
    let mut seen = HashSet::new();
    while let Some(value) = open.pop() {
        if kind(value) {
            return true;
        }
        if seen.insert(value) {
            open.extend(region.node(value.node).reads());
        }
    }
    false
}

fn until(repeat: &For) -> Option<Value> {
    repeat.until.then(|| repeat.bodies[0].results.last().copied().flatten()).flatten()
}

fn has_draw(region: &Region, id: NodeId) -> bool {
    let node = region.node(id);
    matches!(node.op, Op::Draw(..))
        || node.bodies().iter().any(|body| body.ids().into_iter().any(|id| has_draw(body, id)))
}

/// What stands under `where`s and repetitions, and the relations on the way.
fn strip(region: &Region, mut value: Value) -> (Value, Vec<Relation<Value>>) {
    let mut relations = Vec::new();
    loop {
        let node = region.node(value.node);
        relations.extend(node.results[value.result as usize].presence.relations.clone());
        match (&node.op, node.operands.as_slice()) {
            (Op::Map(scalar), [only]) if *scalar == Scalar::identity() => value = *only,
            _ => return (value, relations),
        }
    }
}

/// The values that a value with the axis `along` is one of, each with the relations under which it is: what has the
/// axis itself, and what is repeated along it.
pub(in crate::derive) fn alternatives(
    region: &Region,
    value: Value,
    along: AxisId,
) -> Vec<(Value, Vec<Relation<Value>>)> {
    let (mut inner, mut relations) = (value, region.typed(value).presence.relations.clone());
    while let (Op::Map(scalar), [only]) = (&region.node(inner.node).op, region.node(inner.node).operands.as_slice())
        && *scalar == Scalar::identity()
        && region.typed(inner).ty.has(along)
    {
        inner = *only;
        relations.extend(region.typed(inner).presence.relations.clone());
    }
    let node = region.node(inner.node);
    match node.op {
        Op::Else if region.typed(inner).ty.has(along) => {
            let parts = node.operands.iter().flat_map(|operand| alternatives(region, *operand, along));
            parts.map(|(value, own)| (value, [relations.clone(), own].concat())).collect()
        }
        Op::Constant(_) => Vec::new(),
        Op::Map(_) if node.operands.is_empty() => Vec::new(),
        _ => vec![(inner, relations)],
    }
}

/// What a sequence begins with.
struct Begins {
    /// The input, and its own sequence.
    name: String,
    prompt: AxisId,
    /// What stands behind that.
    blank: Option<Value>,
}

fn begins_with(root: &Region, initial: Value, along: AxisId) -> Option<Begins> {
    let parts = alternatives(root, initial, along);
    let is_setting = |value: &Value| matches!(root.node(value.node).op, Op::Setting(_));
    let (blank, parts): (Vec<_>, Vec<_>) = parts.into_iter().map(|(part, _)| part).partition(is_setting);
    let [only] = parts.as_slice() else { return None };
    let node = root.node(only.node);
    let (Op::Index(places), [source]) = (&node.op, node.operands.as_slice()) else { return None };
    let [(axis, place)] = places.as_slice() else { return None };
    let Op::Input(name) = &root.node(source.node).op else { return None };
    let begins = Begins { name: name.clone(), prompt: *axis, blank: blank.first().copied() };
    (place.as_axis() == Some(along) && blank.len() <= 1).then_some(begins)
}

/// The carried place of a `for` that begins with an input, its sequence, and what it begins with.
fn growing(graph: &Graph, id: NodeId, repeat: &For) -> Option<(usize, AxisId, Begins)> {
    let node = graph.root.node(id);
    (0..repeat.carried).find_map(|place| {
        let ty = &node.results[place].ty;
        let sequences = ty.axes.iter().copied().filter(|axis| graph.axes.is_sequence(*axis));
        let mut starts = sequences
            .filter(|_| ty.dtype == DType::Int)
            .filter_map(|along| Some((place, along, begins_with(&graph.root, node.operands[place], along)?)));
        starts.next()
    })
}

/// What a turn does to the sequence.
struct Step {
    next: Value,
    position: Affine<Value>,
    fork: Option<(AxisId, Value)>,
}

/// The one value that a body writes into the carried place, the position, and what it puts in the place of rows before.
fn written(body: &Region, place: usize, along: AxisId, constant: &dyn Fn(usize) -> bool) -> Option<Step> {
    let parts = alternatives(body, body.results[place]?, along);
    let kept = |value: &Value| matches!(body.node(value.node).op, Op::Argument(own) if own == place || constant(own));
    let moved = |value: &Value| {
        let node = body.node(value.node);
        let (Op::Index(places), [source]) = (&node.op, node.operands.as_slice()) else { return None };
        let ([(axis, index)], (source, _)) = (places.as_slice(), strip(body, *source)) else { return None };
        let [(Term::Value(from), 1)] = index.terms.as_slice() else { return None };
        (kept(&source) && *axis != along && index.constant == 0).then_some((*axis, *from))
    };
    let new = parts.iter().filter(|(value, _)| !kept(value) && moved(value).is_none()).collect::<Vec<_>>();
    let [(next, relations)] = new.as_slice() else { return None };
    if body.typed(*next).ty.has(along) {
        return None;
    }
    let fork = parts.iter().find_map(|(value, _)| moved(value));
    let position = relations.iter().find_map(|relation| {
        let Relation::AtLeastZero(before) = relation else { return None };
        let position = before.plus(&Affine::axis(along), 1);
        let opposite = Relation::AtLeastZero(Affine::number(0).plus(before, -1));
        (!position.axes().any(|axis| axis == along) && relations.contains(&opposite)).then_some(position)
    });
    Some(Step { next: *next, position: position?, fork })
}
