//! Builds a [`Nest`] statement by statement.
//!
//! In: loads, calls, loops and stores in the order of meaning. Out: a kernel and the arguments of its launch. Pure
//! statements go to the outermost level at which all that they read is known, and an equal statement is made once.

use super::place::{Place, Places, View};
use super::program::{Argument, Launch};
use super::sizes::LaunchSizes;
use crate::kernel::*;
use crate::tensor::Function;
use archc_runtime::abi::Size;
use std::collections::HashMap;

/// A statement without effect, to find equal ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Pure {
    Number(u64, ScalarType),
    Index(Index),
    Amount(Amount),
    Call(Function, Vec<Register>),
    Convert(ScalarType, Register),
    Load(usize, Vec<(AddressTerm, Amount)>, i64),
}

/// The statements of one loop that is being built.
#[derive(Debug)]
struct Level {
    id: u32,
    statements: Vec<Statement>,
    known: HashMap<Pure, Register>,
    header: Option<Header>,
}

#[derive(Debug)]
struct Header {
    index: Index,
    from: Bound,
    to: Bound,
    reverse: bool,
    lanes: bool,
}

/// Builds one kernel.
#[derive(Debug)]
pub struct NestBuilder {
    /// Whether sums of products are rounded once.
    pub fused: bool,
    /// Whether sums are alike in lanes and around them.
    pub alike: bool,
    parallel: Vec<ParallelLoop>,
    levels: Vec<Level>,
    aside: Vec<Vec<Level>>,
    next_level: u32,
    types: Vec<ScalarType>,
    register_depths: Vec<usize>,
    index_depths: Vec<usize>,
    arguments: Vec<(Argument, KernelBuffer)>,
    sizes: LaunchSizes,
}

impl Default for NestBuilder {
    fn default() -> NestBuilder {
        let root = Level { id: 0, statements: Vec::new(), known: HashMap::new(), header: None };
        NestBuilder {
            fused: false,
            alike: false,
            parallel: Vec::new(),
            levels: vec![root],
            aside: Vec::new(),
            next_level: 1,
            types: Vec::new(),
            register_depths: Vec::new(),
            index_depths: Vec::new(),
            arguments: Vec::new(),
            sizes: LaunchSizes::default(),
        }
    }
}

impl NestBuilder {
    /// The kernel's name for a size.
    pub fn amount(&mut self, size: &Size) -> Amount {
        self.sizes.amount(size)
    }

    /// Adds a parallel loop inside those that are there.
    pub fn parallel(&mut self, extent: &Size) -> Index {
        let index = self.fresh_index(0);
        let extent = self.amount(extent);
        self.parallel.push(ParallelLoop { index, extent });
        index
    }

    /// The level that statements go to now; 0 is the body of the parallel loops.
    pub fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// What tells the present level from all others.
    pub fn level(&self) -> u32 {
        self.levels[self.depth()].id
    }

    /// Whether statements of a level can be seen from here.
    pub fn sees(&self, level: u32) -> bool {
        self.levels.iter().any(|known| known.id == level)
    }

    /// The outermost level at which a place is known.
    pub fn depth_of(&self, place: &Place) -> usize {
        place.terms.iter().map(|(term, _)| self.term_depth(*term)).max().unwrap_or(0)
    }

    /// Runs statements at an outer level; pair with [`NestBuilder::descend`].
    pub fn ascend(&mut self, depth: usize) {
        let inner = self.levels.split_off(depth + 1);
        self.aside.push(inner);
    }

    /// Returns to the level before the last [`NestBuilder::ascend`].
    pub fn descend(&mut self) {
        let inner = self.aside.pop().unwrap_or_default();
        self.levels.extend(inner);
    }

    /// A constant.
    pub fn number(&mut self, number: f64, ty: ScalarType) -> Register {
        self.pure(Pure::Number(number.to_bits(), ty), ty, 0)
    }

    /// A whole number.
    pub fn int(&mut self, number: i64) -> Register {
        self.number(number as f64, ScalarType::Int)
    }

    /// A size as a whole number.
    pub fn size(&mut self, size: &Size) -> Register {
        match self.amount(size) {
            Amount::Constant(number) => self.int(number),
            amount => self.pure(Pure::Amount(amount), ScalarType::Int, 0),
        }
    }

