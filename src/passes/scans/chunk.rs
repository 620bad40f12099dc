//! One carried value in a chunk: what is read of it at every position, and what it is after the chunk.
//!
//! With `D(t, s)` the product of the decays after s up to t, the state before position t of a chunk is
//! `D(t, start) S + Σ over s before t of D(t, s) (push(s) + correction(s) · read(s))`. So every read is a product with S,
//! a masked product of positions with positions, and, for the read that the corrections go by, a triangular system.

use super::class::Update;
use super::form::{Read, Term};
use super::pieces::cast;
use super::turn::{Order, Side, Turn};
use crate::graph::{Op, Typed, Value};
use crate::ops::Tape;
use crate::tensor::{AxisId, BATCH, DType, Function, Precision, Presence, Scalar, TensorType};
use std::collections::HashMap;

pub(super) const F32: DType = DType::Real(Precision::F32);
const F64: DType = DType::Real(Precision::F64);

/// Decays of a chunk; what lacks them does not fade.
pub(super) struct Decays {
    /// Sums of logarithms from the start of the chunk up to before a position that is computed, if channels fade.
    pub start: Option<Value>,
    /// The same up to a position that is read, and with it.
    pub upto: Option<Value>,
    /// From one position up to before another, zero where that does not come later.
    between: Value,
    /// From the start of the chunk up to before a position.
    since_start: Option<Value>,
    /// From after a position to the end.
    to_end: Option<Value>,
    /// Of the whole chunk.
    whole: Option<Value>,
}

/// What one carried value needs.
pub(super) struct Chunk<'t, 'a, 'o> {
    pub turn: &'t mut Turn<'a>,
    pub outer: &'t mut Tape<'o>,
    pub reads: &'t [Read],
    pub update: &'t Update,
    pub order: Order,
    /// At the start of the chunk.
    pub state: Value,
}

/// What is added at a position: factors of the position that is read, and a number.
pub(super) struct Added {
    pub scale: f64,
    pub factors: Vec<Value>,
}

