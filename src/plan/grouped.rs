//! Rows sorted by what they chose, and one matrix product for each that was chosen.
//!
//! Rows are copied to their places ([`sorting`]), each matrix multiplies its own, and results are read from there. How
//! many rows there are is read while the program runs, so what nobody chose costs nothing.

mod sorting;

use super::fusion::{Chosen, Grouped, GroupedSum, Matrices, merged};
use super::lowering::{Emitter, Scope, scalar_type};
use super::place::{Place, View};
use super::program::{Argument, Step};
use super::schedule::Planner;
use crate::graph::Value;
use crate::kernel::{Form, Gemm, Right};
use crate::tensor::{AxisId, Function, Scalar};
use archc_runtime::abi::{Element, Role, Size};

pub use sorting::Sorting;

/// The axis of sorted rows, of which no graph knows.
const SORTED: AxisId = AxisId(u32::MAX);
/// The axis of all that can be chosen, as one.
const GROUP: AxisId = AxisId(u32::MAX - 1);

/// Rows of one matrix: from where, and how many.
struct Range {
    from: Size,
    count: Size,
}

impl<'p> Planner<'p> {
    /// A product of every row with its own matrix; nothing if memory is not laid out for it.
    pub(super) fn grouped(
        &mut self,
        scope: &Scope<'p>,
        value: Value,
        found: &Grouped,
        view: &View,
    ) -> Option<Vec<Step>> {
        let matrices = scope.view(found.matrices)?;
        let columns = self.columns(&matrices, found);
        let laid_out = merged(self.sizes, &found.sum, &[&matrices]) == found.sum.len()
            && merged(self.sizes, &columns, &[&matrices]) == columns.len();
        let few = found.added.iter().all(|axis| self.sizes.axes().fixed(*axis).is_some());
        if self.rows.is_some()
            || !few
            || !laid_out
            || found.chosen.who.iter().any(|(_, who)| scope.view(*who).is_none())
        {
            return None;
        }
        let mut steps = Vec::new();
        let sorting = self.sorted(scope, &found.chosen, &mut steps);
        let left = self.gathered(scope, &sorting, found.left, &found.sum, &mut steps);
        let result = self.sorted_rows(&found.chosen, &columns);
        let path = scope.region.node(value.node).path.clone();
        let group = self.groups(scope, &sorting, |planner, chosen, range| {
            let matrix = chosen
                .iter()
                .fold(matrices.clone(), |view, (axis, at)| view.slice(*axis, at.clone(), planner.sizes.extent(*axis)));
            planner.product_of_group(&path, [&left, &result], &matrix, [&found.sum, &columns], range)
        });
        steps.extend(group);
        steps.push(self.read_back(scope, value, found, &sorting, &result, view));
        Some(steps)
    }

    fn columns(&self, matrices: &View, found: &Grouped) -> Vec<AxisId> {
        let axes = matrices.strides.iter().map(|(axis, _)| *axis);
        let chosen = |axis: &AxisId| found.chosen.who.iter().any(|(on, _)| on == axis);
        axes.filter(|axis| !chosen(axis) && !found.sum.contains(axis)).collect()
    }

    /// For each matrix the sum of products of the rows that chose it.
    pub(super) fn grouped_sum(
        &mut self,
        scope: &Scope<'p>,
        value: Value,
        found: &GroupedSum,
        view: &View,
    ) -> Option<Vec<Step>> {
        let [one, other] = found.factors;
        let own = |factor: Value| {
            let axes = view.strides.iter().map(|(axis, _)| *axis);
            axes.filter(|axis| scope.typed(factor).ty.has(*axis)).collect::<Vec<_>>()
        };
        let last = view.strides.last()?.0;
        let (left, right) = if scope.typed(other).ty.has(last) { (one, other) } else { (other, one) };
        let (rows, columns) = (own(left), own(right));
        let laid_out =
            merged(self.sizes, &rows, &[view]) == rows.len() && merged(self.sizes, &columns, &[view]) == columns.len();
        if self.rows.is_some() || !laid_out || found.chosen.who.iter().any(|(_, who)| scope.view(*who).is_none()) {
            return None;
        }
        let mut steps = Vec::new();
        let sorting = self.sorted(scope, &found.chosen, &mut steps);
        let a = self.gathered(scope, &sorting, left, &rows, &mut steps);
        let b = self.gathered(scope, &sorting, right, &columns, &mut steps);
        let path = scope.region.node(value.node).path.clone();
        let group = self.groups(scope, &sorting, |planner, chosen, range| {
            let target = chosen
                .iter()
                .fold(view.clone(), |view, (axis, at)| view.slice(*axis, at.clone(), planner.sizes.extent(*axis)));
            planner.sum_of_group(&path, [&a, &b], &target, [&rows, &columns], range)
        });
        steps.extend(group);
        Some(steps)
    }

