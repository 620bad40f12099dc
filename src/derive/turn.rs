//! Makes the program of one turn from the program of a sampler.
//!
//! In: the graph of a `generate` line, whose `for` writes one position of the sequence in each turn. Out: a graph over
//! the positions that are known, whose outputs are what the turn writes next and whether the row stops. The number of
//! known positions is the length of its sequence, so that what a turn reads at the newest position is read at
//! `|t| - 1`; the decode step is derived from it as from any other program, and recomputes only what the turn before
//! has changed. What turns carry beside the sequence comes in and goes out under names that begin with [`names::CARRIED`].
//!
//! Right because every turn finds all earlier positions present: the first turn begins with the prompt, and each writes
//! the position after the last. [`written`] reads that off the body, [`truths`] forgets the conditions that it settles.

mod ahead;
mod blank;
mod every;
mod truths;
mod whole;
pub(super) mod written;

pub use blank::forgets_blank;

use super::NotIncremental;
use crate::graph::{Graph, Node, NodeId, Op, Region, Typed, Value};
use crate::tensor::{Affine, Axes, AxisId, BATCH, DType, Extent, Function, Relation, Scalar, ScalarStep, TensorType};
use archc_runtime::abi::names;
use std::collections::HashMap;
use written::Loop;

/// The whole-sequence form of a turn, and the axis that grows.
///
/// # Errors
/// What of the sampler is not written position by position.
pub fn turn(generate: &Graph) -> Result<(Graph, AxisId), NotIncremental> {
    let (graph, along, _) = opened(generate, &Loop::find(generate)?, None)?;
    Ok((graph, along))
}

/// The same at every position: what the sampler would say after each, and what it expects to say after that.
///
/// # Errors
/// As [`turn`]; or what of a turn is not its choice alone.
pub fn run(generate: &Graph) -> Result<(Graph, AxisId), NotIncremental> {
    let own = Loop::find(generate)?;
    if own.blank.is_some() {
        let reason = "a turn reads the position that it writes, and a draft stands at the one before".to_string();
        return Err(NotIncremental { path: generate.name.clone(), reason });
    }
    if own.fork.is_some() || own.answer.is_some() || !own.others(&generate.root).is_empty() {
        let reason = "its turns hand on more than the sequence".to_string();
        return Err(NotIncremental { path: generate.name.clone(), reason });
    }
    let (mut graph, along, follower) = opened(generate, &own, own.draft)?;
    every::spread(&graph.axes, &mut graph.root, along, follower)?;
    graph.name = names::RUN.into();
    Ok((graph, along))
}

/// The turn, the axis that grows, and the id after each position if a draft was asked for and needs it.
fn opened(
    generate: &Graph,
    own: &Loop<'_>,
    draft: Option<Value>,
) -> Result<(Graph, AxisId, Option<Value>), NotIncremental> {
    let mut axes = generate.axes.clone();
    axes.set_extent(own.along, Extent::Sequence);
    let mut opening = Opening::of(own, &generate.root, &generate.axes);
    let mut outputs = opening.run();
    let mut follower = None;
    if let Some(draft) = draft {
        let (guess, after) = opening.draft(draft)?;
        outputs.push((names::DRAFT.into(), guess));
        follower = after;
    }
    let (outputs, results): (Vec<_>, Vec<_>) = outputs.into_iter().unzip();
    let mut new = opening.new;
    new.results = results.into_iter().map(Some).collect();
    truths::settle(&axes, &mut new);
    whole::combine(&mut axes, &mut new, own.along);
    Ok((Graph { name: names::TURN.into(), axes, root: new, outputs }, own.along, follower))
}

/// The body of the loop on its way to the top.
struct Opening<'a> {
    own: &'a Loop<'a>,
    root: &'a Region,
    axes: &'a Axes,
    new: Region,
    /// Values of the body (true) or of the top (false) as they are now.
    known: HashMap<(bool, Value), Value>,
    /// The length of the prompt: what is known now, less the turns.
    prompt: Option<(Value, Affine<Value>)>,
    /// What is carried, by its place, as the turn leaves it.
    ended: HashMap<usize, Value>,
    /// What is known while a draft is copied.
    ahead: Option<ahead::Ahead>,
}

