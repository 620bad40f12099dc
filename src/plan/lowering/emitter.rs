//! Emits the statements that compute a value at given places.
//!
//! A value that is stored is read; any other is computed in place from what it reads. Each is emitted at the
//! outermost level at which its places are known, so what does not depend on an inner loop is outside of it.

use super::scope::Scope;
use crate::graph::{Op, Value};
use crate::kernel::{Index, Register, ScalarType};
use crate::plan::builder::NestBuilder;
use crate::plan::place::{Place, Places, View};
use crate::tensor::{AxisId, BATCH, DType, Precision};
use std::collections::{HashMap, HashSet};

/// Emits one kernel.
pub struct Emitter<'s, 'g> {
    /// What the region's values are stored in.
    pub scope: &'s Scope<'g>,
    /// The kernel so far.
    pub nest: NestBuilder,
    /// Copies that are read instead of what is stored.
    pub instead: HashMap<Value, View>,
    /// What loops run over: the axis, and the largest value of the counter if it is known.
    pub(super) loops: HashMap<Index, (AxisId, Option<i64>)>,
    /// Linear forms that are not negative here, by the bounds of open loops.
    pub(super) assumed: Vec<Place>,
    pub(super) parts: HashSet<Index>,
    /// The turn of a loop inside this kernel, and the level below which nothing may leave it.
    pub(super) turn: Option<(Place, usize)>,
    /// The level below which nothing may leave what runs only if a condition holds.
    floor: usize,
    values: HashMap<Key, (Register, u32)>,
    presences: HashMap<Key, (Option<Register>, u32)>,
}

type Key = (Value, Vec<(AxisId, Place)>);

impl<'s, 'g> Emitter<'s, 'g> {
    /// An empty kernel.
    pub fn new(scope: &'s Scope<'g>) -> Emitter<'s, 'g> {
        Emitter {
            scope,
            nest: NestBuilder::default(),
            instead: HashMap::new(),
            loops: HashMap::new(),
            assumed: Vec::new(),
            parts: HashSet::new(),
            turn: None,
            floor: 0,
            values: HashMap::new(),
            presences: HashMap::new(),
        }
    }

