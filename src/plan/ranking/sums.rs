//! Sums over what ranks above: `sum[u](y[v: u] where rank[v: u] < rank)` as one running sum along the list that the rank was
//! made by.

use crate::graph::{Node, Op, Value};
use crate::kernel::{Bound, Carried, Register};
use crate::plan::lowering::{Emitter, Order, Scope, scalar_type};
use crate::plan::place::{Place, Places, View};
use crate::plan::program::Step;
use crate::plan::schedule::Planner;
use crate::tensor::{AxisId, BATCH, Function, Presence, Relation, Scalar, Term};
use archc_runtime::abi::Size;

/// A sum over what ranks above.
pub(super) struct Running {
    /// What is summed, over the axis of the rank.
    pub(super) value: Value,
    /// Its own axis.
    pub(super) summed: AxisId,
    pub(super) rank: Value,
    pub(super) axis: AxisId,
}

impl<'p> Planner<'p> {
    /// Goes through the list that the rank was made by, and leaves at each place the sum of what came before.
    pub(super) fn sum_in_order(
        &mut self,
        scope: &Scope<'p>,
        node: &Node,
        (found, order): (&Running, &Order),
        view: &View,
        needed: &Presence<Value>,
    ) -> Step {
        let ty = node.results[0].ty.clone();
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(view);
        let places = self.open_others(&mut emitter, &ty.axes, &[found.axis]);
        let scalar = scalar_type(ty.dtype);
        let holds = emitter.relations_hold(needed, &places);
        emitter.only_if(holds, |emitter| {
            let with = |axis: AxisId, place: Place| {
                let mut all = places.clone();
                all.insert(axis, place);
                all
            };
            let at = |place: Place| with(found.axis, place);
            let (zero, nothing) = (emitter.nest.int(0), emitter.nest.number(0.0, scalar));
            let all = emitter.length(found.axis, &at(Place::number(0)));
            clear(emitter, view, [zero, all, nothing], &at);
            let count = emitter.nest.load(&order.count, &places);
            let index = emitter.nest.open_loop(Bound::Register(zero), Bound::Register(count), false, false);
            let sum = emitter.nest.carry(scalar);
            let here = emitter.nest.load(&order.places, &at(Place::index(index)));
            emitter.nest.store(view, &at(Place::register(here)), sum);
            let there = with(found.summed, Place::register(here));
            let present = emitter.present(found.value, &there);
            let value = emitter.value(found.value, &there);
            let value = emitter.choose(present, value, nothing);
            let next = emitter.nest.call(Function::Add, &[sum, value]);
            emitter.nest.close_loop(vec![Carried { register: sum, initial: nothing, next, combine: None }]);
        });
        let work = self.sizes.elements(&ty.axes).times(Size::Constant(2));
        self.launch(emitter.nest.finish("sum_above".into(), node.path.clone(), work))
    }
}

/// Stores a number in all places from one to another.
fn clear(emitter: &mut Emitter<'_, '_>, view: &View, [from, to, number]: [Register; 3], at: &dyn Fn(Place) -> Places) {
    let index = emitter.nest.open_loop(Bound::Register(from), Bound::Register(to), false, true);
    emitter.nest.store(view, &at(Place::index(index)), number);
    emitter.nest.close_loop(Vec::new());
}

/// A sum over one axis of what a rank along another, over the same positions, puts before each position.
pub(super) fn running(scope: &Scope, node: &Node) -> Option<Running> {
    let Op::Reduce(_, summed) = &node.op else { return None };
    let ([summed], [operand]) = (summed.as_slice(), node.operands.as_slice()) else { return None };
    let outer = scope.region.node(operand.node);
    let (Op::Map(scalar), [value]) = (&outer.op, outer.operands.as_slice()) else { return None };
    let relations = &outer.results[0].presence.relations;
    let (rank, axis) = relations.iter().find_map(|relation| above(scope, relation, *summed))?;
    let inner = scope.typed(strip(scope, *value));
    let other = places_read(scope, rank, relations);
    let own = |relation: &Relation<Value>| {
        let mut parts = [inner, scope.typed(rank)].into_iter().chain(other.iter().map(|value| scope.typed(*value)));
        above(scope, relation, *summed).is_some() || parts.any(|part| part.presence.relations.contains(relation))
    };
    let apart = !inner.ty.has(axis) && inner.ty.has(*summed);
    let long =
        scope.sizes.axes().alike(axis, *summed) || scope.sizes.axes().fixed(axis) == scope.sizes.axes().fixed(*summed);
    let rows = node.results[0].ty.has(BATCH) || !scope.sizes.axes().is_sequence(axis);
    let plain = *scalar == Scalar::identity() && node.results[0].ty.has(axis) && relations.iter().all(own);
    let found = Running { value: strip(scope, *value), summed: *summed, rank, axis };
    (plain && apart && long && rows).then_some(found)
}

/// What relations read beside a rank: the rank elsewhere.
fn places_read(scope: &Scope, rank: Value, relations: &[Relation<Value>]) -> Vec<Value> {
    let reads = relations.iter().flat_map(|relation| relation.values()).copied();
    let elsewhere = |value: &Value| scope.region.node(value.node).operands == [rank];
    reads.filter(|value| *value != rank && elsewhere(value)).collect()
}

/// What is repeated along further axes.
fn strip(scope: &Scope, mut value: Value) -> Value {
    loop {
        let node = scope.region.node(value.node);
        match (&node.op, node.operands.as_slice()) {
            (Op::Map(scalar), [only])
                if *scalar == Scalar::identity() && scope.typed(*only).presence == node.results[0].presence =>
            {
                value = *only;
            }
            _ => return value,
        }
    }
}

/// The rank and its axis, if a relation is `rank[axis: summed] < rank`.
fn above(scope: &Scope, relation: &Relation<Value>, summed: AxisId) -> Option<(Value, AxisId)> {
    let Relation::AtLeastZero(form) = relation else { return None };
    let value = |factor: i64| {
        form.terms.iter().find_map(|(term, own)| match term {
            Term::Value(value) if *own == factor => Some(*value),
            _ => None,
        })
    };
    let (rank, other) = (value(1)?, value(-1)?);
    let Op::Rank(axes) = &scope.region.node(rank.node).op else { return None };
    let [axis] = axes.as_slice() else { return None };
    let read = scope.region.node(other.node);
    let Op::Index(places) = &read.op else { return None };
    let moved = matches!(places.as_slice(), [(own, place)] if own == axis && place.as_axis() == Some(summed));
    (form.terms.len() == 2 && form.constant == -1 && moved && read.operands == [rank]).then_some((rank, *axis))
}
