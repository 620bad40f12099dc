//! The catalogue of operations: for each, one file with its type rule, its plain meaning and its gradient.
//!
//! In: an operation and what it reads. Out: the types of its results (`infer`), their values (`eval`), new nodes for
//! its derivative (`gradient`). [`Op`] is the closed list; this file asks the file of each operation, and
//! [`CATALOGUE`] lists them with an example each, so that a test meets every new operation the moment it is listed.
//!
//! Nothing here knows layers, and `eval` shares no code with the lowering that it judges.

mod bring;
mod catalogue;
mod chain;
mod contract;
mod derivative;
mod draw;
mod index;
mod inverse;
mod leaves;
mod map;
mod otherwise;
mod presence;
mod rank;
mod reduce;
mod repeat;
mod scatter;
mod scene;
mod tape;
mod typing;
mod verify;
mod window;
mod write;

pub use catalogue::*;
pub use chain::{Chain, Factor, MOST_FACTORS, Order, POSITIONS, nominal};
pub use contract::is_of_matrices;
pub use derivative::keep_needed;
pub use draw::{parameters_of, weights_of};
pub use inverse::bounds;
pub use map::with_read_operands;
pub use presence::restrict;
pub use reduce::has_value_of_nothing;
pub use repeat::{stacked, yields_of};
pub use scene::*;
pub use tape::*;
pub use typing::*;
pub use verify::*;

use crate::graph::{Node, Op, Value};
use crate::tensor::{Array, TensorType};

/// The types of an operation's results. `wanted` is the type that the first result shall have: it settles what the
/// operands leave open (the type of data from outside, repetition along further axes, the order of storage).
///
/// # Errors
/// What is wrong with the operands or with the wish, in words.
pub fn infer(
    typing: &Typing,
    op: &Op,
    operands: &[Value],
    wanted: Option<&TensorType>,
) -> Result<Vec<TensorType>, TypeError> {
    let types = operands.iter().map(|&operand| typing.of(operand)).collect::<Vec<_>>();
    let natural = match op {
        Op::Input(_) | Op::Parameter(_) | Op::Setting(_) | Op::Argument(_) => leaves::given(&types, wanted)?,
        Op::Constant(numbers) => leaves::constant(typing, numbers, &types, wanted)?,
        Op::Length(axis) => leaves::length(typing, *axis, &types)?,
        Op::Coordinate(axis) => leaves::coordinate(*axis, &types)?,
        Op::Turn => leaves::turn(&types)?,
        Op::Map(scalar) => map::infer(scalar, &types, wanted)?,
        Op::Else => otherwise::infer(&types)?,
        Op::Contract(axes) => contract::infer(axes, &types)?,
        Op::Reduce(combine, axes) => reduce::infer(*combine, axes, &types)?,
        Op::Rank(axes) => rank::infer(axes, &types)?,
        Op::Index(places) => index::infer(typing, places, &types)?,
        Op::Scatter(places) => scatter::infer(typing, places, &types, wanted)?,
        Op::Write(places) => write::infer(typing, places, &types)?,
        Op::Draw(law, _) => draw::infer(*law, &types, wanted)?,
        Op::Stop | Op::Peek => exactly::<1>(&types)?[0].clone(),
        Op::For(region) => return repeat::infer(typing, region, &types),
    };
    Ok(vec![in_order_of(natural, wanted)])
}

/// The type in the wished order of storage and, for reals, in the wished precision: neither changes the meaning.
fn in_order_of(natural: TensorType, wanted: Option<&TensorType>) -> TensorType {
    let Some(wanted) = wanted else { return natural };
    let same = natural.axes.len() == wanted.axes.len() && natural.axes.iter().all(|axis| wanted.has(*axis));
    let axes = if same { wanted.axes.clone() } else { natural.axes };
    let dtype = if natural.dtype.is_real() && wanted.dtype.is_real() { wanted.dtype } else { natural.dtype };
    TensorType { axes, dtype }
}

/// The value of an operation's one result, before its recorded presence hides anything. Data from outside and `for`
/// are the interpreter's; for them there is nothing to evaluate here.
pub fn eval(scene: &Scene, node: &Node, operands: &[&Array]) -> Option<Array> {
    let shape = scene.shape(&node.results[0].ty);
    Some(match &node.op {
        Op::Input(_) | Op::Parameter(_) | Op::Argument(_) | Op::For(_) => return None,
        Op::Setting(name) => Array::filled(shape, *scene.world.settings.get(name)?),
        Op::Constant(numbers) => Array::new(shape, numbers.clone()),
        Op::Length(axis) => leaves::eval_length(scene, *axis, shape),
        Op::Coordinate(_) => leaves::eval_coordinate(shape),
        Op::Turn => Array::filled(shape, *scene.turns.last()? as f64),
        Op::Map(scalar) => map::eval(scalar, operands, shape),
        Op::Else => otherwise::eval(operands[0], operands[1], shape),
        Op::Contract(axes) => contract::eval(scene, axes, operands, shape),
        Op::Reduce(combine, axes) => reduce::eval(scene, *combine, axes, operands[0], shape),
        Op::Rank(axes) => rank::eval(scene, axes, operands[0], shape),
        Op::Index(places) => index::eval(scene, places, operands[0], shape),
        Op::Scatter(places) => scatter::eval(scene, places, operands[0], shape),
        Op::Write(places) => write::eval(scene, places, operands[0], operands[1]),
        Op::Draw(law, path) => draw::eval(scene, *law, path, operands, shape),
        Op::Stop | Op::Peek => operands[0].reshaped(&shape),
    })
}

/// Hands the adjoint of a node's result on to its operands. A `for` is differentiated as a whole, by its own pass.
///
/// # Errors
/// An operation that cannot be typed: a bug of the gradient.
pub fn gradient(tape: &mut Tape, node: &Node, upstream: Value) -> Result<(), TypeError> {
    match &node.op {
        Op::Map(scalar) => map::gradient(tape, scalar, node, upstream),
        Op::Else => otherwise::gradient(tape, node, upstream),
        Op::Contract(_) => contract::gradient(tape, node, upstream),
        Op::Reduce(combine, axes) => return reduce::gradient(tape, *combine, axes, node, upstream),
        Op::Index(places) => return index::gradient(tape, places, node, upstream),
        Op::Scatter(places) => return scatter::gradient(tape, places, node, upstream),
        Op::Peek => tape.give(node.operands[0], upstream),
        Op::Write(_) => return fail("a state is written by programs that are not differentiated"),
        _ => {}
    }
    Ok(())
}
