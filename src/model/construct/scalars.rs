//! Scalar functions of aligned values: element types, folding of numbers, simple identities.

use super::{Draft, Values};
use crate::model::values::{ValueId, ValueKind};
use crate::tensor::{Affine, DType, Function, Presence};

impl Values {
    /// A function at every position; absent where an operand is absent.
    pub fn scalar(&mut self, function: Function, operands: &[ValueId]) -> ValueId {
        let types = operands.iter().map(|operand| self.dtype(*operand)).collect::<Vec<_>>();
        let dtype = function.result(&types);
        let operands = self.coerce(function, operands, &types, dtype);
        if let Some(known) = self.fold(function, &operands, dtype).or_else(|| self.identity(function, &operands)) {
            return known;
        }
        if let Some(known) = self.rewrite_power(function, &operands) {
            return known;
        }
        if let Some(holds) = self.decide(function, &operands) {
            return self.number(f64::from(u8::from(holds)), DType::Bool);
        }
        let axes = operands.iter().flat_map(|operand| self.axes_of(*operand).to_vec()).collect::<Vec<_>>();
        let presence = operands.iter().fold(Presence::always(), |all, operand| all.and(&self.presence(*operand)));
        let axes = self.order(axes);
        self.emit(Draft::new(ValueKind::Scalar(function, operands), axes, dtype).present(presence))
    }

    /// Operands in the type that the function works in.
    fn coerce(&mut self, function: Function, operands: &[ValueId], types: &[DType], result: DType) -> Vec<ValueId> {
        use Function::*;
        let joined = types.iter().copied().reduce(DType::join).unwrap_or(result);
        let wanted = match function {
            And | Or | Not | ToReal | ToInt | Floor => return operands.to_vec(),
            Equal | NotEqual | Less | LessEqual if joined == DType::Bool => return operands.to_vec(),
            Equal | NotEqual | Less | LessEqual => joined,
            _ => result,
        };
        let convert = |(place, operand): (usize, &ValueId)| {
            let is = self.dtype(*operand);
            let keeps = is == wanted || is.is_real() && wanted.is_real() || function == Select && place == 0;
            if keeps { *operand } else { self.convert(*operand, wanted) }
        };
        operands.iter().enumerate().map(convert).collect()
    }

    /// The number, if all operands are numbers.
    fn fold(&mut self, function: Function, operands: &[ValueId], dtype: DType) -> Option<ValueId> {
        let numbers = operands.iter().map(|operand| self.as_number(*operand)).collect::<Option<Vec<_>>>()?;
        Some(self.number(function.apply(&numbers), dtype))
    }

    /// `x + 0`, `x * 1`, `x / 1`, and `floor` of a whole number.
    fn identity(&self, function: Function, operands: &[ValueId]) -> Option<ValueId> {
        let number = |place: usize| operands.get(place).and_then(|operand| self.as_number(*operand));
        match function {
            Function::Floor if !self.dtype(operands[0]).is_real() => Some(operands[0]),
            Function::Add if number(0) == Some(0.0) => Some(operands[1]),
            Function::Add | Function::Subtract if number(1) == Some(0.0) => Some(operands[0]),
            Function::Multiply if number(0) == Some(1.0) => Some(operands[1]),
            Function::Multiply | Function::Divide | Function::FloorDivide | Function::Power
                if number(1) == Some(1.0) =>
            {
                Some(operands[0])
            }
            Function::And if number(0) == Some(1.0) => Some(operands[1]),
            Function::And if number(1) == Some(1.0) => Some(operands[0]),
            _ => None,
        }
    }

    /// `x ^ 2`, `x ^ 0.5`, `x ^ -1`, `x ^ -0.5` by multiplication, root and division.
    fn rewrite_power(&mut self, function: Function, operands: &[ValueId]) -> Option<ValueId> {
        if function != Function::Power {
            return None;
        }
        let (x, exponent) = (operands[0], self.as_number(operands[1])?);
        if exponent == 2.0 {
            return Some(self.scalar(Function::Multiply, &[x, x]));
        }
        let base = match exponent {
            -1.0 => x,
            0.5 | -0.5 => self.scalar(Function::Sqrt, &[x]),
            _ => return None,
        };
        if exponent > 0.0 {
            return Some(base);
        }
        let one = self.number(1.0, DType::REAL);
        Some(self.scalar(Function::Divide, &[one, base]))
    }

    /// A comparison of whole numbers that always or never holds.
    fn decide(&mut self, function: Function, operands: &[ValueId]) -> Option<bool> {
        if !matches!(function, Function::Less | Function::LessEqual) {
            return None;
        }
        let (left, right) = (operands[0], operands[1]);
        let known = |id: ValueId| self.presence(id).is_always();
        if !known(left) || !known(right) {
            return None;
        }
        if self.dtype(left).is_real() || self.dtype(right).is_real() {
            return self.decide_infinite(function, left, right);
        }
        let strict = i64::from(function == Function::Less);
        let margin = self.affine(right).plus(&self.affine(left), -1).plus(&Affine::number(strict), -1);
        if self.never_negative(&margin) {
            return Some(true);
        }
        let opposite = Affine::number(-1).plus(&margin, -1);
        self.never_negative(&opposite).then_some(false)
    }

    /// `t - s < inf` holds.
    fn decide_infinite(&self, function: Function, left: ValueId, right: ValueId) -> Option<bool> {
        let whole = |id: ValueId| match &self.value(id).kind {
            ValueKind::Scalar(Function::ToReal, inner) => !self.dtype(inner[0]).is_real(),
            _ => false,
        };
        let _ = function;
        match (self.as_number(left), self.as_number(right)) {
            (_, Some(right)) if right == f64::INFINITY && whole(left) => Some(true),
            (Some(left), _) if left == f64::INFINITY && whole(right) => Some(false),
            (Some(left), _) if left == f64::NEG_INFINITY && whole(right) => Some(true),
            _ => None,
        }
    }
}
