//! What is added in proportion to a read, in a chunk: a triangular system.
//! `S += k (v - e · read)`  →  `u = v - e · read` is solved for, and `S += k u`
//!
//! With m(t, s) what a read at t finds of a unit that is added at s, `u = (1 - e m)⁻¹ (v + e · read of all else)`. Where a
//! push and a correction go to the same place, u is both: one product for it, not two, and none to tell what the reads
//! of the corrections find of the pushes.

use super::chunk::{Added, Chunk, Decays, F32};
use super::form::{Base, Term};
use super::inverse::inverse;
use super::turn::Side;
use crate::graph::Value;
use crate::tensor::Function;

/// A correction, with the push that goes where it goes.
pub(super) struct Correction {
    pub read: usize,
    /// Where it goes.
    pub to: Term,
    /// What is added to the read: the value of the push over the number of `to`.
    pub given: Option<Value>,
    /// What the read is multiplied by before that.
    pub fades: Option<Value>,
}

impl Chunk<'_, '_, '_> {
    /// A correction with the push that goes to the same place, which then is no longer one by itself.
    pub(super) fn joined(&mut self, term: Term, pushes: &mut Vec<Term>) -> Option<Correction> {
        let Base::Read(read) = term.base else { return None };
        for place in 0..pushes.len() {
            let (common, value, fades) = apart(&pushes[place].factors, &term.factors);
            if self.is_beside(read, &value, true) && self.is_beside(read, &fades, false) {
                let scale = pushes.remove(place).scale / term.scale;
                let given = self.at(&value).map(|value| self.scaled(value, scale));
                let fades = self.at(&fades);
                return Some(Correction { read, to: Term { factors: common, ..term }, given, fades });
            }
        }
        Some(Correction { read, to: term, given: None, fades: None })
    }

    /// Whether a product stands beside a read: it has no axis that is summed for it, and as a value is one of each
    /// position, as a factor one of each head.
    fn is_beside(&self, read: usize, factors: &[Value], as_value: bool) -> bool {
        let along = self.turn.pieces.along;
        let mut axes = self.turn.tape.ty(self.state).axes;
        axes.retain(|axis| !self.reads[read].summed.contains(axis) && (as_value || !self.order.own.contains(axis)));
        let mut types = factors.iter().map(|factor| self.outer.ty(*factor));
        let moves = factors.iter().any(|factor| self.outer.ty(*factor).has(along));
        (moves || !as_value) && types.all(|ty| ty.axes.iter().all(|axis| *axis == along || axes.contains(axis)))
    }

    /// The product of outer values at the position that is computed.
    fn at(&mut self, factors: &[Value]) -> Option<Value> {
        let values = factors.iter().map(|factor| self.turn.value(self.outer, *factor, Side::At)).collect::<Vec<_>>();
        self.turn.product(&values)
    }

    /// What takes the read's place in a correction, at every position of the chunk.
    pub(super) fn solved(&mut self, decays: &Decays, added: &[Added], correction: &Correction) -> Option<Value> {
        let Correction { read, given, fades, .. } = *correction;
        let mut base = self.base_of(read, decays, added)?;
        let own = self.added(&correction.to, None);
        let mut m = self.against(read, decays, &own, true)?;
        if let Some(fades) = fades {
            base = self.turn.tape.call(Function::Multiply, &[base, fades]);
            m = self.turn.tape.call(Function::Multiply, &[m, fades]);
        }
        if let Some(given) = given {
            base = self.turn.tape.call(Function::Add, &[base, given]);
        }
        let (base, m) = (self.in_order(base, &[], F32), self.in_order(m, &[], F32));
        let inverse = inverse(&mut self.turn.tape, self.turn.pieces, m);
        let base = self.turn.on(base, Side::From);
        let from = self.turn.pieces.from;
        Some(self.turn.contract(&[inverse, base], &[from], &self.order))
    }
}

/// What two products share, and what each has beside it.
fn apart(left: &[Value], right: &[Value]) -> (Vec<Value>, Vec<Value>, Vec<Value>) {
    let (mut common, mut rest) = (Vec::new(), right.to_vec());
    let mut own = Vec::new();
    for factor in left {
        match rest.iter().position(|known| known == factor) {
            Some(place) => common.push(rest.remove(place)),
            None => own.push(*factor),
        }
    }
    (common, own, rest)
}
