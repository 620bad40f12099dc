//! Reads off a sampler's `for` what each turn writes: one position of a sequence, the one after the last known.
//!
//! `ids = prompt[p: t]; for n in new until end { …; ids = next where t == |p| + n }`

use crate::derive::NotIncremental;
use crate::graph::{For, Graph, NodeId, Op, Region, Value};
use crate::tensor::{Affine, AxisId, DType, Relation, Scalar, Term};

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
}

impl<'a> Loop<'a> {
    /// The loop whose end is what the graph gives.
    pub fn find(graph: &'a Graph) -> Result<Loop<'a>, NotIncremental> {
        let root = &graph.root;
        let refuse = |reason: &str| NotIncremental { path: graph.name.clone(), reason: reason.into() };
        let [Some(result)] = root.results.as_slice() else { return Err(refuse("it gives several results")) };
        let (end, relations) = strip(root, *result);
        let node = root.node(end.node);
        let Op::For(repeat) = &node.op else { return Err(refuse("its result is not what a `for` writes")) };
        let place = end.result as usize;
        let flag = relations.iter().find_map(|relation| match relation {
            Relation::Holds(flag) if flag.node == end.node => Some(flag.result as usize),
            _ => None,
        });
        let plain = place < repeat.carried && repeat.bodies.len() == 1 && !repeat.reverse;
        if !plain || repeat.carried != 1 + usize::from(flag.is_some()) {
            return Err(refuse("its `for` carries more than the sequence that it writes"));
        }
        let ty = &node.results[place].ty;
        let along = ty.axes.iter().copied().find(|axis| graph.axes.is_sequence(*axis));
        let along =
            along.filter(|_| ty.dtype == DType::Int).ok_or_else(|| refuse("it writes no sequence of tokens"))?;
        let start = begins_with(root, node.operands[place], along);
        let (name, prompt) = start.ok_or_else(|| refuse("the sequence does not begin with an input"))?;
        let body = &repeat.bodies[0];
        let operands = node.operands.as_slice();
        let constant =
            |place: usize| operands.get(place).is_some_and(|value| alternatives(root, *value, along).is_empty());
        let new = written(body, place, along, &|place| place >= repeat.carried && constant(place));
        let (next, position) = new.ok_or_else(|| refuse("a turn writes more than one position"))?;
        let own = Loop { along, prompt, name, place, flag_place: flag, operands, body, next, until: until(repeat) };
        if !own.is_after_the_last(root, &position) {
            return Err(refuse("a turn does not write the position after the last known"));
        }
        let draws = |region: &Region| region.ids().into_iter().any(|id| has_draw(region, id));
        let inner = body.ids().into_iter().flat_map(|id| body.node(id).bodies());
        if inner.into_iter().any(draws) {
            return Err(refuse("something is drawn inside of a `for` of the turn"));
        }
        Ok(own)
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
fn alternatives(region: &Region, value: Value, along: AxisId) -> Vec<(Value, Vec<Relation<Value>>)> {
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

/// The input that a sequence begins with, and its own sequence.
fn begins_with(root: &Region, initial: Value, along: AxisId) -> Option<(String, AxisId)> {
    let parts = alternatives(root, initial, along);
    let [(only, _)] = parts.as_slice() else { return None };
    let node = root.node(only.node);
    let (Op::Index(places), [source]) = (&node.op, node.operands.as_slice()) else { return None };
    let [(axis, place)] = places.as_slice() else { return None };
    let Op::Input(name) = &root.node(source.node).op else { return None };
    (place.as_axis() == Some(along)).then(|| (name.clone(), *axis))
}

/// The one value that a body writes into the carried place, and the position.
fn written(
    body: &Region,
    place: usize,
    along: AxisId,
    constant: &dyn Fn(usize) -> bool,
) -> Option<(Value, Affine<Value>)> {
    let parts = alternatives(body, body.results[place]?, along);
    let kept = |value: &Value| matches!(body.node(value.node).op, Op::Argument(own) if own == place || constant(own));
    let new = parts.iter().filter(|(value, _)| !kept(value)).collect::<Vec<_>>();
    let [(next, relations)] = new.as_slice() else { return None };
    if body.typed(*next).ty.has(along) {
        return None;
    }
    relations.iter().find_map(|relation| {
        let Relation::AtLeastZero(before) = relation else { return None };
        let position = before.plus(&Affine::axis(along), 1);
        let opposite = Relation::AtLeastZero(Affine::number(0).plus(before, -1));
        (!position.axes().any(|axis| axis == along) && relations.contains(&opposite)).then_some((*next, position))
    })
}
