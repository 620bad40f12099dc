//! What every value of a program reads of the inputs, as far as relations between positions tell.
//!
//! In: a program. Out: for each value a list of [`Read`]s: which input, and for each of its axes the interval of
//! (position read - mark) from what the value knows of positions (`marks`): its coordinates, where their blocks begin,
//! whole numbers that a row has, such as the end of its prefix. What is not in a map may be anywhere. A relation that
//! holds in one of two ways gives two reads. A `for` is walked until nothing changes; what still grows then is widened to
//! everything.

use super::interval::Interval;
use super::marks::{Distances, Mark, complete, meet, orders};
use crate::model::declarations::Model;
use crate::model::values::{Program, Region, RegionId, Value, ValueId, ValueKind};
use crate::tensor::{Affine, AxisId, BATCH, DType, Function, Relation, Term};
use std::collections::HashSet;

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

/// Walks a program.
pub struct Walk<'p> {
    pub model: &'p Model,
    pub program: &'p Program,
    /// By value.
    pub reads: Vec<Vec<Read>>,
    /// The sizes of blocks of positions that relations speak of.
    blocks: Vec<i64>,
    /// After some rounds, what a `for` carries is widened.
    widen: bool,
}

/// Rounds over a program before what grows is widened, and before they end in any case.
const ROUNDS: (usize, usize) = (3, 24);

