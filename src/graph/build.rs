//! Makes the graph of one program of a checked model.
//!
//! In: a [`Model`], one of its programs, and how a derivative is made of nodes. Out: a [`Graph`] that names inputs,
//! parameters and outputs as the model does.
//! Each value becomes one node; a `for` stays a region. Order: [`outer`] finds what bodies read from outside, [`values`]
//! makes nodes, [`regions`] makes the `for`s, [`layout`] orders the axes of what they carry.

mod extents;
mod layout;
mod outer;
mod regions;
mod values;

use super::{Graph, Op, Region, Typed, Value};
use crate::model::{Body, BodyId, Model, Program, ValueId};
use crate::tensor::{Axes, DType, Function, Scalar, ScalarStep, TensorType};
use std::collections::HashMap;

/// The output that is the sum of all losses.
const LOSS: &str = archc_runtime::abi::names::LOSS;

/// What the names of outputs that are new values of buffers begin with.
pub const UPDATE: &str = "update ";

/// Adds to a region the derivative of its first value, summed, by the second, and says which value it is.
pub type Derivative = dyn Fn(&Axes, &mut Region, Value, Value) -> Value;

/// The graph of a program; `derivative` makes its derivatives. A program with losses gives their weighted sum as the
/// output `loss`, where one that is absent counts as 0, and the new values of buffers.
pub fn build(model: &Model, program: &Program, name: &str, derivative: &Derivative) -> Graph {
    let builder = Builder { model, program, derivative };
    let mut scope = Scope::default();
    builder.fill(&mut scope, None);
    let mut outputs = Vec::new();
    let mut results = Vec::new();
    for (name, value) in &program.outputs {
        outputs.push(name.clone());
        results.push(Some(scope.values[value]));
    }
    if !program.losses.is_empty() {
        outputs.push(LOSS.to_string());
        results.push(Some(builder.loss(&mut scope)));
    }
    for (parameter, value) in &program.updates {
        outputs.push(format!("{UPDATE}{}", model.parameters[*parameter].path));
        results.push(Some(scope.values[value]));
    }
    scope.region.results = results;
    let mut axes = model.axes.clone();
    extents::forget_unused(&mut axes, &scope.region);
    Graph { name: name.to_string(), axes, root: scope.region, outputs }
}

/// One region that is being made, and where the program's values are in it.
#[derive(Default)]
struct Scope {
    region: Region,
    values: HashMap<ValueId, Value>,
    /// Values from outside, at the turn.
    slices: HashMap<ValueId, Value>,
    /// Nodes of the `for`s that stand in this region.
    regions: HashMap<crate::model::RegionId, super::NodeId>,
}

impl Scope {
    /// A value with its axes in another order, or present at fewer positions.
    fn cast(&mut self, value: Value, typed: Typed, path: &str) -> Value {
        if *self.region.typed(value) == typed {
            return value;
        }
        self.region.add_one(Op::Map(Scalar::identity()), [value], typed, path)
    }
}

struct Builder<'a> {
    model: &'a Model,
    program: &'a Program,
    derivative: &'a Derivative,
}

impl Builder<'_> {
    /// Makes nodes for all values of one body (or of the top), in order.
    fn fill(&self, scope: &mut Scope, body: Option<BodyId>) {
        for (place, value) in self.program.values.iter().enumerate() {
            if value.body == body {
                let id = ValueId(place as u32);
                let node = self.value(scope, id);
                scope.values.insert(id, node);
            }
        }
    }

    fn body(&self, id: BodyId) -> &Body {
        &self.program.regions[id.region.0 as usize].bodies[id.body as usize]
    }

    /// `sum of weight · (loss else 0)`.
    fn loss(&self, scope: &mut Scope) -> Value {
        let ty = TensorType::scalar(DType::REAL);
        let mut total: Option<Value> = None;
        for (loss, weight) in &self.program.losses {
            let zero = scope.region.add_one(Op::Constant(vec![0.0]), [], Typed::always(ty.clone()), LOSS);
            let present = scope.region.add_one(Op::Else, [scope.values[loss], zero], Typed::always(ty.clone()), LOSS);
            let mut scalar = Scalar::default();
            let operand = scalar.push(ScalarStep::Operand(0));
            let factor = scalar.push(ScalarStep::Number(*weight, DType::REAL));
            scalar.push(ScalarStep::Call(Function::Multiply, vec![operand, factor]));
            let weighted = scope.region.add_one(Op::Map(scalar), [present], Typed::always(ty.clone()), LOSS);
            total = Some(match total {
                None => weighted,
                Some(sum) => {
                    let add = Op::Map(Scalar::function(Function::Add));
                    scope.region.add_one(add, [sum, weighted], Typed::always(ty.clone()), LOSS)
                }
            });
        }
        total.unwrap_or_else(|| scope.region.add_one(Op::Constant(vec![0.0]), [], Typed::always(ty), LOSS))
    }
}
