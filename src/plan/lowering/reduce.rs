//! Reductions and contractions: loops that stop at a row's length and at the bounds that linear relations give.

use super::emitter::{Emitter, scalar_type};
use crate::graph::{Node, Op, Value};
use crate::kernel::{Amount, Bound, Carried, Index, Register, ScalarType};
use crate::model::Combine;
use crate::plan::place::{Place, Places};
use crate::tensor::{Affine, AxisId, BATCH, Function, Relation, Term};
use std::collections::BTreeSet;

/// What one element of a fold is.
pub(super) type Element<'f, E> = &'f mut dyn FnMut(&mut E, &Places) -> Register;

/// A fold on its way through its axes.
struct Fold<'f> {
    combine: Combine,
    ty: ScalarType,
    values: &'f [Value],
    relations: Vec<Relation<Value>>,
    /// Sequences that are kept while rows are combined: a row takes part only where it has a position.
    sequences: Vec<AxisId>,
}

impl Emitter<'_, '_> {
    /// A reduction at places.
    pub(super) fn reduce(&mut self, node: &Node, combine: Combine, axes: &[AxisId], places: &Places) -> Register {
        let ty = scalar_type(node.results[0].ty.dtype);
        let operand = node.operands[0];
        let element = &mut |emitter: &mut Self, places: &Places| {
            let value = emitter.value(operand, places);
            emitter.nest.convert(value, ty)
        };
        let axes = if combine == Combine::First { axes.to_vec() } else { self.in_storage_order(axes, operand) };
        self.fold(combine, ty, &axes, &[operand], places, element)
    }

    /// A sum of products at places.
    pub(super) fn contract(&mut self, node: &Node, axes: &[AxisId], places: &Places) -> Register {
        let ty = scalar_type(node.results[0].ty.dtype);
        let operands = node.operands.clone();
        let element = &mut |emitter: &mut Self, places: &Places| {
            let factors = operands.iter().map(|&operand| emitter.value(operand, places)).collect::<Vec<_>>();
            let factors = factors.into_iter().map(|factor| emitter.nest.convert(factor, ty)).collect::<Vec<_>>();
            let rest = factors.iter().skip(1);
            rest.fold(factors[0], |product, &factor| emitter.nest.call(Function::Multiply, &[product, factor]))
        };
        let axes = self.in_storage_order(axes, operands[0]);
        self.fold(Combine::Sum, ty, &axes, &operands, places, element)
    }

    /// The part along some of its axes of a node that sums, at places along the others.
    pub fn summed(&mut self, node: &Node, axes: &[AxisId], places: &Places) -> Register {
        match node.op {
            Op::Contract(_) => self.contract(node, axes, places),
            _ => self.reduce(node, Combine::Sum, axes, places),
        }
    }

    /// The sum of a part for each turn of a loop.
    pub fn sum_over(
        &mut self,
        turns: Amount,
        lanes: bool,
        ty: ScalarType,
        part: impl FnOnce(&mut Self, Index) -> Register,
    ) -> Register {
        self.combine_over(Combine::Sum, turns, lanes, ty, part)
    }

    /// A part for each turn of a loop, combined: by sum, product, largest or smallest.
    pub fn combine_over(
        &mut self,
        combine: Combine,
        turns: Amount,
        lanes: bool,
        ty: ScalarType,
        part: impl FnOnce(&mut Self, Index) -> Register,
    ) -> Register {
        let initial = self.nest.number(identity(combine, ty), ty);
        let from = Bound::Amount(Amount::Constant(0));
        let index = self.nest.open_loop(from, Bound::Amount(turns), false, lanes);
        let register = self.nest.carry(ty);
        let part = part(self, index);
        let next = self.nest.call(function(combine), &[register, part]);
        self.nest.close_loop(vec![Carried { register, initial, next, combine: Some(combine) }]);
        register
    }

    /// Whether a turn is one of the row's positions along an axis.
    pub fn has_turn(&mut self, axis: AxisId, turn: Register, places: &Places) -> Register {
        let length = self.length(axis, places);
        self.nest.call(Function::Less, &[turn, length])
    }

    /// Combines elements along axes where all `values` are present.
    pub(super) fn fold(
        &mut self,
        combine: Combine,
        ty: ScalarType,
        axes: &[AxisId],
        values: &[Value],
        places: &Places,
        element: Element<Self>,
    ) -> Register {
        let distinct = values.iter().copied().collect::<BTreeSet<_>>();
        let relations = distinct.iter().flat_map(|&value| self.scope.relations(value)).collect();
        let sequences = self.kept_sequences(axes, values, places);
        let fold = Fold { combine, ty, values, relations, sequences };
        let mut state = vec![self.nest.number(identity(combine, ty), ty)];
        if combine == Combine::First {
            state.push(self.nest.number(0.0, ScalarType::Bool));
        }
        let assumed = self.assumed.len();
        let state = self.fold_along(&fold, axes, places, state, element);
        self.assumed.truncate(assumed);
        state[0]
    }

