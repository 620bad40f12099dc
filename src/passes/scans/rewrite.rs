//! Rewrites `for`s over sequences to `for`s over chunks.

use super::Form;
use super::body::Body;
use super::chunk::{Chunk, state_type};
use super::class::{Update, own_axes};
use super::cost::cost;
use super::fission::divided;
use super::form::{Base, Form as Of, Read};
use super::pieces::{Cuts, Pieces, cast};
use super::range::{Range, range_of};
use super::repeats::sink;
use super::report::{Decision, decide};
use super::turn::{Order, Turn};
use crate::fault::Bug;
use crate::graph::{For, Graph, NodeId, Op, Region, Typed, Value};
use crate::ops::stacked;
use crate::tensor::{Affine, Axes, BATCH, Presence, Relation};

/// The graph with scans in the form that is asked for.
///
/// # Errors
/// A rewrite that broke the graph.
pub fn chunkwise(mut graph: Graph, form: Form) -> Result<Graph, Bug> {
    if form == Form::Sequential {
        return Ok(graph);
    }
    let mut cuts = Cuts::default();
    sink(&mut graph.root);
    let changed = rewrite_all(&mut graph.axes, &mut graph.root, &[], form, &mut cuts);
    if changed {
        graph.verify().map_err(|bug| Bug::new("scans", bug.guarantee).detail(bug.detail))?;
    }
    Ok(graph)
}

fn rewrite_all(axes: &mut Axes, region: &mut Region, arguments: &[Range], form: Form, cuts: &mut Cuts) -> bool {
    let mut changed = false;
    for id in region.order() {
        let Op::For(repeat) = &region.node(id).op else { continue };
        let mut repeat = repeat.clone();
        let operands = region.node(id).operands.clone();
        let ranges = ranges_of(axes, region, arguments, &repeat, &operands);
        let mut inside = false;
        for body in &mut repeat.bodies {
            inside |= rewrite_all(axes, body, &ranges, form, cuts);
        }
        if inside {
            region.edit(id, |node| node.op = Op::For(repeat));
            changed = true;
            continue;
        }
        changed |= rewrite_one(axes, region, id, &repeat, arguments, form, cuts);
    }
    changed
}

/// Makes one `for` chunkwise, or parts of it.
fn rewrite_one(
    axes: &mut Axes,
    region: &mut Region,
    id: NodeId,
    repeat: &For,
    arguments: &[Range],
    form: Form,
    cuts: &mut Cuts,
) -> bool {
    match decide(axes, region, id, arguments, form) {
        Some(Decision { chunk: Some(size), .. }) => {
            let pieces = cuts.of(axes, repeat.axis, i64::from(size), repeat.reverse);
            let new = rewrite(axes, region, id, arguments, &pieces);
            let made = new.is_some();
            *region = new.unwrap_or_else(|| std::mem::take(region));
            made
        }
        Some(Decision { possible: false, .. }) => {
            let Some((new, levels)) = divided(axes, region, id, arguments, form) else { return false };
            *region = new;
            let one = |level: NodeId| rewrite_one(axes, region, level, repeat, arguments, form, cuts);
            levels.into_iter().map(one).fold(false, |changed, made| changed | made)
        }
        _ => false,
    }
}

/// The ranges of the arguments of a `for`'s bodies.
pub(super) fn ranges_of(
    axes: &Axes,
    region: &Region,
    arguments: &[Range],
    repeat: &For,
    operands: &[Value],
) -> Vec<Range> {
    let range = |(place, operand): (usize, &Value)| match place < repeat.carried {
        true => Range::ANY,
        false => range_of(axes, region, arguments, *operand),
    };
    operands.iter().enumerate().map(range).collect()
}