    /// The same kernel, which goes on with a region that is stored elsewhere.
    pub fn go_on<'t>(self, scope: &'t Scope<'g>) -> Emitter<'t, 'g> {
        Emitter { nest: self.nest, loops: self.loops, parts: self.parts, ..Emitter::new(scope) }
    }

    /// The value at places, in the register type of its element type; anything where it is absent.
    pub fn value(&mut self, value: Value, places: &Places) -> Register {
        let key = self.key(value, places);
        if let Some(&(register, level)) = self.values.get(&key)
            && self.nest.sees(level)
        {
            return register;
        }
        self.ascend_to(&key);
        let register = match self.instead.get(&value).or_else(|| self.scope.stored(value)) {
            Some(view) => self.nest.load(view, places),
            None => self.compute(value, places),
        };
        let ty = scalar_type(self.scope.typed(value).ty.dtype);
        let register = self.nest.convert(register, ty);
        self.values.insert(key, (register, self.nest.level()));
        self.nest.descend();
        register
    }

    /// The value at places, computed whether or not it is stored: what is to be stored there.
    pub fn made(&mut self, value: Value, places: &Places) -> Register {
        let register = self.compute(value, places);
        self.nest.convert(register, scalar_type(self.scope.typed(value).ty.dtype))
    }

    /// Says that the region's turns are those of the loop that was opened last.
    pub fn turn_inside(&mut self, turn: Place) {
        self.turn = Some((turn, self.nest.depth()));
    }

    /// Statements that run only where a condition holds, if there is one; what they need alone is computed there too.
    pub fn only_if(&mut self, condition: Option<Register>, statements: impl FnOnce(&mut Self)) {
        let Some(condition) = condition else { return statements(self) };
        self.nest.open_if();
        let before = std::mem::replace(&mut self.floor, self.nest.depth());
        statements(self);
        self.floor = before;
        self.nest.close_if(condition);
    }

    /// Whether the value is present at places; absent: it always is.
    pub fn present(&mut self, value: Value, places: &Places) -> Option<Register> {
        if self.scope.is_always(value) {
            return None;
        }
        let key = self.key(value, places);
        if let Some(&(register, level)) = self.presences.get(&key)
            && self.nest.sees(level)
        {
            return register;
        }
        self.ascend_to(&key);
        let register = self.presence(value, places);
        self.presences.insert(key, (register, self.nest.level()));
        self.nest.descend();
        register
    }

    /// Each row's number of positions along an axis; of an axis that is no sequence, its size.
    pub fn length(&mut self, axis: AxisId, places: &Places) -> Register {
        let view = self.scope.length(axis);
        if let Some(length) = self.computed_length(&self.scope.sizes.axes()[axis].extent, places) {
            return length;
        }
        match (view, places.contains_key(&BATCH)) {
            (Some(view), true) => self.nest.load(&view, places),
            _ => {
                let extent = self.scope.sizes.extent(axis);
                self.nest.size(&extent)
            }
        }
    }

    /// Says that a loop has a number of turns, which are a part of an axis.
    pub fn counts(&mut self, index: Index, axis: AxisId, turns: i64) {
        self.parts.insert(index);
        self.loops.insert(index, (axis, Some(turns - 1)));
    }

    /// Says what a loop runs over, all of it.
    pub fn runs(&mut self, index: Index, axis: AxisId) {
        let last = self.scope.sizes.axes().fixed(axis).map(|size| size - 1);
        self.loops.insert(index, (axis, last));
    }

    /// The smallest and largest value of a place, where loop bounds tell.
    pub(super) fn interval(&self, place: &Place) -> Option<(i64, i64)> {
        let (mut low, mut high) = (place.constant, place.constant);
        for (term, coefficient) in &place.terms {
            let crate::kernel::AddressTerm::Index(index) = term else { return None };
            let last = self.loops.get(index)?.1?;
            low += (coefficient * last).min(0);
            high += (coefficient * last).max(0);
        }
        Some((low, high))
    }

    fn compute(&mut self, value: Value, places: &Places) -> Register {
        let scope = self.scope;
        let node = scope.region.node(value.node);
        match &node.op {
            Op::Map(scalar) => self.map(node, scalar, places),
            Op::Else => self.otherwise(node, places),
            Op::Contract(axes) => self.contract(node, axes, places),
            Op::Reduce(combine, axes) => self.reduce(node, *combine, axes, places),
            Op::Rank(axes) => self.rank(node, axes, places),
            Op::Index(indices) => self.index(node, indices, places),
            Op::Draw(law, path) => self.draw(node, *law, path, places),
            Op::Stop | Op::Peek => self.value(node.operands[0], places),
            op => self.leaf(op, &node.results[0].ty, places),
        }
    }

    /// The places of the value's own axes.
    fn key(&self, value: Value, places: &Places) -> Key {
        let own = self.scope.typed(value).ty.axes.iter();
        (value, own.filter_map(|axis| places.get(axis).map(|place| (*axis, place.clone()))).collect())
    }

    fn ascend_to(&mut self, key: &Key) {
        let depth = key.1.iter().map(|(_, place)| self.nest.depth_of(place)).max().unwrap_or(0);
        let lowest = self.turn.as_ref().map_or(0, |(_, level)| *level);
        self.nest.ascend(depth.max(lowest).max(self.floor));
    }
}

/// The register type of an element type.
pub fn scalar_type(dtype: DType) -> ScalarType {
    match dtype {
        DType::Real(Precision::F64) => ScalarType::F64,
        DType::Real(_) => ScalarType::F32,
        DType::Int => ScalarType::Int,
        DType::Bool => ScalarType::Bool,
    }
}
