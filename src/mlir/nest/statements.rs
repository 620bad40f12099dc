//! Statements of a nest, in the lanes of their place.

use super::{Emitter, Execution};
use crate::kernel::{Address, AddressTerm, Amount, CountSource, Index, RandomWords, Register, ScalarType, Statement};
use crate::mlir::arithmetic::Order;
use crate::mlir::memory::{Lanes, Place};
use crate::mlir::random::Draw;
use crate::mlir::text::{Kind, Type, Value};
use crate::tensor::Function;

impl Emitter<'_> {
    pub(super) fn statements(&mut self, body: &[Statement]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Number(register, value, ty) => {
                let value = self.writer.number(*value, Type::scalar(kind_of(*ty)));
                self.registers.insert(*register, value);
            }
            Statement::Count(register, source) => {
                let value = self.count(*source);
                self.registers.insert(*register, value);
            }
            Statement::Call(register, function, arguments) => {
                let value = self.call(*register, *function, arguments);
                self.registers.insert(*register, value);
            }
            Statement::Convert(register, ty, argument) => {
                let value = self.writer.convert(self.registers[argument], kind_of(*ty));
                self.registers.insert(*register, value);
            }
            Statement::Load(register, address) => {
                let value = self.load(address);
                self.registers.insert(*register, value);
            }
            Statement::Store(address, register) => self.by_one(|emitter| emitter.store(address, *register)),
            Statement::Add(address, register) => self.by_one(|emitter| emitter.add_to(address, *register)),
            Statement::Random(random) => self.random(random),
            Statement::Normals(numbers, words) => {
                let made = self.writer.normals(words.map(|word| self.registers[&word]));
                self.registers.extend(numbers.iter().copied().zip(made));
            }
            Statement::Loop(inner) => self.inner_loop(inner),
            Statement::If(condition, body) => self.branch(self.registers[condition], body),
        }
    }

    fn call(&mut self, register: Register, function: Function, arguments: &[Register]) -> Value {
        if let (Function::Multiply, &[left, right]) = (function, arguments) {
            self.products.insert(register, [left, right]);
        }
        let known = self.settled_choice(function, arguments).or_else(|| self.sum_of_product(function, arguments));
        known.unwrap_or_else(|| {
            let arguments = arguments.iter().map(|argument| self.registers[argument]).collect::<Vec<_>>();
            self.writer.apply(function, &arguments)
        })
    }

    /// A product and something else, rounded once; of two products the second is rounded by itself.
    fn sum_of_product(&mut self, function: Function, arguments: &[Register]) -> Option<Value> {
        let &[left, right] = arguments else { return None };
        if function != Function::Add || !self.fused || !self.registers[&left].ty.kind.is_float() {
            return None;
        }
        let ways = [(left, right), (right, left)];
        let found = ways.into_iter().find_map(|(product, rest)| Some((*self.products.get(&product)?, rest)));
        let ([one, other], rest) = found?;
        let [one, other, rest] = [one, other, rest].map(|register| self.registers[&register]);
        Some(self.writer.multiply_add(one, other, rest))
    }

    /// Writes the same for both answers to a condition, if there is one: nothing that is written asks.
    pub(super) fn for_both_answers(&mut self, condition: Option<Register>, mut write: impl FnMut(&mut Self)) {
        let Some(condition) = condition else { return write(self) };
        let open = self.writer.begin_if(self.registers[&condition], &[]);
        self.settled.insert(condition, true);
        write(self);
        self.writer.begin_else(&[]);
        self.settled.insert(condition, false);
        write(self);
        self.settled.remove(&condition);
        self.writer.end(open, &[]);
    }

    /// A choice whose condition is known here.
    fn settled_choice(&mut self, function: Function, arguments: &[Register]) -> Option<Value> {
        let [condition, then, otherwise] = arguments else { return None };
        let holds = *self.settled.get(condition).filter(|_| function == Function::Select)?;
        let [then, otherwise] = [then, otherwise].map(|register| self.registers[register]);
        let lanes = then.ty.lanes.max(otherwise.ty.lanes);
        Some(self.writer.repeat(if holds { then } else { otherwise }, lanes))
    }

    /// Writes to memory. What a whole team does alike is done by one of it: when all have read what was there before, and
    /// none reads on until it is done.
    fn by_one(&mut self, write: impl Fn(&mut Self)) {
        let Execution::Team(team) = self.execution else { return write(self) };
        if self.apart {
            return write(self);
        }
        team.wait(self.writer);
        let first = self.writer.int(0);
        let first = self.writer.compare(Order::Equal, team.member, first);
        let open = self.writer.begin_if(first, &[]);
        write(self);
        self.writer.end(open, &[]);
        team.wait(self.writer);
    }

    fn random(&mut self, random: &RandomWords) {
        let all = |registers: &[Register]| registers.iter().map(|register| self.registers[register]).collect();
        let draw = Draw {
            seed: random.seed.map(|register| self.registers[&register]),
            path: random.path,
            turns: all(&random.turns),
            row: self.registers[&random.row],
            coordinates: all(&random.coordinates),
        };
        let words = self.writer.random_words(&draw);
        self.registers.extend(random.words.into_iter().zip(words));
    }

    fn is_lane_index(&self, index: Index) -> bool {
        self.varying.as_ref().is_some_and(|varying| varying.index() == index)
    }

    fn count(&mut self, source: CountSource) -> Value {
        match source {
            CountSource::Amount(amount) => self.body.amount(self.writer, amount),
            CountSource::Index(index) if self.is_lane_index(index) => {
                let numbers = self.writer.lane_numbers(Kind::I64, self.lanes.count);
                self.writer.add(self.indices[&index], numbers)
            }
            CountSource::Index(index) => self.indices[&index],
        }
    }

    fn load(&mut self, address: &Address) -> Value {
        let place = self.place(address);
        let element = self.kernel.buffers[address.buffer].element;
        self.ask_ahead(address, place, false);
        self.writer.read(self.body.buffers[address.buffer], element, place, self.lanes)
    }

    fn store(&mut self, address: &Address, register: Register) {
        let place = self.place(address);
        let element = self.kernel.buffers[address.buffer].element;
        self.ask_ahead(address, place, true);
        self.writer.write(self.body.buffers[address.buffer], element, place, self.registers[&register], self.lanes);
    }

    fn add_to(&mut self, address: &Address, register: Register) {
        let place = self.place(address);
        let element = self.kernel.buffers[address.buffer].element;
        let base = self.body.buffers[address.buffer];
        let old = self.writer.read(base, element, place, self.lanes);
        let sum = self.writer.add(old, self.registers[&register]);
        self.writer.write(base, element, place, sum, self.lanes);
    }

    /// Where the lanes of an address are: the part that all share, and what moves from lane to lane.
    fn place(&mut self, address: &Address) -> Place {
        let mut shared = self.writer.int(address.offset);
        let mut moving: Option<Value> = None;
        let mut row = false;
        for &(term, stride) in &address.terms {
            if stride == Amount::Constant(0) {
                continue;
            }
            let lane_term = matches!(term, AddressTerm::Index(index) if self.is_lane_index(index));
            let counter = match term {
                AddressTerm::Index(index) => self.indices[&index],
                AddressTerm::Register(register) => self.registers[&register],
            };
            let step = self.scaled(counter, stride);
            if counter.ty.lanes > 0 {
                moving = Some(self.sum(moving, step));
                continue;
            }
            shared = self.writer.add(shared, step);
            if lane_term && stride == Amount::Constant(1) && !row {
                row = true;
            } else if lane_term {
                let numbers = self.writer.lane_numbers(Kind::I64, self.lanes.count);
                let spread = self.scaled(numbers, stride);
                moving = Some(self.sum(moving, spread));
            }
        }
        self.join_place(shared, moving, row)
    }

    fn join_place(&mut self, shared: Value, moving: Option<Value>, row: bool) -> Place {
        match moving {
            None if row => Place::Row(shared),
            None => Place::One(shared),
            Some(mut moving) => {
                if row {
                    let numbers = self.writer.lane_numbers(Kind::I64, self.lanes.count);
                    moving = self.writer.add(moving, numbers);
                }
                Place::Scattered(self.writer.add(moving, shared))
            }
        }
    }

    fn scaled(&mut self, counter: Value, stride: Amount) -> Value {
        if stride == Amount::Constant(1) {
            return counter;
        }
        let stride = self.body.amount(self.writer, stride);
        self.writer.multiply(counter, stride)
    }

    fn sum(&mut self, sum: Option<Value>, more: Value) -> Value {
        sum.map_or(more, |sum| self.writer.add(sum, more))
    }

    /// Runs statements where the condition holds; a vector branches only if no lane needs them.
    fn branch(&mut self, condition: Value, body: &[Statement]) {
        if condition.ty.lanes == 0 {
            let open = self.writer.begin_if(condition, &[]);
            self.statements(body);
            self.writer.end(open, &[]);
            return;
        }
        let outer = self.lanes;
        let mask = outer.mask.map_or(condition, |mask| self.writer.both(mask, condition));
        let any = self.writer.fold_lanes(mask, |writer, left, right| writer.either(left, right));
        let open = self.writer.begin_if(any, &[]);
        self.lanes = Lanes { mask: Some(mask), ..outer };
        self.statements(body);
        self.lanes = outer;
        self.writer.end(open, &[]);
    }
}

/// The kind of a register.
pub fn kind_of(ty: ScalarType) -> Kind {
    match ty {
        ScalarType::F32 => Kind::F32,
        ScalarType::F64 => Kind::F64,
        ScalarType::Int => Kind::I64,
        ScalarType::Bool => Kind::I1,
    }
}

impl crate::mlir::text::Writer {
    /// The value in another register type: towards zero from float to int, "is not 0" to a truth.
    pub fn convert(&mut self, value: Value, kind: Kind) -> Value {
        let from = value.ty.kind;
        match (from, kind) {
            _ if from == kind => value,
            (_, Kind::I1) => {
                let zero = self.number(0.0, value.ty);
                self.compare(Order::Different, value, zero)
            }
            (Kind::I1, Kind::I64) => self.cast("arith.extui", value, kind),
            (Kind::I1, _) => self.cast("arith.uitofp", value, kind),
            (Kind::I64, _) => self.cast("arith.sitofp", value, kind),
            (_, Kind::I64) => self.cast("arith.fptosi", value, kind),
            (Kind::F32, _) => self.cast("arith.extf", value, kind),
            _ => self.cast("arith.truncf", value, kind),
        }
    }
}
