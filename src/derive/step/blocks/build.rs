//! Builds the sampler that goes block by block: the turn over a block, what is kept after it, what is kept before all.

use super::super::homes::place_states;
use super::super::rewrite::{Rewrite, Slot};
use super::super::{NotIncremental, Shared};
use super::find::Nest;
use super::kept::{check, copy, made_of};
use crate::graph::{For, Graph, NodeId, Op, Region, Typed, Value};
use crate::tensor::{Affine, AxisId, BATCH, DType, Extent, Function, Scalar, ScalarStep, TensorType, Term};
use std::collections::{HashMap, HashSet};

/// The inner turn over a block.
struct Turn {
    body: Region,
    /// Where the block begins.
    start: Value,
    slots: Vec<Slot>,
    types: Vec<TensorType>,
    /// The nodes that the states are made of; where the block begins is one more given.
    made: Vec<NodeId>,
}

/// The sampler's graph with the turns of a nest over blocks.
pub(super) fn build(graph: &Graph, nest: &Nest) -> Result<Graph, NotIncremental> {
    let mut axes = graph.axes.clone();
    let chunk = axes.add("block", Extent::Fixed(nest.size));
    let (states, rings, ahead) = (Vec::new(), Vec::new(), Vec::new());
    let block = Some(nest.size);
    let mut shared = Shared { axes, chunk, context: nest.along, states, rings, ahead, block, again: 0 };
    let turn = turn(graph, nest, &mut shared)?;
    let body = outer_body(graph, nest, &turn);
    let mut axes = shared.axes;
    let pieces = axes.add("before", Extent::Pieces { of: nest.along, size: nest.size });
    let mut root = graph.root.clone();
    let before = before(graph, nest, &turn, pieces, &mut root);
    let (outer, _) = nest.loops(graph);
    let mut repeat = outer.clone();
    repeat.bodies = vec![body];
    extend(&mut root, nest.outer, repeat, &before, &turn.types);
    Ok(Graph { name: graph.name.clone(), axes, root, outputs: graph.outputs.clone() })
}

/// Gives a `for` that yields nothing more to carry.
fn extend(region: &mut Region, id: NodeId, mut repeat: For, initial: &[Value], types: &[TensorType]) {
    region.edit(id, |node| {
        node.operands.splice(repeat.carried..repeat.carried, initial.iter().copied());
        node.results.extend(types.iter().cloned().map(Typed::always));
        repeat.carried += types.len();
        node.op = Op::For(repeat);
    });
}

/// Numbers the arguments of a body from `border` on anew, after so many more.
fn move_up(body: &mut Region, border: usize, more: usize) {
    for id in body.ids() {
        body.edit(id, |node| match &mut node.op {
            Op::Argument(place) if *place >= border => *place += more,
            _ => {}
        });
    }
}

fn turn(graph: &Graph, nest: &Nest, shared: &mut Shared) -> Result<Turn, NotIncremental> {
    let (outer, inner) = nest.loops(graph);
    let mut old = inner.bodies[0].clone();
    old.rename(nest.along, shared.chunk);
    let mut new = Region::default();
    let operands = &nest.inner_node(graph).operands;
    let sliced = inner.carried..inner.carried + inner.sliced;
    let arguments = operands.iter().enumerate().map(|(place, value)| {
        let ty = &outer.bodies[0].typed(*value).ty;
        Typed::always(if sliced.contains(&place) { ty.without(&[inner.axis]) } else { ty.clone() })
    });
    let arguments = arguments.collect::<Vec<_>>();
    let start = start(&mut new, nest, &inner.bodies[0], &arguments);
    let wanted = old.results.iter().flatten().copied().collect::<Vec<_>>();
    let mut rewrite = Rewrite::new(shared, &old, new, start, Some(inner.axis));
    rewrite.arguments = arguments;
    rewrite.window = Some(nest.window.clone());
    rewrite.run(&wanted)?;
    let mut results = Vec::new();
    for (place, value) in old.results.iter().enumerate() {
        let own = value.map(|value| rewrite.own[&value]);
        let text = nest.texts.iter().any(|(text, _)| *text == place);
        results.push(own.map(|own| if text { written(&mut rewrite, place, own) } else { own }));
    }
    let Rewrite { new: mut body, slots, .. } = rewrite;
    refuse_other_types(nest, graph, &body, &results)?;
    results.splice(inner.carried..inner.carried, slots.iter().map(|slot| Some(slot.written)));
    body.results = results;
    let places = (0..slots.len()).collect::<Vec<_>>();
    place_states(&mut body, &slots, inner.carried, (&places, slots.len()));
    let types = slots.iter().map(|slot| body.typed(slot.held).ty.clone()).collect();
    let ends = slots.iter().map(|slot| slot.written).collect::<Vec<_>>();
    let made = made_of(&body, &ends, &HashSet::from([start.node]));
    let (border, states) = (inner.carried, slots.len());
    check(graph, nest, &body, &made, |place| match place {
        place if place < border => Some(place),
        place if place < border + states => None,
        place => Some(place - states),
    })?;
    Ok(Turn { body, start, slots, types, made })
}

