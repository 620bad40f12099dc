//! A turn at every position: what it would choose if that position were the last.
//!
//! In: a turn, which reads at `|t| - 1`. Out: the same at `t`, for all `t` at once; the turn's number is what the
//! position says, `t + 1` less the length of the prompt. A draft of several tokens is then judged in one call: what was
//! chosen at each of them is what the turns one after the other would have chosen, draws included.
//!
//! `f(x[t: |t| - 1], |t|, turn)`  →  `f(x, t + 1, t + 1 - prompted)`

use crate::derive::NotIncremental;
use crate::graph::{NodeId, Op, Region, Typed, Value};
use crate::tensor::{Affine, Axes, AxisId, BATCH, DType, Function, Presence, Scalar, ScalarStep, TensorType, Term};
use archc_runtime::abi::names;
use std::collections::HashSet;

/// Rewrites the top of a turn over the sequence `along`; its results lie along it then. At `follower` each position meets
/// what is chosen at it: the id after it.
///
/// # Errors
/// If something combines all positions with what is chosen at one.
pub(super) fn spread(
    axes: &Axes,
    region: &mut Region,
    along: AxisId,
    follower: Option<Value>,
) -> Result<(), NotIncremental> {
    let mut moved = Moved { axes, along, values: HashSet::new() };
    moved.read_at_each(region);
    moved.count(region);
    for id in region.order().into_iter().filter(|id| follower != Some(Value::of(*id))) {
        moved.widen(region, id)?;
    }
    moved.results(region);
    Ok(())
}

/// What has become another value at every position.
struct Moved<'a> {
    axes: &'a Axes,
    along: AxisId,
    values: HashSet<Value>,
}

impl Moved<'_> {
    /// What is read at the last position is read at each.
    fn read_at_each(&mut self, region: &mut Region) {
        for id in region.ids() {
            let node = region.node(id).clone();
            let Op::Index(places) = &node.op else { continue };
            let is_last = |(axis, place): &(AxisId, Affine<Value>)| *axis == self.along && is_last(region, place);
            if !places.iter().any(is_last) {
                continue;
            }
            let rest = places.iter().filter(|place| !is_last(place)).cloned().collect::<Vec<_>>();
            if rest.is_empty() {
                let typed = region.typed(node.operands[0]).clone();
                let identity = Op::Map(Scalar::identity());
                let each = region.add_one(identity, [node.operands[0]], typed, node.path.clone());
                region.replace(Value::of(id), each);
                self.values.insert(each);
            } else {
                let ty = self.wide(&node.results[0].ty);
                region.edit(id, |node| {
                    node.op = Op::Index(rest);
                    node.results[0].ty = ty;
                });
                self.values.insert(Value::of(id));
            }
        }
    }

    /// How many positions there are, and which turn it is, as each position has it.
    fn count(&mut self, region: &mut Region) {
        let ids = region.ids();
        let of = |region: &Region, wanted: &dyn Fn(&Op) -> bool| {
            let found = ids.iter().copied().filter(|id| wanted(&region.node(*id).op));
            found.collect::<Vec<NodeId>>()
        };
        let lengths = of(region, &|op| matches!(op, Op::Length(axis) if *axis == self.along));
        let turns = of(region, &|op| matches!(op, Op::Input(name) if name == names::TURN));
        let ty = |list: &[AxisId]| Typed { ty: TensorType::new(list, DType::Int), presence: Presence::always() };
        let mut scalar = Scalar::default();
        let place = scalar.push(ScalarStep::Coordinate(self.along));
        let one = scalar.push(ScalarStep::Number(1.0, DType::Int));
        scalar.push(ScalarStep::Call(Function::Add, vec![place, one]));
        let known = region.add_one(Op::Map(scalar), [], ty(&[self.along]), "known");
        let prompted = region.add_one(Op::Input(names::PROMPTED.into()), [], ty(&[BATCH]), names::PROMPTED);
        let mut scalar = Scalar::default();
        let operands = [0, 1].map(|place| scalar.push(ScalarStep::Operand(place)));
        scalar.push(ScalarStep::Call(Function::Subtract, operands.to_vec()));
        let turn = region.add_one(Op::Map(scalar), [known, prompted], ty(&[BATCH, self.along]), names::TURN);
        lengths.into_iter().for_each(|id| region.replace(Value::of(id), known));
        turns.into_iter().for_each(|id| region.replace(Value::of(id), turn));
        self.values.extend([known, turn]);
    }

    /// What reads a value that is now another at every position is so too.
    fn widen(&mut self, region: &mut Region, id: NodeId) -> Result<(), NotIncremental> {
        let node = region.node(id);
        let moved = node.reads().iter().any(|read| self.values.contains(read));
        if !moved || node.results.iter().any(|typed| self.values.contains(&Value::of(id)) && typed.ty.has(self.along)) {
            return Ok(());
        }
        let refuse = |reason: &str| NotIncremental { path: node.path.clone(), reason: reason.into() };
        if matches!(node.op, Op::For(_)) {
            return Err(refuse("a `for` reads what is chosen at one position"));
        }
        if node.results.iter().any(|typed| typed.ty.has(self.along)) || combines(&node.op, self.along) {
            return Err(refuse("what is chosen at one position meets all positions"));
        }
        let types = node.results.iter().map(|typed| self.wide(&typed.ty)).collect::<Vec<_>>();
        region.edit(id, |node| node.results.iter_mut().zip(types).for_each(|(typed, ty)| typed.ty = ty));
        self.values.insert(Value::of(id));
        Ok(())
    }

    /// Results that are the same at every position are repeated.
    fn results(&self, region: &mut Region) {
        for place in 0..region.results.len() {
            let Some(value) = region.results[place] else { continue };
            let mut typed = region.typed(value).clone();
            if !typed.ty.has(self.along) {
                typed.ty = self.wide(&typed.ty);
                let repeated = region.add_one(Op::Map(Scalar::identity()), [value], typed, "each");
                region.results[place] = Some(repeated);
            }
        }
    }

    fn wide(&self, ty: &TensorType) -> TensorType {
        let axes = ty.axes.iter().copied().chain([BATCH, self.along]);
        TensorType { axes: self.axes.ordered(axes), dtype: ty.dtype }
    }
}

/// Whether a place is `|t| - 1`.
fn is_last(region: &Region, place: &Affine<Value>) -> bool {
    let [(Term::Value(length), 1)] = place.terms.as_slice() else { return false };
    matches!(region.node(length.node).op, Op::Length(_)) && place.constant == -1
}

fn combines(op: &Op, along: AxisId) -> bool {
    matches!(op, Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) if axes.contains(&along))
}
