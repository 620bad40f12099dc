//! What is known of each scan of a graph: classes, forms, and why a form is not there.

use super::body::Body;
use super::class::{Class, Update, classify, own_axes};
use super::fission::divided;
use super::form::Form as Of;
use super::range::Range;
use super::rewrite::{ranges_of, relative_cost};
use super::{Form, decay};
use crate::graph::{For, Graph, NodeId, Op, Region};
use crate::tensor::{Axes, BATCH};
use std::fmt;

/// Positions in a chunk where decays are the same for whole products: 64 takes a tenth to a fifth longer on AVX2, for
/// states of 64 by 64 and of 128 by 128.
const CHUNK: u32 = 32;
/// Positions in a chunk where every pair of positions has a decay for each channel.
const CHANNEL_CHUNK: u32 = 16;
const F32_BYTES: i64 = 4;

/// One carried value of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its axes but for the rows.
    pub axes: Vec<String>,
    /// Its class.
    pub class: Class,
    /// What it takes for each row.
    pub bytes: i64,
}

/// A `for` over a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Where it stands: the labels of the `for`s around it and its own.
    pub path: String,
    /// The sequence.
    pub axis: String,
    /// What it carries.
    pub states: Vec<State>,
    /// Positions in a chunk, if it is made chunkwise.
    pub chunk: Option<u32>,
    /// Whether it could be.
    pub possible: bool,
    /// Why it is not chunkwise.
    pub refusal: Option<String>,
}

impl fmt::Display for Scan {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(text, "scan {} along {}", self.path, self.axis)?;
        for state in &self.states {
            let axes = format!("[{}]", state.axes.join(", "));
            writeln!(text, "  carries    {axes:<16} {} bytes a row, {}", state.bytes, state.class)?;
        }
        let also = if self.possible { ", chunkwise" } else { "" };
        writeln!(text, "  forms      sequential, single step{also}")?;
        match self.chunk {
            Some(chunk) => writeln!(text, "  planned    chunkwise, {chunk} positions a chunk")?,
            None => writeln!(text, "  planned    sequential")?,
        }
        match &self.refusal {
            Some(why) => writeln!(text, "  because    {why}"),
            None => Ok(()),
        }
    }
}

/// All scans of a graph, outer ones first, as they are made in a form.
pub fn explain(graph: &Graph, form: Form) -> Vec<Scan> {
    let mut scans = Vec::new();
    let mut root = graph.root.clone();
    super::repeats::sink(&mut root);
    explain_all(&graph.axes, &root, &[], "", form, &mut scans);
    scans
}

fn explain_all(axes: &Axes, region: &Region, arguments: &[Range], path: &str, form: Form, scans: &mut Vec<Scan>) {
    for id in region.order() {
        let node = region.node(id);
        let Op::For(repeat) = &node.op else { continue };
        let path = if path.is_empty() { repeat.label.clone() } else { format!("{path}.{}", repeat.label) };
        explain_one(axes, region, id, arguments, &path, form, scans);
        let ranges = ranges_of(axes, region, arguments, repeat, &node.operands);
        repeat.bodies.iter().for_each(|body| explain_all(axes, body, &ranges, &path, form, scans));
    }
}

/// One `for`, or the parts that it falls into.
fn explain_one(
    axes: &Axes,
    region: &Region,
    id: NodeId,
    arguments: &[Range],
    path: &str,
    form: Form,
    scans: &mut Vec<Scan>,
) {
    let Some(decision) = decide(axes, region, id, arguments, form) else { return };
    if !decision.possible
        && let Some((parts, levels)) = divided(axes, region, id, arguments, form)
    {
        levels.iter().for_each(|level| explain_one(axes, &parts, *level, arguments, path, form, scans));
        return;
    }
    let Op::For(repeat) = &region.node(id).op else { return };
    let states = states(axes, region, id, &decision.classes);
    let axis = axes[repeat.axis].name.clone();
    let Decision { chunk, possible, refusal, .. } = decision;
    scans.push(Scan { path: path.into(), axis, states, chunk, possible, refusal });
}

fn states(axes: &Axes, region: &Region, id: NodeId, classes: &[Class]) -> Vec<State> {
    let node = region.node(id);
    let states = classes.iter().zip(&node.results).map(|(class, typed)| {
        let own = typed.ty.axes.iter().filter(|axis| **axis != BATCH);
        let size = |axis| axes.fixed(axis).unwrap_or(1);
        State {
            axes: own.clone().map(|axis| axes[*axis].name.clone()).collect(),
            class: class.clone(),
            bytes: own.map(|axis| size(*axis)).product::<i64>() * F32_BYTES,
        }
    });
    states.collect()
}

/// What is made of one scan.
pub(super) struct Decision {
    pub classes: Vec<Class>,
    pub chunk: Option<u32>,
    pub possible: bool,
    pub refusal: Option<String>,
}

