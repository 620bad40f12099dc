//! Streamed attention as a kernel.

use super::matrices::{Matrices, merged};
use super::softmax::{self, Attention};
use super::visible::{End, Sight};
use crate::graph::Value;
use crate::kernel::{Amount, Attend, Edge, Form, Matrix, Part, Visible};
use crate::plan::lowering::Scope;
use crate::plan::place::View;
use crate::plan::program::Step;
use crate::plan::schedule::Planner;
use crate::tensor::{AxisId, BATCH, DType, Function, Scalar, ScalarStep};

/// The axes of one attention by what they are for.
pub(super) struct Frame {
    pub batch: Vec<AxisId>,
    pub queries: AxisId,
    pub keys: AxisId,
    pub width: Vec<AxisId>,
    pub value_width: Vec<AxisId>,
}

impl<'p> Planner<'p> {
    /// The steps of an attention into a view; `None` if its operands are not laid out as matrices.
    pub(in crate::plan) fn attend(&mut self, scope: &Scope<'p>, found: &Attention, output: &View) -> Option<Vec<Step>> {
        if let Some(pieces) = self.pieces(scope, found, output) {
            return self.attend_in_pieces(scope, found, output, &pieces);
        }
        let mut matrices = Matrices::default();
        let attend = self.attend_form(scope, found, (output, None), true, &mut matrices)?;
        Some(vec![self.launch_attend(scope, found, attend, matrices)])
    }

    /// The step of a form.
    pub(super) fn launch_attend(
        &mut self,
        scope: &Scope<'p>,
        found: &Attention,
        attend: Attend,
        matrices: Matrices,
    ) -> Step {
        let work = self.sizes.elements(&scope.typed(found.product).ty.axes);
        let work = work.times(self.sizes.elements(&found.width)).times(2.into());
        let path = &scope.region.node(found.root.node).path;
        let made = matrices.finish("attend", Form::Attend(Box::new(attend)), path, work);
        self.launch(made)
    }

    /// The form itself, with buffers and sizes added to `matrices`.
    pub(super) fn attend_form(
        &self,
        scope: &Scope<'p>,
        found: &Attention,
        (output, logsum): (&View, Option<&View>),
        writes: bool,
        matrices: &mut Matrices,
    ) -> Option<Attend> {
        if writes {
            matrices.buffer(output, true);
            logsum.map(|view| matrices.buffer(view, true));
        }
        let query = scope.view(found.query)?;
        let (key, value) = (scope.view_of_keys(found, found.key)?, scope.view_of_keys(found, found.value)?);
        let frame = self.frame(scope, found, [&query, &key, &value, output])?;
        let Frame { batch, queries, keys, width, value_width } = &frame;
        let (rows, columns) = ([*queries], [*keys]);
        let further = self.parts(scope, found, &frame, matrices)?;
        let leaves = operands(found);
        let extras = leaves[1..].iter().map(|leaf| scope.view(*leaf)).collect::<Option<Vec<_>>>()?;
        let visible = self.visible(scope, found, &frame, leaves.len(), matrices)?;
        let mut extras = extras.iter().map(|view| matrices.matrix(view, batch, &rows, &columns)).collect::<Vec<_>>();
        let sight = scope.sight(found)?;
        let ranks = sight.ranks.iter().map(|(rank, _)| rank);
        for condition in sight.conditions.iter().chain(ranks) {
            extras.push(matrices.matrix(&scope.view(*condition)?, batch, &rows, &columns));
        }
        let mut attend = Attend {
            batch: batch.iter().map(|axis| matrices.amount(&self.sizes.extent(*axis))).collect(),
            queries: matrices.amount(&self.sizes.extent(*queries)),
            keys: matrices.amount(&self.sizes.extent(*keys)),
            width: matrices.amount(&self.sizes.elements(width)),
            value_width: matrices.amount(&self.sizes.elements(value_width)),
            query: matrices.matrix(&query, batch, &rows, width),
            key: matrices.matrix(&key, batch, &columns, width),
            further,
            value: matrices.matrix(&value, batch, &columns, value_width),
            ring: scope.ring_size(found),
            extras,
            score: found.score.scalar(&leaves, &[])?,
            visible,
            listed: false,
            piece: None,
            output: matrices.matrix(output, batch, &rows, value_width),
            logsum: logsum.map(|view| matrices.matrix(view, batch, &rows, &[])),
            visits: None,
        };
        attend.listed = writes && !sight.ranks.is_empty() && attend.sees_alike();
        Some(attend)
    }