impl<'a> Opening<'a> {
    fn of(own: &'a Loop<'a>, root: &'a Region, axes: &'a Axes) -> Opening<'a> {
        let (known, ended) = (HashMap::new(), HashMap::new());
        Opening { own, root, axes, new: Region::default(), known, prompt: None, ended, ahead: None }
    }

    /// Copies what the outputs need; their names and values.
    fn run(&mut self) -> Vec<(String, Value)> {
        let mut outputs = vec![(names::NEXT.to_string(), self.output(self.own.next, -1.0, names::NEXT))];
        let stop = match self.own.until {
            Some(until) => self.copy(true, until),
            None => {
                let no = self.constant(0.0, DType::Bool);
                let ty = Typed::always(TensorType::new([BATCH], DType::Bool));
                self.new.add_one(Op::Map(Scalar::identity()), [no], ty, "stop")
            }
        };
        outputs.push((names::STOP.into(), stop));
        if let Some((_, from)) = self.own.fork {
            outputs.push((names::FORK.into(), self.output(from, 0.0, names::FORK)));
        }
        for place in self.own.others(self.root) {
            let Some(result) = self.own.body.results[place] else { continue };
            let value = self.output(result, 0.0, names::CARRIED);
            self.ended.insert(place, value);
            outputs.push((format!("{}{place}", names::CARRIED), value));
        }
        if let Some(answer) = self.own.answer {
            outputs.push((names::ANSWER.into(), self.output_of(false, answer, -1.0, names::ANSWER)));
        }
        outputs
    }

    /// A value of the body, with a number where it is absent.
    fn output(&mut self, value: Value, absent: f64, path: &str) -> Value {
        self.output_of(true, value, absent, path)
    }

    fn output_of(&mut self, inside: bool, value: Value, absent: f64, path: &str) -> Value {
        let value = self.copy(inside, value);
        let ty = self.new.typed(value).ty.clone();
        let absent = self.constant(absent, ty.dtype);
        self.new.add_one(Op::Else, [value, absent], Typed::always(ty), path)
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
        if inside && let Some(foreseen) = self.foreseen(value) {
            self.known.insert((inside, value), foreseen);
            return foreseen;
        }
        let region = if inside { self.own.body } else { self.root };
        let node = region.node(value.node).clone();
        let made = match &node.op {
            Op::For(_) if !inside && value.node == self.own.node => self.ended[&(value.result as usize)],
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
            let known = self.input(&self.own.name, ty.clone());
            return self.own.blank.map_or(known, |blank| self.before_the_blank(known, blank, ty));
        }
        if self.own.flag_place == Some(place) {
            let yes = self.constant(1.0, DType::Bool);
            return self.new.add_one(Op::Map(Scalar::identity()), [yes], Typed::always(ty), "known");
        }
        if self.own.others(self.root).contains(&place) {
            return self.carried(place, ty);
        }
        self.copy(false, self.own.operands[place])
    }

    /// What the turn before has left, or what the first begins with.
    fn carried(&mut self, place: usize, ty: TensorType) -> Value {
        let first = self.copy(false, self.own.operands[place]);
        let before = self.input(&format!("{}{place}", names::CARRIED), ty.clone());
        let turn = self.turn();
        let mut scalar = Scalar::default();
        let [turn_step, before_step, first_step] = [0, 1, 2].map(|place| scalar.push(ScalarStep::Operand(place)));
        let zero = scalar.push(ScalarStep::Number(0.0, DType::Int));
        let goes_on = scalar.push(ScalarStep::Call(Function::Less, vec![zero, turn_step]));
        scalar.push(ScalarStep::Call(Function::Select, vec![goes_on, before_step, first_step]));
        self.new.add_one(Op::Map(scalar), [turn, before, first], Typed::always(ty), names::CARRIED)
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
        let [known_step, turn_step] = [0, 1].map(|place| scalar.push(ScalarStep::Operand(place)));
        let left = scalar.push(ScalarStep::Call(Function::Subtract, vec![known_step, turn_step]));
        let mut form = Affine::value(known).plus(&Affine::value(turn), -1);
        if self.own.blank.is_some() {
            let one = scalar.push(ScalarStep::Number(1.0, DType::Int));
            scalar.push(ScalarStep::Call(Function::Subtract, vec![left, one]));
            form.constant -= 1;
        }
        let prompt = self.new.add_one(Op::Map(scalar), [known, turn], ty, "prompt");
        self.prompt = Some((prompt, form));
        prompt
    }

    /// `|prompt| + turn - 1` is `|t| - 1`, said so that it can be seen.
    fn expand(&self, form: &Affine<Value>) -> Affine<Value> {
        let prompt = self.prompt.as_ref();
        prompt.map_or_else(|| form.clone(), |(prompt, length)| truths::expand(form, *prompt, length))
    }

    fn expand_node(&self, node: &mut Node) {
        node.op.places_mut().iter_mut().for_each(|(_, place)| *place = self.expand(place));
        for relation in node.results.iter_mut().flat_map(|typed| &mut typed.presence.relations) {
            if let Relation::AtLeastZero(form) = relation {
                *form = self.expand(form);
            }
        }
    }

    fn copy_node(&mut self, inside: bool, value: Value, mut node: Node) -> Value {
        if inside && self.ahead.is_some() {
            // What it reads says what lies inside.
            node.op_reads().into_iter().for_each(|read| _ = self.copy(true, read));
            node.results.iter_mut().for_each(|typed| typed.presence.relations.retain(|one| !self.is_inside(one)));
        }
        let reads = node.reads();
        for read in reads {
            self.copy(inside, read);
        }
        let known = |read: Value| self.known[&(inside, read)];
        node.map_reads(known);
        self.expand_node(&mut node);
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
