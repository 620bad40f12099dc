//! Loops inside a nest: one turn after another, or in lanes with a masked end.

use super::{Emitter, Execution};
use crate::kernel::choice::choose_inner;
use crate::kernel::varying::Varying;
use crate::kernel::{Bound, Carried, Index, Loop, Statement, written};
use crate::mlir::arithmetic::Order;
use crate::mlir::memory::Lanes;
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::model::Combine;

impl Emitter<'_> {
    pub(super) fn inner_loop(&mut self, inner: &Loop) {
        let (from, to) = (self.bound(inner.from), self.bound(inner.to));
        let outside = self.varying.is_none() && !self.apart;
        let varying = match self.execution {
            Execution::Lanes(width) => choose_inner(inner, width),
            _ => Varying::of_loop(inner),
        };
        match (varying.filter(|_| outside), &self.execution) {
            (Some(varying), Execution::Lanes(_)) => self.side_by_side(inner, from, to, varying),
            (Some(_), Execution::Team(_)) => self.in_team(inner, from, to),
            _ => self.turn_by_turn(inner, from, to),
        }
    }

    fn side_by_side(&mut self, inner: &Loop, from: Value, to: Value, varying: Varying) {
        let initial = self.carried_values(&inner.carried);
        let starts = self.starts(&inner.carried, &initial, self.width());
        let results = self.in_lanes(inner.index, from, to, varying, &inner.carried, &starts, &inner.body);
        self.fold(&inner.carried, &results, &initial);
    }

    /// What the lanes of a loop have combined, and what was there before, as one number each.
    pub(super) fn fold(&mut self, carried: &[Carried], results: &[Value], initial: &[Value]) {
        for ((carried, &result), &initial) in carried.iter().zip(results).zip(initial) {
            let combine = carried.combine.unwrap_or(Combine::Sum);
            let folded = self.writer.fold_lanes(result, |writer, left, right| writer.combine(combine, left, right));
            let value = self.writer.combine(combine, initial, folded);
            self.registers.insert(carried.register, value);
        }
    }

    /// Every thread of the team takes its share of the turns; all of them have the combined values afterwards.
    fn in_team(&mut self, inner: &Loop, from: Value, to: Value) {
        let Execution::Team(team) = self.execution else { return };
        let initial = self.carried_values(&inner.carried);
        let starts = self.starts(&inner.carried, &initial, 0);
        let step = self.writer.int(team.threads as i64);
        let first = self.writer.add(from, team.member);
        let (open, counter, values) = self.writer.begin_for(first, to, step, &starts);
        self.indices.insert(inner.index, counter);
        self.apart = true;
        let nexts = self.turn(&inner.carried, &values, &inner.body);
        self.apart = false;
        let results = self.writer.end(open, &nexts);
        for ((carried, result), initial) in inner.carried.iter().zip(results).zip(initial) {
            let combine = carried.combine.unwrap_or(Combine::Sum);
            let folded = team.combine(self.writer, combine, result);
            let value = self.writer.combine(combine, initial, folded);
            self.registers.insert(carried.register, value);
        }
        if !written(&inner.body).is_empty() {
            team.wait(self.writer);
        }
    }

    /// What the lanes or threads of a loop begin with: the neutral elements.
    pub(super) fn starts(&mut self, carried: &[Carried], initial: &[Value], lanes: usize) -> Vec<Value> {
        let pairs = carried.iter().zip(initial);
        pairs.map(|(carried, value)| self.writer.neutral(carried.combine, Type { lanes, ..value.ty })).collect()
    }

    fn turn_by_turn(&mut self, inner: &Loop, from: Value, to: Value) {
        let around = self.ahead.take();
        let together = self.in_pairs(inner, from, to) || self.abreast(inner, from, to);
        if !together && !self.as_in_lanes(inner, from, to) {
            self.ahead = self.goes_ahead(inner);
            self.one_by_one(inner, from, to);
        }
        self.ahead = around;
    }

    fn one_by_one(&mut self, inner: &Loop, from: Value, to: Value) {
        let one = self.writer.int(1);
        let initial = self.carried_values(&inner.carried);
        let (open, counter, values) = self.writer.begin_for(from, to, one, &initial);
        let counter = if inner.reverse { self.mirrored(from, to, counter) } else { counter };
        self.indices.insert(inner.index, counter);
        let nexts = self.turn(&inner.carried, &values, &inner.body);
        let results = self.writer.end(open, &nexts);
        for (carried, result) in inner.carried.iter().zip(results) {
            self.registers.insert(carried.register, result);
        }
    }

    fn mirrored(&mut self, from: Value, to: Value, counter: Value) -> Value {
        let one = self.writer.int(1);
        let sum = self.writer.add(from, to);
        let sum = self.writer.subtract(sum, one);
        self.writer.subtract(sum, counter)
    }

    /// Writes one turn and returns the next carried values, in the types of the present ones.
    pub(super) fn turn(&mut self, carried: &[Carried], values: &[Value], body: &[Statement]) -> Vec<Value> {
        for (carried, &value) in carried.iter().zip(values) {
            self.registers.insert(carried.register, value);
        }
        self.statements(body);
        let next = |(carried, value): (&Carried, &Value)| {
            let next = self.registers[&carried.next];
            if value.ty.lanes > 0 { self.writer.repeat(next, value.ty.lanes) } else { next }
        };
        carried.iter().zip(values).map(next).collect()
    }

    /// The values before the first turn, as vectors where turns make them differ between lanes.
    pub(super) fn carried_values(&mut self, carried: &[Carried]) -> Vec<Value> {
        let value = |carried: &Carried| {
            let value = self.registers[&carried.initial];
            let varies = self.varying.as_ref().is_some_and(|varying| varying.has(carried.register));
            if varies { self.writer.repeat(value, self.lanes.count) } else { value }
        };
        carried.iter().map(value).collect()
    }

    pub(super) fn bound(&mut self, bound: Bound) -> Value {
        match bound {
            Bound::Amount(amount) => self.body.amount(self.writer, amount),
            Bound::Register(register) => self.registers[&register],
        }
    }

    /// Runs turns in lanes: full vectors first, then one masked vector. Returns the carried vectors.
    #[expect(clippy::too_many_arguments, reason = "a loop is these things")]
    pub(super) fn in_lanes(
        &mut self,
        index: Index,
        from: Value,
        to: Value,
        varying: Varying,
        carried: &[Carried],
        starts: &[Value],
        body: &[Statement],
    ) -> Vec<Value> {
        self.varying = Some(varying);
        self.lanes = Lanes { count: self.width(), mask: None };
        let width = self.writer.int(self.width() as i64);
        let count = self.writer.subtract(to, from);
        let rest = self.writer.binary("arith.remsi", count, width);
        let full_end = self.writer.subtract(to, rest);
        let (open, counter, values) = self.writer.begin_for(from, full_end, width, starts);
        self.indices.insert(index, counter);
        let nexts = self.turn(carried, &values, body);
        let sums = self.writer.end(open, &nexts);

        let some = self.writer.compare(Order::Less, full_end, to);
        let types = starts.iter().map(|value| value.ty).collect::<Vec<_>>();
        let open = self.writer.begin_if(some, &types);
        let mask = self.first_lanes(rest);
        self.lanes.mask = Some(mask);
        self.indices.insert(index, full_end);
        let nexts = self.turn(carried, &sums, body);
        let kept = nexts.iter().zip(&sums).map(|(&next, &sum)| self.writer.select(mask, next, sum)).collect::<Vec<_>>();
        if !types.is_empty() {
            self.writer.begin_else(&kept);
        }
        let last = if types.is_empty() { Vec::new() } else { sums };
        let results = self.writer.end(open, &last);
        self.varying = None;
        self.lanes = Lanes::default();
        results
    }

    /// True in the first `count` lanes.
    fn first_lanes(&mut self, count: Value) -> Value {
        let numbers = self.writer.lane_numbers(Kind::I32, self.width());
        let count = self.writer.cast("arith.trunci", count, Kind::I32);
        self.writer.compare(Order::Less, numbers, count)
    }
}

impl Writer {
    /// The neutral element of a combination, in all lanes.
    fn neutral(&mut self, combine: Option<Combine>, ty: Type) -> Value {
        let largest = if ty.kind == Kind::I64 { i64::MAX as f64 } else { f64::INFINITY };
        match combine {
            Some(Combine::Product | Combine::All) => self.number(1.0, ty),
            Some(Combine::Maximum) => self.number(-largest, ty),
            Some(Combine::Minimum) => self.number(largest, ty),
            _ => self.number(0.0, ty),
        }
    }

    /// Two values of a reduction as one.
    pub fn combine(&mut self, combine: Combine, left: Value, right: Value) -> Value {
        match combine {
            Combine::Sum => self.add(left, right),
            Combine::Product => self.multiply(left, right),
            Combine::Maximum => self.maximum(left, right),
            Combine::Minimum => self.minimum(left, right),
            Combine::Any => self.either(left, right),
            Combine::All => self.both(left, right),
            Combine::First => left,
        }
    }
}