/// How many times as much the chunkwise form of a `for` costs, in chunks of so many positions; nothing if some part has
/// no such form.
pub(super) fn relative_cost(axes: &Axes, region: &Region, id: NodeId, arguments: &[Range], size: u32) -> Option<f64> {
    let Op::For(repeat) = &region.node(id).op else { return None };
    let mut axes = axes.clone();
    let pieces = Cuts::default().of(&mut axes, repeat.axis, i64::from(size), repeat.reverse);
    let new = rewrite(&axes, region, id, arguments, &pieces)?;
    Some(cost(&axes, &new) / cost(&axes, region))
}

/// The region with a `for` made chunkwise; nothing if some part has no such form.
fn rewrite(axes: &Axes, region: &Region, id: NodeId, arguments: &[Range], pieces: &Pieces) -> Option<Region> {
    let node = region.node(id).clone();
    let Op::For(repeat) = &node.op else { return None };
    let mut body = Body::read(axes, region.clone(), repeat, &node.operands, &node.path);
    let updates = body.updates()?;
    body.demand();
    let mut finals = vec![None; repeat.carried];
    body.read_values = vec![None; body.reads.len()];
    run_chunks(&mut body, arguments, pieces, &updates, &mut finals)?;
    for (place, update) in updates.iter().enumerate().filter(|(_, update)| update.decay.is_empty()) {
        finals[place] = Some(shifted(&mut body, pieces, place, update)?);
    }
    let results = results(&mut body, &node.results, &finals)?;
    let mut region = body.tape.into_regions().0;
    for (result, value) in results.into_iter().enumerate() {
        region.replace(Value { node: id, result: result as u32 }, value);
    }
    region.remove(id);
    Some(region)
}

/// Makes the `for` over chunks, and fills in the reads and what is carried in the end.
fn run_chunks(
    body: &mut Body,
    arguments: &[Range],
    pieces: &Pieces,
    updates: &[Update],
    finals: &mut [Option<Value>],
) -> Option<()> {
    let chunked = (0..updates.len()).filter(|place| !updates[*place].decay.is_empty()).collect::<Vec<_>>();
    if chunked.is_empty() {
        return Some(());
    }
    let path = body.tape.path.clone();
    let mut turn = Turn::new(body.tape.axes, pieces, chunked.len(), &path);
    let (mut initial, mut results, mut yields) = (Vec::new(), Vec::new(), Vec::new());
    for (number, place) in chunked.iter().enumerate() {
        let update = &updates[*place];
        let order = Order { own: own_axes(body, *place, update) };
        let ty = state_type(&order, &turn, &body.state(*place));
        initial.push(cast(&mut body.tape, body.operands[*place], &ty));
        let decay = super::decay::logarithm(body, arguments, &update.decay).ok()?;
        let state = turn.state(number, ty);
        let reads = body.reads.clone();
        let mut chunk = Chunk { turn: &mut turn, outer: &mut body.tape, reads: &reads, update, order, state };
        let (made, after) = chunk.make(*place, decay)?;
        results.push(after);
        let mut made = made.into_iter().collect::<Vec<_>>();
        made.sort_by_key(|(read, _)| *read);
        yields.extend(made);
    }
    let types = results.iter().map(|value| turn.tape.ty(*value)).collect::<Vec<_>>();
    let stacks = yields.iter().map(|(_, value)| stacked(&turn.tape.ty(*value), pieces.chunk)).collect::<Vec<_>>();
    let (mut region, sliced, captured) = turn.finish();
    region.results = results.iter().copied().chain(yields.iter().map(|(_, value)| *value)).map(Some).collect();
    let mut operands = initial;
    for value in &sliced {
        operands.push(pieces.cut(&mut body.tape, *value));
    }
    operands.extend(captured);
    let op = Op::For(For {
        reverse: pieces.reverse,
        carried: chunked.len(),
        sliced: sliced.len(),
        ..For::of_one(pieces.chunk, region, &body.repeat.label)
    });
    let all = types.into_iter().chain(stacks).map(Typed::always).collect::<Vec<_>>();
    let node = body.tape.region().add(op, operands, all, path);
    for (number, place) in chunked.iter().enumerate() {
        finals[*place] = Some(Value { node, result: number as u32 });
    }
    for (number, (read, _)) in yields.iter().enumerate() {
        let value = Value { node, result: (chunked.len() + number) as u32 };
        body.read_values[*read] = Some(pieces.join(&mut body.tape, value));
    }
    Some(())
}