    fn kept_sequences(&self, axes: &[AxisId], values: &[Value], places: &Places) -> Vec<AxisId> {
        if !axes.contains(&BATCH) {
            return Vec::new();
        }
        let all = values.iter().flat_map(|value| self.scope.typed(*value).ty.axes.iter().copied());
        let kept = all.filter(|axis| !axes.contains(axis) && places.contains_key(axis));
        kept.filter(|axis| self.scope.length(*axis).is_some()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether a row has the positions that the places are at.
    fn in_row(&mut self, sequences: &[AxisId], places: &Places) -> Option<Register> {
        sequences.iter().fold(None, |exists, axis| {
            let length = self.length(*axis, places);
            let here = self.nest.place(places.get(axis)?);
            let inside = self.nest.call(Function::Less, &[here, length]);
            self.both(exists, Some(inside))
        })
    }

    fn fold_along(
        &mut self,
        fold: &Fold,
        axes: &[AxisId],
        places: &Places,
        state: Vec<Register>,
        element: Element<Self>,
    ) -> Vec<Register> {
        let Some((&axis, inner)) = axes.split_first() else { return self.fold_one(fold, places, state, element) };
        let (from, to, exact) = self.bounds(axis, inner, places, &fold.relations);
        let lanes = inner.is_empty() && fold.combine != Combine::First;
        let index = self.nest.open_loop(from, to, false, lanes);
        self.runs(index, axis);
        let mut places = places.clone();
        places.insert(axis, Place::index(index));
        for relation in exact {
            let place = self.affine(&relation, &places);
            self.assume(place);
        }
        let registers = state.iter().map(|&initial| self.nest.ty(initial)).collect::<Vec<_>>();
        let registers = registers.into_iter().map(|ty| self.nest.carry(ty)).collect::<Vec<_>>();
        let next = self.fold_along(fold, inner, &places, registers.clone(), element);
        let combine = (fold.combine != Combine::First).then_some(fold.combine);
        let carried = registers.iter().zip(&state).zip(next);
        let carried =
            carried.map(|((&register, &initial), next)| Carried { register, initial, next, combine }).collect();
        self.nest.close_loop(carried);
        registers
    }

    /// Runs statements for every present element of a value along axes, in order; what they do is not combined.
    pub fn visit(
        &mut self,
        axes: &[AxisId],
        value: Value,
        places: &mut Places,
        statements: &mut dyn FnMut(&mut Self, &Places),
    ) {
        let Some((&axis, inner)) = axes.split_first() else { return statements(self, places) };
        let relations = self.scope.relations(value);
        let (from, to, _) = self.bounds(axis, inner, places, &relations);
        let index = self.nest.open_loop(from, to, false, false);
        self.runs(index, axis);
        places.insert(axis, Place::index(index));
        self.visit(inner, value, places, statements);
        self.nest.close_loop(Vec::new());
    }

    fn fold_one(
        &mut self,
        fold: &Fold,
        places: &Places,
        state: Vec<Register>,
        element: Element<Self>,
    ) -> Vec<Register> {
        let present = self.all_present(fold.values, places);
        let exists = self.in_row(&fold.sequences, places);
        let present = self.both(exists, present);
        let value = element(self, places);
        if let [first, found] = state[..] {
            let seen = self.nest.call(Function::Not, &[found]);
            let taken = self.both(Some(seen), present);
            let value = self.choose(taken, value, first);
            let present = present.unwrap_or_else(|| self.nest.number(1.0, ScalarType::Bool));
            return vec![value, self.nest.call(Function::Or, &[found, present])];
        }
        let nothing = self.nest.number(identity(fold.combine, fold.ty), fold.ty);
        let value = self.choose(present, value, nothing);
        vec![self.nest.call(function(fold.combine), &[state[0], value])]
    }

    /// First and last turn of a loop along an axis, and the linear relations that they guarantee.
    fn bounds(
        &mut self,
        axis: AxisId,
        inner: &[AxisId],
        places: &Places,
        relations: &[Relation<Value>],
    ) -> (Bound, Bound, Vec<Affine<Value>>) {
        let zero = self.nest.int(0);
        let (mut from, mut to) = (zero, self.length(axis, places));
        let mut exact = Vec::new();
        for relation in relations {
            if let Relation::Equal(equal, value) = relation
                && *equal == axis
                && !self.reads_any(&Affine::value(*value), axis, inner)
            {
                let index = self.value(*value, places);
                let index = self.nest.convert(index, ScalarType::Int);
                from = self.nest.call(Function::Maximum, &[from, index]);
                let one = self.nest.int(1);
                let past = self.nest.call(Function::Add, &[index, one]);
                to = self.nest.call(Function::Minimum, &[to, past]);
            }
            to = self.end_if(relation, to, axis, inner, places);
            let Relation::AtLeastZero(affine) = relation else { continue };
            let Some((rest, sign)) = solve_for(affine, axis) else { continue };
            if self.reads_any(&rest, axis, inner) {
                continue;
            }
            let rest = self.affine(&rest, places);
            match sign {
                1 => {
                    let first = self.nest.place(&Place::number(0).plus(&rest, -1));
                    from = self.nest.call(Function::Maximum, &[from, first]);
                }
                _ => {
                    let past = self.nest.place(&rest.plus(&Place::number(1), 1));
                    to = self.nest.call(Function::Minimum, &[to, past]);
                }
            }
            if affine.values().all(|&value| self.scope.is_always(value)) {
                exact.push(affine.clone());
            }
        }
        (self.bound(from), self.bound(to), exact)
    }

    /// The end of a loop along an axis over what is present of a value.
    pub fn end(&mut self, value: Value, axis: AxisId, places: &Places) -> Register {
        let end = self.length(axis, places);
        let relations = self.scope.relations(value);
        relations.iter().fold(end, |end, relation| self.end_if(relation, end, axis, &[], places))
    }

    /// Where nothing is there, whatever the position, there is nothing to go through.
    fn end_if(
        &mut self,
        relation: &Relation<Value>,
        end: Register,
        axis: AxisId,
        inner: &[AxisId],
        places: &Places,
    ) -> Register {
        let Relation::Holds(flag) = relation else { return end };
        if self.reads_any(&Affine::value(*flag), axis, inner) {
            return end;
        }
        let Some(holds) = self.relation_holds(relation, places) else { return end };
        let zero = self.nest.int(0);
        self.nest.call(Function::Select, &[holds, end, zero])
    }

    /// A loop's end; a constant stays one.
    fn bound(&mut self, register: Register) -> Bound {
        Bound::Register(register)
    }

    /// Whether a form depends on an axis of the fold that is not in scope yet.
    fn reads_any(&self, form: &Affine<Value>, axis: AxisId, inner: &[AxisId]) -> bool {
        let open = |read: &AxisId| *read == axis || inner.contains(read);
        form.axes().any(|read| open(&read))
            || form.values().any(|value| self.scope.typed(*value).ty.axes.iter().any(open))
    }

    /// Axes in the order in which an operand holds them.
    fn in_storage_order(&self, axes: &[AxisId], operand: Value) -> Vec<AxisId> {
        let stored = &self.scope.typed(operand).ty.axes;
        let mut sorted = axes.to_vec();
        sorted.sort_by_key(|axis| stored.iter().position(|known| known == axis).unwrap_or(0));
        sorted
    }
}

/// `affine = sign · axis + rest` with a sign of 1 or -1.
fn solve_for(affine: &Affine<Value>, axis: AxisId) -> Option<(Affine<Value>, i64)> {
    let own = affine.terms.iter().find(|(term, _)| *term == Term::Axis(axis))?;
    let sign = own.1;
    (sign.abs() == 1).then(|| (affine.plus(&Affine::axis(axis), -sign), sign))
}

/// What combining with changes nothing.
fn identity(combine: Combine, ty: ScalarType) -> f64 {
    let whole = matches!(ty, ScalarType::Int | ScalarType::Bool);
    match combine {
        Combine::Sum | Combine::Any | Combine::First => 0.0,
        Combine::Product | Combine::All => 1.0,
        Combine::Maximum if whole => f64::from(i32::MIN),
        Combine::Minimum if whole => f64::from(i32::MAX),
        Combine::Maximum => f64::NEG_INFINITY,
        Combine::Minimum => f64::INFINITY,
    }
}

/// The function that combines two.
fn function(combine: Combine) -> Function {
    match combine {
        Combine::Sum => Function::Add,
        Combine::Product => Function::Multiply,
        Combine::Maximum => Function::Maximum,
        Combine::Minimum => Function::Minimum,
        Combine::Any => Function::Or,
        Combine::All => Function::And,
        Combine::First => Function::Select,
    }
}
