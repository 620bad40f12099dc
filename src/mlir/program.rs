//! The function of a program: sizes, loops and switches, and launches of kernel bodies.
//!
//! `archc_program_NAME(frame)` fills one argument block on the stack for each launch and runs the kernel's body over
//! its turns, through the frame's `parallel_for` where there is work for more than one thread. How turns are split
//! depends on the work alone, never on the number of threads.

use super::arithmetic::Order;
use super::kernels::Symbols;
use super::memory::stored_kind;
use super::text::{Kind, Type, Value, Writer};
use crate::kernel::{Amount, Kernel};
use crate::plan::{Argument, Launch, Program, Step};
use archc_runtime::abi::Size;

/// Places of the fields of `abi::Frame`, in words of eight bytes.
const FRAME_BUFFERS: usize = 0;
const FRAME_SIZES: usize = 1;
const FRAME_POOL: usize = 2;
const FRAME_PARALLEL_FOR: usize = 3;
const FRAME_WATCH: usize = 4;
const FRAME_WATCHER: usize = 5;
const FRAME_TALLY: usize = 6;

/// Work below this runs at once on the calling thread, in scalar operations: about 20 µs.
const SMALL: i64 = 65_536;

/// The symbol of a program's function.
pub fn symbol(name: &str) -> String {
    let clean = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' });
    format!("archc_program_{}", clean.collect::<String>())
}

/// Writes the function of one program; the bodies of its kernels are written already.
pub fn write(writer: &mut Writer, program: &Program, symbols: &Symbols) {
    let pointer = Type::scalar(Kind::Pointer);
    let frame = writer.begin_function("", &symbol(&program.name), &[pointer], "")[0];
    let slots = program.kernels.iter().map(|kernel| kernel.buffers.len() + kernel.sizes).max().unwrap_or(0).max(1);
    let slots = writer.int(slots as i64);
    let block = writer.define(pointer, format!("llvm.alloca {slots} x i64 : (i64) -> !llvm.ptr"));
    let mut function = Function { writer, program, symbols, block, values: Vec::new(), buffers: Vec::new(), frame };
    function.unpack();
    function.steps(&program.steps);
    function.writer.end_function();
}

struct Function<'a> {
    writer: &'a mut Writer,
    program: &'a Program,
    symbols: &'a Symbols,
    frame: Value,
    /// The argument block, used again by every launch.
    block: Value,
    /// Sizes, then the counters of the loops around the present place.
    values: Vec<Option<Value>>,
    buffers: Vec<Value>,
}

