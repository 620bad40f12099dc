//! The closed list of operations.

use super::{Region, Value};
use crate::model::{Combine, Law};
use crate::tensor::{Affine, AxisId, Scalar};

/// An operation. What each means, how it is typed and differentiated, stands in [`crate::ops`], one file for each.
#[derive(Debug, Clone)]
pub enum Op {
    /// Data that a caller brings.
    Input(String),
    /// A parameter or buffer of the model, whole, by path.
    Parameter(String),
    /// The number of positions of a sequence, one for each row.
    Length(AxisId),
    /// A number for each position of the one axis of its type, or a single number.
    Constant(Vec<f64>),
    /// A run-time setting.
    Setting(String),
    /// The coordinate along the one axis of its type.
    Coordinate(AxisId),
    /// In a body: the operand of that place (carried, sliced or captured).
    Argument(usize),
    /// In a body: the number of the turn.
    Turn,
    /// A scalar expression over aligned operands; repeats along axes that an operand lacks. A result that is present at
    /// fewer positions than its operands is a `where`.
    Map(Scalar),
    /// The first operand where it is present, the second elsewhere.
    Else,
    /// The sum along axes of the product of the operands: any einsum. Absent products are skipped.
    Contract(Vec<AxisId>),
    /// Combines the one operand along axes, skipping what is absent.
    Reduce(Combine, Vec<AxisId>),
    /// The place in falling order along axes.
    Rank(Vec<AxisId>),
    /// The operand at other places.
    Index(Vec<(AxisId, Affine<Value>)>),
    /// The transpose of `Index`: adds every element of the operand, where present, to the place that the index would have
    /// read it from. The axes named on the left are in the result, those that only places read are summed away.
    Scatter(Vec<(AxisId, Affine<Value>)>),
    /// The first operand, with the elements of the second, where present, at the places that an index would read them
    /// from. No two elements go to one place. A state is written so, in its own memory.
    Write(Vec<(AxisId, Affine<Value>)>),
    /// A counter-based random number.
    Draw(Law, String),
    /// The operand, without gradient.
    Stop,
    /// The operand; blindness does not look through it.
    Peek,
    /// Turn by turn along an axis.
    For(For),
}

/// A rolled region. Operands: `carried` initial values, then `sliced` values that have the axis (a body sees its turn's
/// slice), then values that bodies see whole. Results: the carried values in the end, then what is yielded, which
/// gains the axis (in front, after batch). Where only some bodies have slices of something, it lies along the axis of a
/// [`Track`] in the place of that of the turns.
#[derive(Debug, Clone)]
pub struct For {
    /// The axis of the turns.
    pub axis: AxisId,
    /// From the end.
    pub reverse: bool,
    /// How many operands are carried.
    pub carried: usize,
    /// How many operands are sliced.
    pub sliced: usize,
    /// The bodies. Each region's results: carried, then yields (absent where this body yields nothing at that place),
    /// then, if `until`, a bool for each row.
    pub bodies: Vec<Region>,
    /// Which body each turn runs; absent: the first.
    pub turns: Option<Vec<u32>>,
    /// Axes of what not all bodies have slices of.
    pub tracks: Vec<Track>,
    /// The axis that each yield gains; that of the turns for those after the last one listed.
    pub stacks: Vec<AxisId>,
    /// Whether bodies end with a bool that stops a row.
    pub until: bool,
    /// The label, for reports.
    pub label: String,
}

/// The slices of something that only some bodies have: each is the slice of one turn. All turns of a body have one, or
/// none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Its axis, which has a place for each turn that has a slice.
    pub axis: AxisId,
    /// For each turn of the `for` its slice.
    pub slices: Vec<Option<u32>>,
}
