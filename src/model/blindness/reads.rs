//! What every value of a program reads of the inputs, as far as relations between positions tell.
//!
//! In: a program. Out: for each value a list of [`Read`]s: which input, and for each of its axes the interval of
//! (position read - coordinate) along the value's own axes. What is not in a map may be anywhere. A `for` is walked
//! until nothing changes; what still grows then is widened to everything.

use crate::model::declarations::Model;
use crate::model::values::{Program, Region, RegionId, ValueId, ValueKind};
use crate::tensor::{Affine, AxisId, Relation, Term};
use std::collections::BTreeMap;

/// Lowest and highest; absent: without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub low: Option<i64>,
    pub high: Option<i64>,
}

/// The distances from coordinates to the position that is read.
pub type Distances = BTreeMap<AxisId, Interval>;

/// Elements of one input that a value reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The input, by its place.
    pub input: usize,
    /// For each axis of the input.
    pub places: Vec<(AxisId, Distances)>,
    /// Bools over the position that is read: where one holds, it is not read after all.
    pub unless: Vec<ValueId>,
}

impl Interval {
    const POINT: Interval = Interval { low: Some(0), high: Some(0) };

    fn shifted(self, by: i64) -> Interval {
        Interval { low: self.low.map(|low| low + by), high: self.high.map(|high| high + by) }
    }

    /// All sums of a number of each.
    fn plus(self, other: Interval) -> Interval {
        let sum = |a: Option<i64>, b: Option<i64>| Some(a? + b?);
        Interval { low: sum(self.low, other.low), high: sum(self.high, other.high) }
    }

    /// Whether some number lies in both.
    pub fn meets(self, other: Interval) -> bool {
        let below = |high: Option<i64>, low: Option<i64>| matches!((high, low), (Some(high), Some(low)) if high < low);
        !below(self.high, other.low) && !below(other.high, self.low)
    }

    fn within(self, other: Interval) -> bool {
        let low = other.low.is_none_or(|outer| self.low.is_some_and(|inner| inner >= outer));
        low && other.high.is_none_or(|outer| self.high.is_some_and(|inner| inner <= outer))
    }

    fn and(self, other: Interval) -> Interval {
        let low = self.low.into_iter().chain(other.low).max();
        Interval { low, high: self.high.into_iter().chain(other.high).min() }
    }
}

/// Walks a program.
pub struct Walk<'p> {
    pub model: &'p Model,
    pub program: &'p Program,
    /// By value.
    pub reads: Vec<Vec<Read>>,
    /// After some rounds, what a `for` carries is widened.
    widen: bool,
}

/// Rounds over a program before what grows is widened, and before they end in any case.
const ROUNDS: (usize, usize) = (3, 24);