    /// A temporary buffer over axes that are not the graph's.
    pub(super) fn apart(&mut self, name: &str, element: Element, axes: &[(AxisId, Size)]) -> View {
        let shape = axes.iter().map(|(_, size)| size.clone()).collect();
        let role = Role::Temporary { first: 0, last: 0 };
        let buffer = self.buffer(format!("{name}.{}", self.buffers.len()), role, element, shape);
        View::dense(buffer, element, axes)
    }

    /// A buffer of all rows in order.
    fn sorted_rows(&mut self, chosen: &Chosen, columns: &[AxisId]) -> View {
        let mut axes = vec![(SORTED, self.sizes.elements(&chosen.rows))];
        axes.extend(self.sizes.shape(columns));
        self.apart("rows", Element::F32, &axes)
    }

    /// Steps for every matrix in turn, with the range of its rows.
    fn groups(
        &mut self,
        _scope: &Scope<'p>,
        sorting: &Sorting,
        make: impl FnOnce(&mut Self, &[(AxisId, Size)], &Range) -> Vec<Step>,
    ) -> Vec<Step> {
        let mut counters = Vec::new();
        for (axis, _) in &sorting.chosen.who {
            counters.push((*axis, self.counter()));
        }
        let (from, to) = (self.counter(), self.counter());
        let chosen = counters.iter().map(|(axis, counter)| (*axis, Size::Symbol(*counter))).collect::<Vec<_>>();
        let group = chosen
            .iter()
            .fold(Size::Constant(0), |sum, (axis, at)| sum.times(self.sizes.extent(*axis)).plus(at.clone()));
        let count = Size::Symbol(to).plus(Size::Constant(-1).times(Size::Symbol(from)));
        let range = Range { from: Size::Symbol(from), count };
        let start = |number: Size| Argument { buffer: sorting.starts.buffer, offset: number };
        let mut body = vec![
            Step::Count { counter: from, from: start(group.clone()) },
            Step::Count { counter: to, from: start(group.plus(Size::Constant(1))) },
        ];
        body.extend(make(self, &chosen, &range));
        for (axis, counter) in counters.into_iter().rev() {
            let turns = self.sizes.extent(axis);
            body = vec![Step::Loop { counter, turns, reverse: false, body }];
        }
        body
    }

    /// Rows of one group times their matrix.
    fn product_of_group(
        &mut self,
        path: &str,
        [left, result]: [&View; 2],
        matrix: &View,
        [sum, columns]: [&Vec<AxisId>; 2],
        range: &Range,
    ) -> Vec<Step> {
        let (left, result) = (self.rows_after(left, &range.from), self.rows_after(result, &range.from));
        let mut matrices = Matrices::default();
        let none = Vec::new();
        let (packed, right) = match self.interface.packs {
            true => self.right(matrix, [&none, sum, columns], &mut matrices),
            false => (None, Right::Strided(matrices.matrix(matrix, &none, sum, columns))),
        };
        let form = Gemm {
            batch: Vec::new(),
            m: matrices.amount(&range.count),
            n: matrices.amount(&self.sizes.elements(columns)),
            k: matrices.amount(&self.sizes.elements(sum)),
            a: matrices.matrix(&left, &none, &[SORTED], sum),
            b: right,
            extras: Vec::new(),
            epilogue: Scalar::identity(),
            c: matrices.target(&result, &none, &[SORTED], columns),
            accumulate: false,
            asked: None,
        };
        let inner = self.sizes.elements(columns).times(self.sizes.elements(sum));
        let work = range.count.clone().times(inner);
        let launch = self.launch(matrices.finish("gemm", Form::Gemm(form), path, work));
        packed.into_iter().chain([launch]).collect()
    }

