//! Runs loop nests: one scalar statement after the other.

use super::execute::{Memory, Slot, amount};
use archc::kernel::*;
use archc::tensor::Function;
use archc::tensor::random::{Stream, normals};

/// One nest that is running.
pub struct Nests<'n> {
    buffers: &'n [KernelBuffer],
    slots: &'n [Slot],
    sizes: &'n [i64],
    memory: &'n mut Memory,
    registers: Vec<(f64, ScalarType)>,
    counters: Vec<i64>,
}

impl<'n> Nests<'n> {
    /// Runs all turns of the parallel loops.
    pub fn run(nest: &Nest, buffers: &'n [KernelBuffer], slots: &'n [Slot], sizes: &'n [i64], memory: &'n mut Memory) {
        let mut run = Nests { buffers, slots, sizes, memory, registers: Vec::new(), counters: Vec::new() };
        run.parallel(&nest.parallel, &nest.body);
    }

    fn parallel(&mut self, loops: &[ParallelLoop], body: &[Statement]) {
        let Some((first, inner)) = loops.split_first() else { return self.statements(body) };
        for turn in 0..amount(first.extent, self.sizes) {
            self.count(first.index, turn);
            self.parallel(inner, body);
        }
    }

    fn statements(&mut self, statements: &[Statement]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Number(register, number, ty) => self.set(*register, *number, *ty),
            Statement::Count(register, source) => {
                let number = match source {
                    CountSource::Index(index) => self.counters[index.0 as usize],
                    CountSource::Amount(size) => amount(*size, self.sizes),
                };
                self.set(*register, number as f64, ScalarType::Int);
            }
            Statement::Call(register, function, arguments) => {
                self.memory.multiplications += u64::from(*function == Function::Multiply);
                let (value, ty) = self.call(*function, arguments);
                self.set(*register, value, ty);
            }
            Statement::Convert(register, ty, source) => {
                let value = self.get(*source).0;
                self.set(*register, value, *ty);
            }
            Statement::Load(register, address) => {
                let ty = register_type(self.buffers[address.buffer].element);
                let value = self.memory.read(self.slots[address.buffer], self.address(address));
                self.set(*register, value, ty);
            }
            Statement::Store(address, register) => {
                assert!(self.buffers[address.buffer].written, "a kernel stores where it says so");
                let value = self.get(*register).0;
                self.memory.write(self.slots[address.buffer], self.address(address), value);
            }
            Statement::Add(address, register) => {
                let (slot, at) = (self.slots[address.buffer], self.address(address));
                let sum = self.memory.read(slot, at) + self.get(*register).0;
                self.memory.write(slot, at, sum);
            }
            Statement::Random(request) => self.random(request),
            Statement::Normals(numbers, words) => {
                let [first, second] = words.map(|word| self.get(word).0 as u32);
                let [a, b, ..] = normals([first, second, 0, 0]);
                self.set(numbers[0], a, ScalarType::F32);
                self.set(numbers[1], b, ScalarType::F32);
            }
            Statement::Loop(inner) => self.repeat(inner),
            Statement::If(condition, inner) => {
                if self.get(*condition).0 != 0.0 {
                    self.statements(inner);
                }
            }
        }
    }

    fn random(&mut self, request: &RandomWords) {
        let number = |register: Register| self.get(register).0 as i64;
        let [low, high] = request.seed.map(|half| u64::from(number(half) as u32));
        let turns = request.turns.iter().map(|&turn| number(turn) as usize).collect::<Vec<_>>();
        let stream = Stream::with_key((low | high << 32) ^ request.path, &turns);
        let coordinates = request.coordinates.iter().map(|&coordinate| number(coordinate) as usize);
        let words = stream.words(number(request.row) as usize, coordinates);
        for (register, word) in request.words.into_iter().zip(words) {
            self.set(register, f64::from(word), ScalarType::Int);
        }
    }

    fn repeat(&mut self, inner: &Loop) {
        let bound = |run: &Self, bound: Bound| match bound {
            Bound::Amount(size) => amount(size, run.sizes),
            Bound::Register(register) => run.get(register).0 as i64,
        };
        let (from, to) = (bound(self, inner.from), bound(self, inner.to));
        for carried in &inner.carried {
            let (value, ty) = self.get(carried.initial);
            self.set(carried.register, value, ty);
        }
        for turn in from..to.max(from) {
            self.count(inner.index, if inner.reverse { to - 1 - (turn - from) } else { turn });
            self.statements(&inner.body);
            let next = inner.carried.iter().map(|carried| self.get(carried.next)).collect::<Vec<_>>();
            for (carried, (value, ty)) in inner.carried.iter().zip(next) {
                assert_eq!(ty, self.get(carried.register).1, "a carried value keeps its type");
                self.set(carried.register, value, ty);
            }
        }
    }

    /// Checks that arguments have the types that the function takes.
    fn call(&self, function: Function, arguments: &[Register]) -> (f64, ScalarType) {
        use Function::*;
        let values = arguments.iter().map(|&argument| self.get(argument).0).collect::<Vec<_>>();
        let types = arguments.iter().map(|&argument| self.get(argument).1).collect::<Vec<_>>();
        let ty = match function {
            Select => {
                assert!(types[0] == ScalarType::Bool && types[1] == types[2], "select: {types:?}");
                types[1]
            }
            And | Or | Not => {
                assert!(types.iter().all(|ty| *ty == ScalarType::Bool), "{function:?}: {types:?}");
                ScalarType::Bool
            }
            _ => {
                let same = types.iter().all(|ty| *ty == types[0] && *ty != ScalarType::Bool);
                assert!(same, "{function:?}: {types:?}");
                let compares = matches!(function, Equal | NotEqual | Less | LessEqual);
                if compares { ScalarType::Bool } else { types[0] }
            }
        };
        (function.apply(&values), ty)
    }

    fn address(&self, address: &Address) -> i64 {
        let term = |(term, stride): &(AddressTerm, Amount)| {
            let number = match term {
                AddressTerm::Index(index) => self.counters[index.0 as usize],
                AddressTerm::Register(register) => self.get(*register).0 as i64,
            };
            number * amount(*stride, self.sizes)
        };
        address.terms.iter().map(term).sum::<i64>() + address.offset
    }

    fn get(&self, register: Register) -> (f64, ScalarType) {
        self.registers[register.0 as usize]
    }

    fn set(&mut self, register: Register, value: f64, ty: ScalarType) {
        let place = register.0 as usize;
        if self.registers.len() <= place {
            self.registers.resize(place + 1, (f64::NAN, ScalarType::Bool));
        }
        let value = match ty {
            ScalarType::F32 => f64::from(value as f32),
            ScalarType::F64 => value,
            ScalarType::Int => value as i64 as f64,
            ScalarType::Bool => f64::from(u8::from(value != 0.0)),
        };
        self.registers[place] = (value, ty);
    }

    fn count(&mut self, index: Index, turn: i64) {
        let place = index.0 as usize;
        if self.counters.len() <= place {
            self.counters.resize(place + 1, 0);
        }
        self.counters[place] = turn;
    }
}