impl<'p> Walk<'p> {
    /// The reads of all values.
    pub fn over(model: &'p Model, program: &'p Program) -> Walk<'p> {
        let mut walk = Walk { model, program, reads: vec![Vec::new(); program.values.len()], widen: false };
        for round in 0..ROUNDS.1 {
            walk.widen = round >= ROUNDS.0;
            if !walk.round() {
                break;
            }
        }
        walk
    }

    fn round(&mut self) -> bool {
        let mut changed = false;
        for place in 0..self.program.values.len() {
            let reads = self.value(ValueId(place as u32));
            if reads != self.reads[place] {
                self.reads[place] = reads;
                changed = true;
            }
        }
        changed
    }

    fn value(&self, id: ValueId) -> Vec<Read> {
        let value = &self.program.values[id.0 as usize];
        let mut reads = match &value.kind {
            ValueKind::Input(place) => self.input(*place),
            ValueKind::Peek(_) => Vec::new(),
            ValueKind::Index(x, places) => self.index(*x, places),
            ValueKind::Reduce(_, axes, x) | ValueKind::Rank(axes, x) => self.without(*x, axes),
            ValueKind::Else(a, b) => self.otherwise(*a, *b),
            ValueKind::Carried(_) => self.carried(id),
            ValueKind::Final(region, _) => {
                let axis = self.region(*region).axis;
                self.sources(id).into_iter().flat_map(|source| self.without(source, &[axis])).collect()
            }
            _ => self.sources(id).into_iter().flat_map(|source| self.reads_of(source).to_vec()).collect(),
        };
        for read in value.presence.relations.iter().flat_map(Relation::values) {
            reads.extend(self.reads_of(*read).iter().cloned());
        }
        for relation in &value.presence.relations {
            if let Relation::AtLeastZero(affine) = relation {
                reads.iter_mut().for_each(|read| self.tighten(read, affine));
            }
        }
        merged(reads)
    }

    pub fn reads_of(&self, value: ValueId) -> &[Read] {
        &self.reads[value.0 as usize]
    }

    pub fn region(&self, region: RegionId) -> &Region {
        &self.program.regions[region.0 as usize]
    }

    /// The values that a value is made of.
    pub fn sources(&self, id: ValueId) -> Vec<ValueId> {
        let value = &self.program.values[id.0 as usize];
        match &value.kind {
            ValueKind::Scalar(_, operands) | ValueKind::Draw { operands, .. } => operands.clone(),
            ValueKind::Broadcast(x) | ValueKind::Where(x) | ValueKind::Stop(x) => vec![*x],
            ValueKind::Reduce(_, _, x) | ValueKind::Rank(_, x) => vec![*x],
            ValueKind::Else(a, b) => vec![*a, *b],
            ValueKind::Index(x, places) => {
                let read = places.iter().flat_map(|(_, at)| at.values().copied().collect::<Vec<_>>());
                std::iter::once(*x).chain(read).collect()
            }
            ValueKind::Carried(place) => match value.body {
                Some(body) => self.turns(self.region(body.region), *place as usize, true),
                None => Vec::new(),
            },
            ValueKind::Final(region, place) => self.turns(self.region(*region), *place as usize, true),
            ValueKind::Yielded(region, place) => {
                let bodies = self.region(*region).bodies.iter();
                bodies.filter_map(|body| body.yields.get(*place as usize).copied().flatten()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn turns(&self, region: &Region, place: usize, first: bool) -> Vec<ValueId> {
        let start = region.carried.get(place).copied().filter(|_| first);
        start.into_iter().chain(region.bodies.iter().filter_map(|body| body.carried.get(place).copied())).collect()
    }

    fn input(&self, place: usize) -> Vec<Read> {
        let Some(input) = self.model.inputs.get(place) else { return Vec::new() };
        let places = input.axes.iter().map(|axis| (*axis, Distances::from([(*axis, Interval::POINT)])));
        vec![Read { input: place, places: places.collect(), unless: Vec::new() }]
    }

    /// What is carried was made a turn before.
    fn carried(&self, id: ValueId) -> Vec<Read> {
        let value = &self.program.values[id.0 as usize];
        let (ValueKind::Carried(place), Some(body)) = (&value.kind, value.body) else { return Vec::new() };
        let region = self.region(body.region);
        let start = region.carried.get(*place as usize).map(|start| self.reads_of(*start).to_vec());
        let mut reads = start.unwrap_or_default();
        for made in self.turns(region, *place as usize, false) {
            reads.extend(self.reads_of(made).iter().cloned().map(|mut read| {
                for (_, distances) in &mut read.places {
                    if let Some(distance) = distances.get_mut(&region.axis) {
                        *distance = distance.shifted(if region.reverse { 1 } else { -1 });
                    }
                }
                read
            }));
        }
        let mut reads = merged(reads);
        if self.widen {
            let before = self.reads_of(id);
            reads.iter_mut().filter(|read| !before.contains(read)).for_each(widen);
        }
        merged(reads)
    }

    fn without(&self, x: ValueId, axes: &[AxisId]) -> Vec<Read> {
        let mut reads = self.reads_of(x).to_vec();
        for (_, distances) in reads.iter_mut().flat_map(|read| &mut read.places) {
            distances.retain(|axis, _| !axes.contains(axis));
        }
        reads
    }

    fn index(&self, x: ValueId, places: &[(AxisId, Affine<ValueId>)]) -> Vec<Read> {
        let mut reads = self.reads_of(x).to_vec();
        for (_, distances) in reads.iter_mut().flat_map(|read| &mut read.places) {
            let mut moved = Distances::new();
            for (axis, distance) in std::mem::take(distances) {
                match places.iter().find(|(read, _)| *read == axis) {
                    None => meet(&mut moved, axis, distance),
                    Some((_, at)) => {
                        for (term, _) in at.terms.iter().filter(|(_, factor)| *factor == 1) {
                            if let Some(coordinate) = self.coordinate(term) {
                                meet(&mut moved, coordinate, distance.plus(self.spread(at, term)));
                            }
                        }
                    }
                }
            }
            *distances = moved;
        }
        let indices = places.iter().flat_map(|(_, at)| at.values());
        reads.extend(indices.flat_map(|index| self.reads_of(*index).to_vec()));
        reads
    }

    /// The second is read only where the first is absent.
    fn otherwise(&self, a: ValueId, b: ValueId) -> Vec<Read> {
        let relations = &self.program.values[a.0 as usize].presence.relations;
        let mut second = self.reads_of(b).to_vec();
        if let [Relation::Holds(holds)] = relations.as_slice() {
            let axes = &self.program.values[holds.0 as usize].ty.axes;
            let here = |distances: &Distances| {
                distances.iter().any(|(axis, distance)| axes.contains(axis) && *distance == Interval::POINT)
            };
            for read in second.iter_mut().filter(|read| read.places.iter().any(|(_, distances)| here(distances))) {
                read.unless.push(*holds);
            }
        }
        second.extend(self.reads_of(a).iter().cloned());
        second
    }

    /// The axis whose coordinate a term is; the turn of a `for` is one along its axis.
    fn coordinate(&self, term: &Term<ValueId>) -> Option<AxisId> {
        match term {
            Term::Axis(axis) => Some(*axis),
            Term::Value(value) => {
                let value = &self.program.values[value.0 as usize];
                match (&value.kind, value.body) {
                    (ValueKind::Coordinate(axis), _) => Some(*axis),
                    (ValueKind::Turn, Some(body)) => Some(self.region(body.region).axis),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What a place adds to one of its terms: `j - 3` of `t + j - 3`.
    fn spread(&self, at: &Affine<ValueId>, term: &Term<ValueId>) -> Interval {
        let start = Interval { low: Some(at.constant), high: Some(at.constant) };
        let others = at.terms.iter().filter(|(other, _)| other != term);
        others.fold(start, |sum, (other, factor)| {
            let axis = self.coordinate(other);
            let last = axis.and_then(|axis| self.model.axes.fixed(axis)).map(|size| factor * (size - 1));
            let (low, high) = (last.map(|last| last.min(0)), last.map(|last| last.max(0)));
            let known = matches!(other, Term::Axis(_) | Term::Value(_));
            if known { sum.plus(Interval { low, high }) } else { Interval { low: None, high: None } }
        })
    }

    /// `a - b + c >= 0` bounds what is read near b as seen from a, and the reverse.
    fn tighten(&self, read: &mut Read, affine: &Affine<ValueId>) {
        let (a, b) = match affine.terms.as_slice() {
            [(a, 1), (b, -1)] | [(b, -1), (a, 1)] => (a, b),
            _ => return,
        };
        let (Some(a), Some(b)) = (self.coordinate(a), self.coordinate(b)) else { return };
        for (_, distances) in &mut read.places {
            let (near_a, near_b) = (distances.get(&a).copied(), distances.get(&b).copied());
            if let Some(high) = near_b.and_then(|near| near.high) {
                meet(distances, a, Interval { low: None, high: Some(high + affine.constant) });
            }
            if let Some(low) = near_a.and_then(|near| near.low) {
                meet(distances, b, Interval { low: Some(low - affine.constant), high: None });
            }
        }
    }
}

fn meet(distances: &mut Distances, axis: AxisId, distance: Interval) {
    let known = distances.get(&axis).copied();
    distances.insert(axis, known.map_or(distance, |known| known.and(distance)));
}

/// What still moves after some rounds moves without end, upwards or downwards.
fn widen(read: &mut Read) {
    for distance in read.places.iter_mut().flat_map(|(_, distances)| distances.values_mut()) {
        distance.low = distance.low.filter(|low| *low >= 0);
        distance.high = distance.high.filter(|high| *high <= 0);
    }
}

/// Without those that another holds as well.
fn merged(reads: Vec<Read>) -> Vec<Read> {
    let mut kept: Vec<Read> = Vec::new();
    for read in reads {
        if kept.iter().any(|other| holds(other, &read)) {
            continue;
        }
        kept.retain(|other| !holds(&read, other));
        kept.push(read);
    }
    kept
}

/// Whether every element that the second reads is one that the first reads.
fn holds(outer: &Read, inner: &Read) -> bool {
    let within = |(outer, inner): (&(AxisId, Distances), &(AxisId, Distances))| {
        outer.1.iter().all(|(axis, bound)| inner.1.get(axis).is_some_and(|distance| distance.within(*bound)))
    };
    outer.input == inner.input
        && outer.unless.iter().all(|condition| inner.unless.contains(condition))
        && outer.places.len() == inner.places.len()
        && outer.places.iter().zip(&inner.places).all(within)
}
