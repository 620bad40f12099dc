//! What an element of a value is, and a tensor's type.

use super::AxisId;

/// What a real is computed in. Reductions and carried states are at least `F32`, whatever the recipe says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Precision {
    /// The recipe's.
    #[default]
    Recipe,
    /// At least 32-bit.
    F32,
    /// 64-bit.
    F64,
}

/// The type of an element after checking: an index of an axis is an int.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// A real number. Only reals have gradients.
    Real(Precision),
    /// A whole number.
    Int,
    /// A truth value; counts as 0 or 1.
    Bool,
}

impl DType {
    /// A real in the recipe's precision.
    pub const REAL: DType = DType::Real(Precision::Recipe);

    /// Whether it has gradients.
    pub fn is_real(self) -> bool {
        matches!(self, DType::Real(_))
    }

    /// The type that arithmetic on both gives.
    pub fn join(self, other: DType) -> DType {
        self.max_rank(other)
    }

    fn max_rank(self, other: DType) -> DType {
        match (self, other) {
            (DType::Real(left), DType::Real(right)) => DType::Real(left.max(right)),
            (DType::Real(precision), _) | (_, DType::Real(precision)) => DType::Real(precision),
            (DType::Bool, DType::Bool) => DType::Bool,
            _ => DType::Int,
        }
    }
}

/// The axes of a value, outermost first (the order means storage, nothing else), and its element type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Distinct axes.
    pub axes: Vec<AxisId>,
    /// The element type.
    pub dtype: DType,
}

impl TensorType {
    /// A type with these axes.
    pub fn new(axes: impl Into<Vec<AxisId>>, dtype: DType) -> TensorType {
        TensorType { axes: axes.into(), dtype }
    }

    /// A value without axes.
    pub fn scalar(dtype: DType) -> TensorType {
        TensorType { axes: Vec::new(), dtype }
    }

    /// Whether it has the axis.
    pub fn has(&self, axis: AxisId) -> bool {
        self.axes.contains(&axis)
    }

    /// The type without some axes.
    pub fn without(&self, axes: &[AxisId]) -> TensorType {
        let kept = self.axes.iter().copied().filter(|axis| !axes.contains(axis)).collect::<Vec<_>>();
        TensorType { axes: kept, dtype: self.dtype }
    }
}
