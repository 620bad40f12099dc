//! Contractions of two operands as matrix products: axes of one kind become one where their strides compose.

use super::choice::{Choice, Product};
use super::expression::Expression;
use super::matrices::{Matrices, merged};
use crate::graph::demand::axes_of;
use crate::graph::{NodeId, Op, Region, Value};
use crate::kernel::{Form, Gemm};
use crate::ops::is_of_matrices;
use crate::plan::lowering::Scope;
use crate::plan::place::View;
use crate::plan::program::Step;
use crate::plan::schedule::Planner;
use crate::tensor::{AxisId, DType, Precision, Relation, Scalar};

/// The axes of a product by what they are for, outermost first.
struct Roles {
    batch: Vec<AxisId>,
    rows: Vec<AxisId>,
    columns: Vec<AxisId>,
    sum: Vec<AxisId>,
}

impl<'p> Planner<'p> {
    /// The steps of a product into a view; `None` if its operands are not laid out as matrices.
    pub(in crate::plan) fn gemm(
        &mut self,
        scope: &Scope<'p>,
        tail: Value,
        product: &Product,
        (target, choice): (&View, &Choice),
    ) -> Option<Vec<Step>> {
        let Op::Contract(sum) = &scope.region.node(product.contract.node).op else { return None };
        let mut steps = Vec::new();
        let [a, b] = self.operands(scope, product, target, &mut steps)?;
        let leaves = leaves_of(product);
        let extras = leaves[1..].iter().map(|leaf| scope.view(*leaf)).collect::<Option<Vec<_>>>()?;
        let roles = self.roles(target, sum, [&a, &b], &extras)?;
        let Roles { batch, rows, columns, sum } = &roles;
        let adds = self.adds_up([batch, rows, columns, sum])?;
        if adds {
            self.clear_before(scope, tail, target);
        }
        let [a, b, target] = [&a, &b, target].map(|view| self.part(view));
        let extras = extras.iter().map(|view| self.part(view)).collect::<Vec<_>>();
        let scalar = match &product.epilogue {
            Expression::Leaf(_) => Scalar::identity(),
            epilogue => epilogue.scalar(&leaves, &[])?,
        };
        let mut matrices = Matrices::default();
        let (packed, right) = self.right(&b, [batch, sum, columns], &mut matrices);
        self.once(packed, &mut steps);
        let asked = self.asked(scope, tail, rows, choice, &mut steps);
        let form = Gemm {
            batch: batch.iter().map(|axis| matrices.amount(&self.sizes.extent(*axis))).collect(),
            m: matrices.amount(&self.elements(rows)),
            n: matrices.amount(&self.elements(columns)),
            k: matrices.amount(&self.elements(sum)),
            a: matrices.matrix(&a, batch, rows, sum),
            b: right,
            extras: extras.iter().map(|view| matrices.matrix(view, batch, rows, columns)).collect(),
            epilogue: scalar,
            c: matrices.target(&target, batch, rows, columns),
            accumulate: adds,
            asked: asked.map(|view| Box::new(matrices.matrix(&view, batch, rows, &[]))),
        };
        let work = [batch, rows, columns, sum].into_iter().flatten().copied().collect::<Vec<_>>();
        let work = self.elements(&work);
        let path = &scope.region.node(tail.node).path;
        steps.push(self.launch(matrices.finish("gemm", Form::Gemm(form), path, work)));
        Some(steps)
    }

    /// Which rows of a product are asked for, as truths in memory, if it is known by now that not all are.
    fn asked(
        &mut self,
        scope: &Scope<'p>,
        tail: Value,
        rows: &[AxisId],
        choice: &Choice,
        steps: &mut Vec<Step>,
    ) -> Option<View> {
        let needed = self.needed(scope, tail, rows, choice);
        let varies = |relation: &Relation<Value>| !axes_of(scope.region, relation).is_empty();
        if self.rows.is_some() || !needed.relations.iter().any(varies) {
            return None;
        }
        if let [Relation::Holds(known)] = needed.relations.as_slice()
            && let Some(view) = scope.stored(*known)
            && view.strides.iter().map(|(axis, _)| axis).eq(rows)
        {
            return Some(view.clone());
        }
        let view = self.temporary("asked", rows, DType::Bool);
        steps.push(self.truths(scope, &needed, &view));
        Some(view)
    }