    /// Further products as matrices.
    fn parts(&self, scope: &Scope<'p>, found: &Attention, frame: &Frame, matrices: &mut Matrices) -> Option<Vec<Part>> {
        let part = |part: &softmax::Part| {
            let (query, key) = (scope.view(part.query)?, scope.view_of_keys(found, part.key)?);
            let axes = &scope.typed(part.query).ty.axes;
            let width = axes.iter().copied().filter(|axis| part.width.contains(axis)).collect::<Vec<_>>();
            let whole = merged(self.sizes, &width, &[&query, &key]) == width.len();
            whole.then(|| Part {
                width: matrices.amount(&self.sizes.elements(&width)),
                query: matrices.matrix(&query, &frame.batch, &[frame.queries], &width),
                key: matrices.matrix(&key, &frame.batch, &[frame.keys], &width),
            })
        };
        found.further.iter().map(part).collect()
    }

    /// Which axes are batches, and whether the others are matrices.
    pub(super) fn frame(&self, scope: &Scope, found: &Attention, views: [&View; 4]) -> Option<Frame> {
        let [query, key, value, output] = views;
        let queries = scope.query_axis(found)?;
        let axes = |one: Value| scope.typed(one).ty.axes.clone();
        let batch = axes(found.query).into_iter().filter(|axis| *axis != queries && !found.width.contains(axis));
        let batch = batch.collect::<Vec<_>>();
        let value_width = axes(found.root).into_iter().filter(|axis| *axis != queries && !batch.contains(axis));
        let value_width = value_width.collect::<Vec<_>>();
        let width = axes(found.query).into_iter().filter(|axis| found.width.contains(axis)).collect::<Vec<_>>();
        let whole = merged(self.sizes, &width, &[query, key]) == width.len()
            && merged(self.sizes, &value_width, &[value, output]) == value_width.len();
        whole.then_some(Frame { batch, queries, keys: found.keys, width, value_width })
    }

    fn visible(
        &self,
        scope: &Scope<'p>,
        found: &Attention,
        frame: &Frame,
        operands: usize,
        matrices: &mut Matrices,
    ) -> Option<Visible> {
        let sight = scope.sight(found)?;
        let mut edges =
            |ends: &[End]| ends.iter().map(|end| edge(scope, end, frame, matrices)).collect::<Option<Vec<_>>>();
        let (from, mut to) = (edges(&sight.from)?, edges(&sight.to)?);
        let mut rows_end = |axis: AxisId| {
            let end = scope.rows_end(axis).filter(|_| frame.batch.contains(&BATCH))?;
            let table = Some(matrices.matrix(&end.lengths?, &frame.batch, &[], &[]));
            Some(Edge { slope: 0, offset: matrices.amount(&end.beyond), constant: 0, table })
        };
        to.extend(rows_end(frame.keys));
        let queries = rows_end(frame.queries);
        Some(Visible { from, to, present: all_of(operands, &sight), queries })
    }
}

/// The values that a score reads: the product, then the others.
pub(super) fn operands(found: &Attention) -> Vec<Value> {
    let mut operands = vec![found.product];
    operands.extend(found.score.leaves().into_iter().filter(|leaf| *leaf != found.product));
    operands
}

fn edge(scope: &Scope, end: &End, frame: &Frame, matrices: &mut Matrices) -> Option<Edge> {
    let table: Option<Matrix> = match end.table {
        Some(value) => Some(matrices.matrix(&scope.view(value)?, &frame.batch, &[frame.queries], &[])),
        None => None,
    };
    Some(Edge { slope: end.slope, offset: Amount::Constant(0), constant: end.constant, table })
}

/// What must hold of the operands after those of the score: truths, and ranks below their bounds.
fn all_of(first: usize, sight: &Sight) -> Option<Scalar> {
    let mut scalar = Scalar::default();
    let mut all = None;
    let bounds = sight.conditions.iter().map(|_| None).chain(sight.ranks.iter().map(|(_, bound)| Some(*bound)));
    for (place, bound) in bounds.enumerate() {
        let mut truth = scalar.push(ScalarStep::Operand(first + place));
        if let Some(bound) = bound {
            let bound = scalar.push(ScalarStep::Number(bound as f64, DType::Int));
            truth = scalar.push(ScalarStep::Call(Function::Less, vec![truth, bound]));
        }
        all = Some(match all {
            None => truth,
            Some(all) => scalar.push(ScalarStep::Call(Function::And, vec![all, truth])),
        });
    }
    all.map(|_| scalar)
}