    /// The sum over the rows of one group of products of two of their values.
    fn sum_of_group(
        &mut self,
        path: &str,
        [a, b]: [&View; 2],
        target: &View,
        [rows, columns]: [&Vec<AxisId>; 2],
        range: &Range,
    ) -> Vec<Step> {
        let (a, b) = (self.rows_after(a, &range.from), self.rows_after(b, &range.from));
        let mut matrices = Matrices::default();
        let none = Vec::new();
        let form = Gemm {
            batch: Vec::new(),
            m: matrices.amount(&self.sizes.elements(rows)),
            n: matrices.amount(&self.sizes.elements(columns)),
            k: matrices.amount(&range.count),
            a: matrices.matrix(&a, &none, rows, &[SORTED]),
            b: Right::Strided(matrices.matrix(&b, &none, &[SORTED], columns)),
            extras: Vec::new(),
            epilogue: Scalar::identity(),
            c: matrices.target(target, &none, rows, columns),
            accumulate: false,
            asked: None,
        };
        let inner = self.sizes.elements(columns).times(self.sizes.elements(rows));
        let work = range.count.clone().times(inner);
        vec![self.launch(matrices.finish("gemm", Form::Gemm(form), path, work))]
    }

    /// Sorted rows from one on.
    fn rows_after(&self, view: &View, from: &Size) -> View {
        let mut part = view.clone();
        if let Some(stride) = view.stride(SORTED) {
            part.offset = part.offset.plus(from.clone().times(stride.clone()));
        }
        part
    }

    /// Results where they belong, added up along the axes that the sum names.
    fn read_back(
        &mut self,
        scope: &Scope<'p>,
        value: Value,
        found: &Grouped,
        sorting: &Sorting,
        result: &View,
        view: &View,
    ) -> Step {
        let added = found.added.iter().map(|axis| (*axis, self.sizes.extent(*axis))).collect::<Vec<_>>();
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(view);
        let ty = scalar_type(scope.typed(value).ty.dtype);
        self.fill(&mut emitter, view, |emitter, places| {
            let mut sum = emitter.nest.number(0.0, ty);
            for slots in odometer(&added) {
                let mut there = places.clone();
                there.extend(slots);
                let (row, inside) = self.row_of(emitter, sorting, &there);
                let last = self.sizes.elements(&sorting.chosen.rows);
                let last = emitter.nest.size(&last);
                let one = emitter.nest.int(1);
                let last = emitter.nest.call(Function::Subtract, &[last, one]);
                let row = emitter.nest.call(Function::Minimum, &[row, last]);
                there.insert(SORTED, Place::register(row));
                let part = emitter.nest.load(result, &there);
                let part = emitter.nest.convert(part, ty);
                let nothing = emitter.nest.number(0.0, ty);
                let part = emitter.choose(Some(inside), part, nothing);
                sum = emitter.nest.call(Function::Add, &[sum, part]);
            }
            sum
        });
        let work = self.sizes.elements(&scope.typed(value).ty.axes);
        self.launch(emitter.nest.finish("unsorted".into(), String::new(), work))
    }
}

/// All places along axes of fixed sizes.
fn odometer(axes: &[(AxisId, Size)]) -> Vec<Vec<(AxisId, Place)>> {
    let mut all = vec![Vec::new()];
    for (axis, size) in axes {
        let size = size.constant().unwrap_or(1);
        let longer = all.iter().flat_map(|before| {
            (0..size).map(move |at| {
                let mut next: Vec<(AxisId, Place)> = before.clone();
                next.push((*axis, Place::number(at)));
                next
            })
        });
        all = longer.collect();
    }
    all
}
