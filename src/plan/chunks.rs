//! Groups of values that exist for some rows at a time: a loop over chunks of rows around their steps.
//!
//! While such a loop is made, every kernel runs over the rows of the present chunk alone. What is wide lives in scratch
//! buffers of one chunk; sums over the rows are added up from chunk to chunk; everything else is stored whole.

use super::fusion::{Choice, Chunks};
use super::lowering::{Emitter, Scope, scalar_type};
use super::place::{Place, Places, View};
use super::program::Step;
use super::schedule::{Planner, element_of};
use crate::graph::{Op, Value};
use crate::kernel::{Index, Register};
use crate::tensor::{AxisId, DType, Function};
use archc_runtime::abi::{Role, Size};
use std::collections::HashMap;

/// A chunk has a multiple of so many rows: sums over the rows are read and written once for each chunk, which must be
/// little beside the product that makes them.
const ROWS: i64 = 512;
/// About so many elements of the widest value are a chunk, if that is more.
const ELEMENTS: i64 = 1 << 24;

/// The rows that steps are made for.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    chunks: Chunks,
    /// The first row; rows are counted along all their axes, the last one fastest.
    start: Size,
    /// How many rows this chunk has.
    count: Size,
    /// How many rows the largest chunk has.
    most: Size,
    /// Buffers of one chunk.
    scratch: Vec<usize>,
    /// Steps that are done once, before the first chunk.
    before: Vec<Step>,
}

impl Rows {
    fn are_in(&self, axes: &[AxisId]) -> bool {
        self.chunks.rows.iter().all(|axis| axes.contains(axis))
    }
}

impl<'p> Planner<'p> {
    /// The steps of a group of values, chunk by chunk.
    pub(super) fn chunked(
        &mut self,
        scope: &mut Scope<'p>,
        chunks: &Chunks,
        choice: &Choice,
        targets: &HashMap<Value, View>,
        steps: &mut Vec<Step>,
    ) {
        let counter = self.counter();
        let all = self.sizes.elements(&chunks.rows);
        let rows = self.interface.rows.unwrap_or((ELEMENTS / chunks.columns / ROWS).max(1) * ROWS);
        let divide = |over: &Size, under: Size| Size::CeilDivide(Box::new(over.clone()), Box::new(under));
        let turns = divide(&all, rows.into());
        // Chunks are of one size, so that the last one is not much smaller than the others.
        let most = divide(&all, Size::Max(Box::new(turns.clone()), Box::new(1.into())));
        let start = Size::Symbol(counter).times(most.clone());
        let left = all.plus(start.clone().times((-1).into()));
        let count = Size::Min(Box::new(most.clone()), Box::new(left));
        let (scratch, before) = (Vec::new(), Vec::new());
        self.rows = Some(Rows { chunks: chunks.clone(), start, count, most, scratch, before });
        let mut body = Vec::new();
        for &id in &chunks.members {
            self.visit(scope, id, choice, targets, &mut body);
        }
        steps.extend(self.rows.take().into_iter().flat_map(|rows| rows.before));
        steps.push(Step::Loop { counter, turns, reverse: false, body });
    }

    /// How many elements these axes have, of the present chunk if all rows are among them.
    pub(super) fn elements(&self, axes: &[AxisId]) -> Size {
        match self.rows.as_ref().filter(|rows| rows.are_in(axes)) {
            Some(rows) => rows.count.clone().times(self.sizes.elements(&rows.chunks.apart(axes))),
            None => self.sizes.elements(axes),
        }
    }

    /// Whether a value exists for the present chunk alone.
    pub(super) fn exists_in_part(&self, scope: &Scope, value: Value) -> bool {
        self.rows.as_ref().is_some_and(|rows| rows.chunks.is_wide(self.sizes, &scope.typed(value).ty.axes))
    }

    /// A buffer of one chunk, if these are the axes of something wide. The view is that of the whole value: the first
    /// row of the chunk is where the buffer begins.
    pub(super) fn scratch(&mut self, name: &str, axes: &[AxisId], dtype: DType) -> Option<View> {
        let rows = self.rows.as_ref().filter(|rows| rows.chunks.is_wide(self.sizes, axes))?;
        let others = rows.chunks.apart(axes);
        let width = self.sizes.elements(&others);
        let before = rows.start.clone().times(width.times((-1).into()));
        let mut shape = vec![rows.most.clone()];
        let mut ordered = rows.chunks.rows.clone();
        ordered.extend(&others);
        shape.extend(self.sizes.shape(&others).into_iter().map(|(_, size)| size));
        let element = element_of(dtype);
        let buffer = self.buffer(format!("chunk of {name}"), Role::Temporary { first: 0, last: 0 }, element, shape);
        self.rows.iter_mut().for_each(|rows| rows.scratch.push(buffer));
        let view = View::dense(buffer, element, &self.sizes.shape(&ordered));
        Some(View { offset: before, ..view })
    }

    /// The memory of a value that this one takes the place of.
    pub(super) fn in_place(&self, scope: &Scope, value: Value) -> Option<View> {
        let old = self.rows.as_ref()?.chunks.instead.get(&value)?;
        scope.stored(*old).cloned()
    }