/// Classifies a `for` over a sequence and chooses its form; nothing for other `for`s.
pub(super) fn decide(axes: &Axes, region: &Region, id: NodeId, arguments: &[Range], form: Form) -> Option<Decision> {
    let node = region.node(id);
    let Op::For(repeat) = &node.op else { return None };
    if !axes.is_sequence(repeat.axis) || repeat.bodies.len() != 1 {
        return None;
    }
    let mut body = Body::read(axes, region.clone(), repeat, &node.operands, &node.path);
    let known = (0..repeat.carried).map(|place| classify(&mut body, place)).collect::<Vec<_>>();
    let (classes, updates): (Vec<_>, Vec<_>) = known.into_iter().unzip();
    let obstacle = obstacle(&mut body, arguments, repeat, &classes, &updates);
    let updates = updates.into_iter().flatten().collect::<Vec<_>>();
    let possible = obstacle.is_none();
    let dear = || dearness(&body, &classes, &updates);
    let slower = || slowness(axes, region, id, arguments, planned_chunk(&body, &classes, &updates));
    let refusal = obstacle.or_else(|| match form {
        Form::Planned => dear().or_else(slower),
        Form::Sequential => Some("the sequential form was asked for".into()),
        Form::Chunkwise(_) => None,
    });
    let chunk = refusal.is_none().then(|| match form {
        Form::Chunkwise(Some(size)) => size,
        _ => planned_chunk(&body, &classes, &updates),
    });
    Some(Decision { classes, chunk, possible, refusal })
}

/// Why there is no chunkwise form.
fn obstacle(
    body: &mut Body,
    arguments: &[Range],
    repeat: &For,
    classes: &[Class],
    updates: &[Option<Update>],
) -> Option<String> {
    if repeat.until {
        return Some("rows stop when they like".into());
    }
    if classes.is_empty() {
        return Some("it carries nothing".into());
    }
    for class in classes {
        match class {
            Class::General(why) => return Some(format!("a general linear part: {why}")),
            Class::Nonlinear(why) => return Some(format!("the update is not affine: {why}")),
            _ => {}
        }
    }
    for update in updates.iter().flatten() {
        if let Err(why) = decay::logarithm(body, arguments, &update.decay) {
            return Some(why);
        }
    }
    turn_by_turn(body)
}

/// What yields need that cannot be done for all turns at once.
fn turn_by_turn(body: &mut Body) -> Option<String> {
    body.demand();
    body.read_values = vec![None; body.reads.len()];
    let mut open = body.region().results.iter().skip(body.repeat.carried).flatten().copied().collect::<Vec<_>>();
    let mut seen = std::collections::HashSet::new();
    while let Some(value) = open.pop() {
        if !seen.insert(value) || !matches!(body.forms[&value], Of::Later(_)) {
            continue;
        }
        if !body.is_liftable(value.node) {
            return Some(format!("`{}` is not done for all turns at once", body.region().node(value.node).path));
        }
        open.extend(body.region().node(value.node).reads());
    }
    None
}

/// Why the sequential form costs less for all sizes.
fn dearness(body: &Body, classes: &[Class], updates: &[Update]) -> Option<String> {
    let own = |place: usize| own_axes(body, place, &updates[place]).len();
    let wide = (0..classes.len()).filter(|place| own(*place) >= 2).collect::<Vec<_>>();
    let matrices = body.repeat.carried.min(classes.len());
    let by_element = |place: usize| classes[place] == Class::Diagonal && body.state(place).axes.len() > 2;
    if (0..matrices).any(by_element) {
        return Some("every element fades by itself, so a chunk would be dearer than its positions".into());
    }
    if wide.is_empty() {
        return Some("no carried value is a matrix, so a chunk would save nothing".into());
    }
    let whole = |place: &usize| {
        let is_whole = |read: &super::form::Read| read.state == *place && read.summed.is_empty();
        body.reads.iter().any(is_whole)
    };
    wide.iter().any(whole).then(|| "a whole matrix is read at every position".into())
}

/// Why the sequential form costs less for these sizes.
fn slowness(axes: &Axes, region: &Region, id: NodeId, arguments: &[Range], chunk: u32) -> Option<String> {
    let relative = relative_cost(axes, region, id, arguments, chunk)?;
    (relative >= 1.0).then(|| format!("in chunks it would cost about {relative:.1} times as much"))
}

fn planned_chunk(body: &Body, classes: &[Class], updates: &[Update]) -> u32 {
    let by_channel = |place: usize| {
        let own = own_axes(body, place, &updates[place]);
        let mut factors = updates[place].decay.iter().flat_map(|term| &term.factors);
        own.len() >= 2 && factors.any(|factor| own.iter().any(|axis| body.tape.ty(*factor).has(*axis)))
    };
    if (0..classes.len()).any(by_channel) { CHANNEL_CHUNK } else { CHUNK }
}