/// A carried value that each turn gives anew: its reads are those of the turn before. Returns the last.
fn shifted(body: &mut Body, pieces: &Pieces, place: usize, update: &Update) -> Option<Value> {
    let given = body.made(&update.pushes)?;
    let state = body.state(place);
    let given = body.tape.shaped(given, &stacked(&state, pieces.along));
    let along = pieces.along;
    let step = if pieces.reverse { 1 } else { -1 };
    let before = Affine::axis(along).plus(&Affine::number(step), 1);
    let length = pieces.length(&mut body.tape, state.has(BATCH));
    let inside = match pieces.reverse {
        true => Affine::value(length).plus(&Affine::number(1), -1).plus(&before, -1),
        false => before.clone(),
    };
    let presence = Presence { relations: vec![Relation::AtLeastZero(inside)] };
    let typed = Typed { ty: stacked(&state, along), presence };
    let earlier = body.tape.add(Op::Index(vec![(along, before)]), vec![given], typed.clone());
    let initial = body.operands[place];
    let earlier = body.tape.add(Op::Else, vec![earlier, initial], Typed::always(typed.ty));
    for number in 0..body.reads.len() {
        let Read { state, factors, summed } = body.reads[number].clone();
        if state == place {
            let product = body.product(1.0, &factors, Some(earlier));
            let value = if summed.is_empty() { product } else { body.contracted(&[product], &summed)? };
            body.read_values[number] = Some(value);
        }
    }
    let last = match pieces.reverse {
        true => Affine::number(0),
        false => Affine::value(length).plus(&Affine::number(1), -1),
    };
    let any = Affine::value(length).plus(&Affine::number(1), -1);
    let presence = Presence { relations: vec![Relation::AtLeastZero(any)] };
    let typed = Typed { ty: state.clone(), presence };
    let last = body.tape.add(Op::Index(vec![(along, last)]), vec![given], typed);
    Some(body.tape.add(Op::Else, vec![last, initial], Typed::always(state)))
}

/// The values that take the place of the results of the `for`.
fn results(body: &mut Body, types: &[Typed], finals: &[Option<Value>]) -> Option<Vec<Value>> {
    let mut made = Vec::with_capacity(types.len());
    for (place, typed) in types.iter().enumerate() {
        let value = match finals.get(place) {
            Some(value) => (*value)?,
            None => body.outer(body.region().results[place]?)?,
        };
        made.push(body.stored(value, typed.clone()));
    }
    Some(made)
}

impl Body<'_> {
    /// The updates of all carried values, if all have a shape.
    pub fn updates(&mut self) -> Option<Vec<Update>> {
        (0..self.repeat.carried).map(|place| super::class::classify(self, place).1).collect()
    }

    /// Adds the reads that yields need of whole carried values.
    pub fn demand(&mut self) {
        let yields = self.region().results.iter().skip(self.repeat.carried).flatten().copied();
        let mut open = yields.collect::<Vec<_>>();
        let mut seen = std::collections::HashSet::new();
        while let Some(value) = open.pop() {
            if !seen.insert(value) {
                continue;
            }
            match self.forms[&value].clone() {
                Of::Free(_) => {}
                Of::Later(_) => open.extend(self.region().node(value.node).reads()),
                Of::Affine(terms) => {
                    for term in terms {
                        if let Base::State(state) = term.base {
                            self.add_read(Read { state, factors: Vec::new(), summed: Vec::new() });
                        }
                    }
                }
            }
        }
    }
}
