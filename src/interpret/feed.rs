//! What a caller brings to a run, and the sizes that follow from it.

use crate::fault::Environment;
use crate::graph::{Graph, Op, Region};
use crate::ops::World;
use crate::tensor::{Array, Axes, Axis, AxisId, BATCH, Extent, Shape};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Numbers in row-major order; which axes they lie along, the program knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Data {
    /// One extent for each axis.
    pub extents: Vec<usize>,
    /// The elements.
    pub numbers: Vec<f64>,
}

impl Data {
    /// Numbers with these extents.
    pub fn new(extents: impl Into<Vec<usize>>, numbers: impl Into<Vec<f64>>) -> Data {
        Data { extents: extents.into(), numbers: numbers.into() }
    }

    /// One number without axes.
    pub fn scalar(number: f64) -> Data {
        Data::new([], [number])
    }
}

/// Everything that a run takes from outside.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    /// Inputs by name.
    pub inputs: HashMap<String, Data>,
    /// Parameters and buffers by path.
    pub parameters: HashMap<String, Rc<Data>>,
    /// Each row's number of positions, by the name of the sequence; absent: the whole extent.
    pub lengths: HashMap<String, Vec<usize>>,
    /// Extents of axes that no input settles, by name (`batch` too).
    pub sizes: HashMap<String, usize>,
    /// Run-time settings by name.
    pub settings: HashMap<String, f64>,
    /// The seed of draws.
    pub seed: u64,
    /// Draws that the caller decides, by path, with the axes of the draw.
    pub draws: HashMap<String, Data>,
    /// Whether to check that recorded presence promises nothing that is absent.
    pub check_presence: bool,
}

/// Settles every size of a run.
pub(super) fn world_of<'a>(graph: &'a Graph, feed: &Feed) -> Result<World<'a>, Environment> {
    let mut sizes = Sizes { axes: &graph.axes, extents: HashMap::new(), lengths: HashMap::new() };
    sizes.read_feed(graph, feed)?;
    let mut used = HashSet::new();
    used_classes(graph, &graph.root, &mut used);
    sizes.compute(feed, &used)?;
    let count = graph.axes.iter().count();
    let class = |axis: usize| graph.axes[AxisId(axis as u32)].class;
    let extents = (0..count).map(|axis| sizes.extents.get(&class(axis)).copied().unwrap_or(0)).collect();
    let lengths = (0..count).map(|axis| sizes.lengths.get(&class(axis)).cloned()).collect();
    let mut world = World {
        axes: &graph.axes,
        extents,
        lengths,
        settings: feed.settings.clone(),
        seed: feed.seed,
        draws: HashMap::new(),
    };
    world.draws = fed_draws(graph, feed, &world);
    Ok(world)
}

struct Sizes<'a> {
    axes: &'a Axes,
    extents: HashMap<AxisId, usize>,
    lengths: HashMap<AxisId, Rc<Vec<usize>>>,
}