    /// A position as a whole number.
    pub fn place(&mut self, place: &Place) -> Register {
        let mut sum = None;
        for (term, coefficient) in &place.terms {
            let mut part = match term {
                AddressTerm::Register(register) => *register,
                AddressTerm::Index(index) => {
                    let depth = self.index_depths[index.0 as usize];
                    self.pure(Pure::Index(*index), ScalarType::Int, depth)
                }
            };
            if *coefficient != 1 {
                let factor = self.int(*coefficient);
                part = self.call(Function::Multiply, &[part, factor]);
            }
            sum = Some(sum.map_or(part, |sum| self.call(Function::Add, &[sum, part])));
        }
        match sum {
            None => self.int(place.constant),
            Some(sum) if place.constant == 0 => sum,
            Some(sum) => {
                let constant = self.int(place.constant);
                self.call(Function::Add, &[sum, constant])
            }
        }
    }

    /// A function of registers of the types that it takes.
    pub fn call(&mut self, function: Function, arguments: &[Register]) -> Register {
        let ty = match function {
            Function::Equal | Function::NotEqual | Function::Less | Function::LessEqual => ScalarType::Bool,
            Function::Select => self.ty(arguments[1]),
            _ => self.ty(arguments[0]),
        };
        let depth = arguments.iter().map(|&argument| self.register_depth(argument)).max().unwrap_or(0);
        self.pure(Pure::Call(function, arguments.to_vec()), ty, depth)
    }

    /// A register as another type.
    pub fn convert(&mut self, register: Register, ty: ScalarType) -> Register {
        if self.ty(register) == ty {
            return register;
        }
        let depth = self.register_depth(register);
        self.pure(Pure::Convert(ty, register), ty, depth)
    }

    /// The type of a register.
    pub fn ty(&self, register: Register) -> ScalarType {
        self.types[register.0 as usize]
    }

    /// Reads an element; memory that this kernel also writes is read here and now.
    pub fn load(&mut self, view: &View, places: &Places) -> Register {
        let address = self.address(view, places, false);
        let ty = register_type(view.element);
        let depth = address.terms.iter().map(|(term, _)| self.term_depth(*term)).max().unwrap_or(0);
        if self.arguments[address.buffer].1.written {
            let register = self.fresh(ty, self.depth());
            self.push(Statement::Load(register, address));
            return register;
        }
        self.pure(Pure::Load(address.buffer, address.terms, address.offset), ty, depth)
    }

    /// Writes an element.
    pub fn store(&mut self, view: &View, places: &Places, register: Register) {
        let register = self.convert(register, register_type(view.element));
        let address = self.address(view, places, true);
        self.push(Statement::Store(address, register));
    }

    /// Adds to an element.
    pub fn add(&mut self, view: &View, places: &Places, register: Register) {
        let register = self.convert(register, register_type(view.element));
        let address = self.address(view, places, true);
        self.push(Statement::Add(address, register));
    }

    /// Random words; `words` of the request are set here.
    pub fn random(&mut self, mut request: RandomWords) -> [Register; 4] {
        let depth = self.depth();
        let words = [(); 4].map(|()| self.fresh(ScalarType::Int, depth));
        request.words = words;
        self.push(Statement::Random(Box::new(request)));
        words
    }

    /// Two standard normal numbers of two random words.
    pub fn normals(&mut self, words: [Register; 2]) -> [Register; 2] {
        let depth = self.depth();
        let numbers = [(); 2].map(|()| self.fresh(ScalarType::F32, depth));
        self.push(Statement::Normals(numbers, words));
        numbers
    }

    /// Opens a loop; statements go into it until it is closed.
    pub fn open_loop(&mut self, from: Bound, to: Bound, reverse: bool, lanes: bool) -> Index {
        let index = self.fresh_index(self.levels.len());
        self.open(Some(Header { index, from, to, reverse, lanes }));
        index
    }

    /// A register that a loop carries, to be declared right after opening it.
    pub fn carry(&mut self, ty: ScalarType) -> Register {
        self.fresh(ty, self.depth())
    }

    /// Closes a loop; carried registers hold their final values from here on.
    pub fn close_loop(&mut self, carried: Vec<Carried>) {
        let Some(level) = self.levels.pop() else { return };
        let depth = self.depth();
        for value in &carried {
            self.register_depths[value.register.0 as usize] = depth;
        }
        if let Some(Header { index, from, to, reverse, lanes }) = level.header {
            let body = level.statements;
            self.push(Statement::Loop(Box::new(Loop { index, from, to, reverse, carried, body, lanes })));
        }
    }

