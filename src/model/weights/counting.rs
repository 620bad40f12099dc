//! The tensors of a map's lines, counted out when somebody looks: a model with many experts has tens of thousands of names,
//! and most commands want none of them.

use super::layout::{self, Placed};
use super::paths::{self, Counted};
use crate::model::declarations::{MappedPart, MappedTensor, Model};
use crate::syntax::ast::Template;
use std::collections::HashSet;
use std::ops::Deref;
use std::sync::OnceLock;

/// The tensors of a weight map, in the order of its lines. Dereferences to a slice of them.
#[derive(Debug, Clone, Default)]
pub struct Tensors {
    families: Vec<Family>,
    all: OnceLock<Vec<MappedTensor>>,
}

/// Tensors whose names and places differ in numbers alone.
#[derive(Debug, Clone)]
pub(super) struct Family {
    /// The names; of several, each is a piece of one tensor.
    pub templates: Vec<Template>,
    /// Which of the names in braces.
    pub alternative: usize,
    /// The numbers of the names.
    pub counted: Vec<Counted>,
    /// Where the parameters start, for each number.
    pub starts: Vec<Start>,
    /// Shape and boxes for each name, the numbers all zero.
    pub pieces: Vec<Placed>,
    /// Whether files may hold it a second time.
    pub copy: bool,
}

/// Where a parameter's box starts: size and stride of the axes that each number runs over, the last fastest.
#[derive(Debug, Clone)]
pub(super) struct Start {
    parameter: usize,
    counts: Vec<Vec<(i64, i64)>>,
}

impl Tensors {
    pub(super) fn new(families: Vec<Family>) -> Tensors {
        Tensors { families, all: OnceLock::new() }
    }

    /// All of them; a copy whose name is that of another tensor is that tensor.
    fn count_out(&self) -> Vec<MappedTensor> {
        let mut all = self.families.iter().flat_map(Family::tensors).collect::<Vec<_>>();
        if all.iter().any(|tensor| tensor.copy) {
            let originals = all.iter().filter(|tensor| !tensor.copy).map(|tensor| tensor.name.clone());
            let originals = originals.collect::<HashSet<_>>();
            all.retain(|tensor| !tensor.copy || !originals.contains(&tensor.name));
        }
        all
    }
}

impl FromIterator<MappedTensor> for Tensors {
    fn from_iter<I: IntoIterator<Item = MappedTensor>>(all: I) -> Tensors {
        Tensors { families: Vec::new(), all: all.into_iter().collect::<Vec<_>>().into() }
    }
}

impl Deref for Tensors {
    type Target = [MappedTensor];

    fn deref(&self) -> &[MappedTensor] {
        self.all.get_or_init(|| self.count_out())
    }
}

impl Family {
    /// How many combinations of numbers there are.
    pub fn count(&self) -> i64 {
        self.counted.iter().map(Counted::size).product()
    }

    fn tensors(&self) -> impl Iterator<Item = MappedTensor> + '_ {
        paths::odometer(&self.counted).into_iter().flat_map(|numbers| {
            let named = self.templates.iter().zip(&self.pieces).map(|(template, (shape, parts))| MappedTensor {
                name: paths::name(template, self.alternative, &self.counted, &numbers),
                shape: shape.clone(),
                parts: parts.iter().map(|part| self.moved(part, &numbers)).collect(),
                copy: self.copy,
            });
            named.collect::<Vec<_>>()
        })
    }

    fn moved(&self, part: &MappedPart, numbers: &[i64]) -> MappedPart {
        let start = self.starts.iter().find(|start| start.parameter == part.parameter);
        let start = start.map_or(0, |start| start.offset(numbers));
        MappedPart { target_offset: part.target_offset + start, ..part.clone() }
    }
}

impl Start {
    /// Of a parameter whose axes are counted.
    pub fn new(model: &Model, parameter: usize, counted: &[Counted]) -> Start {
        let strided = layout::strided(model, parameter);
        let stride = |axis| strided.iter().find(|(known, _, _)| *known == axis).map_or(0, |(_, _, stride)| *stride);
        let counts = counted.iter().map(|one| one.axes.iter().map(|(axis, size)| (*size, stride(*axis))).collect());
        Start { parameter, counts: counts.collect() }
    }

    fn offset(&self, numbers: &[i64]) -> i64 {
        let along = |(axes, number): (&Vec<(i64, i64)>, &i64)| {
            let digits = axes.iter().rev().scan(*number, |rest, (size, stride)| {
                let digit = *rest % size;
                *rest /= size;
                Some(digit * stride)
            });
            digits.sum::<i64>()
        };
        self.counts.iter().zip(numbers).map(along).sum()
    }
}