    /// The operand with the target's rows and the one with its columns. What a sum goes over is masked in one of them:
    /// not in one that exists for a chunk alone, if the other is stored.
    fn operands(
        &mut self,
        scope: &Scope<'p>,
        product: &Product,
        target: &View,
        steps: &mut Vec<Step>,
    ) -> Option<[View; 2]> {
        let node = scope.region.node(product.contract.node);
        let Op::Contract(sum) = &node.op else { return None };
        let (mut left, mut right) = (node.operands[0], node.operands[1]);
        if !scope.typed(right).ty.has(target.strides.last()?.0) {
            (left, right) = (right, left);
        }
        let (mut of_left, mut of_right) = (&[][..], sum.as_slice());
        if self.exists_in_part(scope, right) {
            std::mem::swap(&mut of_left, &mut of_right);
        }
        Some([self.settled(scope, left, of_left, steps)?, self.settled(scope, right, of_right, steps)?])
    }

    fn roles(&self, target: &View, sum: &[AxisId], operands: [&View; 2], extras: &[View]) -> Option<Roles> {
        let [a, b] = operands;
        let axes = target.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        let pick = |in_a: bool, in_b: bool| {
            let fits = |axis: &&AxisId| a.stride(**axis).is_some() == in_a && b.stride(**axis).is_some() == in_b;
            axes.iter().filter(fits).copied().collect::<Vec<_>>()
        };
        let (mut batch, mut rows, mut columns) = (pick(true, true), pick(true, false), pick(false, true));
        if rows.is_empty() || columns.is_empty() || batch.len() + rows.len() + columns.len() != axes.len() {
            return None;
        }
        let mut sum = sum.to_vec();
        sum.sort_by_key(|axis| a.strides.iter().position(|(known, _)| known == axis));
        for group in [&mut batch, &mut rows, &mut columns, &mut sum] {
            self.leave_out_units(group);
        }
        if merged(self.sizes, &sum, &[a, b]) < sum.len() {
            return None;
        }
        let with = |views: [&'_ View; 2]| -> Vec<View> { views.into_iter().chain(extras).cloned().collect() };
        for (group, operand) in [(&mut rows, a), (&mut columns, b)] {
            let views = with([operand, target]);
            let together = merged(self.sizes, group, &views.iter().collect::<Vec<_>>());
            batch.extend(group.drain(..group.len() - together));
        }
        Some(Roles { batch, rows, columns, sum })
    }

    /// An axis with one place has a stride that nobody takes: it goes, unless no other is left.
    fn leave_out_units(&self, group: &mut Vec<AxisId>) {
        let last = group.last().copied();
        group.retain(|axis| self.sizes.extent(*axis).constant() != Some(1));
        group.extend(last.filter(|_| group.is_empty()));
    }

    /// The view of an operand; a copy of it that is 0 where it is absent and, if it is `summed` along a sequence, past
    /// the rows' lengths.
    fn settled(&mut self, scope: &Scope<'p>, operand: Value, summed: &[AxisId], steps: &mut Vec<Step>) -> Option<View> {
        let axes = self.sizes.axes();
        let ragged = summed.iter().copied().filter(|axis| axes.is_sequence(*axis)).collect::<Vec<_>>();
        if ragged.is_empty() && scope.is_always(operand) {
            return scope.view(operand);
        }
        if let Some(view) = scope.settled(operand, &ragged) {
            return Some(view);
        }
        let ty = &scope.typed(operand).ty;
        let view = self.temporary("settled", &ty.axes, ty.dtype);
        steps.extend(self.lay_along(scope, operand, &view));
        steps.push(self.masked_copy(scope, operand, &ragged, &view));
        scope.settle(operand, ragged, view.clone());
        Some(view)
    }
}

/// The values that an epilogue reads: the sum, then the others.
fn leaves_of(product: &Product) -> Vec<Value> {
    let others = product.epilogue.leaves().into_iter().filter(|leaf| *leaf != product.contract);
    std::iter::once(product.contract).chain(others).collect()
}

/// Whether a contraction has rows, columns and something to sum, all of them of plain reals.
pub(super) fn is_product(region: &Region, id: NodeId) -> bool {
    let node = region.node(id);
    let (Op::Contract(axes), [left, right]) = (&node.op, node.operands.as_slice()) else { return false };
    let plain =
        |value: &Value| matches!(region.typed(*value).ty.dtype, DType::Real(Precision::Recipe | Precision::F32));
    let both_have = |axis: &AxisId| [left, right].iter().all(|factor| region.typed(**factor).ty.has(*axis));
    plain(left) && plain(right) && axes.iter().all(both_have) && is_of_matrices(region, id)
}