/// The position at which the block begins.
fn start(new: &mut Region, nest: &Nest, body: &Region, arguments: &[Typed]) -> Value {
    let mut operands = Vec::new();
    for value in nest.window.index.values() {
        if let Op::Argument(place) = body.node(value.node).op {
            operands.push((*value, new.add_one(Op::Argument(place), [], arguments[place].clone(), "block")));
        }
    }
    number(new, &nest.window.index, nest.size, &operands, DType::Int)
}

/// `size · form`, for each row; each value of the form stands for another here, or for 0.
fn number(region: &mut Region, form: &Affine<Value>, size: i64, values: &[(Value, Value)], dtype: DType) -> Value {
    let mut scalar = Scalar::default();
    let mut sum = scalar.push(ScalarStep::Number((size * form.constant) as f64, dtype));
    let mut operands = Vec::new();
    for (term, factor) in &form.terms {
        let Term::Value(value) = term else { continue };
        let Some((_, here)) = values.iter().find(|(known, _)| known == value) else { continue };
        let own = scalar.push(ScalarStep::Operand(operands.len()));
        operands.push(*here);
        let factor = scalar.push(ScalarStep::Number((size * factor) as f64, dtype));
        let part = scalar.push(ScalarStep::Call(Function::Multiply, vec![own, factor]));
        sum = scalar.push(ScalarStep::Call(Function::Add, vec![sum, part]));
    }
    region.add_one(Op::Map(scalar), operands, Typed::always(TensorType::new([BATCH], dtype)), "block")
}

/// The whole text with a block of it as a turn leaves it.
fn written(rewrite: &mut Rewrite, place: usize, block: Value) -> Value {
    let typed = rewrite.arguments[place].clone();
    let text = rewrite.new.add_one(Op::Argument(place), [], typed.clone(), "text");
    let (chunk, context) = (rewrite.shared.chunk, rewrite.shared.context);
    let position = Affine::axis(chunk).plus(&Affine::value(rewrite.start), 1);
    rewrite.new.add_one(Op::Write(vec![(context, position)]), [text, block], typed, "text")
}

fn refuse_other_types(
    nest: &Nest,
    graph: &Graph,
    body: &Region,
    results: &[Option<Value>],
) -> Result<(), NotIncremental> {
    let node = nest.inner_node(graph);
    for (typed, result) in node.results.iter().zip(results) {
        if result.is_some_and(|value| body.typed(value).ty != typed.ty) {
            let reason = "a number that turns carry would become one for each row".to_string();
            return Err(NotIncremental { path: node.path.clone(), reason });
        }
    }
    Ok(())
}

/// One block: its turns, then what is kept of it.
fn outer_body(graph: &Graph, nest: &Nest, turn: &Turn) -> Region {
    let (outer, inner) = nest.loops(graph);
    let mut body = outer.bodies[0].clone();
    let states = turn.slots.len();
    move_up(&mut body, outer.carried, states);
    let mut held = Vec::new();
    for (place, ty) in turn.types.iter().enumerate() {
        let typed = Typed::always(ty.clone());
        held.push(body.add_one(Op::Argument(outer.carried + place), [], typed, turn.slots[place].name.clone()));
    }
    let repeat = For { bodies: vec![turn.body.clone()], ..inner.clone() };
    extend(&mut body, nest.inner, repeat, &held, &turn.types);
    let operands = body.node(nest.inner).operands.clone();
    let mut known = HashMap::new();
    let ends = turn.slots.iter().map(|slot| slot.written).collect::<Vec<_>>();
    let all = made_of(&turn.body, &ends, &HashSet::new());
    for id in &all {
        if let Op::Argument(place) = turn.body.node(*id).op {
            let end = Value { node: nest.inner, result: place as u32 };
            known.insert(Value::of(*id), if place < inner.carried + states { end } else { operands[place] });
        }
    }
    copy(&turn.body, &all, &mut body, &mut known);
    body.results.splice(outer.carried..outer.carried, ends.iter().map(|end| Some(known[end])));
    body
}

