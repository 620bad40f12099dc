//! Sizes of axes as formulas of a program's run-time sizes.

use crate::graph::{Graph, Op, Region};
use crate::kernel::Amount;
use crate::tensor::{Axes, AxisId, Extent};
use archc_runtime::abi::{Size, names};
use std::collections::{BTreeMap, BTreeSet};

/// The size symbols of one program: the number of rows, one for each class of sequences, then one for each setting that
/// sizes depend on.
#[derive(Debug, Clone)]
pub struct Sizes<'a> {
    axes: &'a Axes,
    symbols: Vec<String>,
    sequences: BTreeMap<AxisId, usize>,
    settings: BTreeMap<String, usize>,
}

impl<'a> Sizes<'a> {
    /// The symbols that a graph needs.
    pub fn new(graph: &'a Graph) -> Sizes<'a> {
        let axes = &graph.axes;
        let (mut read, mut used) = (BTreeSet::new(), BTreeSet::new());
        axes_of(&graph.root, &mut read);
        read.iter().for_each(|axis| used.extend(sequences_in(axes, *axis)));
        let symbols = vec![names::BATCH.to_string()];
        let mut sizes = Sizes { axes, symbols, sequences: BTreeMap::new(), settings: BTreeMap::new() };
        for (id, axis) in axes.iter() {
            if used.contains(&id) {
                let taken = sizes.symbols.contains(&axis.name);
                let name = if taken { format!("{}.{}", axis.name, id.0) } else { axis.name.clone() };
                sizes.sequences.insert(id, sizes.symbols.len());
                sizes.symbols.push(name);
            }
        }
        for name in read.iter().flat_map(|axis| settings_in(axes, *axis)) {
            if !sizes.settings.contains_key(&name) {
                sizes.settings.insert(name.clone(), sizes.symbols.len());
                sizes.symbols.push(name);
            }
        }
        sizes
    }

    /// The value of a setting that sizes depend on.
    pub fn setting(&self, name: &str) -> Size {
        Size::Symbol(self.settings[name])
    }

    /// The names, in the order of the frame.
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// The symbols whose value is bounded, and the largest that each may have.
    pub fn limits(&self) -> Vec<(usize, i64)> {
        self.sequences.iter().filter_map(|(axis, symbol)| Some((*symbol, self.axes[*axis].most?))).collect()
    }

    /// The table of axes.
    pub fn axes(&self) -> &'a Axes {
        self.axes
    }

    /// How many positions are stored along an axis.
    pub fn extent(&self, axis: AxisId) -> Size {
        match &self.axes[axis].extent {
            Extent::Fixed(size) => Size::Constant(*size),
            Extent::Batch => Size::Symbol(0),
            Extent::Sequence => Size::Symbol(self.sequences[&self.axes[axis].class]),
            Extent::Computed { lengths, settings, constant } => {
                let lengths = lengths.iter().map(|(other, factor)| (self.extent(*other), factor));
                let settings = settings.iter().map(|(name, factor)| (self.setting(name), factor));
                let add = |sum: Size, (size, factor): (Size, &i64)| sum.plus(size.times(Size::Constant(*factor)));
                lengths.chain(settings).fold(Size::Constant(*constant), add)
            }
            Extent::Pieces { of, size } => {
                Size::CeilDivide(Box::new(self.extent(*of)), Box::new(Size::Constant(*size)))
            }
        }
    }

    /// The classes of sequences that the graph has.
    pub fn sequences(&self) -> impl Iterator<Item = AxisId> {
        self.sequences.keys().copied()
    }

    /// The axes with their sizes.
    pub fn shape(&self, axes: &[AxisId]) -> Vec<(AxisId, Size)> {
        axes.iter().map(|&axis| (axis, self.extent(axis))).collect()
    }

    /// How many elements a value of these axes has.
    pub fn elements(&self, axes: &[AxisId]) -> Size {
        axes.iter().fold(Size::Constant(1), |product, &axis| product.times(self.extent(axis)))
    }

    /// The name of the input that holds each row's number of positions along a sequence.
    pub fn length_name(&self, axis: AxisId) -> String {
        match self.extent(axis) {
            Size::Symbol(symbol) => archc_runtime::abi::names::length(&self.symbols[symbol]),
            _ => archc_runtime::abi::names::length(&self.axes[axis].name),
        }
    }
}

/// The classes of sequences whose lengths the length of an axis depends on.
fn sequences_in(axes: &Axes, axis: AxisId) -> Vec<AxisId> {
    match &axes[axis].extent {
        Extent::Sequence => vec![axes[axis].class],
        Extent::Computed { lengths, .. } => lengths.iter().flat_map(|(other, _)| sequences_in(axes, *other)).collect(),
        Extent::Pieces { of, .. } => sequences_in(axes, *of),
        _ => Vec::new(),
    }
}

/// The settings that the length of an axis depends on.
fn settings_in(axes: &Axes, axis: AxisId) -> Vec<String> {
    let Extent::Computed { lengths, settings, .. } = &axes[axes[axis].class].extent else { return Vec::new() };
    let own = settings.iter().map(|(name, _)| name.clone());
    lengths.iter().flat_map(|(other, _)| settings_in(axes, *other)).chain(own).collect()
}

/// All axes that a region reads.
fn axes_of(region: &Region, used: &mut BTreeSet<AxisId>) {
    for id in region.ids() {
        let node = region.node(id);
        let read = node.results.iter().flat_map(|typed| &typed.ty.axes);
        let summed = match &node.op {
            Op::Contract(summed) | Op::Reduce(_, summed) => summed.as_slice(),
            Op::Length(axis) => std::slice::from_ref(axis),
            Op::For(region) => std::slice::from_ref(&region.axis),
            _ => &[],
        };
        used.extend(read.chain(summed).copied());
        node.bodies().iter().for_each(|body| axes_of(body, used));
    }
}

/// The sizes that a kernel is given at a launch, each once; what is constant is written into the kernel instead.
#[derive(Debug, Clone, Default)]
pub struct LaunchSizes(Vec<Size>);

impl LaunchSizes {
    /// The kernel's name for a size.
    pub fn amount(&mut self, size: &Size) -> Amount {
        if let Some(constant) = size.constant() {
            return Amount::Constant(constant);
        }
        let place = self.0.iter().position(|known| known == size);
        Amount::Size(place.unwrap_or_else(|| {
            self.0.push(size.clone());
            self.0.len() - 1
        }))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// In the order of their names.
    pub fn into_sizes(self) -> Vec<Size> {
        self.0
    }
}
