//! Turns that read the position which they write: what stands there before.
//!
//! `ids = prompt[p: t else mask]; for n in new { …f(ids)[t: |p| + n]…; ids = next where t == |p| + n }`
//!
//! The sequence of such a turn is what is known and one position more, which holds `mask`; it is read there, at
//! `|t| - 1`. The next turn has its own token in that place, so that what is kept of the blank must be written again
//! then. That is so wherever a state holds one thing for each position.

use super::Opening;
use crate::derive::{NotIncremental, STATE};
use crate::graph::{Graph, Op, Typed, Value};
use crate::tensor::{BATCH, DType, Function, Scalar, ScalarStep, TensorType};
use archc_runtime::abi::names;

/// Refuses the step of a turn that reads a blank, if something of the blank stays in its states.
///
/// # Errors
/// The state.
pub fn forgets_blank(step: &Graph) -> Result<(), NotIncremental> {
    let reads_blank = |id| matches!(&step.root.node(id).op, Op::Input(name) if name == names::BLANK);
    if !step.root.ids().into_iter().any(reads_blank) {
        return Ok(());
    }
    let states = step.outputs.iter().zip(&step.root.results).filter(|(name, _)| name.starts_with(STATE));
    for (name, value) in states {
        let axes = value.map(|value| step.root.typed(value).ty.axes.clone()).unwrap_or_default();
        let positions = |name: &str| [names::CONTEXT, names::RECENT].contains(&name);
        if !axes.iter().any(|axis| positions(&step.axes[*axis].name)) {
            let path = name.trim_start_matches(STATE).to_string();
            let reason = "a recurrence would carry on what it has read at the position that is not written yet";
            return Err(NotIncremental { path, reason: reason.into() });
        }
    }
    Ok(())
}

impl Opening<'_> {
    /// The known ids, and behind them what stands where nothing is written yet: at the last positions, of which the
    /// caller says how many are blank.
    pub(super) fn before_the_blank(&mut self, known: Value, blank: Value, ty: TensorType) -> Value {
        let blank = self.copy(false, blank);
        let per_row = TensorType::new([BATCH], DType::Int);
        let length = self.new.add_one(Op::Length(self.own.along), [], Typed::always(per_row.clone()), "known");
        let blanks = self.input(names::BLANK, per_row);
        let mut scalar = Scalar::default();
        let [known_step, blank_step, length_step, blanks_step] =
            [0, 1, 2, 3].map(|place| scalar.push(ScalarStep::Operand(place)));
        let place = scalar.push(ScalarStep::Coordinate(self.own.along));
        let end = scalar.push(ScalarStep::Call(Function::Subtract, vec![length_step, blanks_step]));
        let written = scalar.push(ScalarStep::Call(Function::Less, vec![place, end]));
        scalar.push(ScalarStep::Call(Function::Select, vec![written, known_step, blank_step]));
        self.new.add_one(Op::Map(scalar), [known, blank, length, blanks], Typed::always(ty), names::BLANK)
    }
}