impl Function<'_> {
    fn slot(&mut self, base: Value, place: usize, kind: Kind) -> Value {
        let address = self.writer.address_at(base, place, Kind::I64);
        self.writer.load(address, Type::scalar(kind))
    }

    fn unpack(&mut self) {
        let sizes = self.slot(self.frame, FRAME_SIZES, Kind::Pointer);
        let buffers = self.slot(self.frame, FRAME_BUFFERS, Kind::Pointer);
        self.values = (0..self.program.symbols.len()).map(|place| Some(self.slot(sizes, place, Kind::I64))).collect();
        self.values.resize(self.program.symbols.len() + self.program.counters, None);
        self.buffers = (0..self.program.buffers.len()).map(|place| self.slot(buffers, place, Kind::Pointer)).collect();
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Launch(launch) => self.launch(launch),
                Step::Loop { counter, turns, reverse, body } => self.repeat(*counter, turns, *reverse, body),
                Step::Ask { counter, body } => self.asked(*counter, body),
                Step::Tally(size) => self.tally(size),
                Step::Count { counter, from } => self.count(*counter, from),
                Step::Lookup { counter, of, table } => self.look_up(*counter, *of, table),
                Step::Switch { counter, table, arms } => self.switch(*counter, table, arms),
            }
        }
    }

    fn repeat(&mut self, counter: usize, turns: &Size, reverse: bool, body: &[Step]) {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let turns = self.size(turns);
        let (open, mut turn, _) = self.writer.begin_for(zero, turns, one, &[]);
        if reverse {
            let last = self.writer.subtract(turns, one);
            turn = self.writer.subtract(last, turn);
        }
        self.values[counter] = Some(turn);
        self.steps(body);
        self.values[counter] = None;
        self.writer.end(open, &[]);
    }

    fn asked(&mut self, counter: usize, body: &[Step]) {
        let turn = self.value(counter);
        let wanted = self.ask(turn);
        let open = self.writer.begin_if(wanted, &[]);
        self.steps(body);
        self.writer.end(open, &[]);
    }

    fn tally(&mut self, size: &Size) {
        let more = self.size(size);
        let address = self.slot(self.frame, FRAME_TALLY, Kind::Pointer);
        let before = self.writer.load(address, Type::scalar(Kind::I64));
        let after = self.writer.add(before, more);
        self.writer.store(address, after);
    }

    /// Asks the caller whether a turn runs.
    fn ask(&mut self, turn: Value) -> Value {
        let watch = self.slot(self.frame, FRAME_WATCH, Kind::Pointer);
        let watcher = self.slot(self.frame, FRAME_WATCHER, Kind::Pointer);
        let call = format!("llvm.call {watch}({watcher}, {turn}) : !llvm.ptr, (!llvm.ptr, i64) -> i64");
        let answer = self.writer.define(Type::scalar(Kind::I64), call);
        let none = self.writer.int(0);
        self.writer.compare(Order::Different, answer, none)
    }

    /// Reads a whole number; a counter is valid as far as the steps around it are.
    fn count(&mut self, counter: usize, from: &Argument) {
        let offset = self.size(&from.offset);
        let address = self.writer.element_address(self.buffers[from.buffer], offset, Kind::I32);
        let number = self.writer.load(address, Type::scalar(Kind::I32));
        self.values[counter] = Some(self.writer.cast("arith.extsi", number, Kind::I64));
    }

    /// Reads a constant table.
    fn look_up(&mut self, counter: usize, of: usize, table: &[u32]) {
        let name = format!("{}_table_{counter}", symbol(&self.program.name));
        let (numbers, count) = (table.iter().map(u32::to_string).collect::<Vec<_>>().join(", "), table.len());
        self.writer.declare(&format!(
            "llvm.mlir.global internal constant @{name}(dense<[{numbers}]> : tensor<{count}xi64>) : !llvm.array<{count} x i64>"
        ));
        let base = self.writer.define(Type::scalar(Kind::Pointer), format!("llvm.mlir.addressof @{name} : !llvm.ptr"));
        let place = self.value(of);
        let address = self.writer.element_address(base, place, Kind::I64);
        self.values[counter] = Some(self.writer.load(address, Type::scalar(Kind::I64)));
    }

    /// The arm is looked up in a constant table; a chain of branches is enough for the few arms there are.
    fn switch(&mut self, counter: usize, table: &[u32], arms: &[Vec<Step>]) {
        let value = self.value(counter);
        for (place, arm) in arms.iter().enumerate() {
            let turns = table.iter().enumerate().filter(|(_, chosen)| **chosen as usize == place).map(|(turn, _)| turn);
            let mut here: Option<Value> = None;
            for turn in turns {
                let turn = self.writer.int(turn as i64);
                let equal = self.writer.compare(Order::Equal, value, turn);
                here = Some(here.map_or(equal, |before| self.writer.either(before, equal)));
            }
            if let Some(here) = here {
                let open = self.writer.begin_if(here, &[]);
                self.steps(arm);
                self.writer.end(open, &[]);
            }
        }
    }

    fn value(&mut self, symbol: usize) -> Value {
        self.values[symbol].unwrap_or_else(|| self.writer.int(0))
    }

    fn size(&mut self, size: &Size) -> Value {
        match size {
            Size::Constant(value) => self.writer.int(*value),
            Size::Symbol(symbol) => self.value(*symbol),
            Size::Sum(terms) => self.fold(terms, 0, Writer::add),
            Size::Product(factors) => self.fold(factors, 1, Writer::multiply),
            Size::CeilDivide(over, under) => {
                let (over, under) = (self.size(over), self.size(under));
                self.writer.ceil_divide(over, under)
            }
            Size::Max(left, right) => {
                let (left, right) = (self.size(left), self.size(right));
                self.writer.maximum(left, right)
            }
            Size::Min(left, right) => {
                let (left, right) = (self.size(left), self.size(right));
                self.writer.minimum(left, right)
            }
        }
    }

    fn fold(&mut self, parts: &[Size], empty: i64, join: fn(&mut Writer, Value, Value) -> Value) -> Value {
        let mut parts = parts.iter();
        let Some(first) = parts.next() else { return self.writer.int(empty) };
        let mut value = self.size(first);
        for part in parts {
            let part = self.size(part);
            value = join(self.writer, value, part);
        }
        value
    }

    fn launch(&mut self, launch: &Launch) {
        let program = self.program;
        let kernel = &program.kernels[launch.kernel];
        for (place, argument) in launch.arguments.iter().enumerate() {
            let offset = self.size(&argument.offset);
            let kind = stored_kind(program.buffers[argument.buffer].element);
            let address = self.writer.element_address(self.buffers[argument.buffer], offset, kind);
            self.fill(place, address);
        }
        let sizes = launch.sizes.iter().map(|size| self.size(size)).collect::<Vec<_>>();
        for (place, &size) in sizes.iter().enumerate() {
            self.fill(launch.arguments.len() + place, size);
        }
        let work = self.size(&launch.work);
        let symbol = self.symbols.of(kernel);
        self.run(kernel, &symbol, &sizes, work);
    }

    fn fill(&mut self, slot: usize, value: Value) {
        let address = self.writer.address_at(self.block, slot, Kind::I64);
        self.writer.store(address, value);
    }

    /// Calls the body over all turns, in chunks where that pays.
    fn run(&mut self, kernel: &Kernel, symbol: &str, sizes: &[Value], work: Value) {
        let amount = |writer: &mut Writer, amount: Amount| match amount {
            Amount::Constant(value) => writer.int(value),
            Amount::Size(place) => sizes[place],
        };
        let turns = super::kernels::turns(self.writer, kernel, self.symbols.target(), &amount);
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let block = self.block;
        let direct = format!("llvm.call @{symbol}({block}, {zero}, {}) : (!llvm.ptr, i64, i64) -> ()", turns.count);
        if !turns.splits {
            self.writer.line(direct);
            return;
        }
        let small = self.writer.int(SMALL);
        let large = self.writer.compare(Order::Less, small, work);
        let several = self.writer.compare(Order::Less, one, turns.count);
        let parallel = self.writer.both(large, several);
        let open = self.writer.begin_if(parallel, &[]);
        let share = self.writer.multiply(turns.count, turns.chunk);
        let group = self.writer.int(turns.group);
        let work = self.writer.multiply(work, group);
        let groups = self.writer.ceil_divide(share, work);
        let grain = self.writer.multiply(groups, group);
        let body =
            self.writer.define(Type::scalar(Kind::Pointer), format!("llvm.mlir.addressof @{symbol} : !llvm.ptr"));
        let pool = self.slot(self.frame, FRAME_POOL, Kind::Pointer);
        let parallel_for = self.slot(self.frame, FRAME_PARALLEL_FOR, Kind::Pointer);
        let types = "!llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64, i64) -> ()";
        let count = turns.count;
        self.writer.line(format!("llvm.call {parallel_for}({pool}, {body}, {block}, {count}, {grain}) : {types}"));
        self.writer.begin_else(&[]);
        self.writer.line(direct);
        self.writer.end(open, &[]);
    }
}