impl Chunk<'_, '_, '_> {
    /// The values of the reads of a carried value, by their places, and the carried value after the chunk.
    pub fn make(&mut self, place: usize, decay: Option<Value>) -> Option<(HashMap<usize, Value>, Value)> {
        let decays = self.decays(decay);
        let mut pushes = self.update.pushes.clone();
        let correction = self.update.corrections.first().cloned();
        let correction = correction.and_then(|correction| self.joined(correction, &mut pushes));
        let mut added = Vec::new();
        for push in &pushes {
            added.push(self.added(push, None));
        }
        let mut made = HashMap::new();
        if let Some(correction) = correction {
            let solved = self.solved(&decays, &added, &correction)?;
            match (correction.given, correction.fades) {
                (None, None) => drop(made.insert(correction.read, solved)),
                (Some(given), None) => {
                    made.insert(correction.read, self.turn.tape.call(Function::Subtract, &[solved, given]));
                }
                _ => {}
            }
            let solved = self.turn.on(solved, Side::From);
            added.push(self.added(&correction.to, Some(solved)));
        }
        for read in 0..self.reads.len() {
            if self.reads[read].state == place && !made.contains_key(&read) {
                let value = self.base_of(read, &decays, &added)?;
                made.insert(read, value);
            }
        }
        let after = self.after(&decays, &added)?;
        Some((made, after))
    }

    /// What a term adds at a position; nothing where the position does not exist.
    pub(super) fn added(&mut self, term: &Term, read: Option<Value>) -> Added {
        let along = self.turn.pieces.along;
        let varies = term.factors.iter().any(|factor| self.outer.ty(*factor).has(along));
        let mut factors =
            term.factors.iter().map(|factor| self.turn.value(self.outer, *factor, Side::From)).collect::<Vec<_>>();
        if !varies {
            let by_row = self.turn.tape.ty(self.state).has(BATCH);
            factors.push(self.turn.existence(self.outer, by_row, Side::From));
        }
        factors.extend(read);
        Added { scale: term.scale, factors }
    }

    fn decays(&mut self, decay: Option<Value>) -> Decays {
        let before = self.turn.pieces.before();
        let Some(decay) = decay else {
            let axes = vec![self.turn.pieces.at, self.turn.pieces.from];
            let ones = self.turn.tape.filled(1.0, &TensorType { axes, dtype: F32 });
            let between = self.hidden(ones, &before);
            return Decays { start: None, upto: None, between, since_start: None, to_end: None, whole: None };
        };
        let mut x = self.turn.value(self.outer, decay, Side::At);
        if !self.outer.ty(decay).has(self.turn.pieces.along) {
            let by_row = self.turn.tape.ty(self.state).has(BATCH);
            let exists = self.turn.existence(self.outer, by_row, Side::At);
            x = self.turn.tape.call(Function::Multiply, &[x, exists]);
        }
        // Sums of a chunk are exact enough to be subtracted from each other only in double precision.
        let x = self.in_order(x, &[], F64);
        let from = self.turn.on(x, Side::From);
        let (at_axis, from_axis) = (self.turn.pieces.at, self.turn.pieces.from);
        let pairs = self.in_order(from, &[at_axis], F64);
        let not_after = self.turn.pieces.not_after();
        let pairs = self.turn.tape.narrow(pairs, &not_after);
        let upto = self.turn.contract(&[pairs], &[from_axis], &self.order);
        let whole = self.turn.contract(&[from], &[from_axis], &self.order);
        let start = self.turn.tape.call(Function::Subtract, &[upto, x]);
        let upto_from = self.turn.on(upto, Side::From);
        let between = self.turn.tape.call(Function::Subtract, &[start, upto_from]);
        let between = self.in_order(between, &[], F64);
        let between = self.turn.tape.narrow(between, &before);
        let between = self.exponential(between);
        let between = self.hidden(between, &Presence::always());
        let rest = self.turn.tape.call(Function::Subtract, &[whole, upto_from]);
        Decays {
            start: Some(start),
            upto: Some(upto_from),
            between,
            since_start: Some(self.exponential(start)),
            to_end: Some(self.exponential(rest)),
            whole: Some(self.exponential(whole)),
        }
    }

    /// A value times a number.
    pub(super) fn scaled(&mut self, value: Value, scale: f64) -> Value {
        if scale == 1.0 {
            return value;
        }
        let number = self.turn.tape.number(scale, F32);
        self.turn.tape.call(Function::Multiply, &[number, value])
    }

    pub(super) fn exponential(&mut self, value: Value) -> Value {
        let typed = self.turn.tape.typed(value).clone();
        let ty = TensorType { dtype: F32, ..typed.ty };
        let narrow =
            self.turn.tape.add(Op::Map(Scalar::identity()), vec![value], Typed { ty, presence: typed.presence });
        self.turn.tape.call(Function::Exp, &[narrow])
    }

    /// Zero where relations do not hold.
    fn hidden(&mut self, value: Value, presence: &Presence<Value>) -> Value {
        let narrow = self.turn.tape.narrow(value, presence);
        self.turn.tape.total(narrow)
    }

    /// The value with its axes in order, repeated along more.
    pub(super) fn in_order(&mut self, value: Value, more: &[AxisId], dtype: DType) -> Value {
        let typed = self.turn.tape.typed(value).clone();
        let mut axes = typed.ty.axes;
        crate::ops::add_axes(&mut axes, more);
        let ty = TensorType { axes: self.order.of(self.turn.pieces, axes), dtype };
        cast(&mut self.turn.tape, value, &ty)
    }

    /// A read of what the chunk begins with and of what is added in it.
    pub(super) fn base_of(&mut self, read: usize, decays: &Decays, added: &[Added]) -> Option<Value> {
        let Read { summed, .. } = self.reads[read].clone();
        let weight = self.weight(read);
        let inside = decays.since_start.filter(|decay| self.has_any(*decay, &summed));
        let weights = weight.into_iter().chain(inside).collect::<Vec<_>>();
        let weight = self.turn.product(&weights);
        let operands = [self.state].into_iter().chain(weight).collect::<Vec<_>>();
        let mut sum = self.turn.contract(&operands, &summed, &self.order);
        if let Some(decay) = decays.since_start.filter(|_| inside.is_none()) {
            sum = self.turn.tape.call(Function::Multiply, &[sum, decay]);
        }
        for part in added {
            let part = self.against(read, decays, part, false)?;
            sum = self.turn.tape.call(Function::Add, &[sum, part]);
        }
        Some(self.in_order(sum, &[self.turn.pieces.at], F32))
    }

    /// The weights of a read at the position that is computed.
    fn weight(&mut self, read: usize) -> Option<Value> {
        let factors = self.reads[read].factors.clone();
        let factors = factors.iter().map(|factor| self.turn.value(self.outer, *factor, Side::At)).collect::<Vec<_>>();
        self.turn.product(&factors)
    }

    fn has_any(&self, value: Value, axes: &[AxisId]) -> bool {
        axes.iter().any(|axis| self.turn.tape.ty(value).has(*axis))
    }

    /// What a read finds of what was added before: summed over the positions that are read, or still for each of them.
    pub(super) fn against(&mut self, read: usize, decays: &Decays, added: &Added, pairs: bool) -> Option<Value> {
        let summed = self.reads[read].summed.clone();
        let (inner, rest): (Vec<_>, Vec<_>) =
            added.factors.iter().copied().partition(|factor| self.has_any(*factor, &summed));
        let left = self.weight(read);
        let fades = decays.start.filter(|start| self.has_any(*start, &summed));
        let right = self.turn.product(&inner);
        let operands = left.into_iter().chain(right).collect::<Vec<_>>();
        let varies = operands.iter().copied().chain(fades).collect::<Vec<_>>();
        let mut scale = added.scale;
        let mut open = Vec::new();
        for axis in &summed {
            match varies.iter().any(|operand| self.turn.tape.ty(*operand).has(*axis)) {
                true => open.push(*axis),
                false => scale *= self.turn.tape.axes.fixed(*axis)? as f64,
            }
        }
        let mut score = match fades {
            Some(_) => self.half_by_half(decays, left, right, &open)?,
            None => {
                let score = (!operands.is_empty()).then(|| self.turn.contract(&operands, &open, &self.order));
                let values = score.into_iter().chain([decays.between]).collect::<Vec<_>>();
                self.turn.product(&values)?
            }
        };
        score = self.scaled(score, scale);
        let outer = self.turn.product(&rest);
        if pairs {
            let values = [score].into_iter().chain(outer).collect::<Vec<_>>();
            let m = self.turn.product(&values)?;
            return Some(self.in_order(m, &[], F32));
        }
        let score = self.in_order(score, &[], F32);
        let operands = [score].into_iter().chain(outer).collect::<Vec<_>>();
        let from = self.turn.pieces.from;
        Some(self.turn.contract(&operands, &[from], &self.order))
    }

    /// The carried value after the chunk.
    fn after(&mut self, decays: &Decays, added: &[Added]) -> Option<Value> {
        let ty = self.turn.tape.ty(self.state);
        let from = self.turn.pieces.from;
        let summed = self.reads.iter().flat_map(|read| read.summed.clone()).filter(|axis| ty.has(*axis));
        let summed = summed.collect::<Vec<_>>();
        let mut sum = match decays.whole {
            Some(whole) => self.turn.tape.call(Function::Multiply, &[whole, self.state]),
            None => self.state,
        };
        for part in added {
            let (mut inner, mut rest): (Vec<_>, Vec<_>) =
                part.factors.iter().copied().partition(|factor| self.has_any(*factor, &summed));
            if let Some(decay) = decays.to_end {
                let group = if self.has_any(decay, &summed) { &mut inner } else { &mut rest };
                group.push(decay);
            }
            let groups = [self.turn.product(&inner), self.turn.product(&rest)];
            let mut operands = groups.into_iter().flatten().collect::<Vec<_>>();
            if !operands.iter().any(|operand| self.turn.tape.ty(*operand).has(from)) {
                return None;
            }
            let last = operands.pop()?;
            operands.push(self.scaled(last, part.scale));
            let product = self.turn.contract(&operands, &[from], &self.order);
            sum = self.turn.tape.call(Function::Add, &[sum, product]);
        }
        Some(cast(&mut self.turn.tape, sum, &ty))
    }
}

/// A state in the order that its chunks have it in.
pub(super) fn state_type(order: &Order, turn: &Turn, ty: &TensorType) -> TensorType {
    TensorType { axes: order.of(turn.pieces, ty.axes.clone()), dtype: ty.dtype }
}
