//! A loss that the caller brings: outputs of a program times numbers from outside, summed.
//!
//! In: a forward graph and pairs of an output and a name. Out: the same graph with an input of each name, of its output's
//! type, and the output `loss` more: the sum of all products. Its gradient is the program's vector-Jacobian product,
//! which is how a program without a loss of its own is differentiated.

use crate::fault::Bug;
use crate::graph::{Graph, Op, Typed, Value};
use crate::tensor::{DType, Function, Scalar, TensorType};

/// The graph with the sum of the products of outputs and inputs of the given names as the output `loss`.
///
/// # Errors
/// If an output does not exist, or there is none.
pub fn judged(graph: &Graph, pairs: &[(String, String)], loss: &str) -> Result<Graph, Bug> {
    let mut judged = graph.clone();
    let mut total: Option<Value> = None;
    for (output, input) in pairs {
        let place = graph.outputs.iter().position(|name| name == output);
        let value = place.and_then(|place| graph.root.results[place]);
        let value = value.ok_or_else(|| Bug::new("derive", format!("there is an output `{output}`")))?;
        let part = product(&mut judged, value, input);
        total = Some(match total {
            None => part,
            Some(sum) => {
                let add = Op::Map(Scalar::function(Function::Add));
                judged.root.add_one(add, [sum, part], Typed::always(scalar()), loss)
            }
        });
    }
    let total = total.ok_or_else(|| Bug::new("derive", "a loss is made of some output"))?;
    judged.outputs = vec![loss.to_string()];
    judged.root.results = vec![Some(total)];
    Ok(judged)
}

fn scalar() -> TensorType {
    TensorType::scalar(DType::REAL)
}

/// The sum of a value times an input of its own type.
fn product(graph: &mut Graph, value: Value, input: &str) -> Value {
    let ty = graph.root.typed(value).ty.clone();
    let given = graph.root.add_one(Op::Input(input.into()), [], Typed::always(ty.clone()), input);
    graph.root.add_one(Op::Contract(ty.axes), [value, given], Typed::always(scalar()), input)
}