    /// The present chunk of a view.
    pub(super) fn part(&self, view: &View) -> View {
        let mut part = view.clone();
        let Some(rows) = &self.rows else { return part };
        let axes = view.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        if rows.scratch.contains(&view.buffer) {
            part.offset = Size::Constant(0);
        } else if let Some(stride) = rows.chunks.rows.last().and_then(|axis| view.stride(*axis))
            && rows.are_in(&axes)
        {
            part.offset = part.offset.plus(rows.start.clone().times(stride.clone()));
        }
        part
    }

    /// Whether the product of these groups of axes (batch, rows, columns, sum) adds up over chunks; `None` if its
    /// groups cannot be cut into chunks.
    pub(super) fn adds_up(&self, [batch, others @ ..]: [&Vec<AxisId>; 4]) -> Option<bool> {
        let Some(rows) = &self.rows else { return Some(false) };
        let cut = &rows.chunks.rows;
        let reads = |group: &Vec<AxisId>| group.iter().any(|axis| cut.contains(axis));
        let fits = !reads(batch) && others.iter().all(|group| !reads(group) || group.starts_with(cut));
        fits.then(|| reads(others[2]))
    }

    /// Steps that need not be done again for every chunk.
    pub(super) fn once(&mut self, step: Option<Step>, steps: &mut Vec<Step>) {
        match &mut self.rows {
            Some(rows) => rows.before.extend(step),
            None => steps.extend(step),
        }
    }

    /// Zeros, before the first chunk is added.
    pub(super) fn clear_before(&mut self, scope: &Scope<'p>, value: Value, view: &View) {
        let clear = self.clear(scope, value, view);
        self.once(Some(clear), &mut Vec::new());
    }

    /// A parallel loop over the rows of the present chunk, if all of their axes are listed; the other axes.
    pub(super) fn open_rows(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        axes: Vec<AxisId>,
        places: &mut Places,
    ) -> Vec<AxisId> {
        let Some(rows) = self.rows.as_ref().filter(|rows| rows.are_in(&axes)) else { return axes };
        let index = emitter.nest.parallel(&rows.count);
        self.place_row(emitter, rows, index, places);
        rows.chunks.apart(&axes)
    }

    /// Where the row of a counter is along each of the axes.
    fn place_row(&self, emitter: &mut Emitter<'_, 'p>, rows: &Rows, index: Index, places: &mut Places) {
        let start = emitter.nest.size(&rows.start);
        let mut row = Place::index(index).plus(&Place::register(start), 1);
        let Some((&first, inner)) = rows.chunks.rows.split_first() else { return };
        for &axis in inner.iter().rev() {
            let number = emitter.nest.place(&row);
            let extent = emitter.nest.size(&self.sizes.extent(axis));
            let at = emitter.nest.call(Function::Remainder, &[number, extent]);
            places.insert(axis, Place::register(at));
            row = Place::register(emitter.nest.call(Function::FloorDivide, &[number, extent]));
        }
        places.insert(first, row);
    }

    /// Adds the present chunk's part of a sum over the rows; `None` if the value is none.
    pub(super) fn add_up(&mut self, scope: &Scope<'p>, value: Value, view: &View) -> Option<Vec<Step>> {
        let node = scope.region.node(value.node);
        let rows = self.rows.clone().filter(|rows| rows.chunks.is_sum(&node.op))?;
        self.clear_before(scope, value, view);
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(view);
        let axes = view.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        let mut places = Places::new();
        if let Some((&last, outer)) = axes.split_last() {
            outer.iter().for_each(|axis| self.parallel(&mut emitter, *axis, &mut places));
            self.open(&mut emitter, last, true, &mut places);
        }
        let sum = self.sum_of_rows(&mut emitter, value, &rows, &places);
        emitter.nest.add(view, &places, sum);
        if !axes.is_empty() {
            emitter.nest.close_loop(Vec::new());
        }
        let summed = match &node.op {
            Op::Reduce(_, axes) | Op::Contract(axes) => self.elements(axes),
            _ => Size::Constant(1),
        };
        let work = self.sizes.elements(&axes).times(summed);
        Some(vec![self.launch(emitter.nest.finish("add".into(), node.path.clone(), work))])
    }

    fn sum_of_rows(&self, emitter: &mut Emitter<'_, 'p>, value: Value, rows: &Rows, places: &Places) -> Register {
        let node = emitter.scope.region.node(value.node);
        let (Op::Reduce(_, summed) | Op::Contract(summed)) = &node.op else { return emitter.nest.int(0) };
        let ty = scalar_type(node.results[0].ty.dtype);
        let zero = emitter.nest.number(0.0, ty);
        let count = emitter.nest.amount(&rows.count);
        emitter.sum_over(count, false, ty, |emitter, index| {
            let mut places = places.clone();
            self.place_row(emitter, rows, index, &mut places);
            let ends = rows.chunks.rows.iter().copied().filter(|axis| self.sizes.axes().is_sequence(*axis));
            let exists = self.exists(emitter, ends.collect(), &places);
            let part = emitter.summed(node, &rows.chunks.apart(summed), &places);
            emitter.choose(exists, part, zero)
        })
    }
}