impl Sizes<'_> {
    fn read_feed(&mut self, graph: &Graph, feed: &Feed) -> Result<(), Environment> {
        for (axis, known) in self.axes.iter() {
            if let Extent::Fixed(size) = known.extent {
                self.extents.insert(known.class, size as usize);
            } else if let Some(size) = feed.sizes.get(&known.name) {
                self.settle(axis, *size, &known.name)?;
            }
        }
        for id in graph.root.ids() {
            let node = graph.root.node(id);
            if let (Op::Input(name), Some(data)) = (&node.op, input_of(&node.op, feed)) {
                let axes = &node.results[0].ty.axes;
                if axes.len() != data.extents.len() {
                    return Err(Environment::new(format!("the input `{name}` has {} axes", axes.len())));
                }
                for (axis, extent) in axes.iter().zip(&data.extents) {
                    self.settle(*axis, *extent, name)?;
                }
            }
        }
        for (name, lengths) in &feed.lengths {
            if let Some(class) = self.sequence_called(name) {
                self.keep_lengths(class, lengths.clone());
            }
        }
        Ok(())
    }

    /// The sequence of a name: the first that is not another index over one. A block may give its own indices the names
    /// of sequences outside it, and their lengths are not those.
    fn sequence_called(&self, name: &str) -> Option<AxisId> {
        let called = |(axis, known): &(AxisId, &Axis)| known.name == *name && self.axes.is_sequence(*axis);
        let own = self.axes.iter().filter(called).find(|(axis, known)| known.class == *axis);
        own.or_else(|| self.axes.iter().find(called)).map(|(_, known)| known.class)
    }

    fn settle(&mut self, axis: AxisId, extent: usize, name: &str) -> Result<(), Environment> {
        let known = *self.extents.entry(self.axes[axis].class).or_insert(extent);
        if known == extent {
            return Ok(());
        }
        let axis = &self.axes[axis].name;
        Err(Environment::new(format!("`{name}` has {extent} positions along {axis}, and there are {known}")))
    }

    /// Lengths that are all equal to the extent say nothing.
    fn keep_lengths(&mut self, class: AxisId, lengths: Vec<usize>) {
        let extent = *self.extents.entry(class).or_insert_with(|| lengths.iter().copied().max().unwrap_or(0));
        if lengths.iter().any(|length| *length != extent) {
            self.lengths.insert(class, Rc::new(lengths));
        }
    }

    /// Sequences whose lengths follow from others.
    fn compute(&mut self, feed: &Feed, used: &HashSet<AxisId>) -> Result<(), Environment> {
        let rows = *self.extents.entry(BATCH).or_insert(1);
        for (axis, known) in self.axes.iter() {
            let Extent::Computed { lengths, settings, constant } = &known.extent else { continue };
            if known.class != axis || self.extents.contains_key(&axis) || !used.contains(&axis) {
                continue;
            }
            let mut base = *constant;
            for (name, factor) in settings {
                let missing = || Environment::new(format!("the setting `{name}` is missing"));
                base += factor * *feed.settings.get(name).ok_or_else(missing)? as i64;
            }
            let length = |row: usize| {
                let terms = lengths.iter().map(|(other, factor)| factor * self.length(*other, row) as i64);
                (base + terms.sum::<i64>()).max(0) as usize
            };
            let all = (0..rows).map(length).collect::<Vec<_>>();
            self.keep_lengths(axis, all);
        }
        for (axis, known) in self.axes.iter() {
            let Extent::Pieces { of, size } = known.extent else { continue };
            let whole = self.extents.get(&self.axes[of].class).copied().unwrap_or(0);
            self.extents.insert(axis, whole.div_ceil(size as usize));
        }
        Ok(())
    }

    fn length(&self, axis: AxisId, row: usize) -> usize {
        let class = self.axes[axis].class;
        match self.lengths.get(&class) {
            Some(lengths) => lengths[row],
            None => self.extents.get(&class).copied().unwrap_or(0),
        }
    }
}

/// The axes that any value has or a `for` runs along: those of other programs of the model may stay without a size.
fn used_classes(graph: &Graph, region: &Region, used: &mut HashSet<AxisId>) {
    for id in region.ids() {
        let node = region.node(id);
        let axes = node.results.iter().flat_map(|typed| &typed.ty.axes);
        used.extend(axes.map(|axis| graph.axes[*axis].class));
        if let Op::For(repeated) = &node.op {
            used.insert(graph.axes[repeated.axis].class);
        }
        node.bodies().iter().for_each(|body| used_classes(graph, body, used));
    }
}

fn input_of<'a>(op: &Op, feed: &'a Feed) -> Option<&'a Data> {
    match op {
        Op::Input(name) => feed.inputs.get(name),
        _ => None,
    }
}

/// Fed draws get the axes that their nodes have.
fn fed_draws(graph: &Graph, feed: &Feed, world: &World) -> HashMap<String, Array> {
    let mut draws = HashMap::new();
    let mut regions = vec![&graph.root];
    while let Some(region) = regions.pop() {
        for id in region.ids() {
            let node = region.node(id);
            regions.extend(node.bodies());
            let Op::Draw(_, path) = &node.op else { continue };
            if let Some(data) = feed.draws.get(path) {
                let axes = node.results[0].ty.axes.clone();
                let extents = axes.iter().map(|axis| world.extents[axis.0 as usize]).collect();
                draws.insert(path.clone(), Array::new(Shape { axes, extents }, data.numbers.clone()));
            }
        }
    }
    draws
}
