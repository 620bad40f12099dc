//! Loops inside a nest: one turn after another, or in lanes with a masked end.

use super::Emitter;
use super::varying::Varying;
use crate::kernel::{Bound, Carried, Index, Loop, Statement};
use crate::mlir::arithmetic::Order;
use crate::mlir::memory::Lanes;
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::model::Combine;

impl Emitter<'_> {
    pub(super) fn inner_loop(&mut self, inner: &Loop) {
        let (from, to) = (self.bound(inner.from), self.bound(inner.to));
        let outside = self.varying.is_none();
        if outside && let Some(varying) = Varying::of_loop(inner) {
            let initial = self.carried_values(&inner.carried);
            let starts = inner.carried.iter().zip(&initial);
            let starts =
                starts.map(|(carried, &value)| self.identity(carried.combine, value.ty.kind)).collect::<Vec<_>>();
            let results = self.in_lanes(inner.index, from, to, varying, &inner.carried, &starts, &inner.body);
            for ((carried, result), initial) in inner.carried.iter().zip(results).zip(initial) {
                let combine = carried.combine.unwrap_or(Combine::Sum);
                let folded = self.writer.fold_lanes(result, |writer, left, right| join(writer, combine, left, right));
                let value = join(self.writer, combine, initial, folded);
                self.registers.insert(carried.register, value);
            }
            return;
        }
        self.turn_by_turn(inner, from, to);
    }

    fn turn_by_turn(&mut self, inner: &Loop, from: Value, to: Value) {
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
    fn turn(&mut self, carried: &[Carried], values: &[Value], body: &[Statement]) -> Vec<Value> {
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
    fn carried_values(&mut self, carried: &[Carried]) -> Vec<Value> {
        let value = |carried: &Carried| {
            let value = self.registers[&carried.initial];
            let varies = self.varying.as_ref().is_some_and(|varying| varying.has(carried.register));
            if varies { self.writer.repeat(value, self.lanes.count) } else { value }
        };
        carried.iter().map(value).collect()
    }

    fn bound(&mut self, bound: Bound) -> Value {
        match bound {
            Bound::Amount(amount) => self.body.amount(self.writer, amount),
            Bound::Register(register) => self.registers[&register],
        }
    }

    /// The neutral element of a combination, in all lanes.
    fn identity(&mut self, combine: Option<Combine>, kind: Kind) -> Value {
        let ty = Type::vector(kind, self.width);
        let largest = if kind == Kind::I64 { i64::MAX as f64 } else { f64::INFINITY };
        match combine {
            Some(Combine::Product | Combine::All) => self.writer.number(1.0, ty),
            Some(Combine::Maximum) => self.writer.number(-largest, ty),
            Some(Combine::Minimum) => self.writer.number(largest, ty),
            _ => self.writer.number(0.0, ty),
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
        self.lanes = Lanes { count: self.width, mask: None };
        let width = self.writer.int(self.width as i64);
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
        let numbers = self.writer.lane_numbers(Kind::I32, self.width);
        let count = self.writer.cast("arith.trunci", count, Kind::I32);
        self.writer.compare(Order::Less, numbers, count)
    }
}

fn join(writer: &mut Writer, combine: Combine, left: Value, right: Value) -> Value {
    match combine {
        Combine::Sum => writer.add(left, right),
        Combine::Product => writer.multiply(left, right),
        Combine::Maximum => writer.maximum(left, right),
        Combine::Minimum => writer.minimum(left, right),
        Combine::Any => writer.either(left, right),
        Combine::All => writer.both(left, right),
        Combine::First => left,
    }
}