/// What is kept of the blocks before the first that changes: a `for` over these, from states of zeros.
fn before(graph: &Graph, nest: &Nest, turn: &Turn, pieces: AxisId, root: &mut Region) -> Vec<Value> {
    let (_, inner) = nest.loops(graph);
    let states = turn.slots.len();
    let mut operands = turn.types.iter().map(|ty| zeros(root, ty)).collect::<Vec<_>>();
    let mut body = Region::default();
    let mut known = HashMap::new();
    for (place, slot) in turn.slots.iter().enumerate() {
        let typed = Typed::always(turn.types[place].clone());
        known.insert(slot.held, body.add_one(Op::Argument(place), [], typed, slot.name.clone()));
    }
    for id in &turn.made {
        let Op::Argument(place) = turn.body.node(*id).op else { continue };
        if known.contains_key(&Value::of(*id)) {
            continue;
        }
        let text = nest.texts.iter().find(|(own, _)| *own == place);
        let outside = match text {
            Some((_, outer)) => Some(graph.root.node(nest.outer).operands[*outer]),
            None => nest.bring_out(graph, place - states, root),
        };
        let Some(outside) = outside else { continue };
        let typed = turn.body.node(*id).results[0].clone();
        known.insert(Value::of(*id), body.add_one(Op::Argument(operands.len()), [], typed, "before"));
        operands.push(outside);
    }
    let ty = Typed::always(TensorType::new([], DType::Int));
    let number_of_turn = body.add_one(Op::Turn, [], ty, "before");
    let own = Affine::value(number_of_turn);
    let start = number(&mut body, &own, nest.size, &[(number_of_turn, number_of_turn)], DType::Int);
    known.insert(turn.start, start);
    copy(&turn.body, &turn.made, &mut body, &mut known);
    let first = first_block(graph, nest, root);
    let ty = Typed::always(TensorType::new([BATCH], DType::Int));
    let count = body.add_one(Op::Argument(operands.len()), [], ty, "before");
    operands.push(first);
    body.results = turn.slots.iter().map(|slot| Some(known[&slot.written])).collect();
    let last = is_last(&mut body, number_of_turn, count);
    body.results.push(Some(last));
    let repeat = For { carried: states, until: true, ..For::of_one(pieces, body, &inner.label) };
    let results = turn.types.iter().cloned().map(Typed::always).collect::<Vec<_>>();
    let made = root.add(Op::For(repeat), operands, results, "before");
    (0..states as u32).map(|result| Value { node: made, result }).collect()
}

/// `count <= turn + 1`.
fn is_last(body: &mut Region, turn: Value, count: Value) -> Value {
    let mut scalar = Scalar::default();
    let [count_step, turn_step] = [0, 1].map(|place| scalar.push(ScalarStep::Operand(place)));
    let one = scalar.push(ScalarStep::Number(1.0, DType::Int));
    let next = scalar.push(ScalarStep::Call(Function::Add, vec![turn_step, one]));
    scalar.push(ScalarStep::Call(Function::LessEqual, vec![count_step, next]));
    let ty = Typed::always(TensorType::new([BATCH], DType::Bool));
    body.add_one(Op::Map(scalar), [count, turn], ty, "before")
}

/// The block of the first turns, outside of all loops.
fn first_block(graph: &Graph, nest: &Nest, root: &mut Region) -> Value {
    let body = &nest.loops(graph).1.bodies[0];
    let mut values = Vec::new();
    for value in nest.window.index.values() {
        if let Op::Argument(place) = body.node(value.node).op
            && let Some(outside) = nest.bring_out(graph, place, root)
        {
            values.push((*value, outside));
        }
    }
    number(root, &nest.window.index, 1, &values, DType::Int)
}

fn zeros(root: &mut Region, ty: &TensorType) -> Value {
    let zero = Typed::always(TensorType::scalar(ty.dtype));
    let zero = root.add_one(Op::Constant(vec![0.0]), [], zero, "nothing");
    root.add_one(Op::Map(Scalar::identity()), [zero], Typed::always(ty.clone()), "nothing")
}