impl<'p> Walk<'p> {
    /// The reads of all values.
    pub fn over(model: &'p Model, program: &'p Program) -> Walk<'p> {
        let reads = vec![Vec::new(); program.values.len()];
        let mut walk = Walk { model, program, reads, blocks: blocks(program), widen: false };
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
                let ways = self.ways(affine);
                let narrowed = |read: &Read| ways.iter().map(|way| self.tightened(read, way)).collect::<Vec<_>>();
                reads = reads.iter().flat_map(narrowed).collect();
            }
        }
        for (_, distances) in reads.iter_mut().flat_map(|read| &mut read.places) {
            complete(distances, &self.blocks);
        }
        merged(reads)
    }

    /// `max(a, b) - c >= 0` holds where `a - c >= 0` or where `b - c >= 0`.
    fn ways(&self, affine: &Affine<ValueId>) -> Vec<Affine<ValueId>> {
        for (term, factor) in &affine.terms {
            let Term::Value(value) = term else { continue };
            let wanted = if *factor > 0 { Function::Maximum } else { Function::Minimum };
            let ValueKind::Scalar(function, operands) = &self.bare(*value).1.kind else { continue };
            if *function == wanted {
                let rest = affine.plus(&Affine::term(term.clone()), -factor);
                return operands.iter().flat_map(|one| self.ways(&rest.plus(&self.form(*one), *factor))).collect();
            }
        }
        vec![affine.clone()]
    }

    /// A whole number as far as it is linear.
    fn form(&self, id: ValueId) -> Affine<ValueId> {
        let (id, value) = self.bare(id);
        match &value.kind {
            ValueKind::Number(number) if number.fract() == 0.0 => Affine::number(*number as i64),
            ValueKind::Coordinate(axis) => Affine::axis(*axis),
            ValueKind::Scalar(Function::Add, operands) => self.form(operands[0]).plus(&self.form(operands[1]), 1),
            ValueKind::Scalar(Function::Subtract, operands) => self.form(operands[0]).plus(&self.form(operands[1]), -1),
            _ => Affine::value(id),
        }
    }

    /// What is repeated or restricted; of an input, its first value.
    fn bare(&self, id: ValueId) -> (ValueId, &Value) {
        let value = &self.program.values[id.0 as usize];
        match &value.kind {
            ValueKind::Broadcast(inner) | ValueKind::Where(inner) => self.bare(*inner),
            ValueKind::Input(_) => {
                let same = self.program.values.iter().position(|other| other.kind == value.kind);
                let first = ValueId(same.map_or(id.0, |place| place as u32));
                (first, &self.program.values[first.0 as usize])
            }
            _ => (id, value),
        }
    }

    /// The inputs that a value is made of. Those that only say where it is present are not among them.
    pub fn made_of(&self, value: ValueId) -> HashSet<usize> {
        let (mut inputs, mut seen, mut open) = (HashSet::new(), HashSet::new(), vec![value]);
        while let Some(next) = open.pop() {
            if !seen.insert(next) {
                continue;
            }
            if let ValueKind::Input(place) = self.program.values[next.0 as usize].kind {
                inputs.insert(place);
            }
            open.extend(self.sources(next));
        }
        inputs
    }

    pub fn reads_of(&self, value: ValueId) -> &[Read] {
        &self.reads[value.0 as usize]
    }

    pub fn region(&self, region: RegionId) -> &Region {
        &self.program.regions[region.0 as usize]
    }

    /// The values that a value is made of.
    pub fn sources(&self, id: ValueId) -> Vec<ValueId> {
        self.program.sources(id)
    }

    /// What is carried at a place at the end of the turns.
    fn turns(&self, region: &Region, place: usize) -> Vec<ValueId> {
        region.bodies.iter().filter_map(|body| body.carried.get(place).copied()).collect()
    }

    fn input(&self, place: usize) -> Vec<Read> {
        let Some(input) = self.model.inputs.get(place) else { return Vec::new() };
        let places = input.axes.iter().map(|axis| (*axis, Distances::from([(Mark::Axis(*axis), Interval::POINT)])));
        vec![Read { input: place, places: places.collect(), unless: Vec::new() }]
    }

    /// What is carried was made a turn before.
    fn carried(&self, id: ValueId) -> Vec<Read> {
        let value = &self.program.values[id.0 as usize];
        let (ValueKind::Carried(place), Some(body)) = (&value.kind, value.body) else { return Vec::new() };
        let region = self.region(body.region);
        let start = region.carried.get(*place as usize).map(|start| self.reads_of(*start).to_vec());
        let mut reads = start.unwrap_or_default();
        for made in self.turns(region, *place as usize) {
            reads.extend(self.reads_of(made).iter().cloned().map(|mut read| {
                for (_, distances) in &mut read.places {
                    // Where the block of the turn before began, the coordinate tells.
                    distances.retain(|mark, _| !matches!(mark, Mark::Block(axis, _) if *axis == region.axis));
                    if let Some(distance) = distances.get_mut(&Mark::Axis(region.axis)) {
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
            distances.retain(|mark, _| match mark {
                Mark::Axis(axis) | Mark::Block(axis, _) => !axes.contains(axis),
                Mark::Number(_) => !axes.contains(&BATCH),
            });
        }
        reads
    }

    fn index(&self, x: ValueId, places: &[(AxisId, Affine<ValueId>)]) -> Vec<Read> {
        let mut reads = self.reads_of(x).to_vec();
        for (_, distances) in reads.iter_mut().flat_map(|read| &mut read.places) {
            let mut moved = Distances::new();
            for (mark, distance) in std::mem::take(distances) {
                let at = |axis: AxisId| places.iter().find(|(read, _)| *read == axis).map(|(_, at)| at);
                let counted = match mark {
                    Mark::Axis(axis) => at(axis).map(|at| self.counted(at)),
                    Mark::Block(axis, by) => at(axis).map(|at| self.counted_blocks(at, by)),
                    Mark::Number(_) => None,
                };
                let counted = counted.unwrap_or_else(|| vec![(mark, Interval::POINT)]);
                counted.into_iter().for_each(|(mark, away)| meet(&mut moved, mark, distance.plus(away)));
            }
            *distances = moved;
        }
        let indices = places.iter().flat_map(|(_, at)| at.values());
        reads.extend(indices.flat_map(|index| self.reads_of(*index).to_vec()));
        reads
    }

    /// Marks of a place, and how far it is from each.
    fn counted(&self, at: &Affine<ValueId>) -> Vec<(Mark, Interval)> {
        let mark = |(term, factor): &(Term<ValueId>, i64)| match term {
            Term::Quotient(axis, by) if by == factor => Some(Mark::Block(*axis, *by)),
            _ if *factor == 1 => self.coordinate(term),
            _ => None,
        };
        at.terms.iter().filter_map(|one| Some((mark(one)?, self.spread(at, &one.0)))).collect()
    }

    /// Marks at which blocks of a size begin, and how far from each the block of a place begins.
    fn counted_blocks(&self, at: &Affine<ValueId>, by: i64) -> Vec<(Mark, Interval)> {
        let [(term, factor)] = at.terms.as_slice() else { return Vec::new() };
        let axis = match (self.coordinate(term), term) {
            (Some(Mark::Axis(axis)), _) if *factor == 1 => axis,
            (_, Term::Quotient(axis, size)) if *size == by && *factor == by => *axis,
            _ => return Vec::new(),
        };
        let whole = at.constant % by == 0;
        if whole { vec![(Mark::Block(axis, by), Interval::POINT.shifted(at.constant))] } else { Vec::new() }
    }

    /// The second is read only where the first is absent.
    fn otherwise(&self, a: ValueId, b: ValueId) -> Vec<Read> {
        let relations = &self.program.values[a.0 as usize].presence.relations;
        let mut second = self.reads_of(b).to_vec();
        if let [Relation::Holds(holds)] = relations.as_slice() {
            let axes = &self.program.values[holds.0 as usize].ty.axes;
            let here = |distances: &Distances| {
                let here = |mark: &Mark| matches!(mark, Mark::Axis(axis) if axes.contains(axis));
                distances.iter().any(|(mark, distance)| here(mark) && *distance == Interval::POINT)
            };
            for read in second.iter_mut().filter(|read| read.places.iter().any(|(_, distances)| here(distances))) {
                read.unless.push(*holds);
            }
        }
        second.extend(self.reads_of(a).iter().cloned());
        second
    }

    /// What a term counts from: a coordinate (the turn of a `for` is one along its axis), or a number of the row.
    fn coordinate(&self, term: &Term<ValueId>) -> Option<Mark> {
        match term {
            Term::Axis(axis) => Some(Mark::Axis(*axis)),
            Term::Value(id) => {
                let (id, value) = self.bare(*id);
                match (&value.kind, value.body) {
                    (ValueKind::Coordinate(axis), _) => Some(Mark::Axis(*axis)),
                    (ValueKind::Turn, Some(body)) => Some(Mark::Axis(self.region(body.region).axis)),
                    _ if value.ty.dtype == DType::Int && value.ty.axes == [BATCH] => Some(Mark::Number(id)),
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
            let last = match self.coordinate(other) {
                Some(Mark::Axis(axis)) => self.model.axes.fixed(axis).map(|size| factor * (size - 1)),
                _ => None,
            };
            let (low, high) = (last.map(|last| last.min(0)), last.map(|last| last.max(0)));
            let known = matches!(other, Term::Axis(_) | Term::Value(_));
            if known { sum.plus(Interval { low, high }) } else { Interval { low: None, high: None } }
        })
    }

    /// `a - b + c >= 0` bounds what is read near b as seen from a, and the reverse.
    fn tightened(&self, read: &Read, affine: &Affine<ValueId>) -> Read {
        let mut read = read.clone();
        for order in orders(affine, |term| self.coordinate(term)) {
            for (_, distances) in &mut read.places {
                let [near_a, near_b] = [order.first, order.second].map(|mark| distances.get(&mark).copied());
                if let Some(high) = near_b.and_then(|near| near.high) {
                    meet(distances, order.first, Interval { low: None, high: Some(high + order.by) });
                }
                if let Some(low) = near_a.and_then(|near| near.low) {
                    meet(distances, order.second, Interval { low: Some(low - order.by), high: None });
                }
            }
        }
        read
    }
}

/// The sizes of blocks of positions that relations speak of.
fn blocks(program: &Program) -> Vec<i64> {
    let relations = program.values.iter().flat_map(|value| &value.presence.relations);
    let forms = relations.filter_map(|relation| match relation {
        Relation::AtLeastZero(form) => Some(form),
        _ => None,
    });
    let size = |term: &Term<ValueId>| match term {
        Term::Quotient(_, by) => Some(*by),
        _ => None,
    };
    let mut sizes = forms.flat_map(|form| &form.terms).filter_map(|(term, _)| size(term)).collect::<Vec<_>>();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
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
