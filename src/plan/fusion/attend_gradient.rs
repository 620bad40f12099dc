//! The gradient of streamed attention: the result is streamed once more for its sums, then all three gradients.

use super::attend::{Frame, operands};
use super::matrices::{Matrices, merged};
use super::softmax_gradient::AttentionGradient;
use crate::kernel::{AttendGradient, Form};
use crate::plan::lowering::Scope;
use crate::plan::place::View;
use crate::plan::program::Step;
use crate::plan::schedule::Planner;

impl<'p> Planner<'p> {
    /// The steps that compute the gradients by queries, keys and values into views of theirs; `None` if operands are
    /// not laid out as matrices.
    pub(in crate::plan) fn attend_gradient(
        &mut self,
        scope: &Scope<'p>,
        found: &AttentionGradient,
        targets: [&View; 3],
    ) -> Option<Vec<Step>> {
        let forward = &found.forward;
        if scope.ring_size(forward).is_some() {
            return None;
        }
        let upstream = scope.view(forward.root)?;
        let (query, key, value) = (scope.view(forward.query)?, scope.view(forward.key)?, scope.view(forward.value)?);
        let frame = self.frame(scope, forward, [&query, &key, &value, &upstream])?;
        let Frame { batch, queries, keys, width, value_width } = &frame;
        let [by_query, by_key, by_value] = targets;
        let whole = merged(self.sizes, width, &[by_query, by_key]) == width.len()
            && merged(self.sizes, value_width, &[by_value]) == value_width.len();
        if !whole {
            return None;
        }
        let ty = &scope.typed(forward.root).ty;
        let output = self.temporary("attended", &ty.axes, ty.dtype);
        let mut rows = batch.clone();
        rows.push(*queries);
        let logsum = self.temporary("logsum", &rows, ty.dtype);
        let path = &scope.region.node(found.roots[0].node).path;
        let work = self.sizes.elements(&scope.typed(forward.product).ty.axes).times(self.sizes.elements(width));
        let mut matrices = Matrices::default();
        let attend = self.attend_form(scope, forward, (&output, Some(&logsum)), true, &mut matrices)?;
        let made = matrices.finish("attend", Form::Attend(Box::new(attend)), path, work.clone().times(2.into()));
        let first = self.launch(made);
        let mut matrices = Matrices::default();
        for target in targets {
            matrices.buffer(target, true);
        }
        let gradient = AttendGradient {
            forward: self.attend_form(scope, forward, (&output, Some(&logsum)), false, &mut matrices)?,
            slope: found.slope.scalar(&operands(forward), &[])?,
            output_gradient: matrices.matrix(&upstream, batch, &[*queries], value_width),
            query_gradient: matrices.matrix(by_query, batch, &[*queries], width),
            key_gradient: matrices.matrix(by_key, batch, &[*keys], width),
            value_gradient: matrices.matrix(by_value, batch, &[*keys], value_width),
        };
        let form = Form::AttendGradient(Box::new(gradient));
        let second = self.launch(matrices.finish("attend_gradient", form, path, work.times(5.into())));
        Some(vec![first, second])
    }
}
