//! Decays as logarithms: a product of exponentials is the exponential of a sum, and never over- or underflows.
//! `exp(a) · exp(b) · c`  →  `exp(a + b + log c)`

use super::body::Body;
use super::form::Term;
use super::range::{Range, range_of};
use crate::graph::{Op, Value};
use crate::tensor::{DType, Function, ScalarStep};

/// What fades more than this in one turn is gone in any precision.
const LEAST: f64 = -1e4;
/// The smallest decay whose logarithm is taken.
const SMALLEST: f64 = 1e-30;

/// The logarithm of a decay in the outer region; nothing if it is 1. `ranges` are those of the region's arguments.
///
/// # Errors
/// Why there is no logarithm.
pub(super) fn logarithm(body: &mut Body, ranges: &[Range], decay: &[Term]) -> Result<Option<Value>, String> {
    let parts = match decay {
        [only] if only.factors.is_empty() && only.scale == 1.0 => return Ok(None),
        [only] if only.scale > 0.0 => {
            let mut parts = Vec::new();
            for factor in &only.factors {
                parts.push(log_of(body, ranges, *factor)?);
            }
            if only.scale != 1.0 {
                parts.push(body.tape.number(only.scale.ln(), DType::REAL));
            }
            parts
        }
        several => {
            let sum = body.made(several).ok_or("the decay reads what is carried")?;
            vec![log_of(body, ranges, sum)?]
        }
    };
    let sum = parts.into_iter().reduce(|sum, part| body.tape.call(Function::Add, &[sum, part]));
    let Some(sum) = sum else { return Ok(None) };
    let least = body.tape.number(LEAST, body.tape.ty(sum).dtype);
    Ok(Some(body.tape.call(Function::Maximum, &[sum, least])))
}

fn log_of(body: &mut Body, ranges: &[Range], value: Value) -> Result<Value, String> {
    let node = body.tape.forward.node(value.node).clone();
    if let Op::Map(scalar) = &node.op
        && node.results[0].presence.is_always()
        && node.operands.iter().all(|operand| body.tape.ty(*operand).dtype.is_real())
    {
        let function = match scalar.steps.last() {
            Some(ScalarStep::Call(function, _)) if *scalar == crate::tensor::Scalar::function(*function) => *function,
            Some(ScalarStep::Operand(0)) if scalar.steps.len() == 1 => Function::ToReal,
            _ => return plain(body, ranges, value),
        };
        match (function, node.operands.as_slice()) {
            (Function::Exp, [only]) => return Ok(*only),
            (Function::ToReal, [only]) => return log_of(body, ranges, *only),
            (Function::Multiply, [left, right]) => {
                if let (Ok(left), Ok(right)) = (log_of(body, ranges, *left), log_of(body, ranges, *right)) {
                    return Ok(body.tape.call(Function::Add, &[left, right]));
                }
            }
            (Function::Divide, [left, right]) => {
                if let (Ok(left), Ok(right)) = (log_of(body, ranges, *left), log_of(body, ranges, *right)) {
                    return Ok(body.tape.call(Function::Subtract, &[left, right]));
                }
            }
            (Function::Power, [base, exponent]) => {
                if let Ok(base) = log_of(body, ranges, *base) {
                    return Ok(body.tape.call(Function::Multiply, &[*exponent, base]));
                }
            }
            _ => {}
        }
    }
    plain(body, ranges, value)
}

/// The logarithm of a value that is known to be positive.
fn plain(body: &mut Body, ranges: &[Range], value: Value) -> Result<Value, String> {
    let range = range_of(body.tape.axes, &body.tape.forward, ranges, value);
    if !range.is_positive() {
        return Err("its decay is not known to be positive, so it has no logarithm".into());
    }
    let smallest = body.tape.number(SMALLEST, body.tape.ty(value).dtype);
    let value = body.tape.call(Function::Maximum, &[value, smallest]);
    Ok(body.tape.call(Function::Log, &[value]))
}
