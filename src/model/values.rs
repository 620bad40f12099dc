//! The values of one checked program: a list in which every value comes after what it reads.
//!
//! Blocks are expanded, `match` is decided, riding axes are on every type, and presence is known for each value. A
//! `for` stays a [`Region`] whose bodies hold values of their own.

use crate::source::Span;
use crate::tensor::{Affine, AxisId, Function, Presence, TensorType};

/// A value of one [`Program`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

/// A region of one [`Program`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegionId(pub u32);

/// A body of a region: which region, and which of its bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyId {
    /// The region.
    pub region: RegionId,
    /// The place in [`Region::bodies`].
    pub body: u32,
}

/// One program of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    /// All values; a value reads only earlier ones.
    pub values: Vec<Value>,
    /// All regions.
    pub regions: Vec<Region>,
    /// Results by name, in declaration order.
    pub outputs: Vec<(String, ValueId)>,
    /// Scalars (no axes) that training adds up, with their weights.
    pub losses: Vec<(ValueId, f64)>,
    /// New values of buffers, by the buffer's place in [`super::Model::parameters`].
    pub updates: Vec<(usize, ValueId)>,
    /// Bools that must hold when the program starts, and what to say if they do not.
    pub requirements: Vec<(ValueId, String)>,
    /// `require blind(a, b)`: proved when the model is checked; the span is for the message.
    pub blind: Vec<(ValueId, ValueId, Span)>,
    /// `yield`ed and named values by path (`layers.hidden`), for weight maps' `value` lines and for probes.
    pub named: Vec<(String, ValueId)>,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// How it is made.
    pub kind: ValueKind,
    /// Its axes (batch included) and element type.
    pub ty: TensorType,
    /// The axis that it is an index of, for values of type index.
    pub index_of: Option<AxisId>,
    /// Where it is present.
    pub presence: Presence<ValueId>,
    /// The body that it is made in; absent: at the top.
    pub body: Option<BodyId>,
    /// Where it is written.
    pub span: Span,
}

/// How a value is made.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueKind {
    /// By the caller: the place in [`super::Model::inputs`].
    Input(usize),
    /// The place in [`super::Model::parameters`]; always whole (a turn reads its slice with `Index`).
    Parameter(usize),
    /// A number without axes.
    Number(f64),
    /// A number for each position of one axis, known at compile time: a table from turn to something.
    Table(Vec<f64>),
    /// The coordinate along an axis; its type has just that axis.
    Coordinate(AxisId),
    /// The number of positions of a sequence, one for each row.
    Length(AxisId),
    /// A run-time setting of a `generate` block.
    Setting(String),
    /// A function at every position; operands repeat along axes that they lack.
    Scalar(Function, Vec<ValueId>),
    /// Repeats along the axes that its type has and the operand lacks.
    Broadcast(ValueId),
    /// The same value, present only where the relations of its own presence hold.
    Where(ValueId),
    /// The first where it is present, the second elsewhere.
    Else(ValueId, ValueId),
    /// Combines along axes, skipping what is absent.
    Reduce(Combine, Vec<AxisId>, ValueId),
    /// The place in falling order along axes (the last counts fastest); ties go to the lower index.
    Rank(Vec<AxisId>, ValueId),
    /// The operand at other places, absent outside (its presence says so where that can happen). An axis is
    /// replaced by those that its place reads; axes not listed stay.
    Index(ValueId, Vec<(AxisId, Affine<ValueId>)>),
    /// A random number, by law, from counter-based streams keyed by path.
    Draw {
        /// What is drawn.
        law: Law,
        /// Its path.
        path: String,
        /// The law's parameters.
        operands: Vec<ValueId>,
    },
    /// The operand, with no gradient.
    Stop(ValueId),
    /// The operand; blindness does not look through it.
    Peek(ValueId),
    /// The derivative of the first, summed over all its positions, by the second: of its axes, present where it is.
    Gradient(ValueId, ValueId),
    /// In a body: the carried value of that place.
    Carried(u32),
    /// In a body: the number of the turn.
    Turn,
    /// After a region: its carried value of that place in the end.
    Final(RegionId, u32),
    /// After a region: what it yields at that place; has the region's axis.
    Yielded(RegionId, u32),
}

/// How a reduction combines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Combine {
    Sum,
    Product,
    Maximum,
    Minimum,
    Any,
    All,
    /// The first present element, the last axis counting fastest.
    First,
}

/// What a draw is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// Between two operands.
    Uniform,
    /// Mean and standard deviation.
    Normal,
    /// True with the probability of the operand.
    Bernoulli,
    /// An index of the axis, all equally likely.
    UniformIndex(AxisId),
    /// An index of the axis, by weights of any sum along it.
    Categorical(AxisId),
}

/// A `for`.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// The axis that it runs along.
    pub axis: AxisId,
    /// From the end.
    pub reverse: bool,
    /// The label that paths of parameters use.
    pub label: String,
    /// What is carried: the initial value of each; all bodies read them as `Carried`.
    pub carried: Vec<ValueId>,
    /// One for each distinct choice of arms; most regions have one.
    pub bodies: Vec<Body>,
    /// Which body each turn runs; absent: the first.
    pub turns: Option<Vec<u32>>,
    /// The body that this region stands in.
    pub body: Option<BodyId>,
    /// The line.
    pub span: Span,
}

/// What one kind of turn computes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Body {
    /// The new value of each carried one.
    pub carried: Vec<ValueId>,
    /// What it yields; absent: nothing at that place.
    pub yields: Vec<Option<ValueId>>,
    /// A bool for each row: this row stops after the turn.
    pub until: Option<ValueId>,
}

impl Program {
    /// The values that a value is made of, presence aside; of what a `for` carries, the first value and what the turns
    /// make of it. Nothing is behind a `peek`.
    pub fn sources(&self, id: ValueId) -> Vec<ValueId> {
        let value = &self.values[id.0 as usize];
        match &value.kind {
            ValueKind::Peek(_) => Vec::new(),
            ValueKind::Carried(place) => match value.body {
                Some(body) => self.carried_at(body.region, *place as usize),
                None => Vec::new(),
            },
            ValueKind::Final(region, place) => self.carried_at(*region, *place as usize),
            ValueKind::Yielded(region, place) => {
                let bodies = self.regions[region.0 as usize].bodies.iter();
                bodies.filter_map(|body| body.yields.get(*place as usize).copied().flatten()).collect()
            }
            other => other.operands(),
        }
    }

    fn carried_at(&self, region: RegionId, place: usize) -> Vec<ValueId> {
        let region = &self.regions[region.0 as usize];
        let start = region.carried.get(place).copied();
        start.into_iter().chain(region.bodies.iter().filter_map(|body| body.carried.get(place).copied())).collect()
    }
}
