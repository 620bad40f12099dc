//! Makes the program of one turn from the program of a sampler.
//!
//! In: the graph of a `generate` line, whose `for` writes one position of the sequence in each turn. Out: a graph over
//! the positions that are known, whose outputs are what the turn writes next and whether the row stops. The number of
//! known positions is the length of its sequence, so that what a turn reads at the newest position is read at
//! `|t| - 1`; the decode step is derived from it as from any other program, and recomputes only what the turn before
//! has changed.
//!
//! Right because every turn finds all earlier positions present: the first turn begins with the prompt, and each writes
//! the position after the last. [`written`] reads that off the body, [`truths`] forgets the conditions that it settles.

mod truths;
mod written;

use super::NotIncremental;
use crate::graph::{Graph, Node, NodeId, Op, Region, Typed, Value};
use crate::tensor::{Affine, AxisId, BATCH, DType, Extent, Function, Relation, Scalar, ScalarStep, TensorType};
use archc_runtime::abi::names;
use std::collections::HashMap;
use written::Loop;

/// The whole-sequence form of a turn, and the axis that grows.
///
/// # Errors
/// What of the sampler is not written position by position.
pub fn turn(generate: &Graph) -> Result<(Graph, AxisId), NotIncremental> {
    let own = Loop::find(generate)?;
    let mut axes = generate.axes.clone();
    axes.set_extent(own.along, Extent::Sequence);
    let root = &generate.root;
    let mut opening = Opening { own: &own, root, new: Region::default(), known: HashMap::new(), prompt: None };
    let results = opening.run();
    let mut new = opening.new;
    new.results = results.into_iter().map(Some).collect();
    truths::settle(&axes, &mut new);
    let outputs = [names::NEXT, names::STOP].map(String::from).to_vec();
    Ok((Graph { name: names::TURN.into(), axes, root: new, outputs }, own.along))
}

/// The body of the loop on its way to the top.
struct Opening<'a> {
    own: &'a Loop<'a>,
    root: &'a Region,
    new: Region,
    /// Values of the body (true) or of the top (false) as they are now.
    known: HashMap<(bool, Value), Value>,
    /// The length of the prompt: what is known now, less the turns.
    prompt: Option<(Value, [(Value, i64); 2])>,
}

impl Opening<'_> {
    /// Copies what the written value and the end need.
    fn run(&mut self) -> [Value; 2] {
        let next = self.copy(true, self.own.next);
        let none = self.constant(-1.0, DType::Int);
        let ty = self.new.typed(next).ty.clone();
        let next = self.new.add_one(Op::Else, [next, none], Typed::always(ty), "next");
        let stop = match self.own.until {
            Some(until) => self.copy(true, until),
            None => {
                let no = self.constant(0.0, DType::Bool);
                let ty = Typed::always(TensorType::new([BATCH], DType::Bool));
                self.new.add_one(Op::Map(Scalar::identity()), [no], ty, "stop")
            }
        };
        [next, stop]
    }

    fn constant(&mut self, number: f64, dtype: DType) -> Value {
        self.new.add_one(Op::Constant(vec![number]), [], Typed::always(TensorType::scalar(dtype)), "number")
    }

    fn input(&mut self, name: &str, ty: TensorType) -> Value {
        let known =
            self.new.ids().into_iter().find(|id| matches!(&self.new.node(*id).op, Op::Input(own) if own == name));
        known.map_or_else(|| self.new.add_one(Op::Input(name.into()), [], Typed::always(ty), name), Value::of)
    }

    /// A value of the body or of the top, with all that it reads.
    fn copy(&mut self, inside: bool, value: Value) -> Value {
        if let Some(&known) = self.known.get(&(inside, value)) {
            return known;
        }
        let region = if inside { self.own.body } else { self.root };
        let node = region.node(value.node).clone();
        let made = match &node.op {
            Op::Argument(place) if inside => self.argument(*place, &node),
            Op::Turn if inside => self.turn(),
            Op::Length(axis) if *axis == self.own.prompt => self.prompt_length(),
            _ => return self.copy_node(inside, value, node),
        };
        self.known.insert((inside, value), made);
        made
    }

    fn argument(&mut self, place: usize, node: &Node) -> Value {
        let ty = node.results[0].ty.clone();
        if place == self.own.place {
            return self.input(&self.own.name, ty);
        }
        if self.own.flag_place == Some(place) {
            let yes = self.constant(1.0, DType::Bool);
            return self.new.add_one(Op::Map(Scalar::identity()), [yes], Typed::always(ty), "known");
        }
        self.copy(false, self.own.operands[place])
    }

    /// The number of the turn: the caller says it.
    fn turn(&mut self) -> Value {
        self.input(names::TURN, TensorType::scalar(DType::Int))
    }

    /// What is known now without what turns have written.
    fn prompt_length(&mut self) -> Value {
        let ty = Typed::always(TensorType::new([BATCH], DType::Int));
        let known = self.new.add_one(Op::Length(self.own.along), [], ty.clone(), "known");
        let turn = self.turn();
        let mut scalar = Scalar::default();
        let operands = [0, 1].map(|place| scalar.push(ScalarStep::Operand(place)));
        scalar.push(ScalarStep::Call(Function::Subtract, operands.to_vec()));
        let prompt = self.new.add_one(Op::Map(scalar), [known, turn], ty, "prompt");
        self.prompt = Some((prompt, [(known, 1), (turn, -1)]));
        prompt
    }

    /// `|prompt| + turn - 1` is `|t| - 1`, said so that it can be seen.
    fn expand(&self, form: &Affine<Value>) -> Affine<Value> {
        self.prompt.map_or_else(|| form.clone(), |(prompt, parts)| truths::expand(form, prompt, parts))
    }

    fn copy_node(&mut self, inside: bool, value: Value, mut node: Node) -> Value {
        let reads = node.reads();
        for read in reads {
            self.copy(inside, read);
        }
        let known = |read: Value| self.known[&(inside, read)];
        node.map_reads(known);
        node.op.places_mut().iter_mut().for_each(|(_, place)| *place = self.expand(place));
        for relation in node.results.iter_mut().flat_map(|typed| &mut typed.presence.relations) {
            if let Relation::AtLeastZero(form) = relation {
                *form = self.expand(form);
            }
        }
        if inside && let Op::Draw(..) = node.op {
            let turn = self.turn();
            let row = self.input(names::ROW, TensorType::new([BATCH], DType::Int));
            node.operands.extend([turn, row]);
        }
        let results = node.results.len() as u32;
        let id: NodeId = self.new.insert(node);
        for result in 0..results {
            self.known.insert((inside, Value { node: value.node, result }), Value { node: id, result });
        }
        self.known[&(inside, value)]
    }
}