    /// Opens a list of statements that run only if a condition holds.
    pub fn open_if(&mut self) {
        self.open(None);
    }

    /// Closes it.
    pub fn close_if(&mut self, condition: Register) {
        if let Some(level) = self.levels.pop() {
            self.push(Statement::If(condition, level.statements));
        }
    }

    /// The kernel, and its launch but for the kernel's place and the work.
    pub fn finish(mut self, name: String, path: String, work: Size) -> (Kernel, Launch) {
        let body = std::mem::take(&mut self.levels[0].statements);
        let (arguments, buffers) = self.arguments.into_iter().unzip();
        let form = Form::Nest(Nest { parallel: self.parallel, body, fused: self.fused, alike: self.alike });
        let kernel = Kernel { name, buffers, sizes: self.sizes.count(), form };
        (kernel, Launch { kernel: 0, arguments, sizes: self.sizes.into_sizes(), work, path })
    }

    fn open(&mut self, header: Option<Header>) {
        let id = self.next_level;
        self.next_level += 1;
        self.levels.push(Level { id, statements: Vec::new(), known: HashMap::new(), header });
    }

    fn push(&mut self, statement: Statement) {
        let depth = self.depth();
        self.levels[depth].statements.push(statement);
    }

    fn fresh(&mut self, ty: ScalarType, depth: usize) -> Register {
        self.types.push(ty);
        self.register_depths.push(depth);
        Register(self.types.len() as u32 - 1)
    }

    fn fresh_index(&mut self, depth: usize) -> Index {
        self.index_depths.push(depth);
        Index(self.index_depths.len() as u32 - 1)
    }

    fn register_depth(&self, register: Register) -> usize {
        self.register_depths[register.0 as usize]
    }

    fn term_depth(&self, term: AddressTerm) -> usize {
        match term {
            AddressTerm::Index(index) => self.index_depths[index.0 as usize],
            AddressTerm::Register(register) => self.register_depth(register),
        }
    }

    fn pure(&mut self, pure: Pure, ty: ScalarType, depth: usize) -> Register {
        if let Some(&register) = self.levels[depth].known.get(&pure) {
            return register;
        }
        let register = self.fresh(ty, depth);
        let statement = match pure.clone() {
            Pure::Number(bits, ty) => Statement::Number(register, f64::from_bits(bits), ty),
            Pure::Index(index) => Statement::Count(register, CountSource::Index(index)),
            Pure::Amount(amount) => Statement::Count(register, CountSource::Amount(amount)),
            Pure::Call(function, arguments) => Statement::Call(register, function, arguments),
            Pure::Convert(ty, source) => Statement::Convert(register, ty, source),
            Pure::Load(buffer, terms, offset) => Statement::Load(register, Address { buffer, terms, offset }),
        };
        self.levels[depth].statements.push(statement);
        self.levels[depth].known.insert(pure, register);
        register
    }

    fn buffer(&mut self, view: &View, written: bool) -> usize {
        let argument = Argument { buffer: view.buffer, offset: view.offset.clone() };
        let place = self.arguments.iter().position(|(known, _)| *known == argument).unwrap_or_else(|| {
            self.arguments.push((argument, KernelBuffer { element: view.element, written: false }));
            self.arguments.len() - 1
        });
        self.arguments[place].1.written |= written;
        place
    }

    /// Declares that this kernel will write a buffer, before anything of it is read.
    pub fn will_write(&mut self, view: &View) {
        self.buffer(view, true);
    }

    fn address(&mut self, view: &View, places: &Places, written: bool) -> Address {
        let buffer = self.buffer(view, written);
        let mut address = Address { buffer, terms: Vec::new(), offset: 0 };
        for (axis, stride) in &view.strides {
            let Some(place) = places.get(axis) else { continue };
            for (term, coefficient) in &place.terms {
                let stride = self.amount(&stride.clone().times(Size::Constant(*coefficient)));
                address.terms.push((*term, stride));
            }
            if place.constant != 0 {
                match stride.constant() {
                    Some(stride) => address.offset += stride * place.constant,
                    None => {
                        let skip = self.size(&stride.clone().times(Size::Constant(place.constant)));
                        address.terms.push((AddressTerm::Register(skip), Amount::Constant(1)));
                    }
                }
            }
        }
        address
    }
}
